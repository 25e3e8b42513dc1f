/// \file
/// Transposes between rows and lanes in registers, for the kernels_*.cpp files only: squares of 8 x 8 floats (4 x 4 where a
/// register holds four), numbers that are not floats one by one.
///
/// A square is turned in three rounds of shuffles (two for 4 x 4): pairs of numbers, pairs of pairs, halves.
#pragma once

#include "kernels_simd.h"

#if defined(__clang__) || __GNUC__ >= 12
#define SHUFFLE(Index, a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define SHUFFLE(Index, a, b, ...) __builtin_shuffle(a, b, Index{__VA_ARGS__})
#endif

namespace {

typedef float Four __attribute__((vector_size(16), may_alias));
typedef int FourIndex __attribute__((vector_size(16)));
typedef float FourUnaligned __attribute__((vector_size(16), may_alias, aligned(4)));
typedef float Eight __attribute__((vector_size(32), may_alias));
typedef int EightIndex __attribute__((vector_size(32)));
typedef float EightUnaligned __attribute__((vector_size(32), may_alias, aligned(4)));

INLINE void turn(Four (&v)[4])
{
   const Four a = SHUFFLE(FourIndex, v[0], v[1], 0, 4, 1, 5), b = SHUFFLE(FourIndex, v[0], v[1], 2, 6, 3, 7);
   const Four c = SHUFFLE(FourIndex, v[2], v[3], 0, 4, 1, 5), d = SHUFFLE(FourIndex, v[2], v[3], 2, 6, 3, 7);
   v[0] = SHUFFLE(FourIndex, a, c, 0, 1, 4, 5);
   v[1] = SHUFFLE(FourIndex, a, c, 2, 3, 6, 7);
   v[2] = SHUFFLE(FourIndex, b, d, 0, 1, 4, 5);
   v[3] = SHUFFLE(FourIndex, b, d, 2, 3, 6, 7);
}

INLINE void turn(Eight (&v)[8])
{
   Eight pairs[8], quads[8];
#pragma GCC unroll 4
   for (int n = 0; n < 8; n += 2) {
      pairs[n] = SHUFFLE(EightIndex, v[n], v[n + 1], 0, 8, 1, 9, 4, 12, 5, 13);
      pairs[n + 1] = SHUFFLE(EightIndex, v[n], v[n + 1], 2, 10, 3, 11, 6, 14, 7, 15);
   }
#pragma GCC unroll 2
   for (int n = 0; n < 8; n += 4)
#pragma GCC unroll 2
      for (int m = 0; m < 2; ++m) {
         quads[n + 2 * m] = SHUFFLE(EightIndex, pairs[n + m], pairs[n + m + 2], 0, 1, 8, 9, 4, 5, 12, 13);
         quads[n + 2 * m + 1] = SHUFFLE(EightIndex, pairs[n + m], pairs[n + m + 2], 2, 3, 10, 11, 6, 7, 14, 15);
      }
#pragma GCC unroll 4
   for (int n = 0; n < 4; ++n) {
      v[n] = SHUFFLE(EightIndex, quads[n], quads[n + 4], 0, 1, 2, 3, 8, 9, 10, 11);
      v[n + 4] = SHUFFLE(EightIndex, quads[n], quads[n + 4], 4, 5, 6, 7, 12, 13, 14, 15);
   }
}

/// Side of a square, and its types.
constexpr int kSide = kVectorBytes >= 32 ? 8 : 4;
template <int Side>
struct SquareTypes {
   typedef Four Row;
   typedef FourUnaligned Unaligned;
};
template <>
struct SquareTypes<8> {
   typedef Eight Row;
   typedef EightUnaligned Unaligned;
};
typedef SquareTypes<kSide>::Row SquareRow;
typedef SquareTypes<kSide>::Unaligned SquareUnaligned;

/// The first `count` < kSide numbers at p, zeros behind them; nothing else is read.
INLINE SquareRow load_first(const float *p, std::size_t count)
{
#if defined(__AVX2__)
   if constexpr (kSide == 8) {
      static const int ones[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};
      return (SquareRow)_mm256_maskload_ps(p, _mm256_loadu_si256(reinterpret_cast<const __m256i *>(ones + 8 - count)));
   }
#endif
   SquareRow row = {};
   for (std::size_t n = 0; n < count; ++n)
      row[n] = p[n];
   return row;
}

/// z[L][C] = transpose of u[inputs][L], then a column of ones, then zeros up to C; rows of lanes beyond n_lanes are left.
template <class T>
void transpose(const T *__restrict u, std::size_t inputs, std::size_t C, T *__restrict z, std::size_t n_lanes)
{
   constexpr std::size_t L = kLanes<T>;
   for (std::size_t e = 0; e < n_lanes; ++e) {
      for (std::size_t column = 0; column < inputs; ++column)
         z[e * C + column] = u[column * L + e];
      z[e * C + inputs] = T(1);
      for (std::size_t column = inputs + 1; column < C; ++column)
         z[e * C + column] = T(0);
   }
}

template <>
void transpose<float>(const float *__restrict u, std::size_t inputs, std::size_t C, float *__restrict z, std::size_t n_lanes)
{
   constexpr std::size_t L = kLanes<float>;
   for (std::size_t k = 0; k < C; k += kSide)
      for (std::size_t lane = 0; lane < n_lanes; lane += kSide) {
         SquareRow square[kSide];
#pragma GCC unroll 8
         for (std::size_t n = 0; n < kSide; ++n)
            square[n] = k + n < inputs    ? *reinterpret_cast<const SquareRow *>(u + (k + n) * L + lane)
                        : k + n == inputs ? SquareRow{} + 1.f
                                          : SquareRow{};
         turn(square);
#pragma GCC unroll 8
         for (std::size_t n = 0; n < kSide; ++n)
            *reinterpret_cast<SquareRow *>(z + (lane + n) * C + k) = square[n];
      }
}

/// Asks memory for the row two steps on, so that it is there when its step comes: of 32 events at once the processor would not
/// see it coming. (What lies behind an event's last step is asked for in vain; it is not looked at.)
template <class T>
INLINE void ask_ahead(const T *row, std::size_t D)
{
   const std::size_t ahead = reinterpret_cast<std::size_t>(row) + 2 * D * sizeof(T); // no pointer: it may lie beyond the array
   for (std::size_t byte = 0; byte < D * sizeof(T); byte += 64)
      __builtin_prefetch(reinterpret_cast<const void *>(ahead + byte));
}

/// x[D][L] = (rows[lane][d] - mean[d]) * inverse[d]; 0 in lanes beyond n_lanes.
template <class T>
void load_step(std::size_t D, const T *const *rows, std::size_t n_lanes, const T *mean, const T *inverse, T *x)
{
   constexpr std::size_t L = kLanes<T>;
   for (std::size_t lane = 0; lane < n_lanes; ++lane)
      ask_ahead(rows[lane], D);
   for (std::size_t d = 0; d < D; ++d) {
      for (std::size_t lane = 0; lane < n_lanes; ++lane)
         x[d * L + lane] = (rows[lane][d] - mean[d]) * inverse[d];
      for (std::size_t lane = n_lanes; lane < L; ++lane)
         x[d * L + lane] = T(0);
   }
}

template <>
void load_step<float>(std::size_t D, const float *const *rows, std::size_t n_lanes, const float *mean, const float *inverse,
                      float *x)
{
   constexpr std::size_t L = kLanes<float>;
   for (std::size_t lane = 0; lane < L; lane += kSide) {
      if (lane >= n_lanes) {
         for (std::size_t d = 0; d < D; ++d)
            *reinterpret_cast<SquareRow *>(x + d * L + lane) = SquareRow{};
         continue;
      }
      const float *row[kSide];
      for (std::size_t n = 0; n < kSide; ++n) {
         row[n] = lane + n < n_lanes ? rows[lane + n] : mean; // the mean gives 0
         ask_ahead(row[n], D);
      }
      for (std::size_t d = 0; d < D; d += kSide) {
         SquareRow square[kSide];
         const std::size_t count = D - d < kSide ? D - d : kSide;
         if (count == kSide) {
#pragma GCC unroll 8
            for (std::size_t n = 0; n < kSide; ++n)
               square[n] = *reinterpret_cast<const SquareUnaligned *>(row[n] + d);
         } else {
#pragma GCC unroll 8
            for (std::size_t n = 0; n < kSide; ++n)
               square[n] = load_first(row[n] + d, count);
         }
         turn(square);
#pragma GCC unroll 8
         for (std::size_t n = 0; n < kSide; ++n)
            if (n < count)
               *reinterpret_cast<SquareRow *>(x + (d + n) * L + lane) = (square[n] - mean[d + n]) * inverse[d + n];
      }
   }
}

} // namespace
