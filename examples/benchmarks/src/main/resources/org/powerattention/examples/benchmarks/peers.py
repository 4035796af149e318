"""Times PyTorch's attention in bf16.

Takes {forward: [shape], training: [shape], decode: [batch], decodeHeads, decodeDim, decodeTokens} as JSON,
a shape being {b, t, h, d}, and prints {matmulTflops, versions, forward: [ms], training: [{forward, both}],
decode: [{name, milliseconds}], failures: [text]}, with null for what failed.

Forward and training are causal attention by the cuDNN backend; decode is one token against a key/value cache by
the cuDNN or the flash backend, whichever is faster. Times are medians by CUDA events, over inputs that rotate past
the L2 cache.
"""

import json
import sys

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention


def median(values):
    return sorted(values)[len(values) // 2]


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
    return median(times)


def spans_ms(call, count):
    """Milliseconds of calls that are enqueued without waiting in between."""
    events = [torch.cuda.Event(enable_timing=True) for _ in range(count + 1)]
    events[0].record()
    for i in range(count):
        call(i)
        events[i + 1].record()
    events[count].synchronize()
    return [events[i].elapsed_time(events[i + 1]) for i in range(count)]


def queued_median_ms(call, budget_ms=100.0):
    spans_ms(call, 2)  # loads and chooses kernels
    first = median(spans_ms(call, 2))
    return median(spans_ms(call, int(max(10, min(51, budget_ms / max(first, 1e-3))))))


def matmul_tflops():
    a = torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16)
    b = torch.randn_like(a)
    return 2 * 8192**3 / median_ms(lambda i: a @ b) / 1e9


def random_inputs(shape, tensors, requires_grad=0):
    size = (shape["b"], shape["h"], shape["t"], shape["d"])
    elements = shape["b"] * shape["h"] * shape["t"] * shape["d"]
    sets = max(1, min(8, (200 << 20) // (8 * elements)))
    return [
        [
            torch.randn(size, device="cuda", dtype=torch.bfloat16, requires_grad=i < requires_grad)
            for i in range(tensors)
        ]
        for _ in range(sets)
    ]


def attention_ms(shape):
    inputs = random_inputs(shape, 3)
    with sdpa_kernel(SDPBackend.CUDNN_ATTENTION):
        return median_ms(
            lambda i: scaled_dot_product_attention(*inputs[i % len(inputs)], is_causal=True)
        )


def training_ms(shape):
    inputs = random_inputs(shape, 4, requires_grad=3)

    def forward(i):
        return scaled_dot_product_attention(*inputs[i % len(inputs)][:3], is_causal=True)

    def both(i):
        torch.autograd.grad(forward(i), inputs[i % len(inputs)][:3], inputs[i % len(inputs)][3])

    with sdpa_kernel(SDPBackend.CUDNN_ATTENTION):
        return {"forward": queued_median_ms(forward), "both": queued_median_ms(both)}


@torch.no_grad()
def decode_ms(batch, heads, dim, tokens):
    q = torch.randn(batch, heads, 1, dim, device="cuda", dtype=torch.bfloat16)
    k, v = (
        torch.randn(batch, heads, tokens, dim, device="cuda", dtype=torch.bfloat16)
        for _ in range(2)
    )
    found, errors = [], []
    for name, backend in (
        ("cuDNN", SDPBackend.CUDNN_ATTENTION),
        ("flash", SDPBackend.FLASH_ATTENTION),
    ):
        try:
            with sdpa_kernel(backend):
                call = lambda i: scaled_dot_product_attention(q, k, v)  # noqa: E731
                spans_ms(call, 3)
                how = "CUDA graph"
                try:
                    graph = torch.cuda.CUDAGraph()
                    with torch.cuda.graph(graph):
                        call(0)
                    step = lambda i: graph.replay()  # noqa: E731
                    spans_ms(step, 2)
                except Exception:
                    torch.cuda.synchronize()
                    how, step = "calls", call
                found.append((queued_median_ms(step), f"PyTorch SDPA, {name}, BF16, {how}"))
        except Exception as e:
            errors.append(f"{name}: {str(e).splitlines()[0] if str(e) else type(e).__name__}")
    if not found:
        raise RuntimeError("; ".join(errors))
    milliseconds, name = min(found)
    return {"name": name, "milliseconds": milliseconds}


def main():
    request = json.loads(sys.argv[1])
    failures = []

    def attempt(what, measure):
        try:
            return measure()
        except Exception as e:
            failures.append(f"{what}: {str(e).splitlines()[0] if str(e) else type(e).__name__}")
            return None
        finally:
            torch.cuda.empty_cache()

    report = {
        "matmulTflops": matmul_tflops(),
        "versions": f"{torch.cuda.get_device_name()}, PyTorch {torch.__version__}, "
        f"CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}",
        "forward": [
            attempt(f"forward {shape}", lambda: attention_ms(shape)) for shape in request["forward"]
        ],
        "training": [
            attempt(f"training {shape}", lambda: training_ms(shape))
            for shape in request["training"]
        ],
        "decode": [
            attempt(
                f"decode of batch {batch}",
                lambda: decode_ms(
                    batch, request["decodeHeads"], request["decodeDim"], request["decodeTokens"]
                ),
            )
            for batch in request["decode"]
        ],
        "failures": failures,
    }
    json.dump(report, sys.stdout)


main()
