/// \file
/// All that a training needs to go on later as if it had never stopped, and its form as bytes.
///
/// Random draws are functions of (seed, purpose, epoch, index), see random.h: of them nothing but the epoch has to be kept.
#pragma once

#include "figures.h"
#include "namespace.h"
#include "optimizer.h"
#include "schedule.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace tmva_lstm {
inline namespace TMVA_LSTM_ABI {

/// Where a training stands, beside the weights and what the optimiser keeps for each of them.
struct TrainingProgress {
   std::uint64_t epoch = 0;   ///< complete ones
   std::uint64_t batches = 0; ///< done of the epoch after them
   std::uint64_t step = 0;    ///< batches since the training began
   double loss_sum = 0, weight_sum = 0; ///< over the batches of the incomplete epoch
   double learning_rate = 0;  ///< of the last batch
   double best = 0;           ///< of the figure that is monitored
   std::uint64_t best_epoch = 0; ///< 0: none yet
   PlateauState plateau;
};

/// A training at the end of a batch. What is new here is one line more in each(), which is all that bytes are made with.
template <class T>
struct TrainingState {
   TrainingProgress progress;
   OptimizerState<T> optimizer;
   std::vector<T> parameters;
   std::vector<T> average; ///< empty: there is none (yet)
   std::vector<T> best;    ///< the weights to be kept in the end; empty: there are none yet

   /// Calls `visit(name, member)` for everything there is; `State` is TrainingState, const or not.
   template <class State, class Visit>
   static void each(State &state, Visit &&visit)
   {
      auto &p = state.progress;
      visit("epoch", p.epoch);
      visit("batches", p.batches);
      visit("step", p.step);
      visit("loss_sum", p.loss_sum);
      visit("weight_sum", p.weight_sum);
      visit("learning_rate", p.learning_rate);
      visit("best", p.best);
      visit("best_epoch", p.best_epoch);
      visit("plateau_rate", p.plateau.rate);
      visit("plateau_best", p.plateau.best);
      visit("plateau_worse", p.plateau.worse);
      visit("optimizer_steps", state.optimizer.steps);
      visit("optimizer_first", state.optimizer.first);
      visit("optimizer_second", state.optimizer.second);
      visit("parameters", state.parameters);
      visit("average", state.average);
      visit("best_parameters", state.best);
   }
};

/// The state as bytes: for each entry the length of its name (32 bits) and the name, a letter ('u' a 64-bit whole number, 'd' a double,
/// 'f' or 'D' an array of float or double), for an array its length (64 bits), and the numbers; all little-endian.
template <class T>
std::vector<unsigned char> to_bytes(const TrainingState<T> &state);

/// The inverse, to the bit. Throws ModelError, naming the entry, if the bytes are cut, or are those of other entries or another precision.
template <class T>
TrainingState<T> state_from_bytes(const unsigned char *bytes, std::size_t size);

} // namespace TMVA_LSTM_ABI
} // namespace tmva_lstm
