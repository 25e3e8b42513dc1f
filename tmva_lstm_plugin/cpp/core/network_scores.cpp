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
   make_pool_room(work);
   std::size_t widest = 0;
   for (std::size_t layer = 0; layer < fStackShape.layers(); ++layer)
      widest = std::max(widest, fStackShape.outputs(layer));
   work.states.require(fShape.states() * L);
   work.normalised.require(fStackShape.layer_norm ? widest * L : 0);
   work.inverse.require(L);
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
      work.layers[n].room.require(s.cell.plain() ? 0 : (s.rows() + s.H) * L);
   }
}

/// Scores the events that `work` holds, in lanes, step by step through all layers.
template <class T>
void Network<T>::score_block(const SequenceView<T> &events, Work &work, T *out) const
{
   constexpr std::size_t L = kLanes<T>;
   const std::size_t D = fShape.D, H = fShape.H, last = fStackShape.layers() - 1;
   const Kernels<T> &kernels = fStack.kernels();
   for (std::size_t n = 0; n <= last; ++n) {
      const LayerShape s = fStackShape.part(n);
      std::fill_n(work.layers[n].cells.data(), s.H * L, T(0));
      std::fill_n(work.layers[n].inputs[0].data() + s.D * L, s.H * L, T(0));
   }
   begin_scores(events, work);
   const auto state = [&](std::size_t n, std::size_t t) { // h before step t
      return work.layers[n].inputs[t % 2].data() + fStackShape.part(n).D * L;
   };

   std::size_t running = work.n_lanes;
   for (std::size_t t = 0;; ++t) {
      // lanes [left, running) have ended
      std::size_t left = running;
      while (left && work.lengths[left - 1] <= t)
         --left;
      if (!fStackShape.keeps_states && left < running)
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
         if (n > 0) {
            std::copy_n(state(n - 1, t + 1), s.D * L, u);
            fStack.normalise_output(n - 1, u, work.normalised.data(), work.inverse.data(), running);
         }
         state_step(fStack.part(n), u, work.layers[n].cells.data(), state(n, t + 1), work.layers[n].room.data(), running);
      }
      if (fStackShape.keeps_states) {
         std::copy_n(state(last, t + 1), H * L, work.states.data());
         fStack.normalise_output(last, work.states.data(), work.normalised.data(), work.inverse.data(), running);
         take_states(t, work.states.data(), running, work, out);
      }
   }
   end_scores(work);
}

/// Before the first step of the events that `work` holds.
template <class T>
void Network<T>::begin_scores(const SequenceView<T> &events, Work &work) const
{
   work.joined.fill(T(0));
   if (fShape.pools())
      work.pool.begin(fShape.pooling, fShape.states(), &fAttention);
   if (fShape.every_step)
      join_event_features(events, work);
}

/// What goes on after step t, [states()][L], where the states of all steps are asked for.
template <class T>
void Network<T>::take_states(std::size_t t, const T *states, std::size_t n_lanes, Work &work, T *out) const
{
   constexpr std::size_t L = kLanes<T>;
   if (fShape.every_step)
      score_step(t, states, n_lanes, work, out);
   else if (fShape.flat_steps)
      for (std::size_t j = 0; j < fShape.states(); ++j)
         std::copy_n(states + j * L, n_lanes, work.joined.data() + (t * fShape.states() + j) * L);
   else
      work.pool.add(states, n_lanes);
}

/// After the last step. Leaves the input of the dense layers but for the event features.
template <class T>
void Network<T>::end_scores(Work &work) const
{
   if (fShape.pools())
      work.pool.finish(work.lengths, work.n_lanes, work.joined.data());
   else if (!fStackShape.keeps_states)
      fStack.normalise_output(fStackShape.layers() - 1, work.joined.data(), work.normalised.data(), work.inverse.data(),
                              work.n_lanes);
}

/// Scores the events that `work` holds in both directions of time: all steps at once, as in a training.
template <class T>
void Network<T>::score_whole(const SequenceView<T> &events, Work &work, T *out) const
{
   work.segments = Segments<T>(fStackShape, work.lengths[0], std::size_t(-1));
   work.block.drop(fStackShape, {}, nullptr, 0);
   if (fShape.every_step)
      join_event_features(events, work);
   forward_block(events, work);
   if (fShape.every_step)
      for (std::size_t t = 0; t < work.block.steps(); ++t)
         score_step(t, work.block.states(t), work.block.running(t), work, out);
}

/// Scores the one event that `work` holds, its units being the lanes; it goes to lane 0 of the dense layers.
template <class T>
void Network<T>::score_single(const SequenceView<T> &events, Work &work, T *out) const
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
   begin_scores(events, work);
   T *x = work.layers[0].inputs[0].data();
   const T *row = work.rows[0];
   const std::size_t length = events.length(work.events[0]);
   for (std::size_t t = 0; t < length; ++t, row += D) {
      for (std::size_t d = 0; d < D; ++d)
         x[d] = (row[d] - fFeatures.mean[d]) * fFeatures.inverse[d];
      for (std::size_t n = 0; n <= last; ++n)
         fStack.kernels().single_forward(fStackShape.part(n), fStack.units(n), n ? state(n - 1, t + 1) : x, state(n, t),
                                         work.layers[n].cells.data(), state(n, t + 1));
      if (fStackShape.keeps_states) {
         for (std::size_t j = 0; j < H; ++j)
            work.states[j * L] = state(last, t + 1)[j];
         take_states(t, work.states.data(), 1, work, out);
      }
   }
   if (!fStackShape.keeps_states)
      for (std::size_t j = 0; j < H; ++j)
         work.joined[j * L] = state(last, length)[j];
   end_scores(work);
}

/// The same in both directions of time: layer by layer, each through all steps.
template <class T>
void Network<T>::score_single_whole(const SequenceView<T> &events, Work &work, T *out) const
{
   constexpr std::size_t L = kLanes<T>;
   const std::size_t D = fShape.D, length = events.length(work.events[0]);
   begin_scores(events, work);
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
      if (layer + 1 == fStackShape.layers() && !fStackShape.keeps_states)
         for (std::size_t j = 0; j < s.H; ++j)
            work.joined[(direction * s.H + j) * L] = h[j];
   }
   if (fStackShape.keeps_states)
      for (std::size_t t = 0; t < length; ++t) {
         for (std::size_t j = 0; j < fShape.states(); ++j)
            work.states[j * L] = work.sequences[fStackShape.layers() % 2][t * fShape.states() + j];
         take_states(t, work.states.data(), 1, work, out);
      }
   end_scores(work);
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
   if (fShape.every_step) {
      room->rows_before.resize(n_batch);
      for (std::size_t n = 0, row = 0; n < n_batch; row += events.length(batch[n++]))
         room->rows_before[n] = row;
   }
   const std::size_t n_threads = std::max<std::size_t>(1, std::min(limits.n_threads, blocks.count));
   room->work.resize(std::max(room->work.size(), n_threads));
   for (std::size_t thread = 0; thread < n_threads; ++thread) {
      make_scoring_room(blocks.count ? events.length(blocks.events.front()) : 0, n_batch > kSingles || !fStack.units(0),
                        room->work[thread]);
      room->work[thread].rows_before = room->rows_before.data();
   }
   parallel_for(blocks.count, n_threads, [&](std::size_t block, std::size_t thread) {
      Work &work = room->work[thread];
      work.take(events, blocks, block);
      const auto finish = [&] {
         if (fShape.every_step)
            return; // done step by step
         join_event_features(events, work);
         dense_forward(work, work.n_lanes);
         for (std::size_t lane = 0; lane < work.n_lanes; ++lane)
            for (std::size_t k = 0; k < K; ++k)
               out[static_cast<std::size_t>(work.positions[lane]) * K + k] = work.outputs()[k * kLanes<T> + lane];
      };
      if (work.n_lanes <= kSingles && fStack.units(0)) {
         const std::int64_t *last = work.events + work.n_lanes;
         const T *const *row = work.rows;
         const std::size_t *length = work.lengths;
         for (work.n_lanes = 1; work.events < last; ++work.events, ++work.positions) {
            if (fShape.bidirectional)
               score_single_whole(events, work, out);
            else
               score_single(events, work, out);
            finish();
            work.rows[0] = *++row;
            work.lengths[0] = *++length;
         }
      } else {
         if (fShape.bidirectional)
            score_whole(events, work, out);
         else
            score_block(events, work, out);
         finish();
      }
   });
   fRooms->give_back(std::move(room));
}

template void Network<float>::logits(const SequenceView<float> &, const std::int64_t *, std::size_t, const WorkLimits &,
                                     float *) const;
template void Network<double>::logits(const SequenceView<double> &, const std::int64_t *, std::size_t, const WorkLimits &,
                                      double *) const;

} // namespace TMVA_LSTM_ABI
} // namespace tmva_lstm
