package org.powerattention.processor.plan;

/**
 * What launches must know of a source. Each kind is a record with the components of the runtime's
 * {@code Tiling} of the same part, as which the launcher hands it over.
 */
public sealed interface LaunchSizes permits ForwardSizes, BackwardSizes, ServingSizes {}
