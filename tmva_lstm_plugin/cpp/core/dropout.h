/// \file
/// Dropout: in training, parts of what goes on are set to zero at random, the rest is scaled up so that the mean stays.
///
/// What is dropped of an event is the same at all of its steps (Y. Gal, Z. Ghahramani, arXiv:1512.05287), and is a function of the
/// seed, the optimiser's step and the event's place in the batch: neither of threads nor of the event's length.
#pragma once

#include "shapes.h"

#include <cstdint>

namespace tmva_lstm {
inline namespace TMVA_LSTM_ABI {

/// Parts that are dropped, from 0 to less than 1.
struct DropRates {
   double input = 0;  ///< of the features of a step
   double state = 0;  ///< of h on its way to the next step of its layer
   double output = 0; ///< of what a recurrent layer gives to what is above

   bool any() const { return input > 0 || state > 0 || output > 0; }
};

/// What a batch's draws are a function of; step 0 is none: nothing is dropped.
struct DropDraw {
   std::uint64_t seed = 0;
   std::uint32_t step = 0;
};

/// Factors [rows][L], 0 or 1 / (1 - rate), for the events at these positions of the batch. Rows `first` to `first + rows` out of `all`
/// that an event has.
template <class T>
void draw_factors(const DropDraw &draw, double rate, std::size_t first, std::size_t rows, std::size_t all,
                  const std::int64_t *positions, std::size_t n_lanes, T *factors);

/// y [rows][L] *= factors, for the lanes in use.
template <class T>
void apply_factors(std::size_t rows, const T *factors, T *y, std::size_t n_lanes)
{
   constexpr std::size_t L = kLanes<T>;
   for (std::size_t row = 0; row < rows; ++row)
      for (std::size_t lane = 0; lane < n_lanes; ++lane)
         y[row * L + lane] *= factors[row * L + lane];
}

} // namespace TMVA_LSTM_ABI
} // namespace tmva_lstm
