/// \file
/// Recurrent layers on top of each other, in one direction of time or in both.
///
/// The states of all steps of a layer are the input of the one above; with two directions those of both, forward first. The
/// direction backward in time is the same layer on sequences turned around: each from its own last true step to its first, so
/// that sequences of one block stay side by side, the longest first, and end where they end.
///
/// What a layer gives is, where that is asked for, first normalised (layer_norm.h), then some of it dropped (dropout.h); on its way
/// to the next step of the layer itself h stays as it is, but for what DropRates::state takes from it.
#pragma once

#include "dropout.h"
#include "lstm_layer.h"

#include <vector>

namespace tmva_lstm {
inline namespace TMVA_LSTM_ABI {

/// Sizes of a stack.
struct StackShape {
   std::size_t D = 0;               ///< features of a step
   std::vector<std::size_t> widths; ///< hidden units of each layer (of each direction), the lowest first
   bool bidirectional = false;
   CellSpec cell = {};
   bool layer_norm = false;  ///< normalises what each layer gives
   bool keeps_states = false; ///< the states of all steps are wanted, not the last ones alone
   DropRates drop = {};

   StackShape() = default;
   StackShape(std::size_t features, std::vector<std::size_t> hidden, bool both_directions = false)
      : D(features), widths(std::move(hidden)), bidirectional(both_directions)
   {
   }
   StackShape(LayerShape one) : D(one.D), widths{one.H}, cell(one.cell) {}

   std::size_t layers() const { return widths.size(); }
   std::size_t directions() const { return bidirectional ? 2 : 1; }
   /// Layers of all directions: number `layer * directions() + direction`.
   std::size_t parts() const { return layers() * directions(); }
   LayerShape part(std::size_t n) const
   {
      const std::size_t layer = n / directions();
      return {layer ? outputs(layer - 1) : D, widths[layer], cell};
   }
   /// Numbers that a layer gives at a step: its states, forward first.
   std::size_t outputs(std::size_t layer) const { return widths[layer] * directions(); }
   std::size_t outputs() const { return widths.empty() ? 0 : outputs(layers() - 1); }
   /// Numbers behind the parts' parameters: of each layer gain [outputs], then bias [outputs] of its normalisation.
   std::size_t norm_parameters() const;
   /// Where those of a layer begin among them.
   std::size_t norm_of(std::size_t layer) const;
   std::size_t parameters() const;
   /// Whether an event by itself can be scored with its units as lanes.
   bool units_as_lanes() const { return cell.plain() && !layer_norm; }
};

/// The weights of all layers, rearranged for the kernels; shared by all threads.
template <class T>
class PackedStack {
public:
   /// `flat`: the parameters of each part, then those of the normalisation. `for_scores`: also prepare what scores events one at a time quickly.
   void pack(const StackShape &shape, const T *flat, bool for_scores, std::size_t n_threads);

   const PackedLayer<T> &part(std::size_t n) const { return fParts[n]; }
   const Kernels<T> &kernels() const { return fParts.front().kernels(); }
   /// Weights of a part for single_forward(); null where they were not prepared.
   const T *units(std::size_t n) const { return fUnits[n].size() ? fUnits[n].data() : nullptr; }
   /// Normalises what a layer gives at a step, y [outputs][L]; does nothing where that was not asked for. See normalise().
   void normalise_output(std::size_t layer, T *y, T *normalised, T *inverse, std::size_t n_lanes) const;
   const T *gain(std::size_t layer) const { return fNorms.data() + fShape.norm_of(layer); }

private:
   StackShape fShape;
   std::vector<PackedLayer<T>> fParts;
   std::vector<AlignedArray<T>> fUnits;
   std::vector<T> fNorms; ///< see StackShape::norm_parameters
};

/// Where the gradient of a stack's parameters is added into.
template <class T>
struct StackGradient {
   T *const *parts = nullptr; ///< of each part the panel, see LayerShape::columns
   T *norms = nullptr;        ///< [norm_parameters()]
};

/// The activations of one block in all layers, or of some of its steps (in one direction of time only). One thread's own.
///
/// Before prepare() the caller says what is dropped; before forward() it fills x of every step, and of each part h and c of step 0.
template <class T>
class StackBlock {
public:
   /// Draws what is dropped of the events at these positions of the batch; with step 0, or no rates, nothing is.
   void drop(const StackShape &shape, const DropDraw &draw, const std::int64_t *positions, std::size_t n_lanes);
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

   /// What goes on after a step, [outputs()][L], forward first; where the shape keeps states. The caller turns it into what the loss
   /// sends to it (LossGradient::dh_steps), in place, before backward().
   T *states(std::size_t t) { return fStates.data() + t * fShape.outputs() * kLanes<T>; }

   /// From the last layer's h to what goes on: normalised, dropped. y [outputs()][L]. For the last true states, where no others
   /// are kept; forward() does it for states().
   void pass_on_last(const PackedStack<T> &stack, T *y, std::size_t n_lanes);
   /// And back: dy becomes the gradient of h.
   void pass_back_last(const PackedStack<T> &stack, T *dy, T *dnorms, std::size_t n_lanes);

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
   friend void backward(const PackedStack<U> &, StackBlock<U> &, const LossGradient<U> &, const StackGradient<U> &);

   void make_factor_room(const StackShape &shape);
   void feed(const PackedStack<T> &stack, std::size_t layer);
   void gather(const PackedStack<T> &stack, std::size_t layer, T *dest, std::size_t stride);
   void pass_on(const PackedStack<T> &stack, std::size_t layer, std::size_t slot, T *y, std::size_t n_lanes);
   void pass_back(const PackedStack<T> &stack, std::size_t layer, std::size_t slot, T *dy, T *dnorms, std::size_t n_lanes);

   StackShape fShape;
   std::size_t fLengths[kLanes<T>] = {};
   std::vector<LayerBlock<T>> fParts;
   AlignedArray<T> fInputGradient[2]; ///< [T][D of a layer][L] of each direction; in one direction, of layers in turn
   AlignedArray<T> fStateGradient[2]; ///< [T][H of a layer][L] of each direction, in its own order of steps
   AlignedArray<T> fStates;           ///< [T][outputs()][L], where they are kept
   struct Norm {
      AlignedArray<T> normalised, inverse; ///< [T][outputs][L] and [T][L]; see normalise()
   };
   std::vector<Norm> fNorms;                     ///< of each layer
   bool fDropping = false;
   AlignedArray<T> fInputFactors;               ///< [D][L]
   std::vector<AlignedArray<T>> fOutputFactors; ///< of each layer [outputs][L]
   std::vector<AlignedArray<T>> fStateFactors;  ///< of each part [H][L]
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

/// Backward through all layers. `loss`: gradients of what goes on from the last layer, [outputs()][L] each (dh_steps being states(0)
/// where states are kept), and of its last true h. See backward() of a layer for cut sequences.
template <class T>
void backward(const PackedStack<T> &stack, StackBlock<T> &block, const LossGradient<T> &loss, const StackGradient<T> &wanted);

} // namespace TMVA_LSTM_ABI
} // namespace tmva_lstm
