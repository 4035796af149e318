/** Devices, tensors, and the execution of generated power attention kernels. */
@SuppressWarnings("requires-automatic") // JCuda has no module descriptor.
module org.powerattention.runtime {
  requires transitive org.powerattention.annotations;
  requires static transitive org.jspecify;
  requires jcuda;

  exports org.powerattention.runtime;
}
