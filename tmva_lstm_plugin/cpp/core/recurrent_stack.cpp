#include "recurrent_stack.h"

#include "error.h"
#include "layer_norm.h"

#include <algorithm>

namespace tmva_lstm {
inline namespace TMVA_LSTM_ABI {

std::size_t StackShape::norm_of(std::size_t layer) const
{
   std::size_t count = 0;
   for (std::size_t below = 0; below < layer; ++below)
      count += 2 * outputs(below);
   return count;
}

std::size_t StackShape::norm_parameters() const
{
   return layer_norm ? norm_of(layers()) : 0;
}

std::size_t StackShape::parameters() const
{
   std::size_t count = norm_parameters();
   for (std::size_t n = 0; n < parts(); ++n)
      count += part(n).parameters();
   return count;
}

namespace {

/// Arrays of input gradients: one of each direction; in one direction that of the layer at work and that of the one above.
std::size_t input_gradients(const StackShape &shape)
{
   if (shape.layers() < 2)
      return 0;
   return shape.bidirectional || shape.layers() > 2 ? 2 : 1;
}

/// Numbers a step of such an array: inputs of the upper layer that has most.
std::size_t widest_input(const StackShape &shape)
{
   std::size_t most = 0;
   for (std::size_t n = shape.directions(); n < shape.parts(); ++n)
      most = std::max(most, shape.part(n).D);
   return most;
}

/// Numbers a step of the gradient of a direction's states; 0 in one direction, where no such array is needed.
std::size_t widest_states(const StackShape &shape)
{
   return shape.bidirectional ? *std::max_element(shape.widths.begin(), shape.widths.end()) : 0;
}

/// Steps of a layer that are normalised.
std::size_t normalised_steps(const StackShape &shape, std::size_t layer, std::size_t steps)
{
   const bool of_all = layer + 1 < shape.layers() || shape.keeps_states;
   return !shape.layer_norm ? 0 : of_all ? steps : 1;
}

} // namespace

template <class T>
void PackedStack<T>::pack(const StackShape &shape, const T *flat, bool for_scores, std::size_t n_threads)
{
   fShape = shape;
   fParts.resize(shape.parts());
   fUnits.resize(shape.parts());
   const bool explains = for_scores;
   for_scores = for_scores && shape.units_as_lanes();
   for (std::size_t n = 0; n < shape.parts(); ++n) {
      const LayerShape s = shape.part(n);
      fParts[n].pack(s, flat, explains || n >= shape.directions(), n_threads); // no training needs dx of the lowest layer
      fUnits[n].require(for_scores ? kernels().packed_units_size(s) : 0);
      if (for_scores)
         kernels().pack_units(s, flat, flat + s.rows() * s.D, flat + s.rows() * s.inputs(), fUnits[n].data());
      flat += s.parameters();
   }
   fNorms.assign(flat, flat + shape.norm_parameters());
}

template <class T>
void PackedStack<T>::normalise_output(std::size_t layer, T *y, T *normalised, T *inverse, std::size_t n_lanes) const
{
   if (fShape.layer_norm)
      normalise(fShape.outputs(layer), gain(layer), gain(layer) + fShape.outputs(layer), y, normalised, inverse, n_lanes);
}

template <class T>
void StackBlock<T>::drop(const StackShape &shape, const DropDraw &draw, const std::int64_t *positions, std::size_t n_lanes)
{
   fParts.resize(shape.parts());
   for (LayerBlock<T> &each : fParts)
      each.drop_states(nullptr);
   fDropping = shape.drop.any() && draw.step > 0;
   if (!fDropping)
      return;
   make_factor_room(shape);
   std::size_t all = shape.D, at = 0;
   for (std::size_t layer = 0; layer < shape.layers(); ++layer)
      all += 2 * shape.outputs(layer); // dropped on the way up, and on the way to the next step
   const auto take = [&](double rate, std::size_t rows, AlignedArray<T> &factors) {
      draw_factors(draw, rate, at, rows, all, positions, n_lanes, factors.data());
      at += rows;
   };
   take(shape.drop.input, shape.D, fInputFactors);
   for (std::size_t layer = 0; layer < shape.layers(); ++layer)
      take(shape.drop.output, shape.outputs(layer), fOutputFactors[layer]);
   if (shape.drop.state == 0)
      return;
   for (std::size_t n = 0; n < shape.parts(); ++n) {
      take(shape.drop.state, shape.part(n).H, fStateFactors[n]);
      fParts[n].drop_states(fStateFactors[n].data());
   }
}

template <class T>
void StackBlock<T>::make_factor_room(const StackShape &shape)
{
   fInputFactors.require(shape.D * kLanes<T>);
   fOutputFactors.resize(shape.layers());
   for (std::size_t layer = 0; layer < shape.layers(); ++layer)
      fOutputFactors[layer].require(shape.outputs(layer) * kLanes<T>);
   fStateFactors.resize(shape.parts());
   for (std::size_t n = 0; n < shape.parts(); ++n)
      fStateFactors[n].require(shape.part(n).H * kLanes<T>);
}

template <class T>
void StackBlock<T>::prepare(const StackShape &shape, const std::size_t *lengths, std::size_t n_lanes, std::size_t first,
                            std::size_t last)
{
   if (shape.bidirectional && (first > 0 || (n_lanes && last < lengths[0])))
      throw ArgumentError("layers that go through time in both directions need all steps of a sequence at once");
   reserve(shape, last - first);
   std::copy_n(lengths, n_lanes, fLengths);
   for (std::size_t n = 0; n < shape.parts(); ++n)
      fParts[n].prepare(shape.part(n), lengths, n_lanes, first, last);
}

template <class T>
void StackBlock<T>::reserve(const StackShape &shape, std::size_t steps)
{
   constexpr std::size_t L = kLanes<T>;
   fShape = shape;
   fParts.resize(shape.parts());
   for (std::size_t n = 0; n < shape.parts(); ++n)
      fParts[n].reserve(shape.part(n), steps, shape.drop.state > 0);
   for (std::size_t n = 0; n < input_gradients(shape); ++n)
      fInputGradient[n].require(steps * widest_input(shape) * L);
   if (shape.bidirectional)
      for (AlignedArray<T> &each : fStateGradient)
         each.require(steps * widest_states(shape) * L);
   if (shape.drop.any())
      make_factor_room(shape);
   if (shape.keeps_states)
      fStates.require(steps * shape.outputs() * L);
   fNorms.resize(shape.layer_norm ? shape.layers() : 0);
   for (std::size_t layer = 0; layer < fNorms.size(); ++layer) {
      fNorms[layer].normalised.require(normalised_steps(shape, layer, steps) * shape.outputs(layer) * L);
      fNorms[layer].inverse.require(normalised_steps(shape, layer, steps) * L);
   }
}

template <class T>
std::size_t StackBlock<T>::bytes(const StackShape &shape, std::size_t steps)
{
   std::size_t a_lane = steps * (input_gradients(shape) * widest_input(shape) + 2 * widest_states(shape));
   if (shape.keeps_states)
      a_lane += steps * shape.outputs();
   for (std::size_t layer = 0; layer < shape.layers(); ++layer)
      a_lane += normalised_steps(shape, layer, steps) * (shape.outputs(layer) + 1);
   std::size_t total = sizeof(T) * kLanes<T> * a_lane;
   for (std::size_t n = 0; n < shape.parts(); ++n)
      total += LayerBlock<T>::bytes(shape.part(n), steps, shape.drop.state > 0);
   return total;
}

template <class T>
std::size_t StackBlock<T>::held_bytes() const
{
   std::size_t total = fStates.bytes();
   for (const LayerBlock<T> &each : fParts)
      total += each.held_bytes();
   for (const auto &arrays : {&fInputGradient, &fStateGradient})
      for (const AlignedArray<T> &each : *arrays)
         total += each.bytes();
   for (const Norm &each : fNorms)
      total += each.normalised.bytes() + each.inverse.bytes();
   return total;
}

/// What a layer gives at a step, on its way up; `slot` is where its normalisation keeps what the way back needs.
template <class T>
void StackBlock<T>::pass_on(const PackedStack<T> &stack, std::size_t layer, std::size_t slot, T *y, std::size_t n_lanes)
{
   constexpr std::size_t L = kLanes<T>;
   const std::size_t rows = fShape.outputs(layer);
   if (fShape.layer_norm)
      stack.normalise_output(layer, y, fNorms[layer].normalised.data() + slot * rows * L, fNorms[layer].inverse.data() + slot * L,
                             n_lanes);
   if (fDropping)
      apply_factors(rows, fOutputFactors[layer].data(), y, n_lanes);
}

template <class T>
void StackBlock<T>::pass_back(const PackedStack<T> &stack, std::size_t layer, std::size_t slot, T *dy, T *dnorms,
                              std::size_t n_lanes)
{
   constexpr std::size_t L = kLanes<T>;
   const std::size_t rows = fShape.outputs(layer);
   if (fDropping)
      apply_factors(rows, fOutputFactors[layer].data(), dy, n_lanes);
   if (fShape.layer_norm) {
      T *dgain = dnorms + fShape.norm_of(layer);
      normalise_backward(rows, stack.gain(layer), dy, fNorms[layer].normalised.data() + slot * rows * L,
                         fNorms[layer].inverse.data() + slot * L, dgain, dgain + rows, n_lanes);
   }
}

template <class T>
void StackBlock<T>::pass_on_last(const PackedStack<T> &stack, T *y, std::size_t n_lanes)
{
   pass_on(stack, fShape.layers() - 1, 0, y, n_lanes);
}

template <class T>
void StackBlock<T>::pass_back_last(const PackedStack<T> &stack, T *dy, T *dnorms, std::size_t n_lanes)
{
   pass_back(stack, fShape.layers() - 1, 0, dy, dnorms, n_lanes);
}

/// What a layer gives at all steps, in the order of time: dest(t) = dest + t * stride, [outputs][L].
template <class T>
void StackBlock<T>::gather(const PackedStack<T> &stack, std::size_t layer, T *dest, std::size_t stride)
{
   constexpr std::size_t L = kLanes<T>;
   const std::size_t H = fShape.widths[layer], n = layer * fShape.directions();
   for (std::size_t t = 0; t < steps(); ++t) {
      std::copy_n(fParts[n].output(t), H * L, dest + t * stride);
      if (fShape.bidirectional)
         std::fill_n(dest + t * stride + H * L, H * L, T(0)); // lanes that have ended stay finite
   }
   if (fShape.bidirectional)
      turn<false>(H, [&](std::size_t t) { return fParts[n + 1].output(t); },
                  [&](std::size_t t) { return dest + t * stride + H * L; });
   if (fShape.layer_norm || fDropping)
      for (std::size_t t = 0; t < steps(); ++t)
         pass_on(stack, layer, t, dest + t * stride, running(t));
}

/// Input of a layer: what the one below gives at each step; and for the direction backward in time the same, turned around.
template <class T>
void StackBlock<T>::feed(const PackedStack<T> &stack, std::size_t layer)
{
   constexpr std::size_t L = kLanes<T>;
   const std::size_t n = layer * fShape.directions(), D = fShape.part(n).D;
   LayerBlock<T> &ahead = fParts[n];
   if (layer > 0)
      gather(stack, layer - 1, ahead.x(0), fShape.part(n).inputs() * L);
   else if (fDropping && fShape.drop.input > 0)
      for (std::size_t t = 0; t < steps(); ++t)
         apply_factors(D, fInputFactors.data(), ahead.x(t), running(t));
   if (fShape.bidirectional) {
      LayerBlock<T> &back = fParts[n + 1];
      for (std::size_t t = 0; t < steps(); ++t)
         std::fill_n(back.x(t), D * L, T(0));
      turn<false>(D, [&](std::size_t t) { return ahead.x(t); }, [&](std::size_t t) { return back.x(t); });
   }
}

template <class T>
void forward(const PackedStack<T> &stack, StackBlock<T> &block)
{
   const StackShape &shape = block.fShape;
   for (std::size_t n = 0; n < shape.parts(); ++n) {
      if (n % shape.directions() == 0)
         block.feed(stack, n / shape.directions());
      forward(stack.part(n), block.fParts[n]);
   }
   if (shape.keeps_states)
      block.gather(stack, shape.layers() - 1, block.fStates.data(), shape.outputs() * kLanes<T>);
}

template <class T>
void backward(const PackedStack<T> &stack, StackBlock<T> &block, const LossGradient<T> &loss, const StackGradient<T> &wanted,
              const LayerGradient<T> *also)
{
   constexpr std::size_t L = kLanes<T>;
   const StackShape &shape = block.fShape;
   const std::size_t directions = shape.directions(), steps = block.steps(), gradients = input_gradients(shape);
   for (std::size_t layer = shape.layers(); layer-- > 0;) {
      const bool last = layer + 1 == shape.layers();
      const std::size_t H = shape.widths[layer], outputs = shape.outputs(layer);
      // what reaches that which the layer gives: [T][outputs][L], in the order of time
      T *above = last ? (shape.keeps_states ? block.fStates.data() : nullptr)
                      : block.fInputGradient[shape.bidirectional ? 0 : (layer + 1) % 2 % gradients].data();
      if (!last && shape.bidirectional)
         block.template turn<true>(outputs, [&](std::size_t t) { return block.fInputGradient[1].data() + t * outputs * L; },
                                   [&](std::size_t t) { return above + t * outputs * L; });
      if (above && (shape.layer_norm || block.fDropping))
         for (std::size_t t = steps; t-- > 0;)
            block.pass_back(stack, layer, t, above + t * outputs * L, wanted.norms, block.running(t));
      const T *sent_from_above = last && !above ? loss.dh_steps : above;
      LossGradient<T> sent[2]; // of both directions before the first goes on: its dx comes to lie where this one's was
      for (std::size_t direction = 0; direction < directions; ++direction) {
         sent[direction].dh_final = last && loss.dh_final ? loss.dh_final + direction * H * L : nullptr;
         sent[direction].dh_steps = sent_from_above;
         if (!shape.bidirectional || !sent_from_above)
            continue;
         T *states = block.fStateGradient[direction].data();
         const auto from = [&](std::size_t t) { return sent_from_above + (t * 2 + direction) * H * L; };
         const auto to = [&](std::size_t t) { return states + t * H * L; };
         if (direction)
            block.template turn<false>(H, from, to);
         else
            for (std::size_t t = 0; t < steps; ++t)
               std::copy_n(from(t), H * L, to(t));
         sent[direction].dh_steps = states;
      }
      for (std::size_t direction = 0; direction < directions; ++direction) {
         const std::size_t n = layer * directions + direction;
         LayerGradient<T> gradient = also ? also[n] : LayerGradient<T>();
         gradient.dparameters = wanted.parts[n];
         if (layer)
            gradient.dx = block.fInputGradient[shape.bidirectional ? direction : layer % 2 % gradients].data();
         backward<T>(stack.part(n), block.fParts[n], sent[direction], gradient);
      }
   }
}

#define TMVA_LSTM_INSTANTIATE(T)                                                                                       \
   template class PackedStack<T>;                                                                                      \
   template class StackBlock<T>;                                                                                       \
   template void forward(const PackedStack<T> &, StackBlock<T> &);                                                     \
   template void backward(const PackedStack<T> &, StackBlock<T> &, const LossGradient<T> &, const StackGradient<T> &,  \
                          const LayerGradient<T> *);

TMVA_LSTM_INSTANTIATE(float)
TMVA_LSTM_INSTANTIATE(double)

} // namespace TMVA_LSTM_ABI
} // namespace tmva_lstm
