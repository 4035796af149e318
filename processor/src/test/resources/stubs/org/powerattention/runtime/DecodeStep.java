package org.powerattention.runtime;

public final class DecodeStep {}
