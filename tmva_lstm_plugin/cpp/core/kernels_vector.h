/// \file
/// The kernels on vector registers, included once by each of kernels_baseline.cpp, kernels_avx2.cpp, kernels_avx512.cpp.
///
/// A tile of the result (rows x vectors) stays in registers while the sum over the inputs runs; every lane adds its terms in
/// the same order whatever the tile, so results do not depend on how a matrix is cut into tiles. The plain twin of each
/// kernel stands in kernels_plain.cpp.
#pragma once

#include "kernels_math.h"

namespace {

/// Hidden units (four gate rows each) of a forward tile, and lanes of it in registers.
constexpr int kUnits = 3;
constexpr int kTileRows = 12;
constexpr int kTileVectors = kVectorBytes == 64 ? 2 : 1;
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

/// For each tile of units: the biases, then for each input k the weights of the tile's rows (gate-major within the tile).
template <class T>
void pack_gates(LayerShape s, const T *W, const T *U, const T *b, T *packed)
{
   for (std::size_t j = 0; j < s.H; j += kUnits) {
      const std::size_t units = s.H - j < kUnits ? s.H - j : kUnits;
      for (std::size_t k = 0; k <= s.inputs(); ++k)
         for (std::size_t gate = 0; gate < 4; ++gate)
            for (std::size_t unit = 0; unit < units; ++unit) {
               const std::size_t row = gate * s.H + j + unit;
               *packed++ = k == 0 ? b[row] : k <= s.D ? W[row * s.D + k - 1] : U[row * s.H + (k - 1 - s.D)];
            }
   }
}

/// Units [j, j + N) of one step for V vectors of lanes; pointers are already at the first lane of the tile.
template <class T, int N, int V>
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
#pragma GCC unroll 4
   for (int n = 0; n < N; ++n)
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) {
         const std::size_t at = (j + n) * L + v * kWidth<T>;
         const std::size_t gate = s.H * L;
         const Vec<T> i = vector_sigmoid<T>(acc[n][v]);
         const Vec<T> f = vector_sigmoid<T>(acc[N + n][v]);
         const Vec<T> g = vector_tanh<T>(acc[2 * N + n][v]);
         const Vec<T> o = vector_sigmoid<T>(acc[3 * N + n][v]);
         const Vec<T> cell = f * load<T>(c_prev + at) + rounded<T>(i * g);
         const Vec<T> squashed = vector_tanh<T>(cell);
         store<T>(gates + at, i);
         store<T>(gates + gate + at, f);
         store<T>(gates + 2 * gate + at, g);
         store<T>(gates + 3 * gate + at, o);
         store<T>(c + at, cell);
         store<T>(tanh_c + at, squashed);
         store<T>(h + at, o * squashed);
      }
}

template <class T, int V>
INLINE void gates_lanes(LayerShape s, const T *packed, const T *u, const T *c_prev, T *gates, T *c, T *tanh_c, T *h)
{
   std::size_t j = 0;
   for (; j + kUnits <= s.H; j += kUnits, packed += 4 * kUnits * (s.inputs() + 1))
      gates_tile<T, kUnits, V>(s, j, packed, u, c_prev, gates, c, tanh_c, h);
   if (s.H - j == 2)
      gates_tile<T, 2, V>(s, j, packed, u, c_prev, gates, c, tanh_c, h);
   else if (s.H - j == 1)
      gates_tile<T, 1, V>(s, j, packed, u, c_prev, gates, c, tanh_c, h);
}

template <class T>
void gates_forward(LayerShape s, const T *packed, const T *u, const T *c_prev, T *gates, T *c, T *tanh_c, T *h,
                   std::size_t n_lanes)
{
   std::size_t lane = 0;
   while (lane < n_lanes) {
      if (kTileVectors == 2 && n_lanes - lane > static_cast<std::size_t>(kWidth<T>)) {
         gates_lanes<T, kTileVectors>(s, packed, u + lane, c_prev + lane, gates + lane, c + lane, tanh_c + lane,
                                      h + lane);
         lane += kTileVectors * kWidth<T>;
      } else {
         gates_lanes<T, 1>(s, packed, u + lane, c_prev + lane, gates + lane, c + lane, tanh_c + lane, h + lane);
         lane += kWidth<T>;
      }
   }
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
      if (kTileVectors == 2 && n_lanes - lane > static_cast<std::size_t>(kWidth<T>)) {
         product_lanes<T, kTileVectors>(packed, rows, columns, in + lane, out + lane);
         lane += kTileVectors * kWidth<T>;
      } else {
         product_lanes<T, 1>(packed, rows, columns, in + lane, out + lane);
         lane += kWidth<T>;
      }
   }
}

template <class T>
void transpose(const T *__restrict u, std::size_t inputs, std::size_t C, T *__restrict z)
{
   constexpr std::size_t L = kLanes<T>;
   constexpr std::size_t kSquare = 8; // squares of 8 x 8 keep both sides within a few cache lines
   for (std::size_t k = 0; k < inputs; k += kSquare)
      for (std::size_t lane = 0; lane < L; lane += kSquare) {
         const std::size_t columns = inputs - k < kSquare ? inputs - k : kSquare;
         for (std::size_t e = lane; e < lane + kSquare; ++e)
            for (std::size_t column = k; column < k + columns; ++column)
               z[e * C + column] = u[column * L + e];
      }
   for (std::size_t e = 0; e < L; ++e) {
      z[e * C + inputs] = T(1);
      for (std::size_t column = inputs + 1; column < C; ++column)
         z[e * C + column] = T(0);
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
           cell_backward<T>,
           packed_transposed_size,
           pack_transposed<T>,
           product<T>,
           transpose<T>,
           weight_gradient<T>,
           sigmoid_array<T>,
           tanh_array<T>,
           exp_array<T>};
}

} // namespace
