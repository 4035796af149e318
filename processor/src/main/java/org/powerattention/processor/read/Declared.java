package org.powerattention.processor.read;

/**
 * A value of a declaration.
 *
 * @param value the value
 * @param explicit whether it was written, and not left at its default
 * @param place where it was written; the declaration if it was not
 */
public record Declared<T>(T value, boolean explicit, Place place) {}
