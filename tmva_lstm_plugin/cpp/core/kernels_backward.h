/// \file
/// Backward in time on vector registers, for the kernels_*.cpp files only: equations (4) to (9) of lstm_layer.h.
#pragma once

#include "kernels_tile.h"

namespace {

/// Tile of the weight gradient.
constexpr int kGradientRows = kVectorBytes == 64 ? 8 : 4;
constexpr int kGradientVectors = kVectorBytes == 16 ? 2 : 3;

template <class T>
void cell_backward(std::size_t H, T *dgates, T *dc, const T *dh, const T *gates, const T *c_prev, const T *tanh_c,
                   std::size_t n_lanes)
{
   constexpr std::size_t L = kLanes<T>;
   const std::size_t gate = H * L;
   for (std::size_t j = 0; j < H; ++j)
      for (std::size_t lane = 0; lane < n_lanes; lane += kWidth<T>) {
         const std::size_t at = j * L + lane;
         const Vec<T> i = load<T>(gates + at), f = load<T>(gates + gate + at);
         const Vec<T> g = load<T>(gates + 2 * gate + at), o = load<T>(gates + 3 * gate + at);
         const Vec<T> squashed = load<T>(tanh_c + at), dh_t = load<T>(dh + at);
         const Vec<T> dcell = load<T>(dc + at) + dh_t * o * (T(1) - squashed * squashed);
         store<T>(dgates + at, dcell * g * i * (T(1) - i));
         store<T>(dgates + gate + at, dcell * load<T>(c_prev + at) * f * (T(1) - f));
         store<T>(dgates + 2 * gate + at, dcell * i * (T(1) - g * g));
         store<T>(dgates + 3 * gate + at, dh_t * squashed * o * (T(1) - o));
         store<T>(dc + at, dcell * f);
      }
}

std::size_t packed_transposed_size(std::size_t rows, std::size_t columns)
{
   return rows * columns;
}

/// For each tile of columns: for each row the tile's numbers.
template <class T>
void pack_transposed(const T *matrix, std::size_t rows, std::size_t stride, std::size_t first, std::size_t columns,
                     T *packed)
{
   for (std::size_t j = 0; j < columns; j += kTileRows) {
      const std::size_t width = columns - j < kTileRows ? columns - j : kTileRows;
      for (std::size_t row = 0; row < rows; ++row)
         for (std::size_t column = 0; column < width; ++column)
            *packed++ = matrix[row * stride + first + j + column];
   }
}

template <class T>
void product(const T *packed, std::size_t rows, std::size_t columns, const T *in, T *out, std::size_t n_lanes)
{
   constexpr std::size_t L = kLanes<T>;
   in_tiles_of_lanes<T>(n_lanes, [&](std::size_t lane, auto vectors) __attribute__((always_inline)) {
      multiply<T, decltype(vectors)::value, false>(packed, columns, in + lane, rows, out + lane, L);
   });
}

/// Rows [0, R) and vectors [0, V) of columns of the panel; pointers are already at the tile's first row and column.
template <class T, int R, int V>
void gradient_tile(std::size_t C, std::size_t n_steps, const T *__restrict dgates, std::size_t dgates_stride,
                   const T *__restrict z, const std::size_t *n_lanes, T *__restrict out)
{
   constexpr std::size_t L = kLanes<T>;
   Vec<T> acc[R][V];
#pragma GCC unroll 8
   for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v)
         acc[r][v] = load<T>(out + r * C + v * kWidth<T>);
   for (std::size_t step = 0; step < n_steps; ++step) {
      const T *dg = dgates + step * dgates_stride;
      const T *row = z + step * L * C;
      for (std::size_t e = 0; e < n_lanes[step]; ++e, row += C) {
         Vec<T> x[V];
#pragma GCC unroll 4
         for (int v = 0; v < V; ++v)
            x[v] = load<T>(row + v * kWidth<T>);
#pragma GCC unroll 8
         for (int r = 0; r < R; ++r) {
            const T d = dg[r * L + e];
#pragma GCC unroll 4
            for (int v = 0; v < V; ++v)
               acc[r][v] += x[v] * d;
         }
      }
   }
#pragma GCC unroll 8
   for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v)
         store<T>(out + r * C + v * kWidth<T>, acc[r][v]);
}

template <class T, int V>
INLINE void gradient_columns(std::size_t rows, std::size_t C, std::size_t n_steps, const T *dgates,
                             std::size_t dgates_stride, const T *z, const std::size_t *n_lanes, T *out)
{
   std::size_t row = 0;
   for (; row + kGradientRows <= rows; row += kGradientRows)
      gradient_tile<T, kGradientRows, V>(C, n_steps, dgates + row * kLanes<T>, dgates_stride, z, n_lanes,
                                         out + row * C);
   for (; row < rows; row += 4) // rows = 4H, so four are left at most
      gradient_tile<T, 4, V>(C, n_steps, dgates + row * kLanes<T>, dgates_stride, z, n_lanes, out + row * C);
}

/// db of R rows: out[row * C] += sum over steps and lanes of dgates. Rows side by side, for a sum waits for its last addition.
template <class T, int R>
INLINE void bias_rows(std::size_t C, std::size_t n_steps, const T *dgates, std::size_t dgates_stride, const std::size_t *n_lanes,
                      T *out)
{
   using Int = decltype(IntVec<T>{}[0] + 0);
   constexpr std::size_t L = kLanes<T>;
   IntVec<T> number;
   for (int k = 0; k < kWidth<T>; ++k)
      number[k] = k;
   Vec<T> sum[R] = {};
   for (std::size_t step = 0; step < n_steps; ++step, dgates += dgates_stride) {
      std::size_t lane = 0;
      for (; lane + kWidth<T> <= n_lanes[step]; lane += kWidth<T>)
         UNROLL for (int r = 0; r < R; ++r) sum[r] += load<T>(dgates + r * L + lane);
      if (lane < n_lanes[step]) {
         const IntVec<T> running = number < static_cast<Int>(n_lanes[step] - lane);
         UNROLL for (int r = 0; r < R; ++r) sum[r] += (Vec<T>)((IntVec<T>)load<T>(dgates + r * L + lane) & running);
      }
   }
   alignas(kVectorBytes) T part[R][kWidth<T>];
   UNROLL for (int r = 0; r < R; ++r) store<T>(part[r], sum[r]);
   for (int r = 0; r < R; ++r) {
      UNROLL for (int half = kWidth<T> / 2; half; half /= 2)
         UNROLL for (int k = 0; k < half; ++k) part[r][k] += part[r][k + half];
      out[r * C] += part[r][0];
   }
}

template <class T>
void bias_gradient(std::size_t rows, std::size_t C, std::size_t n_steps, const T *dgates, std::size_t dgates_stride,
                   const std::size_t *n_lanes, T *out)
{
   for (std::size_t row = 0; row < rows; row += 4) // a multiple of four
      bias_rows<T, 4>(C, n_steps, dgates + row * kLanes<T>, dgates_stride, n_lanes, out + row * C);
}

template <class T>
void weight_gradient(std::size_t rows, std::size_t inputs, std::size_t C, std::size_t n_steps, const T *dgates,
                     std::size_t dgates_stride, const T *z, const std::size_t *n_lanes, T *dparameters)
{
   // where the inputs fill their registers, the column of ones would take one more for itself
   const bool bias_apart = inputs % kWidth<T> == 0;
   const std::size_t vectors = inputs / kWidth<T> + !bias_apart;
   if (bias_apart)
      bias_gradient(rows, C, n_steps, dgates, dgates_stride, n_lanes, dparameters + inputs);
   std::size_t v = 0;
   while (v < vectors) {
      const std::size_t left = vectors - v;
      const T *column = z + v * kWidth<T>;
      T *out = dparameters + v * kWidth<T>;
      if (kGradientVectors == 3 && left >= 3 && left != 4) { // four are cut into two and two
         gradient_columns<T, kGradientVectors>(rows, C, n_steps, dgates, dgates_stride, column, n_lanes, out);
         v += kGradientVectors;
      } else if (left >= 2) {
         gradient_columns<T, 2>(rows, C, n_steps, dgates, dgates_stride, column, n_lanes, out);
         v += 2;
      } else {
         gradient_columns<T, 1>(rows, C, n_steps, dgates, dgates_stride, column, n_lanes, out);
         v += 1;
      }
   }
}

} // namespace
