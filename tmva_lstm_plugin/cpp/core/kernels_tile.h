/// \file
/// A matrix times lanes, for the kernels_*.cpp files only: what the forward and the backward pass spend most of their time in.
///
/// A tile of the result (rows x registers of lanes) stays in registers while the sum over the inputs runs. Every lane adds its
/// terms in the same order whatever the tile, so results do not depend on how a matrix is cut into tiles.
#pragma once

#include "kernels_simd.h"

namespace {

/// Rows of a tile, and registers of lanes: sums in 24 of 32 registers, or in 12 of 16. Two registers of lanes for each weight: a
/// tile one register wide would load more often than it adds.
constexpr int kTileRows = kVectorBytes == 64 ? 12 : 6;
constexpr int kTileVectors = 2;

/// A number the compiler knows.
template <int N>
struct Constant {
   static constexpr int value = N;
};

/// acc[r][v] += sum over k of weights[k][r] * in[k][lanes of v].
template <class T, int R, int V>
INLINE void accumulate(const T *__restrict weights, const T *__restrict in, std::size_t K, Vec<T> (&acc)[R][V])
{
   constexpr std::size_t L = kLanes<T>;
   for (std::size_t k = 0; k < K; ++k) {
      Vec<T> x[V];
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v)
         x[v] = load<T>(in + k * L + v * kWidth<T>);
#pragma GCC unroll 16
      for (int r = 0; r < R; ++r) {
         const T w = weights[k * R + r];
#pragma GCC unroll 4
         for (int v = 0; v < V; ++v)
            acc[r][v] += x[v] * w;
      }
   }
}

/// out[r] = bias[r] + sum over k of weights[k][r] in[k], for R rows `out_stride` numbers apart and V registers of lanes. `packed` holds
/// the R biases (where there are any), then the weights [K][R].
template <class T, int R, int V, bool Bias>
void multiply_tile(const T *packed, const T *in, std::size_t K, T *out, std::size_t out_stride)
{
   Vec<T> acc[R][V] = {};
   if constexpr (Bias) {
#pragma GCC unroll 16
      for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
         for (int v = 0; v < V; ++v)
            acc[r][v] = splat<T>(packed[r]);
      packed += R;
   }
   accumulate<T, R, V>(packed, in, K, acc);
#pragma GCC unroll 16
   for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v)
         store<T>(out + static_cast<std::size_t>(r) * out_stride + v * kWidth<T>, acc[r][v]);
}

/// A tile of fewer rows than kTileRows.
template <class T, int R, int V, bool Bias>
INLINE void multiply_rest(std::size_t rows, const T *packed, const T *in, std::size_t K, T *out, std::size_t out_stride)
{
   if (rows == R)
      multiply_tile<T, R, V, Bias>(packed, in, K, out, out_stride);
   else if constexpr (R > 1)
      multiply_rest<T, R - 1, V, Bias>(rows, packed, in, K, out, out_stride);
}

/// out[rows] = (bias +) matrix in[K], for V registers of lanes. The matrix is packed tile by tile, kTileRows rows each.
template <class T, int V, bool Bias>
INLINE void multiply(const T *packed, std::size_t rows, const T *in, std::size_t K, T *out, std::size_t out_stride)
{
   std::size_t first = 0;
   for (; first + kTileRows <= rows; first += kTileRows, packed += kTileRows * (K + Bias))
      multiply_tile<T, kTileRows, V, Bias>(packed, in, K, out + first * out_stride, out_stride);
   multiply_rest<T, kTileRows - 1, V, Bias>(rows - first, packed, in, K, out + first * out_stride, out_stride);
}

/// Calls task(first lane, Constant<registers>) for tiles that cover n_lanes lanes.
template <class T, class F>
INLINE void in_tiles_of_lanes(std::size_t n_lanes, F task)
{
   std::size_t lane = 0;
   for (; n_lanes > lane + kWidth<T>; lane += kTileVectors * kWidth<T>)
      task(lane, Constant<kTileVectors>{});
   if (lane < n_lanes)
      task(lane, Constant<1>{});
}

} // namespace
