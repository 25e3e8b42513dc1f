#include "network_explain.h"

#include "error.h"
#include "network_work.h"
#include "thread_pool.h"

#include <algorithm>
#include <numeric>

namespace tmva_lstm {
inline namespace TMVA_LSTM_ABI {

CellParts cell_parts(const LayerShape &shape)
{
   switch (shape.cell.kind) {
   case CellKind::Gru: // in the order of cells.h
      if (shape.cell.reset_before)
         return {{"reset", "update", "candidate"}, false};
      return {{"candidate from state", "reset", "update", "candidate"}, false};
   case CellKind::Rnn: return {{"state"}, false};
   case CellKind::Lstm: break;
   }
   if (shape.cell.coupled)
      return {{"input", "candidate", "output"}, true};
   return {{"input", "forget", "candidate", "output"}, true};
}

namespace {

constexpr const char *kQuantities[] = {"logit", "probability", "loss"};

/// The quantity of an event with outputs `z`, and its gradient with respect to them.
template <class T>
T quantity_of(Quantity quantity, Loss loss, double huber_delta, const T *z, std::size_t K, std::int32_t which, std::int32_t label, const T *targets,
              double weight, T *dz)
{
   const std::size_t chosen = static_cast<std::size_t>(which);
   switch (quantity) {
   case Quantity::Output: {
      const T sign = K == 1 && which == 0 ? T(-1) : T(1);
      std::fill_n(dz, K, T(0));
      dz[K == 1 ? 0 : chosen] = sign;
      return sign * z[K == 1 ? 0 : chosen];
   }
   case Quantity::Probability: {
      std::vector<T> p(K == 1 ? 2 : K);
      probabilities(z, 1, K, p.data());
      if (K == 1)
         dz[0] = (which == 0 ? T(-1) : T(1)) * p[0] * p[1];
      else
         for (std::size_t k = 0; k < K; ++k)
            dz[k] = p[chosen] * ((k == chosen ? T(1) : T(0)) - p[k]);
      return p[chosen];
   }
   case Quantity::Loss: {
      const double value = event_loss(loss, huber_delta, z, K, label, targets, dz);
      for (std::size_t k = 0; k < K; ++k)
         dz[k] *= static_cast<T>(weight);
      return static_cast<T>(weight * value);
   }
   }
   return 0;
}

} // namespace

const char *quantity_name(Quantity quantity)
{
   return kQuantities[static_cast<int>(quantity)];
}

Quantity quantity_from_name(const std::string &name)
{
   for (int n = 0; n < 3; ++n)
      if (name == kQuantities[n])
         return static_cast<Quantity>(n);
   throw ArgumentError("there is no quantity '" + name + "'; there are 'logit', 'probability' and 'loss'");
}

/// Copies what is wanted of the steps that the block holds from its lanes to the events' rows.
template <class T>
struct Network<T>::Explainer : Watch {
   Explainer(const LabelledView<T> &view, const StackShape &stack, const Explanation<T> &explanation)
      : events(view), shape(stack), wanted(explanation), also(stack.parts()), totals(2 * stack.parts()), inputs(stack.directions())
   {
   }

   const LayerGradient<T> *before_backward(Work &work) override
   {
      const std::size_t steps = work.block.steps();
      for (std::size_t n = 0; n < shape.parts(); ++n) {
         const LayerShape part = shape.part(n);
         also[n] = {};
         for (std::size_t which = 0; which < 2; ++which) {
            const bool asked = !wanted.parts.empty() && (which ? wanted.parts[n].dc_total : wanted.parts[n].dh_total);
            totals[2 * n + which].require(asked ? steps * part.H * L : 0);
            if (asked)
               (which ? also[n].dc_total : also[n].dh_total) = totals[2 * n + which].data();
         }
         if (wanted.dfeatures && n < shape.directions()) {
            inputs[n].require(steps * part.D * L);
            also[n].dx = inputs[n].data();
         }
      }
      return also.data();
   }

   void after_forward(Work &work, std::size_t first) override
   {
      for (std::size_t n = 0; n < wanted.parts.size(); ++n) {
         const typename Explanation<T>::Part &to = wanted.parts[n];
         LayerBlock<T> &part = work.block.part(n);
         const LayerShape s = shape.part(n);
         copy(work, first, n, s.sums() * s.H, [&](std::size_t t) { return part.gates(t); }, to.gates);
         copy(work, first, n, s.H, [&](std::size_t t) { return part.h(t + 1); }, to.h);
         copy(work, first, n, s.H, [&](std::size_t t) { return part.c(t + 1); }, to.c);
      }
   }

   void after_backward(Work &work, std::size_t first) override
   {
      for (std::size_t n = 0; n < wanted.parts.size(); ++n) {
         const typename Explanation<T>::Part &to = wanted.parts[n];
         LayerBlock<T> &part = work.block.part(n);
         const LayerShape s = shape.part(n);
         copy(work, first, n, s.sums() * s.H, [&](std::size_t t) { return part.gates(t); }, to.dgates);
         copy(work, first, n, s.H, [&](std::size_t t) { return totals[2 * n].data() + t * s.H * L; }, to.dh_total);
         copy(work, first, n, s.H, [&](std::size_t t) { return totals[2 * n + 1].data() + t * s.H * L; }, to.dc_total);
      }
      for (std::size_t n = 0; n < inputs.size(); ++n) // the rows begin as zeros: both directions add to them
         copy(work, first, n, shape.D, [&](std::size_t t) { return inputs[n].data() + t * shape.D * L; }, wanted.dfeatures, true);
   }

private:
   static constexpr std::size_t L = kLanes<T>;

   template <class Source>
   void copy(Work &work, std::size_t first, std::size_t n, std::size_t width, Source source, T *rows, bool add = false)
   {
      if (!rows)
         return;
      const bool turned = n % shape.directions() == 1;
      for (std::size_t t = 0; t < work.block.steps(); ++t) {
         const T *from = source(t);
         for (std::size_t lane = 0; lane < work.block.running(t); ++lane) {
            const std::size_t step = turned ? work.block.turned(lane, t) : first + t;
            T *row = rows + (static_cast<std::size_t>(events.offsets[work.events[lane]]) + step) * width;
            for (std::size_t k = 0; k < width; ++k)
               row[k] = add ? row[k] + from[k * L + lane] : from[k * L + lane];
         }
      }
   }

   const LabelledView<T> &events;
   const StackShape &shape;
   const Explanation<T> &wanted;
   std::vector<LayerGradient<T>> also;  ///< of each part, beside the gates' gradients
   std::vector<AlignedArray<T>> totals; ///< of each part dh_total, dc_total
   std::vector<AlignedArray<T>> inputs; ///< dx of each direction of the lowest layer
};

/// The quantity of the events of the block, and its gradient into the head's dy.
template <class T>
void Network<T>::quantity_of_block(const LabelledView<T> &events, const Explanation<T> &wanted, Work &work) const
{
   constexpr std::size_t L = kLanes<T>;
   const std::size_t K = fShape.K;
   typename Work::Dense &head = work.dense.back();
   for (std::size_t lane = 0; lane < work.n_lanes; ++lane) {
      const auto event = static_cast<std::size_t>(work.events[lane]);
      for (std::size_t k = 0; k < K; ++k)
         work.z[k] = head.y[k * L + lane];
      const T value = quantity_of(wanted.quantity, fShape.loss, fShape.huber_delta, work.z.data(), K, wanted.which ? wanted.which[event] : 0,
                                  events.labels ? events.labels[event] : 0, events.targets ? events.targets + event * K : nullptr,
                                  events.weights ? events.weights[event] : 1., work.dz.data());
      for (std::size_t k = 0; k < K; ++k)
         head.dy[k * L + lane] = work.dz[k];
      if (wanted.value)
         wanted.value[event] = value;
   }
}

template <class T>
void Network<T>::explain(const LabelledView<T> &events, const WorkLimits &limits, const Explanation<T> &wanted) const
{
   constexpr std::size_t L = kLanes<T>;
   std::vector<std::int64_t> all(events.N);
   std::iota(all.begin(), all.end(), std::int64_t(0));
   check_memory(events, all.data(), all.size(), limits);
   check_joined_steps(events, all.data(), all.size());
   if (fShape.every_step)
      throw ArgumentError("explain() is for networks with one answer for an event; this one has outputs for every step");
   const bool gradients = wanted.wants_gradients();
   if (gradients && fStackShape.cell.plain() && !fStack.part(0).input_transposed())
      throw ArgumentError("explain() was asked for gradients of a network whose parameters are those of a training step; set them for "
                          "scores before");
   if (wanted.dfeatures)
      std::fill_n(wanted.dfeatures, static_cast<std::size_t>(events.offsets[events.N]) * fShape.D, T(0));
   Blocks blocks;
   blocks.cut(events, all.data(), all.size());
   const std::size_t n_threads = std::max<std::size_t>(1, std::min(limits.n_threads, blocks.count));
   std::vector<Work> works(n_threads);
   std::vector<Slot> slots(n_threads); // the dense layers add their weights' gradients to something: here to nobody's use
   for (std::size_t thread = 0; thread < n_threads; ++thread) {
      make_dense_room(works[thread]);
      make_pool_room(works[thread]);
      make_gradient_room(works[thread]);
      make_dense_slot(slots[thread]);
      for (AlignedArray<T> &each : slots[thread].dense)
         each.fill(T(0));
      for (AlignedArray<T> *each : {&slots[thread].norms, &slots[thread].attention, &slots[thread].v})
         each->fill(T(0));
      slots[thread].panel_pointers.assign(fStackShape.parts(), nullptr);
   }
   parallel_for(blocks.count, n_threads, [&](std::size_t block, std::size_t thread) {
      Work &work = works[thread];
      Explainer watch(events, fStackShape, wanted);
      work.take(events, blocks, block);
      work.cut(fStackShape, limits.bytes_per_thread);
      forward_block(events, work, &watch);
      join_event_features(events, work);
      dense_forward(work, work.n_lanes);
      quantity_of_block(events, wanted, work);
      if (!gradients)
         return;
      dense_backward(work, slots[thread], work.n_lanes);
      backward_block(events, 1, work, slots[thread], &watch);
      if (wanted.devent)
         for (std::size_t lane = 0; lane < work.n_lanes; ++lane)
            for (std::size_t e = 0; e < fShape.E; ++e)
               wanted.devent[static_cast<std::size_t>(work.events[lane]) * fShape.E + e] =
                  work.djoined[(fShape.joined() - fShape.E + e) * L + lane];
   });
}

template void Network<float>::explain(const LabelledView<float> &, const WorkLimits &, const Explanation<float> &) const;
template void Network<double>::explain(const LabelledView<double> &, const WorkLimits &, const Explanation<double> &) const;

} // namespace TMVA_LSTM_ABI
} // namespace tmva_lstm
