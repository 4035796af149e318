package org.powerattention.runtime;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.powerattention.runtime.spi.Backend;
import org.powerattention.runtime.spi.BackwardProblem;
import org.powerattention.runtime.spi.CapturedCall;
import org.powerattention.runtime.spi.DecodeProblem;
import org.powerattention.runtime.spi.ForwardProblem;
import org.powerattention.runtime.spi.LoadedProgram;
import org.powerattention.runtime.spi.Memory;
import org.powerattention.runtime.spi.PrefillProblem;
import org.powerattention.runtime.spi.StateView;

/** A device in host memory that records what it is asked to do and computes nothing. */
final class FakeBackend implements Backend {
  /** Bytes of decode workspace per query head. */
  static final long WORKSPACE_BYTES = 1000;

  /** A recorded call that folds windows. */
  record Fold(StateView state, int batch, int keyHeads, long stream) {}

  /** Forward calls alone, in order. */
  final List<ForwardProblem> problems = new ArrayList<>();

  /** Problems and folds of all kinds, in order. */
  final List<Object> calls = new ArrayList<>();

  final AtomicInteger openBlocks = new AtomicInteger();
  final AtomicInteger openStreams = new AtomicInteger();
  final AtomicInteger openCaptures = new AtomicInteger();

  /** Launches of captured calls, and the stream of the last. */
  int launches;

  long launchStream;

  int openPrograms;
  boolean closed;

  /** Allocations that still succeed. */
  int allocationsLeft = Integer.MAX_VALUE;

  /** Whether programs fail at every call. */
  boolean failing;

  private final boolean cuda;
  private long nextAddress = 1 << 20;

  FakeBackend(boolean cuda) {
    this.cuda = cuda;
  }

  @Override
  public String name() {
    return cuda ? "fake GPU" : "fake CPU";
  }

  @Override
  public boolean isCuda() {
    return cuda;
  }

  @Override
  public Memory allocate(long bytes) {
    if (allocationsLeft-- <= 0) {
      throw new DeviceException("no memory", "cuMemAllocAsync", 2);
    }
    openBlocks.incrementAndGet();
    long address = cuda ? nextAddress : 0;
    nextAddress += bytes + 256;
    return new Block(address, bytes, openBlocks);
  }

  @Override
  public Memory borrow(long address, long bytes) {
    return new Block(address, bytes, new AtomicInteger());
  }

  @Override
  public long createStream() {
    return openStreams.incrementAndGet();
  }

  @Override
  public void destroyStream(long stream) {
    openStreams.decrementAndGet();
  }

  @Override
  public void synchronize(long stream) {}

  @Override
  public LoadedProgram load(KernelProgram program) {
    openPrograms++;
    return new Program();
  }

  @Override
  public void close() {
    closed = true;
  }

  private final class Program implements LoadedProgram {
    private void record(Object call) {
      if (failing) {
        throw new DeviceException("a kernel failed", "cuLaunchKernel", 700);
      }
      calls.add(call);
    }

    @Override
    public void forward(ForwardProblem problem) {
      record(problem);
      problems.add(problem);
    }

    @Override
    public void backward(BackwardProblem problem) {
      record(problem);
    }

    @Override
    public void prefill(PrefillProblem problem) {
      record(problem);
    }

    @Override
    public void foldWindow(StateView state, int batch, int keyHeads, long stream) {
      record(new Fold(state, batch, keyHeads, stream));
    }

    @Override
    public long decodeWorkspaceBytes(int batch, int queryHeads, int keyHeads) {
      return WORKSPACE_BYTES * queryHeads;
    }

    @Override
    public void decode(DecodeProblem problem) {
      record(problem);
    }

    @Override
    public CapturedCall captureDecode(DecodeProblem problem) {
      record(problem);
      openCaptures.incrementAndGet();
      return new CapturedCall() {
        @Override
        public void launch(long stream) {
          launches++;
          launchStream = stream;
        }

        @Override
        public void close() {
          openCaptures.decrementAndGet();
        }
      };
    }

    @Override
    public void close() {
      openPrograms--;
    }
  }

  /** Memory made when it is first used, so that tests can name blocks of any size. */
  static final class Block implements Memory {
    private final long address;
    private final long bytes;
    private final AtomicInteger open;
    private ByteBuffer content = ByteBuffer.allocate(0);
    int reads;

    Block(long address, long bytes, AtomicInteger open) {
      this.address = address;
      this.bytes = bytes;
      this.open = open;
    }

    private ByteBuffer at(long offset) {
      if (content.capacity() == 0) {
        content = ByteBuffer.allocate((int) bytes).order(ByteOrder.nativeOrder());
      }
      return content.duplicate().position((int) offset);
    }

    @Override
    public long bytes() {
      return bytes;
    }

    @Override
    public long address() {
      return address;
    }

    @Override
    public void write(long offset, ByteBuffer source) {
      at(offset).put(source);
    }

    @Override
    public void read(long offset, ByteBuffer target) {
      reads++;
      target.put(at(offset).limit((int) offset + target.remaining()));
    }

    @Override
    public void close() {
      open.decrementAndGet();
    }
  }
}
