package org.powerattention.processor.read;

import org.powerattention.annotations.DType;

/**
 * One {@code @PowerAttention} as it was written, defaults filled in and nothing checked.
 *
 * @param type the type that carries it
 * @param position its place among the type's declarations, from 1
 * @param count how many declarations the type carries
 * @param degree the degree
 * @param headDim the head size
 * @param chunk tokens per chunk, or {@code PowerAttention.AUTOMATIC}
 * @param dtype the element type
 * @param gated whether gated
 * @param normalized whether normalised
 * @param name the name, empty if none was given
 * @param anchor where it was written
 */
public record Declaration(
    AnnotatedType type,
    int position,
    int count,
    int degree,
    int headDim,
    int chunk,
    DType dtype,
    boolean gated,
    boolean normalized,
    String name,
    Anchor anchor) {}
