package org.powerattention.runtime.cuda;

import java.nio.ByteBuffer;
import jcuda.Pointer;
import org.powerattention.runtime.spi.Memory;

/** A block of a device's memory. */
final class CudaMemory implements Memory {
  /** Bytes of one transfer from or to the Java heap, which goes through a direct buffer. */
  private static final int PIECE = 4 << 20;

  private final CudaBackend backend;
  private final long address;
  private final long bytes;
  private final Runnable release;

  CudaMemory(CudaBackend backend, long address, long bytes, Runnable release) {
    this.backend = backend;
    this.address = address;
    this.bytes = bytes;
    this.release = release;
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
    checkRange(offset, source.remaining());
    backend.context().run(() -> upload(address + offset, source));
  }

  private void upload(long target, ByteBuffer source) {
    if (source.isDirect()) {
      copyToDevice(target, source.slice());
      source.position(source.limit());
      return;
    }
    ByteBuffer piece = ByteBuffer.allocateDirect(Math.min(source.remaining(), PIECE));
    long done = 0;
    while (source.hasRemaining()) {
      int count = Math.min(piece.capacity(), source.remaining());
      piece.clear().put(0, source, source.position(), count).limit(count);
      copyToDevice(target + done, piece);
      source.position(source.position() + count);
      done += count;
    }
  }

  private void copyToDevice(long target, ByteBuffer direct) {
    backend
        .context()
        .check(
            backend
                .calls()
                .cuMemcpyHtoD(Handles.pointer(target), Pointer.to(direct), direct.remaining()),
            "cuMemcpyHtoD",
            backend.name());
  }

  @Override
  public void read(long offset, ByteBuffer target) {
    checkRange(offset, target.remaining());
    backend.context().run(() -> download(address + offset, target));
  }

  private void download(long source, ByteBuffer target) {
    if (target.isDirect()) {
      copyFromDevice(source, target.slice());
      target.position(target.limit());
      return;
    }
    ByteBuffer piece = ByteBuffer.allocateDirect(Math.min(target.remaining(), PIECE));
    long done = 0;
    while (target.hasRemaining()) {
      piece.clear().limit(Math.min(piece.capacity(), target.remaining()));
      copyFromDevice(source + done, piece);
      done += piece.remaining();
      target.put(piece);
    }
  }

  private void copyFromDevice(long source, ByteBuffer direct) {
    backend
        .context()
        .check(
            backend
                .calls()
                .cuMemcpyDtoH(Pointer.to(direct), Handles.pointer(source), direct.remaining()),
            "cuMemcpyDtoH",
            backend.name());
  }

  @Override
  public void copyFrom(Memory source, long sourceOffset, long offset, long bytes) {
    if (source instanceof CudaMemory other && other.backend == backend) {
      checkRange(offset, bytes);
      other.checkRange(sourceOffset, bytes);
      backend
          .context()
          .run(() -> copyWithin(other.address + sourceOffset, address + offset, bytes));
    } else {
      Memory.super.copyFrom(source, sourceOffset, offset, bytes);
    }
  }

  private void copyWithin(long from, long to, long count) {
    backend
        .context()
        .check(
            backend
                .calls()
                .cuMemcpyDtoDAsync(
                    Handles.pointer(to), Handles.pointer(from), count, Handles.stream(0)),
            "cuMemcpyDtoDAsync",
            backend.name());
    // A stream that someone else made might not wait for the default stream.
    backend.synchronize(0);
  }

  @Override
  public void clear(long offset, long count) {
    checkRange(offset, count);
    backend.context().run(() -> clearNow(address + offset, count));
  }

  private void clearNow(long start, long count) {
    backend
        .context()
        .check(
            backend
                .calls()
                .cuMemsetD8Async(Handles.pointer(start), (byte) 0, count, Handles.stream(0)),
            "cuMemsetD8Async",
            backend.name());
    // A stream that someone else made might not wait for the default stream.
    backend.synchronize(0);
  }

  @Override
  public void close() {
    release.run();
  }

  private void checkRange(long offset, long count) {
    if (offset < 0 || count < 0 || count > bytes - offset) {
      throw new IndexOutOfBoundsException(
          count + " bytes at " + offset + " of a block of " + bytes + " bytes");
    }
  }
}
