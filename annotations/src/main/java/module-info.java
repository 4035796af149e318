/** The {@code @PowerAttention} annotation and the {@code KernelSpec} value that it denotes. */
module org.powerattention.annotations {
  requires static transitive org.jspecify;

  exports org.powerattention.annotations;
}
