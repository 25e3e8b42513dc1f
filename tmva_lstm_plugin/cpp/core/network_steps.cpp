/// \file
/// A network whose every step has outputs of its own, and the loss of any network.
#include "network_work.h"

#include <algorithm>
#include <cmath>

namespace tmva_lstm {
inline namespace TMVA_LSTM_ABI {

/// Adds the loss of one row (an event, or a step) to the sum, with its gradient dz [K] times the weight. A step that has neither label
/// nor target has no loss.
template <class T>
void Network<T>::add_loss(const LabelledView<T> &events, std::size_t row, double weight, const T *z, T *dz, LossSum &sum) const
{
   const std::size_t K = fShape.K;
   const std::int32_t label = events.labels ? events.labels[row] : 0;
   const T *targets = events.targets ? events.targets + row * K : nullptr;
   if (label < 0 || (targets && std::isnan(*targets))) {
      std::fill_n(dz, K, T(0));
      return;
   }
   sum.loss += weight * event_loss(fShape.loss, z, K, label, targets, dz);
   for (std::size_t k = 0; k < K; ++k)
      dz[k] *= static_cast<T>(weight);
   sum.weight += weight;
   sum.n += weight != 0;
}

/// Loss of all steps of a segment, from their states, which become what reaches them.
template <class T>
void Network<T>::learn_steps(const LabelledView<T> &events, double weight_scale, std::size_t segment, Work &work,
                             Slot &slot) const
{
   constexpr std::size_t L = kLanes<T>;
   const std::size_t first = work.segments.begin(segment), K = fShape.K, states = fShape.states() * L;
   typename Work::Dense &head = work.dense.back();
   for (std::size_t t = work.block.steps(); t-- > 0;) {
      const std::size_t running = work.block.running(t);
      std::copy_n(work.block.states(t), states, work.joined.data());
      dense_forward(work, running);
      for (std::size_t lane = 0; lane < running; ++lane) {
         const std::int64_t event = work.events[lane];
         for (std::size_t k = 0; k < K; ++k)
            work.z[k] = head.y[k * L + lane];
         add_loss(events, static_cast<std::size_t>(events.offsets[event]) + first + t,
                  events.weights ? events.weights[event] * weight_scale : 1., work.z.data(), work.dz.data(), slot.sum);
         for (std::size_t k = 0; k < K; ++k)
            head.dy[k * L + lane] = work.dz[k];
      }
      dense_backward(work, slot, running);
      std::copy_n(work.djoined.data(), states, work.block.states(t));
   }
}

/// Outputs of step t, from its states; the event features have been joined.
template <class T>
void Network<T>::score_step(std::size_t t, const T *states, std::size_t n_lanes, Work &work, T *out) const
{
   constexpr std::size_t L = kLanes<T>;
   const std::size_t K = fShape.K;
   std::copy_n(states, fShape.states() * L, work.joined.data());
   dense_forward(work, n_lanes);
   for (std::size_t lane = 0; lane < n_lanes; ++lane)
      for (std::size_t k = 0; k < K; ++k)
         out[(work.rows_before[work.positions[lane]] + t) * K + k] = work.outputs()[k * L + lane];
}

template <class T>
LossSum Network<T>::loss(const LabelledView<T> &events, const std::int64_t *batch, std::size_t n_batch,
                         double weight_scale, const WorkLimits &limits) const
{
   const std::size_t K = fShape.K;
   std::size_t rows = n_batch;
   if (fShape.every_step) {
      rows = 0;
      for (std::size_t n = 0; n < n_batch; ++n)
         rows += events.length(batch[n]);
   }
   std::vector<T> outputs(rows * K), unused(K);
   logits(events, batch, n_batch, limits, outputs.data());
   LossSum sum;
   const T *z = outputs.data();
   for (std::size_t n = 0; n < n_batch; ++n) {
      const std::int64_t event = batch[n];
      const double weight = events.weights ? events.weights[event] * weight_scale : 1.;
      const std::size_t first = fShape.every_step ? static_cast<std::size_t>(events.offsets[event]) : static_cast<std::size_t>(event);
      const std::size_t of_event = fShape.every_step ? events.length(event) : 1;
      for (std::size_t row = first; row < first + of_event; ++row, z += K)
         add_loss(events, row, weight, z, unused.data(), sum);
   }
   return sum;
}

#define TMVA_LSTM_INSTANTIATE(T)                                                                                       \
   template void Network<T>::add_loss(const LabelledView<T> &, std::size_t, double, const T *, T *, LossSum &) const;  \
   template void Network<T>::learn_steps(const LabelledView<T> &, double, std::size_t, Work &, Slot &) const;          \
   template void Network<T>::score_step(std::size_t, const T *, std::size_t, Work &, T *) const;                       \
   template LossSum Network<T>::loss(const LabelledView<T> &, const std::int64_t *, std::size_t, double,               \
                                     const WorkLimits &) const;

TMVA_LSTM_INSTANTIATE(float)
TMVA_LSTM_INSTANTIATE(double)

} // namespace TMVA_LSTM_ABI
} // namespace tmva_lstm
