package org.powerattention.kernels;

import static com.google.common.truth.Truth.assertThat;
import static com.google.common.truth.Truth.assertWithMessage;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.powerattention.annotations.DType;
import org.powerattention.runtime.Accelerator;
import org.powerattention.runtime.BackwardOptions;
import org.powerattention.runtime.Form;
import org.powerattention.runtime.ForwardOptions;
import org.powerattention.runtime.Gradients;
import org.powerattention.runtime.PackedSequences;
import org.powerattention.runtime.SavedForward;
import org.powerattention.runtime.State;
import org.powerattention.runtime.Stream;
import org.powerattention.runtime.Tensor;

/** What training calls on a GPU do besides being accurate. */
@Tag("gpu")
class TrainingGpuTest {
  private static final int BATCH = 2;
  private static final int TOKENS = 3 * 1024 + 200;
  private static final int QUERY_HEADS = 4;
  private static final int KEY_HEADS = 2;
  private static final int HEAD_DIM = 64;
  private static final List<Form> FORMS = List.of(Form.ATTENTION, Form.CHUNKED);
  private static final int[] OFFSETS = {0, 1, 1, 1300, 1429, 3800};

  private static @Nullable Accelerator opened;

  /** Inputs of a call, and the gradient of its output. */
  private record Inputs(Tensor q, Tensor k, Tensor v, Tensor logG, Tensor dY)
      implements AutoCloseable {
    static Inputs dense(Accelerator device, long seed) {
      Random random = new Random(seed);
      return new Inputs(
          normal(device, random, BATCH, TOKENS, QUERY_HEADS, HEAD_DIM),
          normal(device, random, BATCH, TOKENS, KEY_HEADS, HEAD_DIM),
          normal(device, random, BATCH, TOKENS, KEY_HEADS, HEAD_DIM),
          gates(device, random, BATCH, TOKENS, KEY_HEADS),
          normal(device, random, BATCH, TOKENS, QUERY_HEADS, HEAD_DIM));
    }

    static Inputs packed(Accelerator device, long seed, long tokens) {
      Random random = new Random(seed);
      return new Inputs(
          normal(device, random, tokens, QUERY_HEADS, HEAD_DIM),
          normal(device, random, tokens, KEY_HEADS, HEAD_DIM),
          normal(device, random, tokens, KEY_HEADS, HEAD_DIM),
          gates(device, random, tokens, KEY_HEADS),
          normal(device, random, tokens, QUERY_HEADS, HEAD_DIM));
    }

    private static Tensor normal(Accelerator device, Random random, long... shape) {
      float[] values = new float[elements(shape)];
      for (int i = 0; i < values.length; i++) {
        values[i] = (float) random.nextGaussian();
      }
      return device.tensor(DType.BF16, values, shape);
    }

    private static Tensor gates(Accelerator device, Random random, long... shape) {
      float[] values = new float[elements(shape)];
      for (int i = 0; i < values.length; i++) {
        values[i] = -0.1f * random.nextFloat();
      }
      return device.tensor(DType.FP32, values, shape);
    }

    private static int elements(long... shape) {
      long elements = 1;
      for (long size : shape) {
        elements *= size;
      }
      return Math.toIntExact(elements);
    }

    Gradients backward(Power2Dim64Launcher attention, BackwardOptions options) {
      return attention.backward(q, k, v, logG, dY, options);
    }

    @Override
    public void close() {
      List.of(q, k, v, logG, dY).forEach(Tensor::close);
    }
  }

  @BeforeAll
  static void open() {
    Accelerator.cudaUnavailable().ifPresent(reason -> Assumptions.abort("no GPU: " + reason));
    opened = Accelerator.cuda(0);
  }

  @AfterAll
  static void close() {
    if (opened != null) {
      opened.close();
    }
  }

  private static Accelerator gpu() {
    return Objects.requireNonNull(opened);
  }

  @Test
  void twoRunsGiveTheSameBits() {
    try (Power2Dim64Launcher attention = Power2Dim64Launcher.on(gpu());
        Inputs in = Inputs.dense(gpu(), 1);
        State initial = attention.newState(BATCH, KEY_HEADS);
        State dFinal = attention.newState(BATCH, KEY_HEADS);
        Tensor unused =
            attention.forward(
                in.q, in.k, in.v, in.logG, ForwardOptions.defaults().finalState(initial))) {
      for (Form form : FORMS) {
        BackwardOptions options =
            BackwardOptions.defaults().form(form).initialState(initial).dFinalState(dFinal);
        try (Gradients once = in.backward(attention, options);
            Gradients again = in.backward(attention, options)) {
          assertSameBits(form, again, once);
        }
      }
    }
  }

  @Test
  void savedAndRecomputedForwardCallsGiveTheSameBits() {
    try (Power2Dim64Launcher attention = Power2Dim64Launcher.on(gpu());
        Inputs in = Inputs.dense(gpu(), 2);
        SavedForward saved = attention.newSavedForward(BATCH, TOKENS, QUERY_HEADS)) {
      long outputs = (long) BATCH * TOKENS * QUERY_HEADS * (HEAD_DIM + 1) * 4;
      for (Form form : FORMS) {
        ForwardOptions forward = ForwardOptions.defaults().form(form);
        BackwardOptions options = BackwardOptions.defaults().form(form);
        try (Gradients computed = in.backward(attention, options)) {
          attention.forward(in.q, in.k, in.v, in.logG, forward.saveOutputs(saved)).close();
          assertThat(saved.bytes()).isEqualTo(outputs);
          try (Gradients kept = in.backward(attention, options.saved(saved))) {
            assertSameBits(form, computed, kept);
          }
          attention.forward(in.q, in.k, in.v, in.logG, forward.save(saved)).close();
          try (Gradients kept = in.backward(attention, options.saved(saved))) {
            assertSameBits(form, computed, kept);
          }
        }
      }
      // Of each chunk and key/value head, 36 slabs of 64 features by 72 numbers, and z in fp32.
      long chunks = BATCH * KEY_HEADS * 4;
      long states = chunks * (36 * 64 * 72 * 2 + 2304 * 4);
      assertThat(saved.bytes() - outputs).isEqualTo(states);
      // States of one form's chunks are of no use to the other.
      BackwardOptions attentionForm = BackwardOptions.defaults().form(Form.ATTENTION);
      try (Gradients computed = in.backward(attention, attentionForm);
          Gradients kept = in.backward(attention, attentionForm.saved(saved))) {
        assertThat(distance(kept.dQ(), computed.dQ())).isLessThan(1e-2);
        assertThat(distance(kept.dK(), computed.dK())).isLessThan(1e-2);
      }
    }
  }

  @Test
  void callsOnAStreamGiveTheSameBits() {
    try (Power2Dim64Launcher attention = Power2Dim64Launcher.on(gpu());
        Inputs in = Inputs.dense(gpu(), 3);
        Stream stream = gpu().newStream();
        Gradients here = in.backward(attention, BackwardOptions.defaults());
        Gradients there = in.backward(attention, BackwardOptions.defaults().stream(stream))) {
      assertSameBits(Form.AUTOMATIC, there, here);
    }
  }

  @Test
  void addressesAndTensorsGiveTheSameBits() {
    try (Power2Dim64Launcher attention = Power2Dim64Launcher.on(gpu());
        Inputs in = Inputs.dense(gpu(), 4);
        Gradients expected = in.backward(attention, BackwardOptions.defaults());
        Gradients written = attention.newGradients(in.q, in.k, BackwardOptions.defaults())) {
      attention.backward(
          in.q.address(),
          in.k.address(),
          in.v.address(),
          in.logG.address(),
          in.dY.address(),
          written.dQ().address(),
          written.dK().address(),
          written.dV().address(),
          written.dLogG().orElseThrow().address(),
          null,
          BATCH,
          TOKENS,
          QUERY_HEADS,
          KEY_HEADS,
          BackwardOptions.defaults());
      assertSameBits(Form.AUTOMATIC, written, expected);
    }
  }

  @Test
  void packedSequencesGiveTheSameAsOnTheCpu() {
    int total = OFFSETS[OFFSETS.length - 1];
    for (Form form : FORMS) {
      List<float[]> onGpu = packed(gpu(), form, total);
      List<float[]> onCpu;
      try (Accelerator cpu = Accelerator.cpu()) {
        onCpu = packed(cpu, form, total);
      }
      for (int i = 0; i < onGpu.size(); i++) {
        assertWithMessage("result %s, %s", i, form)
            .that(difference(onGpu.get(i), onCpu.get(i)))
            .isLessThan(1e-2);
      }
    }
  }

  /** Returns y, the final state and all gradients, of the state too. */
  private static List<float[]> packed(Accelerator device, Form form, int total) {
    int sequences = OFFSETS.length - 1;
    List<float[]> results = new ArrayList<>();
    try (Power2Dim64Launcher attention = Power2Dim64Launcher.on(device);
        Inputs in = Inputs.packed(device, 5, total);
        PackedSequences packed = PackedSequences.of(device, OFFSETS);
        State initial = attention.newState(sequences, KEY_HEADS);
        State last = attention.newState(sequences, KEY_HEADS);
        State dFinal = attention.newState(sequences, KEY_HEADS)) {
      ForwardOptions forward = ForwardOptions.defaults().form(form).packed(packed);
      attention.forward(in.q, in.k, in.v, in.logG, forward.finalState(initial)).close();
      // Of the size of a gradient, so that it matters beside the others.
      float[] gradient = initial.sums().toFloats();
      for (int i = 0; i < gradient.length; i++) {
        gradient[i] *= 1e-6f;
      }
      dFinal.sums().copyFrom(gradient);
      try (Tensor y =
              attention.forward(
                  in.q, in.k, in.v, in.logG, forward.initialState(initial).finalState(last));
          Gradients gradients =
              in.backward(
                  attention,
                  BackwardOptions.defaults()
                      .form(form)
                      .packed(packed)
                      .initialState(initial)
                      .dFinalState(dFinal))) {
        State dInitial = gradients.dInitialState().orElseThrow();
        results.add(y.toFloats());
        results.add(last.sums().toFloats());
        results.add(last.keySums().orElseThrow().toFloats());
        results.add(gradients.dQ().toFloats());
        results.add(gradients.dK().toFloats());
        results.add(gradients.dV().toFloats());
        results.add(gradients.dLogG().orElseThrow().toFloats());
        results.add(dInitial.sums().toFloats());
        results.add(dInitial.keySums().orElseThrow().toFloats());
      }
    }
    return results;
  }

  private static double difference(float[] actual, float[] expected) {
    assertThat(actual).hasLength(expected.length);
    double differences = 0;
    double squares = 0;
    for (int i = 0; i < actual.length; i++) {
      differences += Math.pow((double) actual[i] - expected[i], 2);
      squares += Math.pow(expected[i], 2);
    }
    return Math.sqrt(differences / squares);
  }

  private static void assertSameBits(Form form, Gradients actual, Gradients expected) {
    assertWithMessage("dQ, %s", form).that(bytes(actual.dQ())).isEqualTo(bytes(expected.dQ()));
    assertWithMessage("dK, %s", form).that(bytes(actual.dK())).isEqualTo(bytes(expected.dK()));
    assertWithMessage("dV, %s", form).that(bytes(actual.dV())).isEqualTo(bytes(expected.dV()));
    assertWithMessage("dLogG, %s", form)
        .that(bytes(actual.dLogG().orElseThrow()))
        .isEqualTo(bytes(expected.dLogG().orElseThrow()));
    if (expected.dInitialState().isPresent()) {
      assertWithMessage("dInitialState, %s", form)
          .that(bytes(actual.dInitialState().orElseThrow().sums()))
          .isEqualTo(bytes(expected.dInitialState().orElseThrow().sums()));
    }
  }

  /** Returns the relative distance of two tensors. */
  private static double distance(Tensor actual, Tensor expected) {
    float[] a = actual.toFloats();
    float[] e = expected.toFloats();
    double difference = 0;
    double size = 0;
    for (int i = 0; i < e.length; i++) {
      difference += (a[i] - e[i]) * (double) (a[i] - e[i]);
      size += e[i] * (double) e[i];
    }
    return Math.sqrt(difference / size);
  }

  private static byte[] bytes(Tensor tensor) {
    int size = Math.toIntExact(tensor.elements() * tensor.dtype().bytes());
    ByteBuffer raw = ByteBuffer.allocateDirect(size).order(ByteOrder.nativeOrder());
    tensor.copyTo(raw);
    byte[] bytes = new byte[size];
    raw.get(bytes);
    return bytes;
  }
}
