package org.powerattention.runtime.cuda;

import java.nio.ByteBuffer;
import jcuda.Pointer;
import jcuda.driver.CUfunction;
import org.powerattention.runtime.events.Events;
import org.powerattention.runtime.events.LaunchEvent;

/** A kernel, whose only parameter is one struct by value. */
final class CudaKernel {
  /** Most blocks along a grid's first dimension; the others have {@link #MAX_GRID_YZ}. */
  private static final long MAX_GRID_X = Integer.MAX_VALUE;

  private static final long MAX_GRID_YZ = 65_535;

  private final CudaContext context;
  private final CUfunction function;
  private final String where;

  CudaKernel(CudaContext context, CUfunction function, String where) {
    this.context = context;
    this.function = function;
    this.where = where;
  }

  /**
   * Returns how many of the kernel's blocks a multiprocessor holds.
   *
   * @param threads threads of a block
   * @param sharedBytes dynamic shared memory of a block, in bytes
   */
  int blocksPerMultiprocessor(int threads, int sharedBytes) {
    int[] blocks = {0};
    context.run(
        () ->
            context.check(
                context
                    .calls()
                    .cuOccupancyMaxActiveBlocksPerMultiprocessor(
                        blocks, function, threads, sharedBytes),
                "cuOccupancyMaxActiveBlocksPerMultiprocessor",
                where));
    return blocks[0];
  }

  /**
   * Enqueues the kernel. The context must be current, as it is within {@link CudaContext#run}.
   *
   * @param gridX blocks along the first dimension, up to 2^31 - 1
   * @param gridY blocks along the second dimension, up to 65,535
   * @param gridZ blocks along the third dimension, up to 65,535
   * @param threads threads of a block
   * @param sharedBytes dynamic shared memory of a block, in bytes
   * @param stream handle of the stream, 0 for the default stream
   * @param argument the struct, from the position of a direct buffer in native order on; it is read
   *     before this returns
   * @throws IllegalArgumentException if the grid is larger than CUDA's
   */
  void launch(
      long gridX,
      long gridY,
      long gridZ,
      int threads,
      int sharedBytes,
      long stream,
      ByteBuffer argument) {
    if (gridX < 1
        || gridY < 1
        || gridZ < 1
        || gridX > MAX_GRID_X
        || gridY > MAX_GRID_YZ
        || gridZ > MAX_GRID_YZ) {
      throw new IllegalArgumentException(
          "a grid of "
              + gridX
              + " x "
              + gridY
              + " x "
              + gridZ
              + " blocks for "
              + where
              + "; allowed: up to "
              + MAX_GRID_X
              + " x 65535 x 65535; split the batch or the sequence");
    }
    LaunchEvent event = Events.startLaunch();
    Pointer parameters = Pointer.to(Pointer.to(argument.slice()));
    context.check(
        context
            .calls()
            .cuLaunchKernel(
                function,
                (int) gridX,
                (int) gridY,
                (int) gridZ,
                threads,
                1,
                1,
                sharedBytes,
                Handles.stream(stream),
                parameters,
                null),
        "cuLaunchKernel",
        where);
    if (event != null) {
      event.kernel = where;
      event.gridX = gridX;
      event.gridY = gridY;
      event.gridZ = gridZ;
      event.threads = threads;
      event.sharedBytes = sharedBytes;
      event.stream = stream;
      event.commit();
    }
  }
}
