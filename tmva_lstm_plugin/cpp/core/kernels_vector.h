/// \file
/// The kernels on vector registers, included once by each of kernels_baseline.cpp, kernels_avx2.cpp, kernels_avx512.cpp.
///
/// A tile of the result (rows x vectors) stays in registers while the sum over the inputs runs; every lane adds its terms in
/// the same order whatever the tile, so results do not depend on how a matrix is cut into tiles. The plain twin of each
/// kernel stands in kernels_plain.cpp.
#pragma once

#include "kernels_math.h"
#include "kernels_transpose.h"

namespace {

/// Hidden units (four gate rows each) of a forward tile, and lanes of it in registers: sums in 24 of 32 registers, or in 8 of 16;
/// two registers of lanes for each weight, since a tile one register wide would load more often than it adds.
constexpr int kUnits = kVectorBytes == 64 ? 3 : 1;
constexpr int kTileRows = kVectorBytes == 64 ? 12 : 6;
constexpr int kTileVectors = 2;
/// Tile of the weight gradient.
constexpr int kGradientRows = kVectorBytes == 64 ? 8 : 4;
constexpr int kGradientVectors = kVectorBytes == 16 ? 2 : 3;

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

// --- forward ----------------------------------------------------------------------------------------------------------

std::size_t packed_gates_size(LayerShape s)
{
   return s.rows() * (s.inputs() + 1);
}

/// The biases of units [j, j + N), then for each input k the weights of their 4N rows (gate-major).
template <class T, int N>
INLINE T *pack_units(LayerShape s, std::size_t j, const T *W, const T *U, const T *b, T *packed)
{
   const T *rows[4 * N];
   const auto point = [&](const T *matrix, std::size_t columns) __attribute__((always_inline)) {
#pragma GCC unroll 16
      for (std::size_t r = 0; r < 4 * N; ++r)
         rows[r] = matrix + (r / N * s.H + j + r % N) * columns;
   };
   const auto copy = [&](std::size_t columns) __attribute__((always_inline)) {
      for (std::size_t k = 0; k < columns; ++k, packed += 4 * N)
#pragma GCC unroll 16
         for (int r = 0; r < 4 * N; ++r)
            packed[r] = rows[r][k];
   };
   point(b, 1);
   copy(1);
   point(W, s.D);
   copy(s.D);
   point(U, s.H);
   copy(s.H);
   return packed;
}

template <class T>
void pack_gates(LayerShape s, const T *W, const T *U, const T *b, T *packed)
{
   std::size_t j = 0;
   for (; j + kUnits <= s.H; j += kUnits)
      packed = pack_units<T, kUnits>(s, j, W, U, b, packed);
   if (s.H - j == 2)
      pack_units<T, 2>(s, j, W, U, b, packed);
   else if (s.H - j == 1)
      pack_units<T, 1>(s, j, W, U, b, packed);
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

/// Units [j, j + N) of one step for V vectors of lanes; pointers are already at the first lane of the tile. Without Keep the
/// gates and tanh(c), which only a backward pass looks at, are not stored.
template <class T, int N, int V, bool Keep>
INLINE void gates_tile(LayerShape s, std::size_t j, const T *__restrict packed, const T *__restrict u,
                       const T *__restrict c_prev, T *__restrict gates, T *__restrict c, T *__restrict tanh_c,
                       T *__restrict h)
{
   constexpr std::size_t L = kLanes<T>;
   Vec<T> acc[4 * N][V];
#pragma GCC unroll 16
   for (int r = 0; r < 4 * N; ++r)
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v)
         acc[r][v] = splat<T>(packed[r]);
   accumulate<T, 4 * N, V>(packed + 4 * N, u, s.inputs(), acc);
   UNROLL for (int n = 0; n < N; ++n) {
      Cell<T, V> cell;
      UNROLL for (int gate = 0; gate < 4; ++gate)
         UNROLL for (int v = 0; v < V; ++v) cell.gate[gate * V + v] = acc[gate * N + n][v];
      cell.squash_gates();
      const std::size_t unit = (j + n) * L;
      cell.update(c_prev + unit);
      UNROLL for (int v = 0; v < V; ++v) {
         const std::size_t at = unit + v * kWidth<T>;
         if constexpr (Keep) {
            UNROLL for (int gate = 0; gate < 4; ++gate) store<T>(gates + gate * s.H * L + at, cell.gate[gate * V + v]);
            store<T>(tanh_c + at, cell.tanh_c[v]);
         }
         store<T>(c + at, cell.c[v]);
         store<T>(h + at, cell.h[v]);
      }
   }
}

template <class T, int V, bool Keep>
INLINE void gates_lanes(LayerShape s, const T *packed, const T *u, const T *c_prev, T *gates, T *c, T *tanh_c, T *h)
{
   std::size_t j = 0;
   for (; j + kUnits <= s.H; j += kUnits, packed += 4 * kUnits * (s.inputs() + 1))
      gates_tile<T, kUnits, V, Keep>(s, j, packed, u, c_prev, gates, c, tanh_c, h);
   if (s.H - j == 2)
      gates_tile<T, 2, V, Keep>(s, j, packed, u, c_prev, gates, c, tanh_c, h);
   else if (s.H - j == 1)
      gates_tile<T, 1, V, Keep>(s, j, packed, u, c_prev, gates, c, tanh_c, h);
}

template <class T, bool Keep>
INLINE void gates_block(LayerShape s, const T *packed, const T *u, const T *c_prev, T *gates, T *c, T *tanh_c, T *h,
                        std::size_t n_lanes)
{
   std::size_t lane = 0;
   while (lane < n_lanes) {
      T *g = Keep ? gates + lane : nullptr, *squashed = Keep ? tanh_c + lane : nullptr;
      if (n_lanes - lane > static_cast<std::size_t>(kWidth<T>)) {
         gates_lanes<T, kTileVectors, Keep>(s, packed, u + lane, c_prev + lane, g, c + lane, squashed, h + lane);
         lane += kTileVectors * kWidth<T>;
      } else {
         gates_lanes<T, 1, Keep>(s, packed, u + lane, c_prev + lane, g, c + lane, squashed, h + lane);
         lane += kWidth<T>;
      }
   }
}

template <class T>
void gates_forward(LayerShape s, const T *packed, const T *u, const T *c_prev, T *gates, T *c, T *tanh_c, T *h,
                   std::size_t n_lanes)
{
   gates_block<T, true>(s, packed, u, c_prev, gates, c, tanh_c, h, n_lanes);
}

template <class T>
void state_forward(LayerShape s, const T *packed, const T *u, T *c, T *h, std::size_t n_lanes)
{
   gates_block<T, false>(s, packed, u, c, nullptr, c, nullptr, h, n_lanes);
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

// --- backward ---------------------------------------------------------------------------------------------------------

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

template <class T, int R, int V>
void product_tile(const T *packed, std::size_t rows, const T *in, T *out)
{
   Vec<T> acc[R][V] = {};
   accumulate<T, R, V>(packed, in, rows, acc);
#pragma GCC unroll 16
   for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v)
         store<T>(out + r * kLanes<T> + v * kWidth<T>, acc[r][v]);
}

template <class T, int V>
INLINE void product_lanes(const T *packed, std::size_t rows, std::size_t columns, const T *in, T *out)
{
   std::size_t j = 0;
   for (; j + kTileRows <= columns; j += kTileRows, packed += kTileRows * rows)
      product_tile<T, kTileRows, V>(packed, rows, in, out + j * kLanes<T>);
   T *rest = out + j * kLanes<T>;
   switch (columns - j) {
   case 1: product_tile<T, 1, V>(packed, rows, in, rest); break;
   case 2: product_tile<T, 2, V>(packed, rows, in, rest); break;
   case 3: product_tile<T, 3, V>(packed, rows, in, rest); break;
   case 4: product_tile<T, 4, V>(packed, rows, in, rest); break;
   case 5: product_tile<T, 5, V>(packed, rows, in, rest); break;
   case 6: product_tile<T, 6, V>(packed, rows, in, rest); break;
   case 7: product_tile<T, 7, V>(packed, rows, in, rest); break;
   case 8: product_tile<T, 8, V>(packed, rows, in, rest); break;
   case 9: product_tile<T, 9, V>(packed, rows, in, rest); break;
   case 10: product_tile<T, 10, V>(packed, rows, in, rest); break;
   case 11: product_tile<T, 11, V>(packed, rows, in, rest); break;
   default: break;
   }
}

template <class T>
void product(const T *packed, std::size_t rows, std::size_t columns, const T *in, T *out, std::size_t n_lanes)
{
   std::size_t lane = 0;
   while (lane < n_lanes) {
      if (n_lanes - lane > static_cast<std::size_t>(kWidth<T>)) {
         product_lanes<T, kTileVectors>(packed, rows, columns, in + lane, out + lane);
         lane += kTileVectors * kWidth<T>;
      } else {
         product_lanes<T, 1>(packed, rows, columns, in + lane, out + lane);
         lane += kWidth<T>;
      }
   }
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

template <class T>
void weight_gradient(std::size_t rows, std::size_t C, std::size_t n_steps, const T *dgates, std::size_t dgates_stride,
                     const T *z, const std::size_t *n_lanes, T *dparameters)
{
   const std::size_t vectors = C / kWidth<T>;
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

// --- elementwise ------------------------------------------------------------------------------------------------------

template <class T, class F>
INLINE void map(const T *x, T *out, std::size_t count, F function)
{
   typedef typename VectorTypes<T>::Unaligned Unaligned;
   std::size_t n = 0;
   for (; n + kWidth<T> <= count; n += kWidth<T>)
      *reinterpret_cast<Unaligned *>(out + n) = function(*reinterpret_cast<const Unaligned *>(x + n));
   if (n < count) {
      Vec<T> rest = {};
      for (std::size_t k = 0; k < count - n; ++k)
         rest[k] = x[n + k];
      rest = function(rest);
      for (std::size_t k = 0; k < count - n; ++k)
         out[n + k] = rest[k];
   }
}

template <class T>
void sigmoid_array(const T *x, T *out, std::size_t count)
{
   map<T>(x, out, count, [](Vec<T> v) __attribute__((always_inline)) { return vector_sigmoid<T>(v); });
}

template <class T>
void tanh_array(const T *x, T *out, std::size_t count)
{
   map<T>(x, out, count, [](Vec<T> v) __attribute__((always_inline)) { return vector_tanh<T>(v); });
}

template <class T>
void exp_array(const T *x, T *out, std::size_t count)
{
   map<T>(x, out, count, [](Vec<T> v) __attribute__((always_inline)) { return vector_exp<T>(v); });
}

template <class T>
constexpr tmva_lstm::Kernels<T> make_table(const char *name)
{
   return {name,
           packed_gates_size,
           pack_gates<T>,
           gates_forward<T>,
           state_forward<T>,
           packed_units_size,
           pack_units_as_lanes<T>,
           single_forward<T>,
           cell_backward<T>,
           packed_transposed_size,
           pack_transposed<T>,
           product<T>,
           load_step<T>,
           transpose<T>,
           weight_gradient<T>,
           sigmoid_array<T>,
           tanh_array<T>,
           exp_array<T>};
}

} // namespace
