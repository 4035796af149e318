package org.powerattention.examples.incontext;

/**
 * Documents of one length.
 *
 * @param tokens token numbers, one row for each document; each row begins with one that only stands
 *     before the first, and ends with one that is only predicted
 */
record Documents(int[][] tokens) {
  /** Returns how many there are. */
  int count() {
    return tokens.length;
  }

  /** Returns the tokens that a model reads of each. */
  int length() {
    return tokens[0].length - 2;
  }
}
