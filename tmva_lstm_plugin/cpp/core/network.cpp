#include "network_work.h"

#include "error.h"
#include "thread_pool.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace tmva_lstm {
inline namespace TMVA_LSTM_ABI {

namespace {

/// Throws ArgumentError where parts of the shape contradict each other.
void check_choices(const NetworkShape &shape)
{
   if ((shape.cell.peepholes || shape.cell.coupled) && shape.cell.kind != CellKind::Lstm)
      throw ArgumentError(std::string("peepholes and coupled gates belong to the LSTM; the cell is ") + cell_name(shape.cell.kind));
   if (shape.cell.reset_before && shape.cell.kind != CellKind::Gru)
      throw ArgumentError(std::string("a reset gate belongs to the GRU; the cell is ") + cell_name(shape.cell.kind));
   if (shape.flat_steps && (shape.pooling != Pooling::Last || shape.every_step))
      throw ArgumentError("the states of all steps cannot be joined and pooled, nor have outputs of their own, at the same time");
   if (shape.every_step && shape.pooling != Pooling::Last)
      throw ArgumentError("there is nothing to pool where every step has outputs");
   for (const double rate : {shape.drop.input, shape.drop.state, shape.drop.output})
      if (!(rate >= 0 && rate < 1))
         throw ArgumentError("a dropout of " + std::to_string(rate) + " is not possible; expected a number from 0 to less than 1");
}

} // namespace

template <class T>
Network<T>::Network(const NetworkShape &shape, Standardisation<T> features, Standardisation<T> event_features)
   : fShape(shape), fFeatures(std::move(features)), fEventFeatures(std::move(event_features)),
     fStackShape(shape.stack()),
     fAttention(shape.attention_parameters() ? Attention<T>(shape.states(), shape.H) : Attention<T>()), fBlocks(std::make_unique<Blocks>()), fRooms(std::make_unique<ScoringRooms>())
{
   if (shape.D == 0 || shape.H == 0 || shape.K == 0)
      throw ArgumentError("a network needs at least one feature, one hidden unit and one output; it was given D = " +
                          std::to_string(shape.D) + ", H = " + std::to_string(shape.H) +
                          ", K = " + std::to_string(shape.K));
   if (fFeatures.mean.size() != shape.D || fEventFeatures.mean.size() != shape.E)
      throw ArgumentError("standardisation of " + std::to_string(fFeatures.mean.size()) + " features and " +
                          std::to_string(fEventFeatures.mean.size()) + " event features given for " +
                          std::to_string(shape.D) + " and " + std::to_string(shape.E));
   for (std::size_t n = 0; n < shape.lower.size(); ++n)
      if (shape.lower[n] == 0)
         throw ArgumentError("LSTM layer " + std::to_string(n + 1) + " has no hidden units; it needs at least 1");
   check_choices(shape);
   const std::vector<DenseShape> layers = shape.dense_layers();
   for (std::size_t n = 0; n < layers.size(); ++n) {
      if (layers[n].width == 0)
         throw ArgumentError("dense layer " + std::to_string(n + 1) + " has width 0; it needs at least 1");
      fDense.emplace_back(layers[n], n < shape.dense.size() ? shape.dense[n].activation : Activation::Linear);
   }
}

template <class T>
Network<T>::~Network() = default;
template <class T>
Network<T>::Network(Network &&) noexcept = default;
template <class T>
Network<T> &Network<T>::operator=(Network &&) noexcept = default;

template <class T>
void Network<T>::set_parameters(const T *flat, bool for_scores, std::size_t n_threads)
{
   fStack.pack(fStackShape, flat, for_scores, n_threads);
   flat += fStackShape.parameters();
   if (const std::size_t count = fShape.attention_parameters()) {
      fAttention.pack(flat);
      flat += count;
   }
   for (DenseLayer<T> &layer : fDense) {
      layer.pack(flat, flat + layer.shape().width * layer.shape().inputs);
      flat += layer.shape().parameters();
   }
}

template <class T>
std::size_t Network<T>::longest_sequence(const NetworkShape &shape, std::size_t bytes)
{
   return Segments<T>::longest(shape.stack(), bytes);
}

template <class T>
void Network<T>::check_joined_steps(const SequenceView<T> &events, const std::int64_t *batch, std::size_t n_batch) const
{
   if (fShape.flat_steps == 0)
      return;
   for (std::size_t n = 0; n < n_batch; ++n) {
      const std::size_t length = events.length(batch[n]);
      if (length > fShape.flat_steps)
         throw ArgumentError("event " + std::to_string(batch[n]) + " has " + std::to_string(length) +
                             " steps; this network joins the states of " + std::to_string(fShape.flat_steps) +
                             " steps: keep at most so many (max_length)");
   }
}

template <class T>
void Network<T>::check_memory(const SequenceView<T> &events, const std::int64_t *batch, std::size_t n_batch,
                              const WorkLimits &limits) const
{
   std::size_t most = 0;
   for (std::size_t n = 0; n < n_batch; ++n)
      most = std::max(most, events.length(batch[n]));
   if (StackBlock<T>::bytes(fStackShape, most) <= limits.bytes_per_thread)
      return;
   const std::size_t longest = longest_sequence(fShape, limits.bytes_per_thread);
   for (std::size_t n = 0; n < n_batch; ++n) {
      const std::size_t length = events.length(batch[n]);
      if (length > longest)
         throw MemoryError("event " + std::to_string(batch[n]) + " has " + std::to_string(length) +
                           " steps, which need at least " +
                           std::to_string(Segments<T>::least_bytes(fStackShape, length)) +
                           " bytes of activations a thread; the limit of " + std::to_string(limits.bytes_per_thread) +
                           " bytes allows " + std::to_string(longest) +
                           " steps: raise the memory limit, or keep fewer steps of a sequence (max_length)");
   }
}

template <class T>
void Network<T>::Blocks::cut(const SequenceView<T> &view, const std::int64_t *batch, std::size_t n_batch)
{
   count = (n_batch + kLanes<T> - 1) / kLanes<T>;
   positions.resize(n_batch);
   events.resize(n_batch);
   sort_by_length(view, batch, n_batch);
   for (std::size_t n = 0; n < n_batch; ++n)
      events[n] = batch[positions[n]];
}

/// Fills `positions`: the longest first, those of one length in the order of the batch.
template <class T>
void Network<T>::Blocks::sort_by_length(const SequenceView<T> &view, const std::int64_t *batch, std::size_t n_batch)
{
   std::size_t most = 0;
   for (std::size_t n = 0; n < n_batch; ++n)
      most = std::max(most, view.length(batch[n]));
   if (most > 1000 + 4 * n_batch) { // too many lengths to count the events of each
      std::iota(positions.begin(), positions.end(), std::int64_t(0));
      std::sort(positions.begin(), positions.end(), [&](std::int64_t a, std::int64_t b) {
         const std::size_t length_a = view.length(batch[a]), length_b = view.length(batch[b]);
         return length_a != length_b ? length_a > length_b : a < b;
      });
      return;
   }
   fFirst.assign(most + 1, 0);
   for (std::size_t n = 0; n < n_batch; ++n)
      ++fFirst[view.length(batch[n])];
   for (std::size_t length = most + 1, first = 0; length-- > 0;)
      first += std::exchange(fFirst[length], first);
   for (std::size_t n = 0; n < n_batch; ++n)
      positions[fFirst[view.length(batch[n])]++] = static_cast<std::int64_t>(n);
}

template <class T>
void Network<T>::Work::take(const SequenceView<T> &view, const Blocks &of, std::size_t block)
{
   const std::size_t first = block * L;
   n_lanes = std::min(L, of.events.size() - first);
   events = of.events.data() + first;
   positions = of.positions.data() + first;
   for (std::size_t lane = 0; lane < n_lanes; ++lane) {
      lengths[lane] = view.length(events[lane]);
      rows[lane] = view.values + static_cast<std::size_t>(view.offsets[events[lane]]) * view.D;
   }
}

template <class T>
T *Network<T>::Work::checkpoint(std::size_t segment, const StackShape &shape)
{
   std::size_t states = 0;
   for (std::size_t n = 0; n < shape.parts(); ++n)
      states += 2 * shape.part(n).H * L;
   return checkpoints.data() + (segment - 1) * states;
}

template <class T>
void Network<T>::Work::cut(const StackShape &shape, std::size_t bytes)
{
   segments = Segments<T>(shape, lengths[0], bytes);
   const std::size_t states = static_cast<std::size_t>(checkpoint(segments.count(), shape) - checkpoints.data());
   // one block had long segments, another many checkpoints: what is kept of both may not fit together
   if (std::max(block.held_bytes(), StackBlock<T>::bytes(shape, segments.longest_segment())) +
          std::max(checkpoints.bytes(), states * sizeof(T)) > bytes) {
      block = {};
      checkpoints = {};
   }
   checkpoints.require(states);
   if (segments.count() > 1) // the first segment is shorter: room for the others as well, before its numbers lie there
      block.prepare(shape, lengths, n_lanes, 0, segments.longest_segment());
}

/// Room for a batch whose longest event has so many steps. Which thread gets which block is not known before, so every thread is
/// given room for the longest: a step then takes no memory when an earlier one was as large. (Memory not touched costs nothing.)
template <class T>
void Network<T>::make_room(std::size_t steps, std::size_t n_slots, const WorkLimits &limits)
{
   const std::size_t n_threads = std::max<std::size_t>(1, std::min(limits.n_threads, n_slots));
   fWork.resize(std::max(fWork.size(), n_threads));
   for (std::size_t n = 0; n < n_threads; ++n) {
      Work &work = fWork[n];
      if (StackBlock<T>::bytes(fStackShape, steps) <= limits.bytes_per_thread) // else blocks are cut, and make their own
         work.block.reserve(fStackShape, steps);
      make_dense_room(work);
      make_pool_room(work);
      make_gradient_room(work);
   }
   fSlots.resize(std::max(fSlots.size(), n_slots));
   for (std::size_t n = 0; n < n_slots; ++n) {
      fSlots[n].panels.resize(fStackShape.parts());
      fSlots[n].panel_pointers.resize(fStackShape.parts());
      for (std::size_t part = 0; part < fStackShape.parts(); ++part) {
         const LayerShape layer = fStackShape.part(part);
         fSlots[n].panels[part].require(layer.panel_rows() * layer.template columns<T>());
         fSlots[n].panel_pointers[part] = fSlots[n].panels[part].data();
      }
      make_dense_slot(fSlots[n]);
   }
}

/// Room for what the way back through the dense layers gives.
template <class T>
void Network<T>::make_gradient_room(Work &work) const
{
   work.djoined.require(fShape.joined() * kLanes<T>);
   for (std::size_t each = 0; each < fDense.size(); ++each) {
      const DenseShape shape = fDense[each].shape();
      work.dense[each].dy.require(shape.panel_rows() * kLanes<T>);
      work.panel.require(std::max(work.panel.size(), kLanes<T> * shape.template columns<T>()));
   }
   work.z.resize(fShape.K);
   work.dz.resize(fShape.K);
}

/// Room for the sums of all gradients but those of the recurrent layers.
template <class T>
void Network<T>::make_dense_slot(Slot &slot) const
{
   slot.norms.require(fStackShape.norm_parameters());
   if (fShape.attention_parameters()) {
      const DenseShape shape = fAttention.layer().shape();
      slot.attention.require(shape.panel_rows() * shape.template columns<T>());
      slot.v.require(shape.width);
   }
   slot.dense.resize(fDense.size());
   for (std::size_t each = 0; each < fDense.size(); ++each)
      slot.dense[each].require(fDense[each].shape().panel_rows() * fDense[each].shape().template columns<T>());
}

/// Room for what the dense layers take and give.
template <class T>
void Network<T>::make_dense_room(Work &work) const
{
   work.joined.require(fShape.joined() * kLanes<T>);
   work.dense.resize(fDense.size());
   for (std::size_t n = 0; n < fDense.size(); ++n) {
      work.dense[n].pre.require(fDense[n].shape().panel_rows() * kLanes<T>);
      work.dense[n].y.require(fDense[n].shape().panel_rows() * kLanes<T>);
   }
}

/// Room for what makes one vector of all states.
template <class T>
void Network<T>::make_pool_room(Work &work) const
{
   if (fShape.pools())
      work.pool.begin(fShape.pooling, fShape.states(), &fAttention);
}

/// Makes room for the steps of a segment, with the states at its begin.
template <class T>
void Network<T>::begin_states(std::size_t segment, Work &work) const
{
   constexpr std::size_t L = kLanes<T>;
   work.block.prepare(fStackShape, work.lengths, work.n_lanes, work.segments.begin(segment), work.segments.end(segment));
   const T *state = segment ? work.checkpoint(segment, fStackShape) : nullptr;
   for (std::size_t n = 0; n < fStackShape.parts(); ++n) {
      LayerBlock<T> &part = work.block.part(n);
      const std::size_t size = fStackShape.part(n).H * L;
      if (state) {
         std::copy_n(state, size, part.h(0));
         std::copy_n(state + size, size, part.c(0));
         state += 2 * size;
      } else {
         std::fill_n(part.h(0), size, T(0));
         std::fill_n(part.c(0), size, T(0));
      }
   }
}

/// Puts the steps of a segment into the lanes, standardised.
template <class T>
void Network<T>::load_steps(const SequenceView<T> &events, std::size_t segment, Work &work) const
{
   const std::size_t D = fShape.D, first = work.segments.begin(segment);
   begin_states(segment, work);
   StackBlock<T> &block = work.block;
   for (std::size_t lane = 0; lane < block.running(0); ++lane)
      work.rows[lane] = events.values + (static_cast<std::size_t>(events.offsets[work.events[lane]]) + first) * D;
   for (std::size_t t = 0; t < block.steps(); ++t) {
      fStack.kernels().load_step(D, work.rows, block.running(t), fFeatures.mean.data(), fFeatures.inverse.data(), block.x(t));
      for (std::size_t lane = 0; lane < block.running(t); ++lane)
         work.rows[lane] += D;
   }
}

template class Network<float>;
template class Network<double>;

} // namespace TMVA_LSTM_ABI
} // namespace tmva_lstm
