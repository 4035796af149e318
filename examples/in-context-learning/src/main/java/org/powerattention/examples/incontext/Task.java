package org.powerattention.examples.incontext;

/** What is to be predicted. The same seed gives the same documents. */
interface Task {
  /** Returns the name for files and titles. */
  String name();

  /** Returns how many different tokens there are. */
  int vocabulary();

  /** Returns the tokens that a model reads of a document. */
  int length();

  /** Returns every how many tokens, from the first on, the next one is to be predicted. */
  int stride();

  /** Returns whether order matters beyond the token before. */
  boolean rotary();

  /** Returns documents to train on. */
  Documents training(int count, long seed);

  /** Returns documents that training has not seen. */
  Documents evaluation(int count, long seed);

  /** Returns the least loss possible at a scored position, counted from 0; NaN if unknown. */
  double optimum(int position);

  /** Returns the documents of an optimiser step. */
  int batch();

  /** Returns a number that tells its data from that of another. */
  int fingerprint();

  /** Returns the greatest learning rate. */
  double learningRate();

  /** Returns the optimiser steps of a run. */
  int steps();
}
