package org.powerattention.runtime;

public final class State {}
