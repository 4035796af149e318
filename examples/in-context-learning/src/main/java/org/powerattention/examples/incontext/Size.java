package org.powerattention.examples.incontext;

import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

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
 * @param mapRate greatest learning rate of the map task
 * @param textRate that of the text task
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
    double mapRate,
    double textRate,
    int evaluationDocuments,
    List<Integer> seeds) {
  private static final Pattern NAME = Pattern.compile("(smoke|small|large)(?::([1-9][0-9]{0,6}))?");

  /** Seconds; for tests. */
  static final Size SMOKE =
      new Size(
          "smoke", 32, 1, 1, Operators.SMALL, 8, 4, 16, 48, 8, 4, 4, 4, 3e-3, 1e-2, 8, List.of(1));

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
          /* textSteps= */ 3000,
          /* mapBatch= */ 4,
          /* textBatch= */ 2,
          /* mapRate= */ 3e-3,
          /* textRate= */ 1e-2,
          /* evaluationDocuments= */ 64,
          List.of(1, 2, 3));

  /**
   * For a machine with a GPU and many cores, on which DJL's part still runs: exponential attention
   * takes memory with the square of the length there, about 1 GB at this one.
   */
  static final Size LARGE =
      new Size(
          "large",
          /* width= */ 128,
          /* layers= */ 2,
          /* heads= */ 4,
          Operators.LARGE,
          /* keys= */ 256,
          /* values= */ 64,
          /* pairs= */ 512,
          /* textTokens= */ 1024,
          /* mapSteps= */ 2000,
          /* textSteps= */ 3000,
          /* mapBatch= */ 4,
          /* textBatch= */ 4,
          /* mapRate= */ 2e-3,
          /* textRate= */ 2e-3,
          /* evaluationDocuments= */ 64,
          List.of(1, 2, 3));

  Size {
    seeds = List.copyOf(seeds);
  }

  /**
   * Returns the size of a name, as {@code small}; {@code small:6000} trains for 6,000 steps. Its
   * checkpoints are others, since the learning rate goes by the share of steps taken.
   */
  static Size of(String text) {
    Matcher matcher = NAME.matcher(text.toLowerCase(Locale.ROOT));
    if (!matcher.matches()) {
      throw new IllegalArgumentException(
          "size = "
              + text
              + "; allowed: smoke, small and large, each also with a number of steps, as"
              + " small:6000");
    }
    Size size =
        switch (matcher.group(1)) {
          case "smoke" -> SMOKE;
          case "small" -> SMALL;
          default -> LARGE;
        };
    return matcher.group(2) == null ? size : size.withSteps(Integer.parseInt(matcher.group(2)));
  }

  private Size withSteps(int steps) {
    return new Size(
        name + "-" + steps,
        width,
        layers,
        heads,
        headDim,
        keys,
        values,
        pairs,
        textTokens,
        steps,
        steps,
        mapBatch,
        textBatch,
        mapRate,
        textRate,
        evaluationDocuments,
        seeds);
  }

  /**
   * Returns the tokens whose keys and values take as many numbers as the power arm's state has: D d
   * numbers with D = d (d + 1) / 2, the exact symmetric power, at 2 d numbers for each token.
   */
  int window() {
    return headDim * (headDim + 1) / 4;
  }
}
