package org.powerattention.runtime.cuda;

import java.util.Optional;
import org.powerattention.runtime.CudaUnavailableException;
import org.powerattention.runtime.KernelProgram;
import org.powerattention.runtime.spi.Backend;
import org.powerattention.runtime.spi.LoadedProgram;
import org.powerattention.runtime.spi.Memory;

/** CUDA devices; says that there are none until the rest of the package is written. */
public final class CudaBackend implements Backend {
  public CudaBackend(int ordinal) {
    throw new CudaUnavailableException(unavailable().get(), null);
  }

  public static Optional<String> unavailable() {
    return Optional.of("CUDA is not built in yet");
  }

  public String name() {
    return "CUDA";
  }

  public boolean isCuda() {
    return true;
  }

  public Memory allocate(long bytes) {
    throw new UnsupportedOperationException();
  }

  public Memory borrow(long a, long bytes) {
    throw new UnsupportedOperationException();
  }

  public long createStream() {
    return 0;
  }

  public void destroyStream(long s) {}

  public void synchronize(long s) {}

  public LoadedProgram load(KernelProgram p) {
    throw new UnsupportedOperationException();
  }

  public void close() {}
}
