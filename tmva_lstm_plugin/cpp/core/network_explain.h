/// \file
/// What a trained network does, step by step: the activations of all gates and states, and how the gradient of an output or of the
/// loss travels back through them to every feature of every step.
///
/// The passes are those of a training. Nothing is kept of them but what is asked for.
#pragma once

#include "network.h"

#include <string>
#include <vector>

namespace tmva_lstm {
inline namespace TMVA_LSTM_ABI {

/// What a cell is made of, for those who show it. All that depends on the kind of cell stands here.
struct CellParts {
   std::vector<std::string> gates; ///< in the order in which LayerBlock::gates() has them, LayerShape::sums() in all
   bool has_cell = true;           ///< a state c beside h
};
CellParts cell_parts(const LayerShape &shape);

/// A number of each event that is looked at.
enum class Quantity {
   Output,      ///< a class's (or target's) output; with one output for two classes, its negative is that of class 0
   Probability, ///< a class's probability
   Loss         ///< the event's loss, times its weight if there is one
};
const char *quantity_name(Quantity quantity);
/// The inverse; throws ArgumentError with the names there are.
Quantity quantity_from_name(const std::string &name);

/// What explain() is to find, and where to write it; null for what is not wanted. N events; S steps of all of them, where the rows of
/// event n are [offsets[n], offsets[n+1]), first step to last in both directions of time. Gradients are those of the quantity.
template <class T>
struct Explanation {
   /// Of a recurrent layer in one direction, see StackShape::part(); G gates.
   struct Part {
      T *gates = nullptr;    ///< (S, G, H), activations
      T *h = nullptr;        ///< (S, H), after each step
      T *c = nullptr;        ///< (S, H), after each step
      T *dgates = nullptr;   ///< (S, G, H), with respect to the pre-activations
      T *dh_total = nullptr; ///< (S, H), all that reaches h of a step: from above (or the loss) and from later steps
      T *dc_total = nullptr; ///< (S, H), all that reaches c of a step
   };

   Quantity quantity = Quantity::Output;
   const std::int32_t *which = nullptr; ///< (N), class or target of each event; not looked at for the loss

   std::vector<Part> parts;    ///< one for each part of the stack, or none
   T *value = nullptr;         ///< (N), the quantity
   T *dfeatures = nullptr;     ///< (S, D), with respect to the standardised features
   T *devent = nullptr;        ///< (N, E), with respect to the standardised event features

   bool wants_gradients() const
   {
      for (const Part &part : parts)
         if (part.dgates || part.dh_total || part.dc_total)
            return true;
      return dfeatures || devent;
   }
};

} // namespace TMVA_LSTM_ABI
} // namespace tmva_lstm
