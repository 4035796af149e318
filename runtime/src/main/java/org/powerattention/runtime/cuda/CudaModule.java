package org.powerattention.runtime.cuda;

import jcuda.driver.CUfunction;
import jcuda.driver.CUfunction_attribute;
import jcuda.driver.CUmodule;
import jcuda.driver.CUresult;
import org.powerattention.runtime.CompilationException;

/** Compiled kernels, loaded on a device. */
final class CudaModule implements AutoCloseable {
  /** Dynamic shared memory that every kernel may use without asking for more. */
  private static final int DEFAULT_SHARED_BYTES = 48 << 10;

  private final CudaBackend backend;
  private final String program;
  private final CUmodule module = new CUmodule();

  /**
   * Loads kernels.
   *
   * @param code a cubin, or PTX ending in a zero byte
   * @param program what they belong to, in words
   */
  CudaModule(CudaBackend backend, byte[] code, String program) {
    this.backend = backend;
    this.program = program;
    backend
        .context()
        .run(
            () ->
                backend
                    .context()
                    .check(
                        backend.calls().cuModuleLoadData(module, code),
                        "cuModuleLoadData",
                        program + " on " + backend.name()));
  }

  /**
   * Returns a kernel.
   *
   * @param name its name in the source, where it is {@code extern "C"}
   * @param dynamicSharedBytes most dynamic shared memory of its launches, in bytes
   * @throws CompilationException if there is no such kernel, or the device has less shared memory
   */
  CudaKernel kernel(String name, int dynamicSharedBytes) {
    int most = backend.device().sharedBytesPerBlock();
    if (dynamicSharedBytes > most) {
      throw new CompilationException(
          "kernel "
              + name
              + " of "
              + program
              + " needs "
              + dynamicSharedBytes
              + " bytes of shared memory per block; "
              + backend.name()
              + " has "
              + most
              + ": declare a smaller headDim, or use Accelerator.cpu()",
          "");
    }
    String where = "kernel " + name + " of " + program + " on " + backend.name();
    CUfunction function = new CUfunction();
    backend.context().run(() -> prepare(function, name, dynamicSharedBytes, where));
    return new CudaKernel(backend.context(), function, where);
  }

  private void prepare(CUfunction function, String name, int dynamicSharedBytes, String where) {
    int result = backend.calls().cuModuleGetFunction(function, module, name);
    if (result == CUresult.CUDA_ERROR_NOT_FOUND) {
      throw new CompilationException(
          "the source of " + program + " has no kernel " + name + "; rebuild it", "");
    }
    backend.context().check(result, "cuModuleGetFunction", where);
    if (dynamicSharedBytes > DEFAULT_SHARED_BYTES) {
      backend
          .context()
          .check(
              backend
                  .calls()
                  .cuFuncSetAttribute(
                      function,
                      CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
                      dynamicSharedBytes),
              "cuFuncSetAttribute",
              where);
    }
  }

  /** Unloads the kernels. */
  @Override
  public void close() {
    backend
        .context()
        .release(
            () ->
                backend
                    .context()
                    .check(
                        backend.calls().cuModuleUnload(module),
                        "cuModuleUnload",
                        program + " on " + backend.name()));
  }
}
