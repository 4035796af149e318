package org.powerattention.runtime;

import org.jspecify.annotations.Nullable;

/** What every call reads. */
record Inputs(Tensor q, Tensor k, Tensor v, @Nullable Tensor logG) {}
