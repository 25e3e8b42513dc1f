/// \file
/// A network's training pass over one batch: forward, loss, backward of each block, and the sum of the gradients.
#include "network_work.h"

#include "thread_pool.h"

#include <algorithm>

namespace tmva_lstm {
inline namespace TMVA_LSTM_ABI {

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
      if (!fShape.every_step)
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
   if (!fShape.every_step)
      finish_states(work);
}

/// Input of the first dense layer, as far as it comes from the steps from `first` on that the block holds: the last true states,
/// those of all steps, or their pool.
template <class T>
void Network<T>::join_states(std::size_t first, Work &work) const
{
   constexpr std::size_t L = kLanes<T>;
   const std::size_t H = fShape.H, all = fShape.states();
   T *joined = work.joined.data();
   StackBlock<T> &block = work.block;
   if (fShape.flat_steps) {
      if (first == 0)
         work.joined.fill(T(0));
      for (std::size_t t = 0; t < block.steps(); ++t)
         for (std::size_t j = 0; j < all; ++j)
            std::copy_n(block.states(t) + j * L, block.running(t), joined + ((first + t) * all + j) * L);
      return;
   }
   if (fShape.pools()) {
      if (first == 0)
         work.pool.begin(fShape.pooling, all, &fAttention);
      for (std::size_t t = 0; t < block.steps(); ++t)
         work.pool.add(block.states(t), block.running(t));
      return;
   }
   for (std::size_t direction = 0; direction < fStackShape.directions(); ++direction) {
      LayerBlock<T> &last = block.part(fStackShape.parts() - fStackShape.directions() + direction);
      if (first == 0) // lanes without a step, whose state is zero
         for (std::size_t j = 0; j < H; ++j)
            std::fill(joined + (direction * H + j) * L + last.running(0), joined + (direction * H + j + 1) * L, T(0));
      for (std::size_t t = 0; t < last.steps(); ++t) {
         const std::size_t left = last.running(t + 1), running = last.running(t); // lanes [left, running) end with this step
         const T *h = last.output(t);
         if (left < running)
            for (std::size_t j = 0; j < H; ++j)
               std::copy(h + j * L + left, h + j * L + running, joined + (direction * H + j) * L + left);
      }
   }
}

/// After the last step.
template <class T>
void Network<T>::finish_states(Work &work) const
{
   if (fShape.pools())
      work.pool.finish(work.lengths, work.n_lanes, work.joined.data());
   else if (!fShape.flat_steps)
      work.block.pass_on_last(fStack, work.joined.data(), work.n_lanes);
}

/// From the gradient of what was joined to that of the states of a segment, where they are kept.
template <class T>
void Network<T>::send_states(std::size_t segment, Work &work, Slot &slot) const
{
   constexpr std::size_t L = kLanes<T>;
   const std::size_t first = work.segments.begin(segment), all = fShape.states();
   StackBlock<T> &block = work.block;
   for (std::size_t t = block.steps(); t-- > 0;)
      if (fShape.flat_steps) // time-major, as they were joined
         std::copy_n(work.djoined.data() + (first + t) * all * L, all * L, block.states(t));
      else
         work.pool.backward(first + t, block.states(t), work.djoined.data(), block.running(t), slot.attention.data(), slot.v.data());
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
void Network<T>::dense_forward(Work &work, std::size_t n_lanes) const
{
   const T *x = work.joined.data();
   for (std::size_t n = 0; n < fDense.size(); ++n) {
      typename Work::Dense &at = work.dense[n];
      fDense[n].forward(x, at.pre.data(), at.y.data(), n_lanes);
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
   for (std::size_t lane = 0; lane < work.n_lanes; ++lane) {
      const std::int64_t event = work.events[lane];
      for (std::size_t k = 0; k < K; ++k)
         work.z[k] = head.y[k * L + lane];
      add_loss(events, static_cast<std::size_t>(event), events.weights ? events.weights[event] * weight_scale : 1., work.z.data(),
               work.dz.data(), sum);
      for (std::size_t k = 0; k < K; ++k)
         head.dy[k * L + lane] = work.dz[k];
   }
}

/// From the head's dy to the gradient of the joined states.
template <class T>
void Network<T>::dense_backward(Work &work, Slot &slot, std::size_t n_lanes) const
{
   for (std::size_t n = fDense.size(); n-- > 0;) {
      typename Work::Dense &at = work.dense[n];
      T *dx = n > 0 ? work.dense[n - 1].dy.data() : work.djoined.data();
      fDense[n].backward(n ? work.dense[n - 1].y.data() : work.joined.data(), at.pre.data(), at.y.data(), at.dy.data(),
                         dx, work.panel.data(), slot.dense[n].data(), n_lanes);
   }
}

/// Backward through the segments, the last first, whose activations forward_block() has left.
template <class T>
void Network<T>::backward_block(const LabelledView<T> &events, double weight_scale, Work &work, Slot &slot, Watch *watch) const
{
   if (!fStackShape.keeps_states)
      work.block.pass_back_last(fStack, work.djoined.data(), slot.norms.data(), work.n_lanes);
   for (std::size_t count = work.segments.count(), segment = count; segment-- > 0;) {
      if (segment + 1 < count) {
         load_steps(events, segment, work);
         forward(fStack, work.block);
      }
      LossGradient<T> loss;
      if (fShape.every_step)
         learn_steps(events, weight_scale, segment, work, slot);
      else if (fStackShape.keeps_states)
         send_states(segment, work, slot);
      else
         loss.dh_final = work.djoined.data();
      if (fStackShape.keeps_states)
         loss.dh_steps = work.block.states(0);
      backward<T>(fStack, work.block, loss, {slot.panel_pointers.data(), slot.norms.data()},
                  watch ? watch->before_backward(work) : nullptr);
      if (watch)
         watch->after_backward(work, work.segments.begin(segment));
   }
}

template <class T>
LossSum Network<T>::gradient(const LabelledView<T> &events, const std::int64_t *batch, std::size_t n_batch,
                             double weight_scale, const WorkLimits &limits, T *flat, const DropDraw &draw)
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
      for (AlignedArray<T> *array : {&slot.norms, &slot.attention, &slot.v})
         array->fill(T(0));
      slot.sum = {};
      for (std::size_t block = index; block < blocks.count; block += n_slots) {
         work.take(events, blocks, block);
         work.cut(fStackShape, limits.bytes_per_thread);
         work.block.drop(fStackShape, draw, work.positions, work.n_lanes);
         forward_block(events, work);
         join_event_features(events, work);
         if (!fShape.every_step) {
            dense_forward(work, work.n_lanes);
            loss_of_block(events, weight_scale, work, slot.sum);
            dense_backward(work, slot, work.n_lanes);
         }
         backward_block(events, weight_scale, work, slot);
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
      const std::size_t C = layer.template columns<T>(), rows = layer.panel_rows();
      const std::size_t rows_a_task = std::max<std::size_t>(1, 65536 / (C * kGradientSlots));
      parallel_for((rows + rows_a_task - 1) / rows_a_task, n_threads, [&](std::size_t task, std::size_t) {
         const auto panel = [&](std::size_t index) { return fSlots[index].panels[part].data(); };
         const std::size_t first = task * rows_a_task, last = std::min(rows, first + rows_a_task);
         const T *total = add(panel, first * C, (last - first) * C);
         if (layer.cell.plain()) // while it is at hand
            for (std::size_t row = first; row < last; ++row, total += C) {
               std::copy_n(total, layer.D, flat + row * layer.D);
               std::copy_n(total + layer.D, layer.H, flat + rows * layer.D + row * layer.H);
               flat[rows * (layer.D + layer.H) + row] = total[layer.D + layer.H];
            }
      });
      if (!layer.cell.plain())
         unpack_gradient(layer, fSlots[0].panels[part].data(), flat);
      flat += layer.parameters();
   }
   std::copy_n(add([&](std::size_t index) { return fSlots[index].norms.data(); }, 0, fStackShape.norm_parameters()),
               fStackShape.norm_parameters(), flat);
   flat += fStackShape.norm_parameters();
   if (fShape.attention_parameters()) {
      const DenseShape shape = fAttention.layer().shape();
      fAttention.layer().unpack(add([&](std::size_t index) { return fSlots[index].attention.data(); }, 0,
                                    shape.panel_rows() * shape.template columns<T>()),
                                flat, flat + shape.width * shape.inputs);
      flat += shape.parameters();
      std::copy_n(add([&](std::size_t index) { return fSlots[index].v.data(); }, 0, shape.width), shape.width, flat);
      flat += shape.width;
   }
   for (std::size_t layer = 0; layer < fDense.size(); ++layer) {
      const DenseShape shape = fDense[layer].shape();
      const T *total = add([&](std::size_t index) { return fSlots[index].dense[layer].data(); }, 0,
                           shape.panel_rows() * shape.template columns<T>());
      fDense[layer].unpack(total, flat, flat + shape.width * shape.inputs);
      flat += shape.parameters();
   }
}

#define TMVA_LSTM_INSTANTIATE(T)                                                                                       \
   template void Network<T>::forward_block(const SequenceView<T> &, Work &, Watch *) const;                            \
   template void Network<T>::backward_block(const LabelledView<T> &, double, Work &, Slot &, Watch *) const;           \
   template void Network<T>::join_event_features(const SequenceView<T> &, Work &) const;                               \
   template void Network<T>::dense_forward(Work &, std::size_t) const;                                                 \
   template void Network<T>::dense_backward(Work &, Slot &, std::size_t) const;                                        \
   template LossSum Network<T>::gradient(const LabelledView<T> &, const std::int64_t *, std::size_t, double,           \
                                         const WorkLimits &, T *, const DropDraw &);

TMVA_LSTM_INSTANTIATE(float)
TMVA_LSTM_INSTANTIATE(double)

} // namespace TMVA_LSTM_ABI
} // namespace tmva_lstm
