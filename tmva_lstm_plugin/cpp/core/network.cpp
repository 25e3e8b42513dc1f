#include "network_work.h"

#include "error.h"
#include "thread_pool.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace tmva_lstm {
inline namespace TMVA_LSTM_ABI {

template <class T>
Network<T>::Network(const NetworkShape &shape, Standardisation<T> features, Standardisation<T> event_features)
   : fShape(shape), fFeatures(std::move(features)), fEventFeatures(std::move(event_features)),
     fStackShape(shape.stack()), fBlocks(std::make_unique<Blocks>()), fRooms(std::make_unique<ScoringRooms>())
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
      make_gradient_room(work);
   }
   fSlots.resize(std::max(fSlots.size(), n_slots));
   for (std::size_t n = 0; n < n_slots; ++n) {
      fSlots[n].panels.resize(fStackShape.parts());
      fSlots[n].panel_pointers.resize(fStackShape.parts());
      for (std::size_t part = 0; part < fStackShape.parts(); ++part) {
         const LayerShape layer = fStackShape.part(part);
         fSlots[n].panels[part].require(layer.rows() * layer.template columns<T>());
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

/// Room for the sums of the dense layers' gradients.
template <class T>
void Network<T>::make_dense_slot(Slot &slot) const
{
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

/// From the events that `work` holds to the input of the first dense layer. Leaves the activations of the last segment, and
/// checkpoints for the others.
template <class T>
void Network<T>::forward_block(const SequenceView<T> &events, Work &work, Watch *watch) const
{
   constexpr std::size_t L = kLanes<T>;
   const std::size_t count = work.segments.count();
   for (std::size_t segment = 0; segment < count; ++segment) {
      load_steps(events, segment, work);
      forward(fStack, work.block);
      if (watch)
         watch->after_forward(work, work.segments.begin(segment));
      join_states(work.segments.begin(segment), work);
      if (segment + 1 == count)
         break;
      T *state = work.checkpoint(segment + 1, fStackShape);
      for (std::size_t n = 0; n < fStackShape.parts(); ++n) {
         LayerBlock<T> &part = work.block.part(n);
         const std::size_t size = fStackShape.part(n).H * L;
         std::copy_n(part.h(part.steps()), size, state);
         std::copy_n(part.c(part.steps()), size, state + size);
         state += 2 * size;
      }
   }
}

/// Input of the first dense layer: the last true states, or those of all steps; as far as they are among the steps from `first`
/// on that the block holds.
template <class T>
void Network<T>::join_states(std::size_t first, Work &work) const
{
   constexpr std::size_t L = kLanes<T>;
   const std::size_t H = fShape.H, all = fShape.states();
   T *joined = work.joined.data();
   if (fShape.flat_steps && first == 0)
      work.joined.fill(T(0));
   for (std::size_t direction = 0; direction < fStackShape.directions(); ++direction) {
      LayerBlock<T> &last = work.block.part(fStackShape.parts() - fStackShape.directions() + direction);
      if (fShape.flat_steps && direction == 0) {
         for (std::size_t t = 0; t < last.steps(); ++t)
            for (std::size_t j = 0; j < H; ++j)
               std::copy_n(last.h(t + 1) + j * L, last.running(t), joined + ((first + t) * all + j) * L);
         continue;
      }
      if (fShape.flat_steps) {
         work.block.template turn<false>(
            H, [&](std::size_t t) { return last.h(t + 1); }, [&](std::size_t t) { return joined + (t * all + H) * L; });
         continue;
      }
      std::size_t running = first == 0 ? L : last.running(0);
      for (std::size_t t = 0; t <= last.steps(); ++t) {
         // lanes [left, running) have ended: sequences, and before the first step lanes without one, whose state is zero
         const std::size_t left = last.running(t);
         if (left < running)
            for (std::size_t j = 0; j < H; ++j)
               std::copy(last.h(t) + j * L + left, last.h(t) + j * L + running, joined + (direction * H + j) * L + left);
         running = left;
      }
   }
}

/// Behind the states: the standardised event features.
template <class T>
void Network<T>::join_event_features(const SequenceView<T> &events, Work &work) const
{
   constexpr std::size_t L = kLanes<T>;
   if (fShape.E == 0)
      return;
   T *joined = work.joined.data() + (fShape.joined() - fShape.E) * L;
   std::fill_n(joined, fShape.E * L, T(0));
   for (std::size_t lane = 0; lane < work.n_lanes; ++lane)
      for (std::size_t e = 0; e < fShape.E; ++e) {
         const T value = events.event_values[static_cast<std::size_t>(work.events[lane]) * fShape.E + e];
         joined[e * L + lane] = (value - fEventFeatures.mean[e]) * fEventFeatures.inverse[e];
      }
}

template <class T>
void Network<T>::dense_forward(Work &work) const
{
   const T *x = work.joined.data();
   for (std::size_t n = 0; n < fDense.size(); ++n) {
      typename Work::Dense &at = work.dense[n];
      fDense[n].forward(x, at.pre.data(), at.y.data(), work.n_lanes);
      x = at.y.data();
   }
}

/// Loss of the events of the block, and its gradient into the head's dy.
template <class T>
void Network<T>::loss_of_block(const LabelledView<T> &events, double weight_scale, Work &work, LossSum &sum) const
{
   constexpr std::size_t L = kLanes<T>;
   const std::size_t K = fShape.K;
   typename Work::Dense &head = work.dense.back();
   std::vector<T> &z = work.z, &dz = work.dz;
   for (std::size_t lane = 0; lane < work.n_lanes; ++lane) {
      const std::int64_t event = work.events[lane];
      const double weight = events.weights ? events.weights[event] * weight_scale : 1.;
      for (std::size_t k = 0; k < K; ++k)
         z[k] = head.y[k * L + lane];
      const double loss = event_loss(fShape.loss, z.data(), K, events.labels ? events.labels[event] : 0,
                                     events.targets ? events.targets + static_cast<std::size_t>(event) * K : nullptr,
                                     dz.data());
      for (std::size_t k = 0; k < K; ++k)
         head.dy[k * L + lane] = dz[k] * static_cast<T>(weight);
      sum.loss += weight * loss;
      sum.weight += weight;
      sum.n += weight != 0;
   }
}

/// From the head's dy to the gradient of the joined states.
template <class T>
void Network<T>::dense_backward(Work &work, Slot &slot) const
{
   for (std::size_t n = fDense.size(); n-- > 0;) {
      typename Work::Dense &at = work.dense[n];
      T *dx = n > 0 ? work.dense[n - 1].dy.data() : work.djoined.data();
      fDense[n].backward(n ? work.dense[n - 1].y.data() : work.joined.data(), at.pre.data(), at.y.data(), at.dy.data(),
                         dx, work.panel.data(), slot.dense[n].data(), work.n_lanes);
   }
}

/// Backward through the segments, the last first, whose activations forward_block() has left.
template <class T>
void Network<T>::backward_block(const SequenceView<T> &events, Work &work, Slot &slot, Watch *watch) const
{
   for (std::size_t count = work.segments.count(), segment = count; segment-- > 0;) {
      if (segment + 1 < count) {
         load_steps(events, segment, work);
         forward(fStack, work.block);
      }
      LossGradient<T> loss;
      if (fShape.flat_steps) // time-major, as the states were joined
         loss.dh_steps = work.djoined.data() + work.segments.begin(segment) * fShape.states() * kLanes<T>;
      else
         loss.dh_final = work.djoined.data();
      backward<T>(fStack, work.block, loss, slot.panel_pointers.data(), watch ? watch->before_backward(work) : nullptr);
      if (watch)
         watch->after_backward(work, work.segments.begin(segment));
   }
}

template <class T>
LossSum Network<T>::gradient(const LabelledView<T> &events, const std::int64_t *batch, std::size_t n_batch,
                             double weight_scale, const WorkLimits &limits, T *flat)
{
   check_memory(events, batch, n_batch, limits);
   check_joined_steps(events, batch, n_batch);
   Blocks &blocks = *fBlocks;
   blocks.cut(events, batch, n_batch);
   const std::size_t n_slots = std::min(blocks.count, kGradientSlots);
   make_room(n_slots ? events.length(blocks.events.front()) : 0, n_slots, limits);

   parallel_for(n_slots, limits.n_threads, [&](std::size_t index, std::size_t thread) {
      Slot &slot = fSlots[index];
      Work &work = fWork[thread];
      for (AlignedArray<T> &panel : slot.panels)
         panel.fill(T(0));
      for (AlignedArray<T> &panel : slot.dense)
         panel.fill(T(0));
      slot.sum = {};
      for (std::size_t block = index; block < blocks.count; block += n_slots) {
         work.take(events, blocks, block);
         work.cut(fStackShape, limits.bytes_per_thread);
         forward_block(events, work);
         join_event_features(events, work);
         dense_forward(work);
         loss_of_block(events, weight_scale, work, slot.sum);
         dense_backward(work, slot);
         backward_block(events, work, slot);
      }
   });

   LossSum sum;
   for (std::size_t index = 0; index < n_slots; ++index) {
      sum.loss += fSlots[index].sum.loss;
      sum.weight += fSlots[index].sum.weight;
      sum.n += fSlots[index].sum.n;
   }
   if (n_slots)
      sum_slots(n_slots, limits.n_threads, flat);
   else
      std::fill_n(flat, fShape.parameters(), T(0));
   return sum;
}

/// Adds the slots in order, each thread taking some rows of the panels, and writes the flat gradient.
template <class T>
void Network<T>::sum_slots(std::size_t n_slots, std::size_t n_threads, T *flat)
{
   const auto add = [n_slots](auto panel_of_slot, std::size_t first, std::size_t count) {
      T *total = panel_of_slot(0) + first;
      for (std::size_t index = 1; index < n_slots; ++index) {
         const T *part = panel_of_slot(index) + first;
         for (std::size_t n = 0; n < count; ++n)
            total[n] += part[n];
      }
      return total;
   };
   for (std::size_t part = 0; part < fStackShape.parts(); ++part) {
      const LayerShape layer = fStackShape.part(part);
      const std::size_t D = layer.D, H = layer.H, C = layer.template columns<T>(), rows = layer.rows();
      const std::size_t rows_a_task = std::max<std::size_t>(1, 65536 / (C * kGradientSlots));
      parallel_for((rows + rows_a_task - 1) / rows_a_task, n_threads, [&](std::size_t task, std::size_t) {
         const auto panel = [&](std::size_t index) { return fSlots[index].panels[part].data(); };
         for (std::size_t row = task * rows_a_task; row < std::min(rows, (task + 1) * rows_a_task); ++row) {
            const T *total = add(panel, row * C, C);
            std::copy_n(total, D, flat + row * D);
            std::copy_n(total + D, H, flat + rows * D + row * H);
            flat[rows * (D + H) + row] = total[D + H];
         }
      });
      flat += layer.parameters();
   }
   for (std::size_t layer = 0; layer < fDense.size(); ++layer) {
      const DenseShape shape = fDense[layer].shape();
      const T *total = add([&](std::size_t index) { return fSlots[index].dense[layer].data(); }, 0,
                           shape.panel_rows() * shape.template columns<T>());
      fDense[layer].unpack(total, flat, flat + shape.width * shape.inputs);
      flat += shape.parameters();
   }
}

template class Network<float>;
template class Network<double>;

} // namespace TMVA_LSTM_ABI
} // namespace tmva_lstm
