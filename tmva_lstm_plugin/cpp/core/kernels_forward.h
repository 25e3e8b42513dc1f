/// \file
/// One step forward on vector registers, for the kernels_*.cpp files only: equations (1) to (3) of lstm_layer.h.
///
/// Three passes over a group of units: the sums of their gates, the gates' activations, the cells. Within a pass no number waits
/// for another; in one pass unit by unit the processor would wait for each unit's exp, quotient, and exp again, since it does
/// not look far enough ahead to find the next unit.
#pragma once

#include "kernels_math.h"
#include "kernels_tile.h"

namespace {

/// Hidden units of a group: their sums stay in the first-level cache (12 kB), and four gates of them are whole tiles.
constexpr std::size_t kGroup = 24;

std::size_t packed_gates_size(LayerShape s)
{
   return s.rows() * (s.inputs() + 1);
}

/// For each column of a matrix its numbers in R rows.
template <class T, int R>
INLINE T *interleave(const T *matrix, std::size_t columns, const std::size_t *row, T *packed)
{
   const T *at[R];
   UNROLL for (int r = 0; r < R; ++r) at[r] = matrix + row[r] * columns;
   for (std::size_t k = 0; k < columns; ++k, packed += R)
      UNROLL for (int r = 0; r < R; ++r) packed[r] = at[r][k];
   return packed;
}

template <class T, int R>
T *pack_tile(LayerShape s, std::size_t rows, const std::size_t *row, const T *W, const T *U, const T *b, T *packed)
{
   if constexpr (R > 1)
      if (rows < R)
         return pack_tile<T, R - 1>(s, rows, row, W, U, b, packed);
   packed = interleave<T, R>(b, 1, row, packed);
   packed = interleave<T, R>(W, s.D, row, packed);
   return interleave<T, R>(U, s.H, row, packed);
}

/// One group after another; of a group its 4n rows (gate-major) in tiles; of a tile its biases, then for each input the weights.
template <class T>
void pack_gates(LayerShape s, const T *W, const T *U, const T *b, T *packed)
{
   for (std::size_t j = 0; j < s.H; j += kGroup) {
      const std::size_t n = s.H - j < kGroup ? s.H - j : kGroup;
      for (std::size_t first = 0; first < 4 * n; first += kTileRows) {
         const std::size_t rows = 4 * n - first < kTileRows ? 4 * n - first : kTileRows;
         std::size_t row[kTileRows];
         for (std::size_t r = 0; r < rows; ++r)
            row[r] = (first + r) / n * s.H + j + (first + r) % n;
         packed = pack_tile<T, kTileRows>(s, rows, row, W, U, b, packed);
      }
   }
}

/// Equations (1) to (3) behind their sums, for V registers of lanes: gates i, f, g, o one after another.
template <class T, int V>
struct Cell {
   Vec<T> gate[4 * V], c[V], tanh_c[V], h[V];

   __attribute__((always_inline)) void squash_gates() { squash_in_turn<T, 4 * V, ((1u << V) - 1) << 2 * V>(gate); }
   __attribute__((always_inline)) void update(const T *c_prev)
   {
      UNROLL for (int v = 0; v < V; ++v)
         c[v] = gate[V + v] * load<T>(c_prev + v * kWidth<T>) + rounded<T>(gate[v] * gate[2 * V + v]);
      UNROLL for (int v = 0; v < V; ++v) tanh_c[v] = c[v];
      squash_in_turn<T, V, (1u << V) - 1>(tanh_c);
      UNROLL for (int v = 0; v < V; ++v) h[v] = gate[3 * V + v] * tanh_c[v];
   }
};

/// The activations of n units' gates, for V registers of lanes: pre [4n][V registers] to gates, whose units are `stride` numbers
/// apart and whose gates `gate_stride`. The two may be the same array.
template <class T, int V>
INLINE void squash_group(std::size_t n, const T *pre, T *gates, std::size_t gate_stride, std::size_t stride)
{
   constexpr std::size_t width = V * kWidth<T>;
   for (std::size_t unit = 0; unit < n; ++unit, pre += width, gates += stride) {
      Cell<T, V> cell;
      UNROLL for (int k = 0; k < 4 * V; ++k) cell.gate[k] = load<T>(pre + k / V * n * width + k % V * kWidth<T>);
      cell.squash_gates();
      UNROLL for (int k = 0; k < 4 * V; ++k) store<T>(gates + k / V * gate_stride + k % V * kWidth<T>, cell.gate[k]);
   }
}

/// One step, n_lanes lanes. Without Keep the gates and tanh(c), which only a backward pass looks at, are not stored.
template <class T, bool Keep>
INLINE void step_forward(LayerShape s, const T *packed, const T *u, const T *c_prev, T *gates, T *c, T *tanh_c, T *h,
                         std::size_t n_lanes)
{
   constexpr std::size_t L = kLanes<T>;
   alignas(kAlignment) T sums[4 * kGroup * kTileVectors * kWidth<T>];
   for (std::size_t j = 0; j < s.H; j += kGroup) {
      const std::size_t n = s.H - j < kGroup ? s.H - j : kGroup;
      in_tiles_of_lanes<T>(n_lanes, [&](std::size_t lane, auto vectors) __attribute__((always_inline)) {
         constexpr int V = decltype(vectors)::value;
         constexpr std::size_t width = V * kWidth<T>;
         multiply<T, V, true>(packed, 4 * n, u + lane, s.inputs(), sums, width);
         const std::size_t at = j * L + lane;
         T *squashed = Keep ? gates + at : sums;
         const std::size_t gate_stride = Keep ? s.H * L : n * width, stride = Keep ? L : width;
         squash_group<T, V>(n, sums, squashed, gate_stride, stride);
         for (std::size_t unit = 0; unit < n; ++unit) {
            Cell<T, V> cell;
            UNROLL for (int k = 0; k < 4 * V; ++k)
               cell.gate[k] = load<T>(squashed + unit * stride + k / V * gate_stride + k % V * kWidth<T>);
            const std::size_t to = at + unit * L;
            cell.update(c_prev + to);
            UNROLL for (int v = 0; v < V; ++v) {
               if constexpr (Keep)
                  store<T>(tanh_c + to + v * kWidth<T>, cell.tanh_c[v]);
               store<T>(c + to + v * kWidth<T>, cell.c[v]);
               store<T>(h + to + v * kWidth<T>, cell.h[v]);
            }
         }
      });
      packed += 4 * n * (s.inputs() + 1);
   }
}

template <class T>
void gates_forward(LayerShape s, const T *packed, const T *u, const T *c_prev, T *gates, T *c, T *tanh_c, T *h,
                   std::size_t n_lanes)
{
   step_forward<T, true>(s, packed, u, c_prev, gates, c, tanh_c, h, n_lanes);
}

template <class T>
void state_forward(LayerShape s, const T *packed, const T *u, T *c, T *h, std::size_t n_lanes)
{
   step_forward<T, false>(s, packed, u, c, nullptr, c, nullptr, h, n_lanes);
}

// --- one sequence by itself: its units are the lanes -----------------------------------------------------------------------

/// Registers of units worked on at once, times four gates.
constexpr int kUnitVectors = 2;

std::size_t packed_units_size(LayerShape s)
{
   return 4 * round_up(s.H, kPaddedUnits) * (s.inputs() + 1);
}

/// For each tile of units: for each input (the first being the bias) four gates of the tile's units.
template <class T>
void pack_units_as_lanes(LayerShape s, const T *W, const T *U, const T *b, T *packed)
{
   const std::size_t padded = round_up(s.H, kPaddedUnits), width = kWidth<T>;
   for (std::size_t j = 0; j < padded;) {
      const std::size_t units = (padded - j) / width >= kUnitVectors ? kUnitVectors * width : width;
      for (std::size_t k = 0; k <= s.inputs(); ++k)
         for (std::size_t gate = 0; gate < 4; ++gate)
            for (std::size_t unit = j; unit < j + units; ++unit) {
               const std::size_t row = gate * s.H + unit;
               *packed++ = unit >= s.H ? T(0)
                           : k == 0    ? b[row]
                           : k <= s.D  ? W[row * s.D + k - 1]
                                       : U[row * s.H + (k - 1 - s.D)];
            }
      j += units;
   }
}

template <class T, int V>
INLINE const T *units_tile(LayerShape s, const T *__restrict packed, const T *__restrict x, const T *__restrict h_prev,
                           T *__restrict c, T *__restrict h)
{
   Vec<T> acc[4][V];
#pragma GCC unroll 4
   for (int gate = 0; gate < 4; ++gate)
#pragma GCC unroll 2
      for (int v = 0; v < V; ++v, packed += kWidth<T>)
         acc[gate][v] = load<T>(packed);
   const auto add = [&](const T *input, std::size_t count) __attribute__((always_inline)) {
      for (std::size_t k = 0; k < count; ++k)
#pragma GCC unroll 4
         for (int gate = 0; gate < 4; ++gate)
#pragma GCC unroll 2
            for (int v = 0; v < V; ++v, packed += kWidth<T>)
               acc[gate][v] += load<T>(packed) * input[k];
   };
   add(x, s.D);
   add(h_prev, s.H);
   Cell<T, V> cell;
   UNROLL for (int gate = 0; gate < 4; ++gate)
      UNROLL for (int v = 0; v < V; ++v) cell.gate[gate * V + v] = acc[gate][v];
   cell.squash_gates();
   cell.update(c);
   UNROLL for (int v = 0; v < V; ++v) {
      store<T>(c + v * kWidth<T>, cell.c[v]);
      store<T>(h + v * kWidth<T>, cell.h[v]);
   }
   return packed;
}

template <class T>
void single_forward(LayerShape s, const T *packed, const T *x, const T *h_prev, T *c, T *h)
{
   const std::size_t padded = round_up(s.H, kPaddedUnits);
   std::size_t j = 0;
   for (; j + kUnitVectors * kWidth<T> <= padded; j += kUnitVectors * kWidth<T>)
      packed = units_tile<T, kUnitVectors>(s, packed, x, h_prev, c + j, h + j);
   for (; j < padded; j += kWidth<T>)
      packed = units_tile<T, 1>(s, packed, x, h_prev, c + j, h + j);
}

} // namespace
