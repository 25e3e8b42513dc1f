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

/// A row length that is no multiple of 256 bytes: rows that far apart would crowd into few lines of the first-level
/// cache and push each other out.
template <class T>
constexpr std::size_t spread(std::size_t columns)
{
   return columns % (256 / sizeof(T)) ? columns : columns + kColumns<T>;
}

/// What a recurrent layer is made of.
enum class CellKind { Lstm, Gru, Rnn };

/// A cell and its variants; equations in cells.h.
struct CellSpec {
   CellKind kind = CellKind::Lstm;
   bool peepholes = false; ///< LSTM: the gates see the cell state
   bool coupled = false;   ///< LSTM: the forget gate is 1 - i
   bool reset_before = false; ///< GRU: the reset gate stands before the product with the state

   /// The LSTM without variants, which has kernels of its own.
   bool plain() const { return kind == CellKind::Lstm && !peepholes && !coupled; }
   /// The GRU whose candidate has two sums.
   bool reset_after() const { return kind == CellKind::Gru && !reset_before; }
   bool operator==(const CellSpec &other) const
   {
      return kind == other.kind && peepholes == other.peepholes && coupled == other.coupled && reset_before == other.reset_before;
   }
   bool operator!=(const CellSpec &other) const { return !(*this == other); }
};

/// Sizes of one recurrent layer.
struct LayerShape {
   std::size_t D = 0; ///< input features
   std::size_t H = 0; ///< hidden units
   CellSpec cell = {};

   /// Matrices that stand one below the other in W and U.
   std::size_t gates() const
   {
      return cell.kind == CellKind::Rnn ? 1 : cell.kind == CellKind::Gru || cell.coupled ? 3 : 4;
   }
   /// Sums of a unit at a step, each with a gradient and a bias: the gates; in the GRU the candidate may have two, see cells.h.
   std::size_t sums() const { return cell.reset_after() ? 4 : gates(); }
   /// Rows of the gradients of a step, filled up for the kernels (the LSTM's four gates need nothing).
   std::size_t rows() const { return round_up(sums() * H, 4); }
   /// Rows of the gradient panel. With the reset gate before the product the candidate, the last of the sums, meets another state than
   /// the others: its rows stand behind theirs, both filled up for the kernels.
   std::size_t panel_rows() const { return cell.reset_before ? gate_panel_rows() + rows() - first_candidate_row() : rows(); }
   /// Of those, the ones that meet h_{t-1}: of all sums, or of all but the candidate.
   std::size_t gate_panel_rows() const { return cell.reset_before ? round_up(2 * H, 4) : rows(); }
   /// First row of a step's gradients that is among the rows behind them; those before row 2H only fill up.
   std::size_t first_candidate_row() const { return 2 * H / 4 * 4; }
   /// Vectors of peephole weights.
   std::size_t peepholes() const { return !cell.peepholes ? 0 : cell.coupled ? 2 : 3; }
   /// Rows of the stacked input of a step, [x_t; h_{t-1}].
   std::size_t inputs() const { return D + H; }
   /// Columns of the gradient panel [x_t | h_{t-1} | 1 | zeros]; with peepholes their gradient stands behind the column of ones.
   template <class T>
   std::size_t columns() const
   {
      return spread<T>(round_up(D + H + 1 + cell.peepholes, kColumns<T>));
   }
   std::size_t parameters() const { return gates() * H * (D + H) + sums() * H + peepholes() * H; }
};

} // namespace TMVA_LSTM_ABI
} // namespace tmva_lstm
