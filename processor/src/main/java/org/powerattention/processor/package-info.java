/**
 * The annotation processor, one package a stage: {@code read} a declaration, {@code validate} it,
 * {@code plan} its kernels, {@code write} the files.
 */
@NullMarked
package org.powerattention.processor;

import org.jspecify.annotations.NullMarked;
