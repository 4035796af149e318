package org.powerattention.runtime.events;

import com.sun.jna.Native;
import com.sun.jna.NativeLibrary;
import java.lang.System.Logger.Level;
import org.jspecify.annotations.Nullable;
import org.powerattention.runtime.spi.Log;

/**
 * Ranges for NVIDIA's profilers. NVTX is a header for C; a shared library that exports its
 * functions comes with CUDA 12 (libnvToolsExt.so.1) and with NVTX itself (libnvtx3interop.so), and
 * is called through JNA, if the application has it.
 */
public final class Nvtx implements Ranges {
  /** Name or path of the library, if ranges are wanted. */
  static final String PROPERTY = "powerattention.nvtx";

  private Nvtx(String library) {
    Native.register(Functions.class, NativeLibrary.getInstance(library));
  }

  /** The library's functions, by its names for them. */
  private static final class Functions {
    static native int nvtxRangePushA(String name);

    static native int nvtxRangePop();
  }

  private static final class OfProcess {
    static final @Nullable Ranges RANGES = load(System.getProperty(PROPERTY));
  }

  /** Returns those of this process, or null if none are wanted, or if they cannot be had. */
  public static @Nullable Ranges ofProcess() {
    return OfProcess.RANGES;
  }

  private static @Nullable Ranges load(@Nullable String library) {
    if (library == null) {
      return null;
    }
    try {
      return new Nvtx(library);
    } catch (NoClassDefFoundError e) {
      warn(library, "JNA is not on the class path or module path; add net.java.dev.jna:jna");
    } catch (UnsatisfiedLinkError e) {
      warn(library, String.valueOf(e.getMessage()));
    } catch (ExceptionInInitializerError e) {
      warn(
          library,
          "JNA does not start ("
              + e.getCause()
              + "); from JDK 24 on it needs --enable-native-access=ALL-UNNAMED, on the module path"
              + " --enable-native-access=com.sun.jna");
    }
    return null;
  }

  private static void warn(String library, String why) {
    Log.get().log(Level.WARNING, "no profiling ranges by {0}: {1}", library, why);
  }

  @Override
  public void push(String name) {
    int ignored = Functions.nvtxRangePushA(name);
  }

  @Override
  public void pop() {
    int ignored = Functions.nvtxRangePop();
  }
}
