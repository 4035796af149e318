package org.powerattention.runtime.cuda;

import java.util.function.LongConsumer;
import jcuda.driver.CUgraph;
import jcuda.driver.CUgraphExec;
import jcuda.driver.CUresult;
import jcuda.driver.CUstream;
import jcuda.driver.CUstreamCaptureMode;
import jcuda.driver.CUstream_flags;
import org.powerattention.runtime.spi.CapturedCall;

/** Launches that were recorded as a CUDA graph; one call to the driver carries all of them out. */
final class CudaGraph implements CapturedCall {
  private final CudaBackend backend;
  private final String where;
  private final CUgraphExec graph;
  // The handle of the last launch's stream: launches on one stream make no objects.
  private volatile CUstream stream = Handles.stream(0);

  private CudaGraph(CudaBackend backend, String where, CUgraphExec graph) {
    this.backend = backend;
    this.where = where;
    this.graph = graph;
  }

  /**
   * Records launches.
   *
   * @param backend the device
   * @param what what is recorded, in words
   * @param launches enqueues them on the stream that it is given, with the context current; it may
   *     not allocate memory or wait for the device
   */
  static CudaGraph record(CudaBackend backend, String what, LongConsumer launches) {
    String where = what + " on " + backend.name();
    return backend.context().call(() -> recordNow(backend, where, launches));
  }

  private static CudaGraph recordNow(CudaBackend backend, String where, LongConsumer launches) {
    // A stream of its own: the caller's may be the default stream, which cannot be recorded, or be
    // in use.
    CUstream stream = new CUstream();
    backend
        .context()
        .check(
            backend.calls().cuStreamCreate(stream, CUstream_flags.CU_STREAM_NON_BLOCKING),
            "cuStreamCreate",
            where);
    CUgraph recorded = new CUgraph();
    try {
      capture(backend.context(), stream, recorded, where, launches);
      CUgraphExec graph = new CUgraphExec();
      try {
        backend
            .context()
            .check(
                backend.calls().cuGraphInstantiate(graph, recorded, 0),
                "cuGraphInstantiate",
                where);
      } finally {
        int ignored = backend.calls().cuGraphDestroy(recorded);
      }
      return new CudaGraph(backend, where, graph);
    } finally {
      int ignored = backend.calls().cuStreamDestroy(stream);
    }
  }

  private static void capture(
      CudaContext context, CUstream stream, CUgraph recorded, String where, LongConsumer launches) {
    // What other threads do meanwhile is none of the recording's business.
    context.check(
        context
            .calls()
            .cuStreamBeginCapture(stream, CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL),
        "cuStreamBeginCapture",
        where);
    try {
      launches.accept(Handles.value(stream));
    } catch (RuntimeException e) {
      // A recording that is broken off may leave a graph.
      if (context.calls().cuStreamEndCapture(stream, recorded) == CUresult.CUDA_SUCCESS) {
        int ignored = context.calls().cuGraphDestroy(recorded);
      }
      throw e;
    }
    context.check(
        context.calls().cuStreamEndCapture(stream, recorded), "cuStreamEndCapture", where);
  }

  @Override
  public void launch(long stream) {
    CudaContext context = backend.context();
    context.push();
    try {
      backend
          .context()
          .check(backend.calls().cuGraphLaunch(graph, handle(stream)), "cuGraphLaunch", where);
    } finally {
      context.pop();
    }
  }

  private CUstream handle(long wanted) {
    CUstream last = stream;
    if (Handles.value(last) != wanted) {
      last = Handles.stream(wanted);
      stream = last;
    }
    return last;
  }

  /** The driver finishes launches that are under way. */
  @Override
  public void close() {
    backend
        .context()
        .release(
            () ->
                backend
                    .context()
                    .check(backend.calls().cuGraphExecDestroy(graph), "cuGraphExecDestroy", where));
  }
}
