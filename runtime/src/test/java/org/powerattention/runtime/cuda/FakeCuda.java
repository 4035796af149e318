package org.powerattention.runtime.cuda;

import java.lang.reflect.Field;
import java.lang.reflect.Proxy;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.ToIntBiFunction;
import java.util.regex.Pattern;
import jcuda.NativePointerObject;
import jcuda.Pointer;
import jcuda.driver.CUdevice_attribute;
import jcuda.driver.CUresult;
import org.powerattention.annotations.KernelSpec;
import org.powerattention.runtime.BackwardTiling;
import org.powerattention.runtime.ForwardTiling;
import org.powerattention.runtime.KernelImage;
import org.powerattention.runtime.KernelProgram;
import org.powerattention.runtime.ServingTiling;
import org.powerattention.runtime.spi.Backend;

/**
 * A driver and a compiler without a device, which do nothing and keep count of it, and fail where
 * they are told to. Streams, memory and the like are numbers.
 */
public final class FakeCuda {
  /** Functions that make something: what ends it, and what it is. */
  private static final Map<String, String> ENDS =
      Map.of(
          "cuDevicePrimaryCtxRetain", "cuDevicePrimaryCtxRelease",
          "cuMemAlloc", "cuMemFree",
          "cuMemAllocAsync", "cuMemFreeAsync",
          "cuStreamCreate", "cuStreamDestroy",
          "cuStreamEndCapture", "cuGraphDestroy",
          "cuGraphInstantiate", "cuGraphExecDestroy",
          "cuModuleLoadData", "cuModuleUnload");

  /** Functions that need no current context; all others of these bindings do. */
  private static final Pattern WITHOUT_CONTEXT =
      Pattern.compile("cuInit|cuDriverGetVersion|cuDevice\\w+|cuCtxPushCurrent");

  /** How many contexts each thread has made current and not left. */
  private final ThreadLocal<Integer> contexts = ThreadLocal.withInitial(() -> 0);

  /** What fails, by the function's name: a CUresult or nvrtcResult. */
  public final Map<String, Integer> failures = new HashMap<>();

  /** The driver call that fails, by its number from 0, and its result. */
  public int failingCall = -1;

  public int failingResult;

  /** Names of the driver's functions that were called, in order. */
  public final List<String> calls = new ArrayList<>();

  /** Names of the kernels that were launched, in order. */
  public final List<String> launched = new ArrayList<>();

  /** Blocks along the second dimension of these launches: segments of a walk. */
  public final List<Integer> launchedRows = new ArrayList<>();

  /** Milliseconds that a launch takes, by the kernel's name and its blocks' second dimension. */
  public ToIntBiFunction<String, Integer> milliseconds = (kernel, rows) -> 0;

  /** Nanoseconds of the launches so far. */
  public long clock;

  private final Map<Long, String> functions = new HashMap<>();

  /** What the driver was given to load. */
  public final List<byte[]> modules = new ArrayList<>();

  /** How often the compiler was asked for. */
  public int compilers;

  /** What was made and not ended: the function that should have, by number. */
  public final Map<Long, String> open = new TreeMap<>();

  public int capability = 90;
  public int driverVersion = 12_080;
  public int devices = 1;
  public int nvrtcMajor = 12;

  /** Whether copies from the device bring what the self-test's kernel computes. */
  boolean selfTestWorks;

  public String log = "";
  public RuntimeException bindings;

  // On disk it keeps nothing, wherever that may be.
  private final KernelCache cache = new KernelCache(new KernelFiles(Path.of("/proc/none"), 0));
  private long nextNumber = 1 << 20;

  /** Opens device 0. */
  public Backend open() {
    return open(0);
  }

  public Backend open(int ordinal) {
    return new CudaBackend(ordinal, environment());
  }

  CudaEnvironment environment() {
    return new CudaEnvironment(driver(), this::nvrtc, cache);
  }

  private CudaDriver driver() {
    DriverCalls proxy =
        (DriverCalls)
            Proxy.newProxyInstance(
                DriverCalls.class.getClassLoader(),
                new Class<?>[] {DriverCalls.class},
                (self, method, arguments) -> driverCall(method.getName(), arguments));
    return CudaDriver.probe(
        () -> {
          if (bindings != null) {
            throw bindings;
          }
        },
        proxy);
  }

  private Nvrtc nvrtc() {
    compilers++;
    NvrtcCalls proxy =
        (NvrtcCalls)
            Proxy.newProxyInstance(
                NvrtcCalls.class.getClassLoader(),
                new Class<?>[] {NvrtcCalls.class},
                (self, method, arguments) -> nvrtcCall(method.getName(), arguments));
    return new Nvrtc(proxy, Path.of("/fake/libnvrtc.so.12"));
  }

  private int driverCall(String name, Object[] arguments) throws Exception {
    calls.add(name);
    if (calls.size() - 1 == failingCall) {
      return failingResult;
    }
    if (failures.containsKey(name)) {
      return failures.get(name);
    }
    if (contexts.get() == 0 && !WITHOUT_CONTEXT.matcher(name).matches()) {
      return CUresult.CUDA_ERROR_INVALID_CONTEXT;
    }
    if (ENDS.containsKey(name)) {
      // A captured graph is the second argument, all else the first.
      Object made = arguments[name.equals("cuStreamEndCapture") ? 1 : 0];
      number((NativePointerObject) made, nextNumber);
      open.put(nextNumber, ENDS.get(name));
      // The addresses of memory lie as far apart as its size asks.
      long bytes = name.startsWith("cuMemAlloc") ? (long) arguments[1] : 0;
      nextNumber += ((bytes >> 20) + 1) << 20;
    } else if (name.equals("cuDevicePrimaryCtxRelease")) {
      open.values().remove(name);
    } else if (ENDS.containsValue(name)) {
      open.remove(valueOf((NativePointerObject) arguments[0]));
    }
    switch (name) {
      case "cuCtxPushCurrent" -> contexts.set(contexts.get() + 1);
      case "cuCtxPopCurrent" -> contexts.set(contexts.get() - 1);
      case "cuDriverGetVersion" -> ((int[]) arguments[0])[0] = driverVersion;
      case "cuDeviceGetCount" -> ((int[]) arguments[0])[0] = devices;
      case "cuOccupancyMaxActiveBlocksPerMultiprocessor" -> ((int[]) arguments[0])[0] = 4;
      case "cuDeviceTotalMem" -> ((long[]) arguments[0])[0] = 80L << 30;
      case "cuModuleLoadData" -> modules.add((byte[]) arguments[1]);
      case "cuModuleGetFunction" -> {
        number((NativePointerObject) arguments[0], nextNumber);
        functions.put(nextNumber++, (String) arguments[2]);
      }
      case "cuLaunchKernel" -> {
        String kernel = functions.get(valueOf((NativePointerObject) arguments[0]));
        int rows = (int) arguments[2];
        launched.add(kernel);
        launchedRows.add(rows);
        clock += 1_000_000L * milliseconds.applyAsInt(kernel, rows);
      }
      case "cuMemGetInfo" -> {
        ((long[]) arguments[0])[0] = 3L << 20;
        ((long[]) arguments[1])[0] = 80L << 30;
      }
      case "cuDeviceGetName" -> {
        byte[] model = "Fake GPU".getBytes(StandardCharsets.US_ASCII);
        System.arraycopy(model, 0, (byte[]) arguments[0], 0, model.length);
      }
      case "cuDeviceGetAttribute" ->
          ((int[]) arguments[0])[0] =
              switch ((int) arguments[1]) {
                case CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR ->
                    capability / 10;
                case CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR ->
                    capability % 10;
                case CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT -> 4;
                default -> 200 << 10;
              };
      case "cuMemcpyDtoH" -> {
        if (selfTestWorks) {
          ByteBuffer target = ((Pointer) arguments[0]).getByteBuffer(0, (long) arguments[2]);
          target.order(ByteOrder.nativeOrder());
          for (int i = 0; i < target.capacity() / 4; i++) {
            target.putFloat(4 * i, i + 0.5f + (float) (i * i));
          }
        }
      }
      default -> {}
    }
    return 0;
  }

  private int nvrtcCall(String name, Object[] arguments) {
    if (failures.containsKey(name)) {
      return failures.get(name);
    }
    switch (name) {
      case "nvrtcVersion" -> ((int[]) arguments[0])[0] = nvrtcMajor;
      case "nvrtcGetNumSupportedArchs" -> ((int[]) arguments[0])[0] = 2;
      case "nvrtcGetSupportedArchs" -> {
        ((int[]) arguments[0])[0] = 80;
        ((int[]) arguments[0])[1] = 90;
      }
      case "nvrtcGetCUBINSize" -> ((long[]) arguments[1])[0] = 4;
      case "nvrtcGetProgramLog" -> ((String[]) arguments[1])[0] = log;
      default -> {}
    }
    return 0;
  }

  /** Returns the driver's functions that a scenario calls. */
  public Set<String> called() {
    return new TreeSet<>(calls);
  }

  /** Returns an operator's program for such a device. */
  public static KernelProgram program(String name, KernelSpec spec) {
    return program(name, spec, FakeCuda.class, "/org/powerattention/runtime/cuda/fake.cu");
  }

  /** Returns one whose parts have the same source. */
  static KernelProgram program(String name, KernelSpec spec, Class<?> anchor, String source) {
    ForwardTiling forward = new ForwardTiling(64, 128, 60_000, 64, 128, 0, 1_000, false);
    BackwardTiling backward =
        new BackwardTiling(64, 128, 60_000, 64, 128, 0, 64, 128, 0, false, 1_000);
    return new KernelProgram(
        name,
        spec,
        anchor,
        List.of(new KernelImage<>("sm_80", source, forward)),
        List.of(new KernelImage<>("sm_80", source, backward)),
        List.of(new KernelImage<>("sm_80", source, new ServingTiling(64, 128, 0, 100))));
  }

  private static void number(NativePointerObject handle, long number) throws Exception {
    Field field = NativePointerObject.class.getDeclaredField("nativePointer");
    field.setAccessible(true);
    field.set(handle, number);
  }

  private static long valueOf(NativePointerObject handle) throws Exception {
    // A device address comes as an offset from zero; streams and the like as they were made.
    long value = Handles.value(handle);
    if (value != 0) {
      return value;
    }
    Field offset = Pointer.class.getDeclaredField("byteOffset");
    offset.setAccessible(true);
    return (long) offset.get(handle);
  }
}
