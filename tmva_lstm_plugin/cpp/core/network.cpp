#include "network.h"

#include "error.h"
#include "thread_pool.h"

#include <algorithm>
#include <numeric>

namespace tmva_lstm {
inline namespace TMVA_LSTM_ABI {

namespace {

/// Gradient sums of a batch. Fixed, so that the order of all additions is; large enough for the threads of a big machine.
constexpr std::size_t kSlots = 16;

} // namespace

std::vector<ParameterView> parameter_layout(NetworkShape s)
{
   std::vector<ParameterView> layout;
   std::size_t offset = 0;
   auto add = [&](const char *name, std::size_t rows, std::size_t columns) {
      layout.push_back({name, offset, rows, columns});
      offset += rows * columns;
   };
   add("lstm.W", 4 * s.H, s.D);
   add("lstm.U", 4 * s.H, s.H);
   add("lstm.b", 4 * s.H, 1);
   add("head.W", s.K, s.head_inputs());
   add("head.b", s.K, 1);
   return layout;
}

template <class T>
struct Network<T>::Work {
   LayerBlock<T> block;
   std::size_t n_lanes = 0;
   const std::int64_t *events = nullptr;    ///< events in the lanes
   const std::int64_t *positions = nullptr; ///< their positions in the batch
   AlignedArray<T> state;                   ///< [H + E][L], input of the head
   AlignedArray<T> dstate;                  ///< [H][L]
   AlignedArray<T> logits;                  ///< [L][K]
   AlignedArray<T> dlogits;                 ///< [L][K]
};

template <class T>
struct Network<T>::Slot {
   AlignedArray<T> panel; ///< [4H][C], see LayerShape::columns
   std::vector<T> head;   ///< like fHead
   LossSum sum;
};

/// A batch in the order of its blocks, longest first.
template <class T>
struct Network<T>::Blocks {
   Blocks(const SequenceView<T> &view, const std::int64_t *batch, std::size_t n_batch);

   std::vector<std::int64_t> positions; ///< in the batch
   std::vector<std::int64_t> events;
   std::size_t count;
};

template <class T>
Network<T>::Network(NetworkShape shape, Standardisation<T> features, Standardisation<T> event_features)
   : fShape(shape), fFeatures(std::move(features)), fEventFeatures(std::move(event_features)),
     fHead(shape.head_parameters())
{
   if (shape.D == 0 || shape.H == 0 || shape.K == 0)
      throw ArgumentError("a network needs at least one feature, one hidden unit and one output; it was given D = " +
                          std::to_string(shape.D) + ", H = " + std::to_string(shape.H) +
                          ", K = " + std::to_string(shape.K));
   if (fFeatures.mean.size() != shape.D || fEventFeatures.mean.size() != shape.E)
      throw ArgumentError("standardisation of " + std::to_string(fFeatures.mean.size()) + " features and " +
                          std::to_string(fEventFeatures.mean.size()) + " event features given for " +
                          std::to_string(shape.D) + " and " + std::to_string(shape.E));
}

template <class T>
Network<T>::~Network() = default;
template <class T>
Network<T>::Network(Network &&) noexcept = default;
template <class T>
Network<T> &Network<T>::operator=(Network &&) noexcept = default;

template <class T>
void Network<T>::set_parameters(const T *flat)
{
   const Parameters<const T> p(fShape, flat);
   fLayer.pack(fShape.layer(), p.W, p.U, p.b, false);
   std::copy_n(p.head_W, fHead.size(), fHead.begin());
}

template <class T>
std::size_t Network<T>::longest_sequence(NetworkShape shape, std::size_t bytes)
{
   const std::size_t fixed = LayerBlock<T>::bytes(shape.layer(), 0);
   const std::size_t a_step = LayerBlock<T>::bytes(shape.layer(), 1) - fixed;
   return bytes < fixed ? 0 : (bytes - fixed) / a_step;
}

template <class T>
void Network<T>::check_lengths(const SequenceView<T> &events, const std::int64_t *batch, std::size_t n_batch,
                               const WorkLimits &limits) const
{
   const std::size_t longest = longest_sequence(fShape, limits.bytes_per_thread);
   for (std::size_t n = 0; n < n_batch; ++n)
      if (events.length(batch[n]) > longest)
         throw MemoryError("event " + std::to_string(batch[n]) + " has " + std::to_string(events.length(batch[n])) +
                           " steps, which need " +
                           std::to_string(LayerBlock<T>::bytes(fShape.layer(), events.length(batch[n]))) +
                           " bytes of activations a thread; the limit of " + std::to_string(limits.bytes_per_thread) +
                           " bytes allows " + std::to_string(longest) +
                           " steps: raise the memory limit, or keep fewer steps of a sequence (max_length)");
}

template <class T>
Network<T>::Blocks::Blocks(const SequenceView<T> &view, const std::int64_t *batch, std::size_t n_batch)
   : positions(n_batch), events(n_batch), count((n_batch + kLanes<T> - 1) / kLanes<T>)
{
   std::iota(positions.begin(), positions.end(), std::int64_t(0));
   std::stable_sort(positions.begin(), positions.end(), [&](std::int64_t a, std::int64_t b) {
      return view.length(batch[a]) > view.length(batch[b]);
   });
   for (std::size_t n = 0; n < n_batch; ++n)
      events[n] = batch[positions[n]];
}

/// Puts the events of a block into lanes: standardised steps, zero initial state, standardised event features.
template <class T>
void Network<T>::load_block(const SequenceView<T> &events, const Blocks &blocks, std::size_t block, Work &work) const
{
   constexpr std::size_t L = kLanes<T>;
   const std::size_t first = block * L, D = fShape.D, H = fShape.H;
   work.n_lanes = std::min(L, blocks.events.size() - first);
   work.events = blocks.events.data() + first;
   work.positions = blocks.positions.data() + first;

   std::size_t lengths[L];
   for (std::size_t lane = 0; lane < work.n_lanes; ++lane)
      lengths[lane] = events.length(work.events[lane]);
   LayerBlock<T> &lstm = work.block;
   lstm.prepare(fShape.layer(), lengths, work.n_lanes);
   std::fill_n(lstm.h(0), H * L, T(0));
   std::fill_n(lstm.c(0), H * L, T(0));
   for (std::size_t t = 0; t < lstm.steps(); ++t) {
      T *x = lstm.x(t);
      // lanes without a step t hold zeros, so that what is computed for them stays finite
      if (lstm.running(t) < L)
         std::fill_n(x, D * L, T(0));
      for (std::size_t lane = 0; lane < lstm.running(t); ++lane) {
         const T *row = events.values + (static_cast<std::size_t>(events.offsets[work.events[lane]]) + t) * D;
         for (std::size_t d = 0; d < D; ++d)
            x[d * L + lane] = (row[d] - fFeatures.mean[d]) * fFeatures.inverse[d];
      }
   }

   work.state.require(fShape.head_inputs() * L);
   T *joined = work.state.data() + H * L;
   std::fill_n(joined, fShape.E * L, T(0));
   for (std::size_t lane = 0; lane < work.n_lanes; ++lane)
      for (std::size_t e = 0; e < fShape.E; ++e) {
         const T value = events.event_values[static_cast<std::size_t>(work.events[lane]) * fShape.E + e];
         joined[e * L + lane] = (value - fEventFeatures.mean[e]) * fEventFeatures.inverse[e];
      }
}

/// logits = head.W [last true h; event features] + head.b
template <class T>
void Network<T>::head_forward(Work &work) const
{
   constexpr std::size_t L = kLanes<T>;
   const std::size_t inputs = fShape.head_inputs();
   for (std::size_t j = 0; j < fShape.H; ++j)
      for (std::size_t lane = 0; lane < work.n_lanes; ++lane)
         work.state[j * L + lane] = work.block.h(work.block.length(lane))[j * L + lane];
   work.logits.require(L * fShape.K);
   for (std::size_t k = 0; k < fShape.K; ++k) {
      const T *w = fHead.data() + k * inputs;
      T sums[L];
      std::fill_n(sums, L, fHead[fShape.K * inputs + k]);
      for (std::size_t m = 0; m < inputs; ++m)
         for (std::size_t lane = 0; lane < L; ++lane)
            sums[lane] += w[m] * work.state[m * L + lane];
      for (std::size_t lane = 0; lane < L; ++lane)
         work.logits[lane * fShape.K + k] = sums[lane];
   }
}

/// Gradients of head.W and head.b into the slot, that of the last state into work.dstate.
template <class T>
void Network<T>::head_backward(Work &work, Slot &slot) const
{
   constexpr std::size_t L = kLanes<T>;
   const std::size_t inputs = fShape.head_inputs(), H = fShape.H;
   work.dstate.require(H * L);
   work.dstate.fill(T(0));
   for (std::size_t k = 0; k < fShape.K; ++k) {
      const T *w = fHead.data() + k * inputs;
      T *dw = slot.head.data() + k * inputs;
      T &db = slot.head[fShape.K * inputs + k];
      for (std::size_t lane = 0; lane < work.n_lanes; ++lane)
         db += work.dlogits[lane * fShape.K + k];
      for (std::size_t m = 0; m < inputs; ++m)
         for (std::size_t lane = 0; lane < work.n_lanes; ++lane) {
            const T dlogit = work.dlogits[lane * fShape.K + k];
            dw[m] += dlogit * work.state[m * L + lane];
            if (m < H)
               work.dstate[m * L + lane] += w[m] * dlogit;
         }
   }
}

template <class T>
LossSum Network<T>::gradient(const LabelledView<T> &events, const std::int64_t *batch, std::size_t n_batch,
                             double weight_scale, const WorkLimits &limits, T *flat)
{
   check_lengths(events, batch, n_batch, limits);
   const Blocks blocks(events, batch, n_batch);
   const std::size_t n_slots = std::clamp<std::size_t>(blocks.count, 1, kSlots);
   const std::size_t C = fShape.layer().template columns<T>(), panel = fShape.layer().rows() * C;
   fWork.resize(std::max({fWork.size(), limits.n_threads, std::size_t(1)}));
   fSlots.resize(std::max(fSlots.size(), n_slots));

   parallel_for(n_slots, limits.n_threads, [&](std::size_t index, std::size_t thread) {
      Slot &slot = fSlots[index];
      Work &work = fWork[thread];
      slot.panel.require(panel);
      slot.panel.fill(T(0));
      slot.head.assign(fHead.size(), T(0));
      slot.sum = {};
      for (std::size_t block = index; block < blocks.count; block += n_slots) {
         load_block(events, blocks, block, work);
         forward(fLayer, work.block);
         head_forward(work);
         work.dlogits.require(kLanes<T> * fShape.K);
         for (std::size_t lane = 0; lane < work.n_lanes; ++lane) {
            const std::int64_t event = work.events[lane];
            const double weight = events.weights ? events.weights[event] * weight_scale : 1.;
            T *dlogits = work.dlogits.data() + lane * fShape.K;
            const double loss =
               cross_entropy(work.logits.data() + lane * fShape.K, fShape.K, events.labels[event], dlogits);
            for (std::size_t k = 0; k < fShape.K; ++k)
               dlogits[k] *= static_cast<T>(weight);
            slot.sum.loss += weight * loss;
            slot.sum.weight += weight;
            slot.sum.n += weight != 0;
         }
         head_backward(work, slot);
         backward<T>(fLayer, work.block, {nullptr, work.dstate.data()}, {slot.panel.data(), nullptr, nullptr, nullptr});
      }
   });

   LossSum sum;
   for (std::size_t index = 0; index < n_slots; ++index) {
      sum.loss += fSlots[index].sum.loss;
      sum.weight += fSlots[index].sum.weight;
      sum.n += fSlots[index].sum.n;
   }
   // slots are added in order, each thread taking some rows of the panel
   const Parameters<T> gradient(fShape, flat);
   const std::size_t rows = fShape.layer().rows(), rows_a_task = std::max<std::size_t>(1, 65536 / (C * kSlots));
   parallel_for((rows + rows_a_task - 1) / rows_a_task, limits.n_threads, [&](std::size_t task, std::size_t) {
      for (std::size_t row = task * rows_a_task; row < std::min(rows, (task + 1) * rows_a_task); ++row) {
         T *total = fSlots[0].panel.data() + row * C;
         for (std::size_t index = 1; index < n_slots; ++index) {
            const T *part = fSlots[index].panel.data() + row * C;
            for (std::size_t column = 0; column < C; ++column)
               total[column] += part[column];
         }
         std::copy_n(total, fShape.D, gradient.W + row * fShape.D);
         std::copy_n(total + fShape.D, fShape.H, gradient.U + row * fShape.H);
         gradient.b[row] = total[fShape.D + fShape.H];
      }
   });
   std::fill_n(gradient.head_W, fHead.size(), T(0));
   for (std::size_t index = 0; index < n_slots; ++index)
      for (std::size_t n = 0; n < fHead.size(); ++n)
         gradient.head_W[n] += fSlots[index].head[n];
   return sum;
}

template <class T>
void Network<T>::logits(const SequenceView<T> &events, const std::int64_t *batch, std::size_t n_batch,
                        const WorkLimits &limits, T *out) const
{
   check_lengths(events, batch, n_batch, limits);
   const Blocks blocks(events, batch, n_batch);
   std::vector<Work> works(std::clamp<std::size_t>(limits.n_threads, 1, blocks.count + 1));
   parallel_for(blocks.count, works.size(), [&](std::size_t block, std::size_t thread) {
      Work &work = works[thread];
      load_block(events, blocks, block, work);
      forward(fLayer, work.block);
      head_forward(work);
      for (std::size_t lane = 0; lane < work.n_lanes; ++lane)
         std::copy_n(work.logits.data() + lane * fShape.K, fShape.K,
                     out + static_cast<std::size_t>(work.positions[lane]) * fShape.K);
   });
}

template <class T>
LossSum Network<T>::loss(const LabelledView<T> &events, const std::int64_t *batch, std::size_t n_batch,
                         double weight_scale, const WorkLimits &limits) const
{
   std::vector<T> z(n_batch * fShape.K), unused(fShape.K);
   logits(events, batch, n_batch, limits, z.data());
   LossSum sum;
   for (std::size_t n = 0; n < n_batch; ++n) {
      const double weight = events.weights ? events.weights[batch[n]] * weight_scale : 1.;
      sum.loss +=
         weight * cross_entropy(z.data() + n * fShape.K, fShape.K, events.labels[batch[n]], unused.data());
      sum.weight += weight;
      sum.n += weight != 0;
   }
   return sum;
}

template class Network<float>;
template class Network<double>;

} // namespace TMVA_LSTM_ABI
} // namespace tmva_lstm
