package org.powerattention.runtime;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.powerattention.runtime.spi.Backend;
import org.powerattention.runtime.spi.ForwardProblem;
import org.powerattention.runtime.spi.LoadedProgram;
import org.powerattention.runtime.spi.Memory;

/** A device in host memory that records what it is asked to do and computes nothing. */
final class FakeBackend implements Backend {
  final List<ForwardProblem> problems = new ArrayList<>();
  final AtomicInteger openBlocks = new AtomicInteger();
  final AtomicInteger openStreams = new AtomicInteger();
  int openPrograms;
  boolean closed;
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
    return new LoadedProgram() {
      @Override
      public void forward(ForwardProblem problem) {
        problems.add(problem);
      }

      @Override
      public void close() {
        openPrograms--;
      }
    };
  }

  @Override
  public void close() {
    closed = true;
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
