/// \file
/// A network's forward pass for scores alone: nothing is kept for a backward pass, and events that come one at a time have
/// their units for lanes. All paths add the same terms in the same order: an event's scores are the same, to the bit, by each.
#include "network_work.h"

#include "thread_pool.h"

#include <algorithm>

namespace tmva_lstm {
inline namespace TMVA_LSTM_ABI {

namespace {

/// Blocks of so many events at most are scored one event at a time.
constexpr std::size_t kSingles = 4;

} // namespace

/// Room for one block or event, whichever takes more.
template <class T>
void Network<T>::make_scoring_room(Work &work) const
{
   constexpr std::size_t L = kLanes<T>;
   const std::size_t D = fShape.D, H = fShape.H, P = round_up(H, kPaddedUnits), x_at = round_up(D, kPaddedUnits);
   for (AlignedArray<T> &each : work.inputs)
      each.require(std::max(x_at + P, (D + H) * L));
   work.cells.require(std::max(P, H * L));
   make_dense_room(work);
}

/// Scores the events that `work` holds, in lanes.
template <class T>
void Network<T>::score_block(Work &work) const
{
   constexpr std::size_t L = kLanes<T>;
   const std::size_t D = fShape.D, H = fShape.H;
   const Kernels<T> &kernels = fLayer.kernels();
   std::fill_n(work.cells.data(), H * L, T(0));
   work.joined.fill(T(0));
   std::fill_n(work.inputs[0].data() + D * L, H * L, T(0));

   std::size_t running = work.n_lanes;
   for (std::size_t t = 0;; ++t) {
      // lanes [left, running) have ended
      std::size_t left = running;
      while (left && work.lengths[left - 1] <= t)
         --left;
      T *u = work.inputs[t % 2].data(), *next = work.inputs[(t + 1) % 2].data();
      if (!fShape.flat_steps && left < running)
         for (std::size_t j = 0; j < H; ++j)
            std::copy(u + (D + j) * L + left, u + (D + j) * L + running, work.joined.data() + j * L + left);
      running = left;
      if (running == 0)
         break;
      kernels.load_step(D, work.rows, running, fFeatures.mean.data(), fFeatures.inverse.data(), u);
      for (std::size_t lane = 0; lane < running; ++lane)
         work.rows[lane] += D;
      kernels.state_forward(fShape.layer(), fLayer.gates(), u, work.cells.data(), next + D * L, running);
      if (fShape.flat_steps)
         for (std::size_t j = 0; j < H; ++j)
            std::copy_n(next + (D + j) * L, running, work.joined.data() + (t * H + j) * L);
   }
}

/// Scores the one event that `work` holds, its units being the lanes; it goes to lane 0 of the dense layers.
template <class T>
void Network<T>::score_single(const SequenceView<T> &events, Work &work) const
{
   constexpr std::size_t L = kLanes<T>;
   const std::size_t D = fShape.D, H = fShape.H, P = round_up(H, kPaddedUnits), x_at = round_up(D, kPaddedUnits);
   T *x = work.inputs[0].data(), *h = x + x_at, *h_next = work.inputs[1].data(), *c = work.cells.data();
   std::fill_n(h, P, T(0));
   std::fill_n(c, P, T(0));
   if (fShape.flat_steps)
      work.joined.fill(T(0));
   const T *row = work.rows[0];
   const std::size_t length = events.length(work.events[0]);
   for (std::size_t t = 0; t < length; ++t, row += D) {
      for (std::size_t d = 0; d < D; ++d)
         x[d] = (row[d] - fFeatures.mean[d]) * fFeatures.inverse[d];
      fLayer.kernels().single_forward(fShape.layer(), fUnits.data(), x, h, c, h_next);
      std::swap(h, h_next);
      if (fShape.flat_steps)
         for (std::size_t j = 0; j < H; ++j)
            work.joined[(t * H + j) * L] = h[j];
   }
   if (!fShape.flat_steps)
      for (std::size_t j = 0; j < H; ++j)
         work.joined[j * L] = h[j];
}

template <class T>
void Network<T>::logits(const SequenceView<T> &events, const std::int64_t *batch, std::size_t n_batch,
                        const WorkLimits &limits, T *out) const
{
   check_joined_steps(events, batch, n_batch);
   const std::size_t K = fShape.K;
   auto room = fRooms->take();
   Blocks &blocks = room->blocks;
   blocks.cut(events, batch, n_batch);
   const std::size_t n_threads = std::max<std::size_t>(1, std::min(limits.n_threads, blocks.count));
   room->work.resize(std::max(room->work.size(), n_threads));
   for (std::size_t thread = 0; thread < n_threads; ++thread)
      make_scoring_room(room->work[thread]);
   parallel_for(blocks.count, n_threads, [&](std::size_t block, std::size_t thread) {
      Work &work = room->work[thread];
      work.take(events, blocks, block);
      const auto finish = [&] {
         join_event_features(events, work);
         dense_forward(work);
         for (std::size_t lane = 0; lane < work.n_lanes; ++lane)
            for (std::size_t k = 0; k < K; ++k)
               out[static_cast<std::size_t>(work.positions[lane]) * K + k] = work.outputs()[k * kLanes<T> + lane];
      };
      if (work.n_lanes <= kSingles && fUnits.size()) {
         const std::int64_t *last = work.events + work.n_lanes;
         const T *const *row = work.rows;
         for (work.n_lanes = 1; work.events < last; ++work.events, ++work.positions) {
            score_single(events, work);
            finish();
            work.rows[0] = *++row;
         }
      } else {
         score_block(work);
         finish();
      }
   });
   fRooms->give_back(std::move(room));
}

template <class T>
LossSum Network<T>::loss(const LabelledView<T> &events, const std::int64_t *batch, std::size_t n_batch,
                         double weight_scale, const WorkLimits &limits) const
{
   const std::size_t K = fShape.K;
   std::vector<T> z(n_batch * K), unused(K);
   logits(events, batch, n_batch, limits, z.data());
   LossSum sum;
   for (std::size_t n = 0; n < n_batch; ++n) {
      const std::int64_t event = batch[n];
      const double weight = events.weights ? events.weights[event] * weight_scale : 1.;
      const T *targets = events.targets ? events.targets + static_cast<std::size_t>(event) * K : nullptr;
      sum.loss += weight * event_loss(fShape.loss, z.data() + n * K, K, events.labels ? events.labels[event] : 0,
                                      targets, unused.data());
      sum.weight += weight;
      sum.n += weight != 0;
   }
   return sum;
}

template void Network<float>::logits(const SequenceView<float> &, const std::int64_t *, std::size_t, const WorkLimits &,
                                     float *) const;
template void Network<double>::logits(const SequenceView<double> &, const std::int64_t *, std::size_t, const WorkLimits &,
                                      double *) const;
template LossSum Network<float>::loss(const LabelledView<float> &, const std::int64_t *, std::size_t, double,
                                      const WorkLimits &) const;
template LossSum Network<double>::loss(const LabelledView<double> &, const std::int64_t *, std::size_t, double,
                                       const WorkLimits &) const;

} // namespace TMVA_LSTM_ABI
} // namespace tmva_lstm
