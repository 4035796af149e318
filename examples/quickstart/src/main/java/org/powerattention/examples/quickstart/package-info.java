/**
 * The quick start: memorises a document in a state of fixed size and asks it back, for growing
 * parts of the document and for three degrees of power attention beside softmax attention.
 */
@NullMarked
package org.powerattention.examples.quickstart;

import org.jspecify.annotations.NullMarked;
