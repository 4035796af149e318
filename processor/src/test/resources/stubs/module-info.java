module org.powerattention.runtime {
  requires transitive org.powerattention.annotations;

  exports org.powerattention.runtime;
}
