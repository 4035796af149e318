package org.powerattention.runtime;

/** Left by an earlier build. */
final class OldLauncher {}
