/// \file
/// exp, sigmoid and tanh on whole vector registers, for the kernels_*.cpp files only.
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

/// a_N + r (a_(N+1) + r (...)).
template <class T, int N>
INLINE Vec<T> horner(Vec<T> r)
{
   if constexpr (N == ExpConstants<T>::kDegree)
      return splat<T>(ExpConstants<T>::coefficient(N));
   else
      return splat<T>(ExpConstants<T>::coefficient(N)) + r * horner<T, N + 1>(r);
}

template <class T>
struct Reduced {
   Vec<T> expm1_r; // exp(r) - 1
   Vec<T> two_n;   // 2^n
};

/// `x` must be at most kLargest and at least kSmallest, or NaN.
template <class T>
INLINE Reduced<T> reduce_exp(Vec<T> x)
{
   using K = ExpConstants<T>;
   const Vec<T> shifted = x * K::kInverseLn2 + K::kRounder;
   const Vec<T> n = shifted - K::kRounder;
   const Vec<T> r = (x - n * K::kLn2High) - n * K::kLn2Low;
   return {r * horner<T, 0>(r), (Vec<T>)((IntVec<T>)shifted << K::kMantissa)};
}

template <class T>
INLINE Vec<T> vector_exp(Vec<T> x)
{
   using K = ExpConstants<T>;
   const Reduced<T> e = reduce_exp<T>(at_least<T>(at_most<T>(x, K::kLargest), K::kSmallest));
   return e.two_n + e.two_n * e.expm1_r;
}

template <class T>
INLINE Vec<T> vector_sigmoid(Vec<T> x)
{
   using K = ExpConstants<T>;
   const Reduced<T> e = reduce_exp<T>(-at_least<T>(at_most<T>(x, -K::kSmallest), -K::kLargest));
   return reciprocal<T>((T(1) + e.two_n) + e.two_n * e.expm1_r);
}

/// tanh|x| = -m / (2 + m) with m = exp(-2|x|) - 1, taken without cancellation, so that it is exact near 0 as well.
template <class T>
INLINE Vec<T> vector_tanh(Vec<T> x)
{
   using Sign = VectorTypes<T>;
   const IntVec<T> sign = (IntVec<T>)x & static_cast<decltype(IntVec<T>{}[0] + 0)>(Sign::kSign);
   const Vec<T> magnitude = (Vec<T>)((IntVec<T>)x ^ sign);
   const Reduced<T> e = reduce_exp<T>(at_least<T>(T(-2) * magnitude, ExpConstants<T>::kSmallest));
   const Vec<T> m = e.two_n * e.expm1_r + (e.two_n - T(1));
   const Vec<T> result = quotient<T>(-m, T(2) + m);
   return (Vec<T>)((IntVec<T>)result | sign);
}

} // namespace
