/// \file
/// The network: an LSTM layer, its last true state joined with event-level features, a dense head, and the loss.
#pragma once

#include "lstm_layer.h"
#include "preprocess.h"

#include <cstdint>
#include <string>
#include <vector>

namespace tmva_lstm {
inline namespace TMVA_LSTM_ABI {

/// Jagged events in memory, not owned. Steps of event n: rows [offsets[n], offsets[n+1]) of values.
template <class T>
struct SequenceView {
   const T *values = nullptr;             ///< (S, D)
   const std::int64_t *offsets = nullptr; ///< (N + 1)
   const T *event_values = nullptr;       ///< (N, E), or null when E = 0
   std::size_t N = 0, D = 0, E = 0;

   std::size_t length(std::int64_t event) const { return static_cast<std::size_t>(offsets[event + 1] - offsets[event]); }
};

/// Events with their classes and weights.
template <class T>
struct LabelledView : SequenceView<T> {
   const std::int32_t *labels = nullptr; ///< (N), in [0, classes)
   const double *weights = nullptr;      ///< (N), or null: all 1
};

/// Sizes of a network.
struct NetworkShape {
   std::size_t D = 0, E = 0, H = 0;
   std::size_t K = 1; ///< logits: 1 with the sigmoid cross entropy, more with that of the softmax

   LayerShape layer() const { return {D, H}; }
   std::size_t classes() const { return K == 1 ? 2 : K; }
   std::size_t head_inputs() const { return H + E; }
   std::size_t head_parameters() const { return K * (head_inputs() + 1); }
   std::size_t parameters() const { return layer().parameters() + head_parameters(); }
};

/// A named part of the flat parameter buffer.
struct ParameterView {
   std::string name;
   std::size_t offset, rows, columns;
};

/// All parameters in the order of the buffer: lstm.W, lstm.U, lstm.b, head.W, head.b.
std::vector<ParameterView> parameter_layout(NetworkShape shape);

/// Pointers to the parts of a flat buffer (parameters, or their gradient).
template <class T>
struct Parameters {
   T *W, *U, *b, *head_W, *head_b;
   Parameters(NetworkShape shape, T *flat)
      : W(flat), U(W + 4 * shape.H * shape.D), b(U + 4 * shape.H * shape.H), head_W(b + 4 * shape.H),
        head_b(head_W + shape.K * shape.head_inputs())
   {
   }
};

/// Sum over a batch.
struct LossSum {
   double loss = 0;    ///< sum of weight * loss
   double weight = 0;  ///< sum of weights
   std::size_t n = 0;  ///< events whose weight is not 0
};

/// Memory and threads of a network at work.
struct WorkLimits {
   std::size_t n_threads = 1;
   std::size_t bytes_per_thread = std::size_t(1) << 30; ///< activations of one block
};

/// Forward and backward over batches of jagged events.
///
/// A batch is cut into blocks of like length, blocks are dealt to a fixed number of gradient slots, and slots are summed in
/// order: the result does not depend on the number of threads.
template <class T>
class Network {
public:
   Network(NetworkShape shape, Standardisation<T> features, Standardisation<T> event_features);

   const NetworkShape &shape() const { return fShape; }

   /// Takes over new parameters (flat, see parameter_layout()).
   void set_parameters(const T *flat);

   /// Gradient of sum_n weight_n loss_n over the events `batch` (n_batch positions), written to `gradient` (flat).
   /// Weights are multiplied by `weight_scale`.
   LossSum gradient(const LabelledView<T> &events, const std::int64_t *batch, std::size_t n_batch, double weight_scale,
                    const WorkLimits &limits, T *gradient);

   /// Logits of the events `batch`: logits (n_batch, K). An event's logits are the same in every batch. Several threads
   /// may ask at once.
   void logits(const SequenceView<T> &events, const std::int64_t *batch, std::size_t n_batch, const WorkLimits &limits,
               T *logits) const;

   /// Loss alone, over any number of events; summed in their order.
   LossSum loss(const LabelledView<T> &events, const std::int64_t *batch, std::size_t n_batch, double weight_scale,
                const WorkLimits &limits) const;

   /// Steps that fit into `bytes` for one block.
   static std::size_t longest_sequence(NetworkShape shape, std::size_t bytes);

private:
   struct Work;   // one thread's block
   struct Slot;   // one gradient sum
   struct Blocks; // a batch cut into blocks

   void check_lengths(const SequenceView<T> &events, const std::int64_t *batch, std::size_t n_batch,
                      const WorkLimits &limits) const;
   void load_block(const SequenceView<T> &events, const Blocks &blocks, std::size_t block, Work &work) const;
   void head_forward(Work &work) const;
   void head_backward(Work &work, Slot &slot) const;

   NetworkShape fShape;
   Standardisation<T> fFeatures, fEventFeatures;
   PackedLayer<T> fLayer;
   std::vector<T> fHead; ///< head.W, head.b
   std::vector<Work> fWork;
   std::vector<Slot> fSlots;

public:
   ~Network();
   Network(Network &&) noexcept;
   Network &operator=(Network &&) noexcept;
};

/// Class probabilities (n, classes) from logits (n, K).
template <class T>
void probabilities(const T *logits, std::size_t n, std::size_t K, T *out);

/// Cross entropy of one event, and its gradient with respect to the K logits.
template <class T>
double cross_entropy(const T *logits, std::size_t K, std::int32_t label, T *dlogits);

} // namespace TMVA_LSTM_ABI
} // namespace tmva_lstm
