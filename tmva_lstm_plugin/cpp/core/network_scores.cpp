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

/// Room for one block (in_lanes) or event, whichever takes more, of up to so many steps.
template <class T>
void Network<T>::make_scoring_room(std::size_t steps, bool in_lanes, Work &work) const
{
   constexpr std::size_t L = kLanes<T>;
   make_dense_room(work);
   if (fShape.bidirectional) {
      if (in_lanes)
         work.block.reserve(fStackShape, steps);
      std::size_t most = fShape.D;
      for (const std::size_t width : fStackShape.widths)
         most = std::max(most, 2 * width);
      for (AlignedArray<T> &each : work.sequences)
         each.require(steps * most);
   }
   work.layers.resize(fStackShape.layers());
   for (std::size_t n = 0; n < fStackShape.layers(); ++n) {
      const LayerShape s = fStackShape.part(n);
      const std::size_t P = round_up(s.H, kPaddedUnits), x_at = round_up(s.D, kPaddedUnits);
      for (AlignedArray<T> &each : work.layers[n].inputs)
         each.require(std::max(x_at + P, s.inputs() * L));
      work.layers[n].cells.require(std::max(P, s.H * L));
   }
}

/// Scores the events that `work` holds, in lanes, step by step through all layers.
template <class T>
void Network<T>::score_block(Work &work) const
{
   constexpr std::size_t L = kLanes<T>;
   const std::size_t D = fShape.D, H = fShape.H, last = fStackShape.layers() - 1;
   const Kernels<T> &kernels = fStack.kernels();
   for (std::size_t n = 0; n <= last; ++n) {
      const LayerShape s = fStackShape.part(n);
      std::fill_n(work.layers[n].cells.data(), s.H * L, T(0));
      std::fill_n(work.layers[n].inputs[0].data() + s.D * L, s.H * L, T(0));
   }
   work.joined.fill(T(0));
   const auto state = [&](std::size_t n, std::size_t t) { // h before step t
      return work.layers[n].inputs[t % 2].data() + fStackShape.part(n).D * L;
   };

   std::size_t running = work.n_lanes;
   for (std::size_t t = 0;; ++t) {
      // lanes [left, running) have ended
      std::size_t left = running;
      while (left && work.lengths[left - 1] <= t)
         --left;
      if (!fShape.flat_steps && left < running)
         for (std::size_t j = 0; j < H; ++j)
            std::copy(state(last, t) + j * L + left, state(last, t) + j * L + running, work.joined.data() + j * L + left);
      running = left;
      if (running == 0)
         break;
      kernels.load_step(D, work.rows, running, fFeatures.mean.data(), fFeatures.inverse.data(), work.layers[0].inputs[t % 2].data());
      for (std::size_t lane = 0; lane < running; ++lane)
         work.rows[lane] += D;
      for (std::size_t n = 0; n <= last; ++n) {
         const LayerShape s = fStackShape.part(n);
         T *u = work.layers[n].inputs[t % 2].data();
         if (n > 0)
            std::copy_n(state(n - 1, t + 1), s.D * L, u);
         kernels.state_forward(s, fStack.part(n).gates(), u, work.layers[n].cells.data(), state(n, t + 1), running);
      }
      if (fShape.flat_steps)
         for (std::size_t j = 0; j < H; ++j)
            std::copy_n(state(last, t + 1) + j * L, running, work.joined.data() + (t * H + j) * L);
   }
}

/// Scores the events that `work` holds in both directions of time: all steps at once, as in a training.
template <class T>
void Network<T>::score_whole(const SequenceView<T> &events, Work &work) const
{
   work.segments = Segments<T>(fStackShape, work.lengths[0], std::size_t(-1));
   forward_block(events, work);
}

/// Scores the one event that `work` holds, its units being the lanes; it goes to lane 0 of the dense layers.
template <class T>
void Network<T>::score_single(const SequenceView<T> &events, Work &work) const
{
   constexpr std::size_t L = kLanes<T>;
   const std::size_t D = fShape.D, H = fShape.H, last = fStackShape.layers() - 1;
   const auto state = [&](std::size_t n, std::size_t t) { // h before step t
      T *inputs = work.layers[n].inputs[t % 2].data();
      return t % 2 ? inputs : inputs + round_up(fStackShape.part(n).D, kPaddedUnits);
   };
   for (std::size_t n = 0; n <= last; ++n) {
      const std::size_t P = round_up(fStackShape.part(n).H, kPaddedUnits);
      std::fill_n(state(n, 0), P, T(0));
      std::fill_n(work.layers[n].cells.data(), P, T(0));
   }
   if (fShape.flat_steps)
      work.joined.fill(T(0));
   T *x = work.layers[0].inputs[0].data();
   const T *row = work.rows[0];
   const std::size_t length = events.length(work.events[0]);
   for (std::size_t t = 0; t < length; ++t, row += D) {
      for (std::size_t d = 0; d < D; ++d)
         x[d] = (row[d] - fFeatures.mean[d]) * fFeatures.inverse[d];
      for (std::size_t n = 0; n <= last; ++n)
         fStack.kernels().single_forward(fStackShape.part(n), fStack.units(n), n ? state(n - 1, t + 1) : x, state(n, t),
                                         work.layers[n].cells.data(), state(n, t + 1));
      if (fShape.flat_steps)
         for (std::size_t j = 0; j < H; ++j)
            work.joined[(t * H + j) * L] = state(last, t + 1)[j];
   }
   if (!fShape.flat_steps)
      for (std::size_t j = 0; j < H; ++j)
         work.joined[j * L] = state(last, length)[j];
}

/// The same in both directions of time: layer by layer, each through all steps.
template <class T>
void Network<T>::score_single_whole(const SequenceView<T> &events, Work &work) const
{
   constexpr std::size_t L = kLanes<T>;
   const std::size_t D = fShape.D, length = events.length(work.events[0]);
   work.joined.fill(T(0));
   for (std::size_t t = 0; t < length; ++t)
      for (std::size_t d = 0; d < D; ++d)
         work.sequences[0][t * D + d] = (work.rows[0][t * D + d] - fFeatures.mean[d]) * fFeatures.inverse[d];
   for (std::size_t n = 0; n < fStackShape.parts(); ++n) {
      const LayerShape s = fStackShape.part(n);
      const std::size_t layer = n / 2, direction = n % 2, P = round_up(s.H, kPaddedUnits), outputs = 2 * s.H;
      const T *in = work.sequences[layer % 2].data();
      T *out = work.sequences[(layer + 1) % 2].data();
      T *h = work.layers[layer].inputs[0].data(), *h_next = work.layers[layer].inputs[1].data();
      T *c = work.layers[layer].cells.data();
      std::fill_n(h, P, T(0));
      std::fill_n(c, P, T(0));
      for (std::size_t step = 0; step < length; ++step) {
         const std::size_t t = direction ? length - 1 - step : step;
         fStack.kernels().single_forward(s, fStack.units(n), in + t * s.D, h, c, h_next);
         std::swap(h, h_next);
         std::copy_n(h, s.H, out + t * outputs + direction * s.H);
      }
      if (layer + 1 == fStackShape.layers() && !fShape.flat_steps)
         for (std::size_t j = 0; j < s.H; ++j)
            work.joined[(direction * s.H + j) * L] = h[j];
   }
   if (fShape.flat_steps)
      for (std::size_t n = 0; n < length * fShape.states(); ++n)
         work.joined[n * L] = work.sequences[fStackShape.layers() % 2][n];
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
      make_scoring_room(blocks.count ? events.length(blocks.events.front()) : 0, n_batch > kSingles, room->work[thread]);
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
      if (work.n_lanes <= kSingles && fStack.units(0)) {
         const std::int64_t *last = work.events + work.n_lanes;
         const T *const *row = work.rows;
         for (work.n_lanes = 1; work.events < last; ++work.events, ++work.positions) {
            if (fShape.bidirectional)
               score_single_whole(events, work);
            else
               score_single(events, work);
            finish();
            work.rows[0] = *++row;
         }
      } else {
         if (fShape.bidirectional)
            score_whole(events, work);
         else
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
      sum.loss += weight * event_loss(fShape.loss, fShape.huber_delta, z.data() + n * K, K,
                                      events.labels ? events.labels[event] : 0, targets, unused.data());
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
