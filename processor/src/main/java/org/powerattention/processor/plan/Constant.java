package org.powerattention.processor.plan;

/**
 * A constant at the head of a CUDA source.
 *
 * @param type its C type
 * @param name its name
 * @param value its value
 * @param comment what it is
 */
public record Constant(String type, String name, long value, String comment) {}
