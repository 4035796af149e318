"""Times causal attention by PyTorch's cuDNN backend, bf16, for a JSON list of {b, t, h, d}.

Prints {matmulTflops, versions, milliseconds: [...]}: medians of CUDA event times over inputs that
rotate past the L2 cache.
"""

import json
import sys

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention


def median_ms(call, budget_ms=200.0):
    call(0)
    torch.cuda.synchronize()
    times = []
    while len(times) < 9 or (sum(times) < budget_ms and len(times) < 101):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        call(len(times))
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end))
    return sorted(times)[len(times) // 2]


def matmul_tflops():
    a = torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16)
    b = torch.randn_like(a)
    return 2 * 8192**3 / median_ms(lambda i: a @ b) / 1e9


def attention_ms(shape):
    size = (shape["b"], shape["h"], shape["t"], shape["d"])
    elements = shape["b"] * shape["h"] * shape["t"] * shape["d"]
    sets = max(1, min(8, (200 << 20) // (8 * elements)))
    inputs = [
        [torch.randn(size, device="cuda", dtype=torch.bfloat16) for _ in range(3)]
        for _ in range(sets)
    ]
    with sdpa_kernel(SDPBackend.CUDNN_ATTENTION):
        return median_ms(lambda i: scaled_dot_product_attention(*inputs[i % sets], is_causal=True))


json.dump(
    {
        "matmulTflops": matmul_tflops(),
        "versions": f"{torch.cuda.get_device_name()}, PyTorch {torch.__version__}, "
        f"CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}",
        "milliseconds": [attention_ms(shape) for shape in json.loads(sys.argv[1])],
    },
    sys.stdout,
)
