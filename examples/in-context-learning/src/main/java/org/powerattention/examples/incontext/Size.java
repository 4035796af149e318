package org.powerattention.examples.incontext;

import java.util.List;
import java.util.Locale;

/**
 * How large the experiment is.
 *
 * @param name what to call it
 * @param width numbers of a token between layers
 * @param layers layers of attention and a perceptron
 * @param heads heads of a layer, each for queries, keys and values
 * @param headDim size of a head
 * @param keys keys of a map task's document, N
 * @param values values, M
 * @param pairs pairs of a document
 * @param textTokens bytes of a document of the text task
 * @param mapSteps optimiser steps of the map task
 * @param textSteps those of the text task
 * @param mapBatch documents of a step
 * @param textBatch those of the text task
 * @param evaluationDocuments documents that the trained model is scored on
 * @param seeds seeds of initial parameters and data
 */
record Size(
    String name,
    int width,
    int layers,
    int heads,
    int headDim,
    int keys,
    int values,
    int pairs,
    int textTokens,
    int mapSteps,
    int textSteps,
    int mapBatch,
    int textBatch,
    int evaluationDocuments,
    List<Integer> seeds) {
  /** Seconds; for tests. */
  static final Size SMOKE =
      new Size("smoke", 32, 1, 1, Operators.SMALL, 8, 4, 16, 48, 8, 4, 4, 4, 8, List.of(1));

  /** Minutes on two CPU cores. */
  static final Size SMALL =
      new Size(
          "small",
          /* width= */ 64,
          /* layers= */ 1,
          /* heads= */ 1,
          Operators.SMALL,
          /* keys= */ 64,
          /* values= */ 16,
          /* pairs= */ 128,
          /* textTokens= */ 512,
          /* mapSteps= */ 1500,
          /* textSteps= */ 1500,
          /* mapBatch= */ 4,
          /* textBatch= */ 2,
          /* evaluationDocuments= */ 64,
          List.of(1, 2, 3));

  /** For a machine with a GPU. */
  static final Size LARGE =
      new Size(
          "large",
          /* width= */ 256,
          /* layers= */ 4,
          /* heads= */ 8,
          Operators.LARGE,
          /* keys= */ 512,
          /* values= */ 64,
          /* pairs= */ 1024,
          /* textTokens= */ 4096,
          /* mapSteps= */ 6000,
          /* textSteps= */ 15000,
          /* mapBatch= */ 16,
          /* textBatch= */ 8,
          /* evaluationDocuments= */ 64,
          List.of(1, 2, 3));

  Size {
    seeds = List.copyOf(seeds);
  }

  /** Returns the size of a name. */
  static Size of(String name) {
    return switch (name.toLowerCase(Locale.ROOT)) {
      case "smoke" -> SMOKE;
      case "small" -> SMALL;
      case "large" -> LARGE;
      default ->
          throw new IllegalArgumentException(
              "size = " + name + "; allowed: smoke, small and large");
    };
  }

  /**
   * Returns the tokens whose keys and values take as many numbers as the power arm's state has: D d
   * numbers with D = d (d + 1) / 2, the exact symmetric power, at 2 d numbers for each token.
   */
  int window() {
    return headDim * (headDim + 1) / 4;
  }
}
