package org.powerattention.processor.write;

/**
 * What a launcher is compiled with, as far as its text depends on that.
 *
 * @param generated whether it can see {@code @Generated}
 * @param nullness whether it can see the annotations of JSpecify, which tell tools and Kotlin what
 *     can be null
 * @param namedModule whether it is in a named module. Its methods mention the runtime's types;
 *     whether the module passes on the right to use them is for the module to say, and not to be
 *     warned of in code that nobody can change.
 */
public record Surroundings(boolean generated, boolean nullness, boolean namedModule) {}
