#include "recurrent_stack.h"

#include "error.h"

#include <algorithm>

namespace tmva_lstm {
inline namespace TMVA_LSTM_ABI {

std::size_t StackShape::parameters() const
{
   std::size_t count = 0;
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

} // namespace

template <class T>
void PackedStack<T>::pack(const StackShape &shape, const T *flat, bool for_scores, std::size_t n_threads)
{
   fParts.resize(shape.parts());
   fUnits.resize(shape.parts());
   for (std::size_t n = 0; n < shape.parts(); ++n) {
      const LayerShape s = shape.part(n);
      const T *W = flat, *U = W + s.rows() * s.D, *b = U + s.rows() * s.H;
      fParts[n].pack(s, W, U, b, for_scores || n >= shape.directions(), n_threads); // no training needs dx of the lowest layer
      fUnits[n].require(for_scores ? kernels().packed_units_size(s) : 0);
      if (for_scores)
         kernels().pack_units(s, W, U, b, fUnits[n].data());
      flat += s.parameters();
   }
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
   fShape = shape;
   fParts.resize(shape.parts());
   for (std::size_t n = 0; n < shape.parts(); ++n)
      fParts[n].reserve(shape.part(n), steps);
   for (std::size_t n = 0; n < input_gradients(shape); ++n)
      fInputGradient[n].require(steps * widest_input(shape) * kLanes<T>);
   if (shape.bidirectional)
      for (AlignedArray<T> &each : fStateGradient)
         each.require(steps * widest_states(shape) * kLanes<T>);
}

template <class T>
std::size_t StackBlock<T>::bytes(const StackShape &shape, std::size_t steps)
{
   std::size_t total = sizeof(T) * kLanes<T> * steps * (input_gradients(shape) * widest_input(shape) + 2 * widest_states(shape));
   for (std::size_t n = 0; n < shape.parts(); ++n)
      total += LayerBlock<T>::bytes(shape.part(n), steps);
   return total;
}

template <class T>
std::size_t StackBlock<T>::held_bytes() const
{
   std::size_t total = 0;
   for (const LayerBlock<T> &each : fParts)
      total += each.held_bytes();
   for (const auto &arrays : {&fInputGradient, &fStateGradient})
      for (const AlignedArray<T> &each : *arrays)
         total += each.bytes();
   return total;
}

/// Input of a layer: what the one below gives at each step; and for the direction backward in time the same, turned around.
template <class T>
void StackBlock<T>::feed(std::size_t layer)
{
   constexpr std::size_t L = kLanes<T>;
   const std::size_t directions = fShape.directions(), n = layer * directions, D = fShape.part(n).D;
   LayerBlock<T> &ahead = fParts[n];
   if (layer > 0) {
      const std::size_t H = fShape.widths[layer - 1], below = n - directions;
      for (std::size_t t = 0; t < steps(); ++t) {
         std::copy_n(fParts[below].h(t + 1), H * L, ahead.x(t));
         if (fShape.bidirectional)
            std::fill_n(ahead.x(t) + H * L, H * L, T(0)); // lanes that have ended stay finite
      }
      if (fShape.bidirectional)
         turn<false>(H, [&](std::size_t t) { return fParts[below + 1].h(t + 1); }, [&](std::size_t t) { return ahead.x(t) + H * L; });
   }
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
         block.feed(n / shape.directions());
      forward(stack.part(n), block.fParts[n]);
   }
}

template <class T>
void backward(const PackedStack<T> &stack, StackBlock<T> &block, const LossGradient<T> &loss, T *const *dparameters,
              const LayerGradient<T> *also)
{
   constexpr std::size_t L = kLanes<T>;
   const StackShape &shape = block.fShape;
   const std::size_t directions = shape.directions(), steps = block.steps(), gradients = input_gradients(shape);
   for (std::size_t layer = shape.layers(); layer-- > 0;) {
      const bool last = layer + 1 == shape.layers();
      const std::size_t H = shape.widths[layer];
      LossGradient<T> sent[2];
      if (!shape.bidirectional) {
         sent[0].dh_final = last ? loss.dh_final : nullptr;
         sent[0].dh_steps = last ? loss.dh_steps : block.fInputGradient[(layer + 1) % 2 % gradients].data();
      } else {
         // what reaches the states: [T][2H][L], forward first, in the order of time; from above also in the other order
         const T *ahead = last ? loss.dh_steps : block.fInputGradient[0].data();
         const T *back = last ? nullptr : block.fInputGradient[1].data();
         const auto at = [=](const T *all, std::size_t direction) {
            return [=](std::size_t t) { return all + (t * 2 + direction) * H * L; };
         };
         for (std::size_t direction = 0; direction < 2; ++direction) {
            T *states = block.fStateGradient[direction].data();
            const auto to = [=](std::size_t t) { return states + t * H * L; };
            const T *same = direction ? back : ahead, *other = direction ? ahead : back;
            if (same)
               for (std::size_t t = 0; t < steps; ++t)
                  std::copy_n(at(same, direction)(t), H * L, to(t));
            else
               std::fill_n(states, steps * H * L, T(0));
            if (other)
               block.template turn<true>(H, at(other, direction), to);
            sent[direction].dh_steps = same || other ? states : nullptr;
            sent[direction].dh_final = last && loss.dh_final ? loss.dh_final + direction * H * L : nullptr;
         }
      }
      for (std::size_t direction = 0; direction < directions; ++direction) {
         const std::size_t n = layer * directions + direction;
         LayerGradient<T> wanted = also ? also[n] : LayerGradient<T>();
         wanted.dparameters = dparameters[n];
         if (layer)
            wanted.dx = block.fInputGradient[shape.bidirectional ? direction : layer % 2 % gradients].data();
         backward<T>(stack.part(n), block.fParts[n], sent[direction], wanted);
      }
   }
}

#define TMVA_LSTM_INSTANTIATE(T)                                                                                       \
   template class PackedStack<T>;                                                                                      \
   template class StackBlock<T>;                                                                                       \
   template void forward(const PackedStack<T> &, StackBlock<T> &);                                                     \
   template void backward(const PackedStack<T> &, StackBlock<T> &, const LossGradient<T> &, T *const *,              \
                          const LayerGradient<T> *);

TMVA_LSTM_INSTANTIATE(float)
TMVA_LSTM_INSTANTIATE(double)

} // namespace TMVA_LSTM_ABI
} // namespace tmva_lstm
