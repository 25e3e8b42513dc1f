/// \file
/// The letters of the field, said once.
///
///   N   events (sequences)                 T   steps of the longest sequence of a block
///   D   features of a step                 E   event-level features
///   H   hidden units                       K   outputs (logits): 1 for two classes, else one a class
///   L   lanes of a block: events worked on side by side, one in each lane of the vector registers
///   S   steps of all events together
///
/// Gates are stacked in the order i, f, g, o (g is the candidate), so row `gate * H + j` of W, U, b belongs to unit j.
/// Matrices are row-major. Arrays of a block have the lane as their last index: `h[H][L]`, `gates[4H][L]`.
#pragma once

#include "namespace.h"

#include <cstddef>

namespace tmva_lstm {
inline namespace TMVA_LSTM_ABI {

/// Events of a block: two AVX-512 registers of them, for float and double alike a row of 128 bytes.
template <class T>
constexpr std::size_t kLanes = 128 / sizeof(T);

/// Columns of the weight-gradient panel are filled up to a multiple of this, one AVX-512 register.
template <class T>
constexpr std::size_t kColumns = 64 / sizeof(T);

/// Units of a sequence scored by itself are filled up to a multiple of this, one AVX-512 register of floats.
constexpr std::size_t kPaddedUnits = 16;

/// Steps whose contribution to dW, dU, db is taken in one go, while their panel still sits in the first-level caches.
template <class T>
constexpr std::size_t kChunk = 128 / kLanes<T>;

/// Every array a kernel touches begins on a multiple of this many bytes.
constexpr std::size_t kAlignment = 64;

constexpr std::size_t round_up(std::size_t value, std::size_t multiple)
{
   return (value + multiple - 1) / multiple * multiple;
}

/// Sizes of one LSTM layer.
struct LayerShape {
   std::size_t D = 0; ///< input features
   std::size_t H = 0; ///< hidden units

   std::size_t rows() const { return 4 * H; }
   /// Rows of the stacked input of a step, [x_t; h_{t-1}].
   std::size_t inputs() const { return D + H; }
   /// Columns of the gradient panel [x_t | h_{t-1} | 1 | zeros].
   template <class T>
   std::size_t columns() const
   {
      return round_up(D + H + 1, kColumns<T>);
   }
   std::size_t parameters() const { return rows() * (D + H + 1); }
};

} // namespace TMVA_LSTM_ABI
} // namespace tmva_lstm
