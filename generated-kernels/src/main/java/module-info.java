/** The catalogue: operators that people commonly need, with their launchers and kernels built. */
module org.powerattention.kernels {
  requires transitive org.powerattention.runtime;
  requires static transitive java.compiler; // @Generated, which only the sources carry

  exports org.powerattention.kernels;
}
