/**
 * In-context learning in small: one and the same model with four kinds of attention, trained on two
 * tasks in which what comes late in a document depends on what came early.
 */
@NullMarked
package org.powerattention.examples.incontext;

import org.jspecify.annotations.NullMarked;
