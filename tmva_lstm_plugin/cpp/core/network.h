/// \file
/// The network: recurrent layers; the last true state of the last one (or its states of all steps, or one vector out of them) joined
/// with event-level features; hidden dense layers, a linear head, and the loss. Or the same at every step by itself.
#pragma once

#include "dense_layer.h"
#include "loss.h"
#include "pooling.h"
#include "preprocess.h"
#include "recurrent_stack.h"

#include <cstdint>
#include <memory>
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

/// Events with what they are to give, and their weights.
template <class T>
struct LabelledView : SequenceView<T> {
   /// (N), in [0, classes); null in a regression. Where every step has outputs (S), a negative one for a step that has none.
   const std::int32_t *labels = nullptr;
   /// (N, K) in a regression, standardised by the caller; else null. Where every step has outputs (S, K), NaN likewise.
   const T *targets = nullptr;
   const double *weights = nullptr; ///< (N), or null: all 1
};

/// What a network is made of.
struct NetworkShape {
   std::size_t D = 0, E = 0, H = 0;
   std::size_t K = 1;             ///< outputs: logits, or the values of a regression
   std::size_t flat_steps = 0;    ///< 0: the last true state goes on; else the states of so many steps, zeros beyond an event's end
   std::vector<DenseSpec> dense;  ///< hidden layers between the LSTM and the head
   Loss loss = Loss::CrossEntropy;
   std::vector<std::size_t> lower = {}; ///< hidden units of the recurrent layers below the last one, the lowest first
   bool bidirectional = false;          ///< all recurrent layers in both directions of time
   CellSpec cell = {};                  ///< of all recurrent layers
   Pooling pooling = Pooling::Last;     ///< what goes on of an event's states, unless flat_steps says all
   bool layer_norm = false;             ///< normalises what each recurrent layer gives
   bool every_step = false;             ///< outputs for each step, of its own state, instead of one for the event
   DropRates drop = {};                 ///< in training
   double huber_delta = 1;              ///< of Loss::Huber, in units of the standardised targets

   /// The recurrent layers.
   StackShape stack() const;
   /// Numbers that go on of a step: the states of the last layer, of both directions if there are two.
   std::size_t states() const { return bidirectional ? 2 * H : H; }
   std::size_t classes() const { return K == 1 ? 2 : K; }
   /// Inputs of the first dense layer: states, time-major, then event features.
   std::size_t joined() const { return (flat_steps ? flat_steps * states() : states()) + E; }
   bool pools() const { return !every_step && !flat_steps && pooling != Pooling::Last; }
   /// The attention's weights; none where another pooling is asked for.
   std::size_t attention_parameters() const;
   /// All dense layers, the head being the last.
   std::vector<DenseShape> dense_layers() const;
   std::size_t parameters() const;
};

/// What a parameter is; weights alone decay, and are drawn before the training.
enum class ParameterKind { Weight, Bias, Gain, Peephole };

/// A named part of the flat parameter buffer.
struct ParameterView {
   std::string name;
   std::size_t offset, rows, columns;
   std::size_t gates = 1; ///< so many matrices (or biases) stand one below the other, as those of the gates in a recurrent layer
   ParameterKind kind = ParameterKind::Weight;
};

/// All parameters in the order of the buffer: lstm.W, lstm.U, lstm.b (lstm.p with peepholes), the same of lstm.reverse where there
/// are two directions, of lstm2, lstm2.reverse, ... where there are more layers (gru, rnn for these cells); lstm.norm.gain,
/// lstm.norm.b of each layer that is normalised; attention.W, attention.b, attention.v; then dense1.W, dense1.b, ... and head.W,
/// head.b.
std::vector<ParameterView> parameter_layout(const NetworkShape &shape);
/// The name before the dot of a part of the stack in that list: lstm, lstm.reverse, lstm2, ...
std::string part_name(const StackShape &stack, std::size_t part);

/// "lstm", "gru", "rnn".
const char *cell_name(CellKind kind);
/// The inverse; throws ArgumentError with the names there are.
CellKind cell_from_name(const std::string &name);

/// "before" or "after": where the GRU's reset gate stands.
const char *reset_gate_name(bool before);
/// The inverse; throws ArgumentError with both.
bool reset_before_from_name(const std::string &name);

/// Sum over a batch.
struct LossSum {
   double loss = 0;    ///< sum of weight * loss
   double weight = 0;  ///< sum of weights
   std::size_t n = 0;  ///< events (or steps, where every one has outputs) whose weight is not 0
};

/// Memory and threads of a network at work.
struct WorkLimits {
   std::size_t n_threads = 1;
   /// Activations of one block in training. A block whose activations take more is cut in time, see segments.h: the result is the
   /// same, to the bit, and takes up to one further forward pass.
   std::size_t bytes_per_thread = std::size_t(1) << 30;
};

template <class T>
struct Explanation; // network_explain.h

/// Forward and backward over batches of jagged events.
///
/// A batch is cut into blocks of like length, blocks are dealt to a fixed number of gradient slots, and slots are summed in
/// order: the result does not depend on the number of threads.
template <class T>
class Network {
public:
   Network(const NetworkShape &shape, Standardisation<T> features, Standardisation<T> event_features);

   const NetworkShape &shape() const { return fShape; }
   const Standardisation<T> &features() const { return fFeatures; }
   const Standardisation<T> &event_features() const { return fEventFeatures; }

   /// Takes over new parameters (flat, see parameter_layout()). `for_scores`: also prepares what scores events one at a time
   /// quickly and what explain() needs, which a step of a training has no use for.
   void set_parameters(const T *flat, bool for_scores = true, std::size_t n_threads = 1);

   /// Gradient of sum_n weight_n loss_n over the events `batch` (n_batch positions), written to `gradient` (flat).
   /// Weights are multiplied by `weight_scale`. Dropout draws from `draw`; without one nothing is dropped. Throws MemoryError when
   /// an event is longer than longest_sequence().
   LossSum gradient(const LabelledView<T> &events, const std::int64_t *batch, std::size_t n_batch, double weight_scale,
                    const WorkLimits &limits, T *gradient, const DropDraw &draw = {});

   /// Outputs of the events `batch`: logits (n_batch, K); where every step has outputs (steps of these events, K), event after event.
   /// An event's outputs are the same in every batch. Several threads
   /// may ask at once. Length is no matter: nothing is kept of a step but the state.
   void logits(const SequenceView<T> &events, const std::int64_t *batch, std::size_t n_batch, const WorkLimits &limits,
               T *logits) const;

   /// Loss alone, over any number of events; summed in their order.
   LossSum loss(const LabelledView<T> &events, const std::int64_t *batch, std::size_t n_batch, double weight_scale,
                const WorkLimits &limits) const;

   /// Activations and gradients of all events, step by step; see network_explain.h. Beside what is wanted, a thread takes up to the
   /// limit and room for the gradients of the states of a segment. Needs parameters that were set for scores.
   void explain(const LabelledView<T> &events, const WorkLimits &limits, const Explanation<T> &wanted) const;

   /// Steps of the longest event that can be trained on within `bytes` for one block.
   static std::size_t longest_sequence(const NetworkShape &shape, std::size_t bytes);

private:
   struct Work;         // one thread's block
   struct Slot;         // one gradient sum
   struct Blocks;       // a batch cut into blocks
   struct ScoringRooms; // memory kept for scoring
   struct Watch;        // looks at a block at work
   struct Explainer;    // the one of explain()

   void check_joined_steps(const SequenceView<T> &events, const std::int64_t *batch, std::size_t n_batch) const;
   void check_memory(const SequenceView<T> &events, const std::int64_t *batch, std::size_t n_batch,
                     const WorkLimits &limits) const;
   void make_room(std::size_t steps, std::size_t n_slots, const WorkLimits &limits);
   void make_dense_room(Work &work) const;
   void make_pool_room(Work &work) const;
   void make_gradient_room(Work &work) const;
   void make_dense_slot(Slot &slot) const;
   void make_scoring_room(std::size_t steps, bool in_lanes, Work &work) const;
   void begin_states(std::size_t segment, Work &work) const;
   void load_steps(const SequenceView<T> &events, std::size_t segment, Work &work) const;
   void forward_block(const SequenceView<T> &events, Work &work, Watch *watch = nullptr) const;
   void join_states(std::size_t first, Work &work) const;
   void finish_states(Work &work) const;
   void send_states(std::size_t segment, Work &work, Slot &slot) const;
   void join_event_features(const SequenceView<T> &events, Work &work) const;
   void dense_forward(Work &work, std::size_t n_lanes) const;
   void loss_of_block(const LabelledView<T> &events, double weight_scale, Work &work, LossSum &sum) const;
   void dense_backward(Work &work, Slot &slot, std::size_t n_lanes) const;
   void backward_block(const LabelledView<T> &events, double weight_scale, Work &work, Slot &slot,
                       Watch *watch = nullptr) const;
   void learn_steps(const LabelledView<T> &events, double weight_scale, std::size_t segment, Work &work, Slot &slot) const;
   void score_step(std::size_t t, const T *states, std::size_t n_lanes, Work &work, T *out) const;
   void add_loss(const LabelledView<T> &events, std::size_t row, double weight, const T *z, T *dz, LossSum &sum) const;
   void quantity_of_block(const LabelledView<T> &events, const Explanation<T> &wanted, Work &work) const;
   void sum_slots(std::size_t n_slots, std::size_t n_threads, T *gradient);
   void begin_scores(const SequenceView<T> &events, Work &work) const;
   void take_states(std::size_t t, const T *states, std::size_t n_lanes, Work &work, T *out) const;
   void end_scores(Work &work) const;
   void score_block(const SequenceView<T> &events, Work &work, T *out) const;
   void score_whole(const SequenceView<T> &events, Work &work, T *out) const;
   void score_single(const SequenceView<T> &events, Work &work, T *out) const;
   void score_single_whole(const SequenceView<T> &events, Work &work, T *out) const;

   NetworkShape fShape;
   Standardisation<T> fFeatures, fEventFeatures;
   StackShape fStackShape;
   PackedStack<T> fStack;
   Attention<T> fAttention;
   std::vector<DenseLayer<T>> fDense; ///< hidden layers and the head
   std::vector<Work> fWork;
   std::vector<Slot> fSlots;
   std::unique_ptr<Blocks> fBlocks;
   std::unique_ptr<ScoringRooms> fRooms;

public:
   ~Network();
   Network(Network &&) noexcept;
   Network &operator=(Network &&) noexcept;
};

} // namespace TMVA_LSTM_ABI
} // namespace tmva_lstm
