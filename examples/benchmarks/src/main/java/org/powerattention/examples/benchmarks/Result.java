package org.powerattention.examples.benchmarks;

/** A row of the results' file, which names its fields as the record does. */
sealed interface Result permits Row, DecodeRow, FamilyRow, StartupRow {}
