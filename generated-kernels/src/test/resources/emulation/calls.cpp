// Runs the kernels of one operator of degree 2, gated and normalised, in BF16, as the runtime does:
// a forward call, the backward call that reads what it kept, and steps of decoding. Prints the
// relative L2 error of each result against the formula in double.
#include <cstdio>
#include <memory>
#include <random>

#include "cuda.h"

namespace forward {
#include "forward.h"
}
namespace backward {
#include "backward.h"
}
namespace serving {
#include "serving.h"
}

namespace {
constexpr int kTokens = 140;
constexpr int kChunk = 64;
constexpr int kChunks = (kTokens + kChunk - 1) / kChunk;
constexpr int kSegments = kChunks;  // of one chunk each
constexpr int kQueryHeads = 2;
constexpr int kHeadDim = forward::kHeadDim;
constexpr int kFeatures = forward::kFeatures;
constexpr int kSplits = 2;

typedef unsigned short bf16;

// Freed at the end; full of NaN until it is written.
template <typename T>
T* allocated(size_t count) {
  static std::vector<std::unique_ptr<T, decltype(&std::free)>> all;
  void* memory = nullptr;
  if (posix_memalign(&memory, 256, count * sizeof(T)) != 0) std::abort();
  std::memset(memory, 0xff, count * sizeof(T));
  all.emplace_back(static_cast<T*>(memory), &std::free);
  return all.back().get();
}

template <typename T>
T* zeros(size_t count) {
  T* memory = allocated<T>(count);
  std::memset(memory, 0, count * sizeof(T));
  return memory;
}

unsigned parts(long long whole, long long part) { return (unsigned)((whole + part - 1) / part); }

void print_error(const char* what, const std::vector<double>& expected,
                 const std::vector<double>& actual) {
  double squares = 0;
  double errors = 0;
  for (size_t i = 0; i < expected.size(); i++) {
    squares += expected[i] * expected[i];
    errors += (expected[i] - actual[i]) * (expected[i] - actual[i]);
  }
  std::printf("%s %.3e\n", what, std::sqrt(errors / squares));
}

std::vector<double> doubles_of(const bf16* numbers, size_t count) {
  std::vector<double> values(count);
  for (size_t i = 0; i < count; i++) values[i] = float_of_bf16(numbers[i]);
  return values;
}

// Inputs of a call, and what the formula gives for them.
struct Problem {
  bf16* q;
  bf16* k;
  bf16* v;
  bf16* dy;
  float* log_gate;
  std::vector<double> y, dq, dk, dv, dlog_gate;

  explicit Problem(unsigned seed) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal;
    const auto rows = [&](int count) {
      bf16* numbers = allocated<bf16>(count * kHeadDim);
      for (int i = 0; i < count * kHeadDim; i++) numbers[i] = bf16_of(normal(random));
      return numbers;
    };
    q = rows(kTokens * kQueryHeads);
    dy = rows(kTokens * kQueryHeads);
    k = rows(kTokens);
    v = rows(kTokens);
    log_gate = allocated<float>(kTokens);
    for (int i = 0; i < kTokens; i++) log_gate[i] = -0.05f * std::fabs(normal(random));
    evaluate();
  }

  static double dot(const bf16* a, const bf16* b) {
    double sum = 0;
    for (int c = 0; c < kHeadDim; c++) sum += (double)float_of_bf16(a[c]) * float_of_bf16(b[c]);
    return sum;
  }

  void evaluate() {
    y.resize(kTokens * kQueryHeads * kHeadDim);
    dq.resize(y.size());
    dk.resize(kTokens * kHeadDim);
    dv.resize(dk.size());
    dlog_gate.resize(kTokens);
    std::vector<double> gates(kTokens);
    for (int i = 0; i < kTokens; i++) gates[i] = (i > 0 ? gates[i - 1] : 0) + log_gate[i];
    for (int row = 0; row < kTokens * kQueryHeads; row++) {
      const int i = row / kQueryHeads;
      const bf16* query = q + row * kHeadDim;
      const bf16* gradient = dy + row * kHeadDim;
      std::vector<double> scores(i + 1), weights(i + 1);
      double sum = 0;
      for (int j = 0; j <= i; j++) {
        scores[j] = dot(query, k + j * kHeadDim);
        weights[j] = scores[j] * scores[j] * std::exp(gates[i] - gates[j]);
        sum += weights[j];
      }
      double delta = 0;  // <dy, y>
      for (int c = 0; c < kHeadDim; c++) {
        double& mean = y[row * kHeadDim + c];
        for (int j = 0; j <= i; j++) mean += weights[j] / sum * float_of_bf16(v[j * kHeadDim + c]);
        delta += mean * float_of_bf16(gradient[c]);
      }
      double passed = 0;  // what passes the gate behind a key, of it and of those before it
      for (int j = 0; j <= i; j++) {
        const double product = (dot(gradient, v + j * kHeadDim) - delta) / sum * weights[j];
        for (int c = 0; c < kHeadDim; c++) {
          dq[row * kHeadDim + c] += 2 * product / scores[j] * float_of_bf16(k[j * kHeadDim + c]);
          dk[j * kHeadDim + c] += 2 * product / scores[j] * float_of_bf16(query[c]);
          dv[j * kHeadDim + c] += weights[j] / sum * float_of_bf16(gradient[c]);
        }
        passed += product;
        if (j < i) dlog_gate[j + 1] += passed;
      }
    }
  }
};

template <typename Strides>
Strides strides(int heads, int size) {
  return {(long long)kTokens * heads * size, (long long)heads * size, size};
}

// Returns the arguments of the call, with what it kept.
forward::Arguments call_forward(const Problem& problem) {
  using namespace forward;
  Arguments arguments{};
  arguments.q = problem.q;
  arguments.k = problem.k;
  arguments.v = problem.v;
  arguments.log_gate = problem.log_gate;
  arguments.y = allocated<bf16>(problem.y.size());
  arguments.gate_sum = allocated<double>(kTokens);
  arguments.snapshots = allocated<unsigned char>(kChunks * kSnapshotBytes);
  arguments.snapshot_key_sums = allocated<float>(kChunks * kFeatures);
  arguments.segment_states = allocated<float>(kSegments * kStateNumbers);
  arguments.saved_outputs = allocated<float>(problem.y.size());
  arguments.saved_weights = allocated<float>(kTokens * kQueryHeads);
  arguments.q_strides = arguments.y_strides = strides<Strides>(kQueryHeads, kHeadDim);
  arguments.k_strides = arguments.v_strides = strides<Strides>(1, kHeadDim);
  arguments.gate_strides = strides<Strides>(1, 1);
  arguments.tokens = arguments.all_tokens = kTokens;
  arguments.all_chunks = kChunks;
  arguments.held_back = kOverlap;
  arguments.query_heads = kQueryHeads;
  arguments.key_heads = 1;
  arguments.chunk = kChunk;
  arguments.chunks_per_segment = 1;
  arguments.segments = kSegments;
  launch(gate_sum, {kChunks, 1, 1}, kGateThreads, 0, arguments);
  launch(state_pass, {parts(kFeatures, kStateFeatures), kSegments, 1}, kStateThreads,
         kStateSharedBytes, arguments);
  launch(join_segments, {parts(kJoinWords, kJoinThreads), kSegments, 1}, kJoinThreads, 0,
         arguments);
  launch(output_pass, {kChunks * parts(kChunk, kOutputRows), kQueryHeads, 1}, kOutputThreads,
         kOutputSharedBytes, arguments);
  print_error("y", problem.y, doubles_of(arguments.y, problem.y.size()));
  return arguments;
}

void call_backward(const Problem& problem, const forward::Arguments& kept) {
  using namespace backward;
  Arguments arguments{};
  arguments.q = problem.q;
  arguments.k = problem.k;
  arguments.v = problem.v;
  arguments.log_gate = problem.log_gate;
  arguments.dy = problem.dy;
  arguments.dq = allocated<bf16>(problem.dq.size());
  arguments.dk = allocated<bf16>(problem.dk.size());
  arguments.dv = allocated<bf16>(problem.dv.size());
  arguments.dlog_gate = allocated<float>(kTokens);
  arguments.gate_sum = kept.gate_sum;
  arguments.saved_outputs = kept.saved_outputs;
  arguments.saved_weights = kept.saved_weights;
  arguments.row_scales = allocated<float>(kTokens * kQueryHeads);
  arguments.row_deltas = allocated<float>(kTokens * kQueryHeads);
  arguments.states = kept.snapshots;
  arguments.state_key_sums = kept.snapshot_key_sums;
  arguments.state_gradients = allocated<unsigned char>(kChunks * kSnapshotBytes);
  arguments.segment_gradients = allocated<float>(kSegments * kStateNumbers);
  arguments.state_products = allocated<float>(kChunks * kJoinWarps);
  arguments.query_state_sums = allocated<float>(kTokens * kQueryHeads);
  arguments.query_sums = allocated<float>(kTokens * kQueryHeads);
  arguments.key_state_sums = allocated<float>(kTokens);
  arguments.key_sums = allocated<float>(kTokens);
  arguments.q_strides = arguments.dy_strides = arguments.dq_strides =
      strides<Strides>(kQueryHeads, kHeadDim);
  arguments.k_strides = arguments.v_strides = arguments.dk_strides = arguments.dv_strides =
      strides<Strides>(1, kHeadDim);
  arguments.gate_strides = arguments.dgate_strides = strides<Strides>(1, 1);
  arguments.tokens = arguments.all_tokens = kTokens;
  arguments.query_heads = kQueryHeads;
  arguments.key_heads = 1;
  arguments.chunk = kChunk;
  arguments.chunks_per_segment = 1;
  arguments.segments = kSegments;
  arguments.all_chunks = kChunks;
  arguments.output_scale = 1;
  launch(row_terms, {parts(kTokens, kRowTermTokens), kQueryHeads, 1}, kRowTermThreads, 0,
         arguments);
  launch(state_gradient_walk, {parts(kFeatures, kStateFeatures), kSegments, 1}, kStateThreads,
         kStateSharedBytes, arguments);
  launch(join_gradients, {parts(kJoinWords, kJoinThreads), kSegments, 1}, kJoinThreads, 0,
         arguments);
  launch(query_gradients, {kChunks * parts(kChunk, kQueryRows), kQueryHeads, 1}, kQueryThreads,
         kQuerySharedBytes, arguments);
  launch(key_gradients, {kChunks * parts(kChunk, kKeyRows) + 1, 1, 1}, kKeyThreads,
         kKeySharedBytes, arguments);
  launch(gate_totals, {kChunks, 1, 1}, kGateGradientThreads, 0, arguments);
  launch(gate_gradients, {kChunks, 1, 1}, kGateGradientThreads, 0, arguments);
  print_error("dq", problem.dq, doubles_of(arguments.dq, problem.dq.size()));
  print_error("dk", problem.dk, doubles_of(arguments.dk, problem.dk.size()));
  print_error("dv", problem.dv, doubles_of(arguments.dv, problem.dv.size()));
  print_error("dlogG", problem.dlog_gate,
              {arguments.dlog_gate, arguments.dlog_gate + kTokens});
}

// Decodes the tokens that fill the window and those behind them, of which the first has it folded.
void decode(const Problem& problem) {
  using namespace serving;
  constexpr int kFirst = kWindow - 2;
  constexpr int kEnd = kWindow + 2;
  constexpr int kSteps = (kFeatures + kDecodeFeatures - 1) / kDecodeFeatures;
  const int row_numbers = kQueryHeads * kHeadDim;
  ServingArguments arguments{};
  arguments.sums = zeros<float>(kFeatures * kHeadDim);
  arguments.key_sums = zeros<float>(kFeatures);
  arguments.window_keys = allocated<bf16>(kWindow * kHeadDim);
  arguments.window_values = allocated<bf16>(kWindow * kHeadDim);
  arguments.window_gates = allocated<float>(kWindow);
  std::memcpy(arguments.window_keys, problem.k, kFirst * kHeadDim * sizeof(bf16));
  std::memcpy(arguments.window_values, problem.v, kFirst * kHeadDim * sizeof(bf16));
  std::memcpy(arguments.window_gates, problem.log_gate, kFirst * sizeof(float));
  arguments.spans = zeros<int>(2);
  arguments.spans[1] = kFirst;
  arguments.arrivals = zeros<unsigned>(1);
  arguments.partials = allocated<float>(kQueryHeads * kSplits * kPartialNumbers);
  arguments.q_strides = arguments.y_strides = strides<Strides>(kQueryHeads, kHeadDim);
  arguments.k_strides = arguments.v_strides = strides<Strides>(1, kHeadDim);
  arguments.gate_strides = strides<Strides>(1, 1);
  arguments.batch = arguments.tokens = arguments.key_heads = 1;
  arguments.query_heads = kQueryHeads;
  arguments.splits = kSplits;
  arguments.split_features = parts(kSteps, kSplits) * kDecodeFeatures;
  bf16* y = allocated<bf16>((kEnd - kFirst) * row_numbers);
  for (int token = kFirst; token < kEnd; token++) {
    arguments.q = problem.q + token * row_numbers;
    arguments.k = problem.k + token * kHeadDim;
    arguments.v = problem.v + token * kHeadDim;
    arguments.log_gate = problem.log_gate + token;
    arguments.y = y + (token - kFirst) * row_numbers;
    launch(decode_rows_4, {kSplits, 1, 1}, kDecodeThreads, kDecodeSharedBytes, arguments);
  }
  print_error("decode",
              {problem.y.begin() + kFirst * row_numbers, problem.y.begin() + kEnd * row_numbers},
              doubles_of(y, (kEnd - kFirst) * row_numbers));
  if (arguments.arrivals[0] != 0) std::abort();
}
}  // namespace

int main() {
  const Problem problem(1);
  call_backward(problem, call_forward(problem));
  decode(problem);
}
