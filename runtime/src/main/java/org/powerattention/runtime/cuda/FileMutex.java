package org.powerattention.runtime.cuda;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * What only one thread of one process has at a time. The operating system takes it back when the
 * process ends, however it ends. It spares work and guards nothing: where it cannot be had (a file
 * system without locks, a holder that is stopped), whoever asked goes on without it.
 */
final class FileMutex implements AutoCloseable {
  /**
   * Threads of this process take turns before they open the file: on Linux, closing any channel of
   * a file gives up the locks that other channels of the process hold on it.
   */
  private static final Map<Path, Semaphore> IN_PROCESS = new ConcurrentHashMap<>();

  private static final long POLL_MILLIS = 5;

  private final Semaphore turn;
  private final FileChannel channel;

  private FileMutex(Semaphore turn, FileChannel channel) {
    this.turn = turn;
    this.channel = channel;
  }

  /**
   * Waits for a file's lock.
   *
   * @param file its place, in a directory that exists; it is made, and stays
   * @param patience how long to wait at most
   * @return the lock, or null if it was not to be had
   */
  static @Nullable FileMutex take(Path file, Duration patience) {
    long deadline = System.nanoTime() + patience.toNanos();
    Semaphore turn =
        IN_PROCESS.computeIfAbsent(file.toAbsolutePath().normalize(), f -> new Semaphore(1));
    try {
      if (!turn.tryAcquire(patience.toNanos(), TimeUnit.NANOSECONDS)) {
        return null;
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return null;
    }
    FileChannel channel = lock(file, deadline);
    if (channel == null) {
      turn.release();
      return null;
    }
    return new FileMutex(turn, channel);
  }

  private static @Nullable FileChannel lock(Path file, long deadline) {
    FileChannel channel = null;
    boolean locked = false;
    try {
      channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
      FileLock lock = channel.tryLock();
      while (lock == null && System.nanoTime() < deadline) {
        // A blocking lock could not be given up.
        Thread.sleep(POLL_MILLIS);
        lock = channel.tryLock();
      }
      locked = lock != null;
      return locked ? channel : null;
    } catch (IOException | OverlappingFileLockException e) {
      return null;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return null;
    } finally {
      if (channel != null && !locked) {
        close(channel);
      }
    }
  }

  @Override
  public void close() {
    close(channel);
    turn.release();
  }

  private static void close(FileChannel channel) {
    try {
      channel.close();
    } catch (IOException e) {
      // The lock goes with the descriptor, whatever closing says.
    }
  }
}
