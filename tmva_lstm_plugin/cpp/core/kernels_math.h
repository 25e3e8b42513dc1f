/// \file
/// exp, sigmoid and tanh on whole vector registers, for the kernels_*.cpp files only. Several registers are taken through every
/// operation side by side: one by itself would wait for its own last result most of the time, and a processor does not look far
/// enough ahead to find the next.
///
/// exp(x) = 2^n exp(r) with n = round(x / ln 2) and |r| <= ln(2)/2 (range reduction with ln 2 in two parts: W. J. Cody,
/// W. Waite, Software Manual for the Elementary Functions, 1980). expm1(r) is a polynomial: in float of degree 6, through the
/// Chebyshev points of (expm1(r) - r) / r^2, with a relative error of 2.4e-8; in double Taylor's of degree 13, with one of
/// 2e-17. NaN in gives NaN out.
#pragma once

#include "kernels_simd.h"

namespace {

constexpr double inverse_factorial(int n)
{
   double product = 1;
   for (int i = 2; i <= n; ++i)
      product *= i;
   return 1 / product;
}

/// Constants of the range reduction, and the polynomial expm1(r) = r (a_0 + r (a_1 + ...)), for each precision.
template <class T>
struct ExpConstants;

template <>
struct ExpConstants<float> {
   static constexpr float kInverseLn2 = 1.44269504088896341f;
   static constexpr float kLn2High = 0.693359375f; // 9 bits: n * kLn2High is exact
   static constexpr float kLn2Low = -2.12194440e-4f;
   // 1.5 * 2^23: adding it leaves the nearest integer in the low bits; and the exponent's bias, so that they are those of 2^n
   static constexpr float kRounder = 12582912.f + 127;
   static constexpr int kMantissa = 23;
   static constexpr float kLargest = 88.f; // beyond these the result is that of the bound
   static constexpr float kSmallest = -87.f;
   static constexpr int kDegree = 5;
   static constexpr float coefficient(int n)
   {
      constexpr float a[] = {1.f, 0.5f, 0.16666578f, 0.041666556f, 0.008363173f, 0.0013926176f};
      return a[n];
   }
};

template <>
struct ExpConstants<double> {
   static constexpr double kInverseLn2 = 1.44269504088896340736;
   static constexpr double kLn2High = 0.693147180369123816490; // its low 32 bits are zero
   static constexpr double kLn2Low = 1.90821492927058770002e-10;
   static constexpr double kRounder = 6755399441055744.0 + 1023; // 1.5 * 2^52, and the bias
   static constexpr int kMantissa = 52;
   static constexpr double kLargest = 709.;
   static constexpr double kSmallest = -708.;
   static constexpr int kDegree = 12;
   static constexpr double coefficient(int n) { return inverse_factorial(n + 1); }
};

/// exp(x) = 2^n (1 + expm1_r) of N registers. `x` must be at most kLargest and at least kSmallest, or NaN; lost.
template <class T, int N>
INLINE void reduce_exp(Vec<T> (&x)[N], Vec<T> (&expm1_r)[N], Vec<T> (&two_n)[N])
{
   using K = ExpConstants<T>;
   UNROLL for (int k = 0; k < N; ++k) two_n[k] = x[k] * K::kInverseLn2 + K::kRounder;
   UNROLL for (int k = 0; k < N; ++k) expm1_r[k] = two_n[k] - K::kRounder;
   UNROLL for (int k = 0; k < N; ++k) x[k] = x[k] - expm1_r[k] * K::kLn2High;
   UNROLL for (int k = 0; k < N; ++k) x[k] = x[k] - expm1_r[k] * K::kLn2Low;
   UNROLL for (int k = 0; k < N; ++k) two_n[k] = (Vec<T>)((IntVec<T>)two_n[k] << K::kMantissa);
   // Horner's rule
   UNROLL for (int k = 0; k < N; ++k) expm1_r[k] = K::coefficient(K::kDegree - 1) + x[k] * K::coefficient(K::kDegree);
   UNROLL for (int degree = K::kDegree - 2; degree >= 0; --degree)
      UNROLL for (int k = 0; k < N; ++k) expm1_r[k] = K::coefficient(degree) + x[k] * expm1_r[k];
   UNROLL for (int k = 0; k < N; ++k) expm1_r[k] = x[k] * expm1_r[k];
}

/// Registers taken side by side: as many as there is room for.
constexpr int kSideBySide = kVectorBytes == 64 ? 8 : 4;

/// In place, of N registers: tanh where the bit of kTanh is set, else sigmoid.
///
/// sigmoid(x) = 1 / (1 + exp(-x)). tanh|x| = -m / (2 + m) with m = exp(-2|x|) - 1, taken without cancellation, so that it is exact
/// near 0 as well.
template <class T, int N, unsigned kTanh>
INLINE void squash(Vec<T> (&x)[N])
{
   using K = ExpConstants<T>;
   using Bits = decltype(IntVec<T>{}[0] + 0);
   constexpr auto is_tanh = [](int k) { return (kTanh >> k & 1) != 0; };
   IntVec<T> sign[N];
   Vec<T> expm1_r[N], two_n[N], inverse[N];
   UNROLL for (int k = 0; k < N; ++k)
      if (is_tanh(k)) {
         sign[k] = (IntVec<T>)x[k] & static_cast<Bits>(VectorTypes<T>::kSign);
         x[k] = at_least<T>(T(-2) * (Vec<T>)((IntVec<T>)x[k] ^ sign[k]), K::kSmallest);
      } else {
         x[k] = -at_least<T>(at_most<T>(x[k], -K::kSmallest), -K::kLargest);
      }
   reduce_exp<T, N>(x, expm1_r, two_n);
   // from here on x is the numerator (tanh) and two_n the denominator
   UNROLL for (int k = 0; k < N; ++k)
      if (is_tanh(k)) {
         x[k] = -(two_n[k] * expm1_r[k] + (two_n[k] - T(1)));
         two_n[k] = T(2) - x[k];
      } else {
         two_n[k] = (T(1) + two_n[k]) + two_n[k] * expm1_r[k];
      }
   if constexpr (kEstimates<T>) {
      UNROLL for (int k = 0; k < N; ++k) inverse[k] = estimate<T>(two_n[k]);
      UNROLL for (int k = 0; k < N; ++k) expm1_r[k] = T(1) - two_n[k] * inverse[k];
      UNROLL for (int k = 0; k < N; ++k) inverse[k] = inverse[k] + inverse[k] * expm1_r[k];
      UNROLL for (int k = 0; k < N; ++k)
         if (is_tanh(k)) {
            const Vec<T> first = x[k] * inverse[k];
            x[k] = first + inverse[k] * (x[k] - first * two_n[k]);
         } else {
            x[k] = inverse[k];
         }
   } else {
      UNROLL for (int k = 0; k < N; ++k) x[k] = is_tanh(k) ? x[k] / two_n[k] : T(1) / two_n[k];
   }
   UNROLL for (int k = 0; k < N; ++k)
      if (is_tanh(k))
         x[k] = (Vec<T>)((IntVec<T>)x[k] | sign[k]);
}

/// The same, kSideBySide registers at a time from `First` on.
template <class T, int N, unsigned kTanh, int First = 0>
INLINE void squash_in_turn(Vec<T> (&x)[N])
{
   constexpr int kCount = N - First < kSideBySide ? N - First : kSideBySide;
   Vec<T> part[kCount];
   UNROLL for (int k = 0; k < kCount; ++k) part[k] = x[First + k];
   squash<T, kCount, (kTanh >> First)>(part);
   UNROLL for (int k = 0; k < kCount; ++k) x[First + k] = part[k];
   if constexpr (First + kCount < N)
      squash_in_turn<T, N, kTanh, First + kCount>(x);
}

template <class T>
INLINE Vec<T> vector_exp(Vec<T> x)
{
   using K = ExpConstants<T>;
   Vec<T> argument[1] = {at_least<T>(at_most<T>(x, K::kLargest), K::kSmallest)}, expm1_r[1], two_n[1];
   reduce_exp<T, 1>(argument, expm1_r, two_n);
   return two_n[0] + two_n[0] * expm1_r[0];
}

template <class T>
INLINE Vec<T> vector_sigmoid(Vec<T> x)
{
   Vec<T> one[1] = {x};
   squash<T, 1, 0>(one);
   return one[0];
}

template <class T>
INLINE Vec<T> vector_tanh(Vec<T> x)
{
   Vec<T> one[1] = {x};
   squash<T, 1, 1>(one);
   return one[0];
}

} // namespace
