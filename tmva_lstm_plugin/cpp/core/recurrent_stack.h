/// \file
/// LSTM layers on top of each other, in one direction of time or in both.
///
/// The states of all steps of a layer are the input of the one above; with two directions those of both, forward first. The
/// direction backward in time is the same layer on sequences turned around: each from its own last true step to its first, so
/// that sequences of one block stay side by side, the longest first, and end where they end.
#pragma once

#include "lstm_layer.h"

#include <vector>

namespace tmva_lstm {
inline namespace TMVA_LSTM_ABI {

/// Sizes of a stack.
struct StackShape {
   std::size_t D = 0;               ///< features of a step
   std::vector<std::size_t> widths; ///< hidden units of each layer (of each direction), the lowest first
   bool bidirectional = false;

   StackShape() = default;
   StackShape(std::size_t features, std::vector<std::size_t> hidden, bool both_directions = false)
      : D(features), widths(std::move(hidden)), bidirectional(both_directions)
   {
   }
   StackShape(LayerShape one) : D(one.D), widths{one.H} {}

   std::size_t layers() const { return widths.size(); }
   std::size_t directions() const { return bidirectional ? 2 : 1; }
   /// Layers of all directions: number `layer * directions() + direction`.
   std::size_t parts() const { return layers() * directions(); }
   LayerShape part(std::size_t n) const
   {
      const std::size_t layer = n / directions();
      return {layer ? widths[layer - 1] * directions() : D, widths[layer]};
   }
   /// Numbers that a step gives: the states of the last layer, forward first.
   std::size_t outputs() const { return widths.empty() ? 0 : widths.back() * directions(); }
   std::size_t parameters() const;
};

/// The weights of all layers, rearranged for the kernels; shared by all threads.
template <class T>
class PackedStack {
public:
   /// `flat`: W, U, b of each part. `for_scores`: also prepare what scores events one at a time quickly, and what explains scores.
   void pack(const StackShape &shape, const T *flat, bool for_scores, std::size_t n_threads);

   const PackedLayer<T> &part(std::size_t n) const { return fParts[n]; }
   const Kernels<T> &kernels() const { return fParts.front().kernels(); }
   /// Weights of a part for single_forward(); null where they were not prepared.
   const T *units(std::size_t n) const { return fUnits[n].size() ? fUnits[n].data() : nullptr; }

private:
   std::vector<PackedLayer<T>> fParts;
   std::vector<AlignedArray<T>> fUnits;
};

/// The activations of one block in all layers, or of some of its steps (in one direction of time only). One thread's own.
///
/// Before forward() the caller fills x of every step, and of each part h and c of step 0.
template <class T>
class StackBlock {
public:
   /// Makes room for the steps [first, last) of sequences of these lengths (n_lanes, not increasing); see LayerBlock::prepare().
   /// Throws ArgumentError when a stack of both directions is asked for some of the steps.
   void prepare(const StackShape &shape, const std::size_t *lengths, std::size_t n_lanes, std::size_t first, std::size_t last);
   /// Takes the memory for up to `steps` steps now.
   void reserve(const StackShape &shape, std::size_t steps);

   /// Bytes that a block of `steps` steps takes.
   static std::size_t bytes(const StackShape &shape, std::size_t steps);
   std::size_t held_bytes() const;

   const StackShape &shape() const { return fShape; }
   LayerBlock<T> &part(std::size_t n) { return fParts[n]; }
   const LayerBlock<T> &lowest() const { return fParts.front(); }
   std::size_t steps() const { return lowest().steps(); }
   std::size_t running(std::size_t t) const { return lowest().running(t); }
   T *x(std::size_t t) { return fParts.front().x(t); } ///< [D][L], input of step t

   /// Step of a lane's sequence that the direction backward in time comes to at its step t (and the other way round).
   std::size_t turned(std::size_t lane, std::size_t t) const { return fLengths[lane] - 1 - t; }

   /// dest(t)[row][lane] = source(turned step)[row][lane] for all rows, steps and lanes that run; or += with Add. Elsewhere dest is
   /// left.
   template <bool Add, class Source, class Dest>
   void turn(std::size_t rows, Source source, Dest dest) const;

private:
   template <class U>
   friend void forward(const PackedStack<U> &, StackBlock<U> &);
   template <class U>
   friend void backward(const PackedStack<U> &, StackBlock<U> &, const LossGradient<U> &, U *const *, const LayerGradient<U> *);

   void feed(std::size_t layer);

   StackShape fShape;
   std::size_t fLengths[kLanes<T>] = {};
   std::vector<LayerBlock<T>> fParts;
   AlignedArray<T> fInputGradient[2]; ///< [T][D of a layer][L] of each direction; in one direction, of layers in turn
   AlignedArray<T> fStateGradient[2]; ///< [T][H of a layer][L] of each direction, in its own order of steps
};

template <class T>
template <bool Add, class Source, class Dest>
void StackBlock<T>::turn(std::size_t rows, Source source, Dest dest) const
{
   constexpr std::size_t L = kLanes<T>;
   for (std::size_t t = 0; t < steps(); ++t)
      for (std::size_t first = 0, last; first < running(t); first = last) {
         for (last = first + 1; last < running(t) && fLengths[last] == fLengths[first]; ++last) {
         }
         const T *from = source(turned(first, t));
         T *to = dest(t);
         for (std::size_t row = 0; row < rows; ++row)
            for (std::size_t lane = first; lane < last; ++lane)
               if constexpr (Add)
                  to[row * L + lane] += from[row * L + lane];
               else
                  to[row * L + lane] = from[row * L + lane];
      }
}

/// Forward through all layers.
template <class T>
void forward(const PackedStack<T> &stack, StackBlock<T> &block);

/// Backward through all layers. `loss`: gradients of the last layer's states, [outputs()][L] each; `dparameters`: for each part the
/// panel (see LayerShape::columns) that its gradient is added into, or null. `also`, unless null: for each part what is wanted beside
/// that of dh_total and dc_total, and of dx in the lowest layer; in the part's own order of steps. See backward() of a layer for cut
/// sequences.
template <class T>
void backward(const PackedStack<T> &stack, StackBlock<T> &block, const LossGradient<T> &loss, T *const *dparameters,
              const LayerGradient<T> *also = nullptr);

} // namespace TMVA_LSTM_ABI
} // namespace tmva_lstm
