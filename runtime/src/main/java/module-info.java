/** Devices, tensors, and the execution of generated power attention kernels. */
@SuppressWarnings("requires-automatic") // JCuda and JNA have no module descriptor.
module org.powerattention.runtime {
  requires transitive org.powerattention.annotations;
  requires static transitive org.jspecify;
  requires jcuda;
  // For profiling ranges, where they are asked for.
  requires static com.sun.jna;
  requires jdk.jfr;
  // JCuda's loader uses it, and JCuda has no module descriptor to say so.
  requires java.logging;

  exports org.powerattention.runtime;
}
