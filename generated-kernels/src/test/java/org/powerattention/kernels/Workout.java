package org.powerattention.kernels;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import org.jspecify.annotations.Nullable;
import org.powerattention.annotations.DType;
import org.powerattention.runtime.Accelerator;
import org.powerattention.runtime.BackwardOptions;
import org.powerattention.runtime.Form;
import org.powerattention.runtime.ForwardOptions;
import org.powerattention.runtime.Gradients;
import org.powerattention.runtime.SavedForward;
import org.powerattention.runtime.ServeOptions;
import org.powerattention.runtime.State;
import org.powerattention.runtime.Stream;
import org.powerattention.runtime.Tensor;

/** A forward, a backward, a prefill and a decode call on inputs of its own. One thread's. */
final class Workout implements AutoCloseable {
  private static final int QUERY_HEADS = 2;
  private static final int KEY_HEADS = 1;
  private static final int HEAD_DIM = 32;

  private final Power2Dim32Launcher attention;
  private final int tokens;
  private final Tensor q;
  private final Tensor k;
  private final Tensor v;
  private final Tensor logG;

  Workout(Accelerator device, Power2Dim32Launcher attention, long seed, int tokens) {
    Random random = new Random(seed);
    float[] gates = new float[tokens * KEY_HEADS];
    for (int i = 0; i < gates.length; i++) {
      gates[i] = -0.1f * random.nextFloat();
    }
    this.attention = attention;
    this.tokens = tokens;
    this.q = normal(device, random, tokens, QUERY_HEADS);
    this.k = normal(device, random, tokens, KEY_HEADS);
    this.v = normal(device, random, tokens, KEY_HEADS);
    this.logG = device.tensor(DType.FP32, gates, 1, tokens, KEY_HEADS);
  }

  private static Tensor normal(Accelerator device, Random random, int tokens, int heads) {
    float[] values = new float[tokens * heads * HEAD_DIM];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return device.tensor(DType.BF16, values, 1, tokens, heads, HEAD_DIM);
  }

  /** Makes the calls and returns a hash of all bits that come of them. */
  String run(Form form, @Nullable Stream stream) {
    ForwardOptions forward = ForwardOptions.defaults().form(form);
    BackwardOptions backward = BackwardOptions.defaults().form(form);
    ServeOptions serve = ServeOptions.defaults();
    if (stream != null) {
      forward = forward.stream(stream);
      backward = backward.stream(stream);
      serve = serve.stream(stream);
    }
    try (SavedForward saved = attention.newSavedForward(1, tokens, QUERY_HEADS);
        Tensor y = attention.forward(q, k, v, logG, forward.save(saved));
        Gradients gradients = attention.backward(q, k, v, logG, y, backward.saved(saved));
        State state = attention.newState(1, KEY_HEADS);
        Tensor read = attention.prefill(state, q, k, v, logG, serve);
        Tensor next =
            attention.decode(
                state,
                q.slice(1, 0, 1),
                k.slice(1, 0, 1),
                v.slice(1, 0, 1),
                logG.slice(1, 0, 1),
                serve)) {
      return hash(
          List.of(
              y,
              gradients.dQ(),
              gradients.dK(),
              gradients.dV(),
              gradients.dLogG().orElseThrow(),
              read,
              next,
              state.sums()));
    }
  }

  private static String hash(List<Tensor> tensors) {
    try {
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      for (Tensor tensor : tensors) {
        byte[] bytes = new byte[Math.toIntExact(tensor.elements() * tensor.dtype().bytes())];
        tensor.copyTo(ByteBuffer.wrap(bytes).order(ByteOrder.nativeOrder()));
        digest.update(bytes);
      }
      return HexFormat.of().formatHex(digest.digest());
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError(e);
    }
  }

  @Override
  public void close() {
    q.close();
    k.close();
    v.close();
    logG.close();
  }
}
