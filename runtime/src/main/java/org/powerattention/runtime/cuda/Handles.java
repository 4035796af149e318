package org.powerattention.runtime.cuda;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import jcuda.NativePointerObject;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.CUstream;

/**
 * Conversion between JCuda's handle objects and the numbers they stand for, which JCuda keeps to
 * itself: addresses and stream handles come from other libraries, and go into kernel arguments.
 */
final class Handles {
  private static final MethodHandle VALUE;
  private static final MethodHandle NEW_STREAM;

  static {
    try {
      MethodHandles.Lookup own = MethodHandles.lookup();
      VALUE =
          MethodHandles.privateLookupIn(NativePointerObject.class, own)
              .findGetter(NativePointerObject.class, "nativePointer", long.class);
      NEW_STREAM =
          MethodHandles.privateLookupIn(CUstream.class, own)
              .findConstructor(CUstream.class, MethodType.methodType(void.class, long.class));
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  private Handles() {}

  /** Returns the number that a handle stands for. */
  static long value(NativePointerObject handle) {
    try {
      return (long) VALUE.invokeExact(handle);
    } catch (Throwable e) {
      throw new AssertionError("reading a field cannot fail", e);
    }
  }

  /** Returns the stream with a handle. */
  static CUstream stream(long handle) {
    try {
      return (CUstream) NEW_STREAM.invokeExact(handle);
    } catch (Throwable e) {
      throw new AssertionError("a constructor that stores a number cannot fail", e);
    }
  }

  /** Returns a pointer to a device address. */
  static CUdeviceptr pointer(long address) {
    return new CUdeviceptr().withByteOffset(address);
  }
}
