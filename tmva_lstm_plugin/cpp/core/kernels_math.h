/// \file
/// exp, sigmoid and tanh on whole vector registers, for the kernels_*.cpp files only.
///
/// exp(x) = 2^n exp(r) with n = round(x / ln 2) and |r| <= ln(2)/2, where expm1(r) is its Taylor polynomial: degree 7 leaves
/// a relative error of 2e-8 in float, degree 13 of 2e-17 in double (range reduction with ln 2 in two parts: W. J. Cody,
/// W. Waite, Software Manual for the Elementary Functions, 1980). NaN in gives NaN out.
#pragma once

#include "kernels_simd.h"

namespace {

/// Constants of the range reduction, for each precision.
template <class T>
struct ExpConstants;

template <>
struct ExpConstants<float> {
   static constexpr float kInverseLn2 = 1.44269504088896341f;
   static constexpr float kLn2High = 0.693359375f; // 9 bits: n * kLn2High is exact
   static constexpr float kLn2Low = -2.12194440e-4f;
   static constexpr float kRounder = 12582912.f; // 1.5 * 2^23: adding it leaves the nearest integer in the low bits
   static constexpr int kMantissa = 23;
   static constexpr int kBias = 127;
   static constexpr float kLargest = 88.f; // beyond these the result is that of the bound
   static constexpr float kSmallest = -87.f;
   static constexpr int kDegree = 7;
};

template <>
struct ExpConstants<double> {
   static constexpr double kInverseLn2 = 1.44269504088896340736;
   static constexpr double kLn2High = 0.693147180369123816490; // its low 32 bits are zero
   static constexpr double kLn2Low = 1.90821492927058770002e-10;
   static constexpr double kRounder = 6755399441055744.0; // 1.5 * 2^52
   static constexpr int kMantissa = 52;
   static constexpr long long kBias = 1023;
   static constexpr double kLargest = 709.;
   static constexpr double kSmallest = -708.;
   static constexpr int kDegree = 13;
};

template <class T>
constexpr T inverse_factorial(int n)
{
   T product = 1;
   for (int i = 2; i <= n; ++i)
      product *= static_cast<T>(i);
   return T(1) / product;
}

/// 1/N! + r (1/(N+1)! + r (...)), up to the term 1/kDegree!.
template <class T, int N>
INLINE Vec<T> taylor_tail(Vec<T> r)
{
   if constexpr (N == ExpConstants<T>::kDegree)
      return splat<T>(inverse_factorial<T>(N));
   else
      return splat<T>(inverse_factorial<T>(N)) + r * taylor_tail<T, N + 1>(r);
}

template <class T>
struct Reduced {
   Vec<T> expm1_r; // exp(r) - 1
   Vec<T> two_n;   // 2^n
};

template <class T>
INLINE Reduced<T> reduce_exp(Vec<T> x)
{
   using K = ExpConstants<T>;
   x = x > K::kLargest ? splat<T>(K::kLargest) : x; // comparisons with NaN are false: it passes through
   x = x < K::kSmallest ? splat<T>(K::kSmallest) : x;
   const Vec<T> shifted = x * K::kInverseLn2 + K::kRounder;
   const Vec<T> n = shifted - K::kRounder;
   const Vec<T> r = (x - n * K::kLn2High) - n * K::kLn2Low;
   const IntVec<T> exponent = ((IntVec<T>)shifted << K::kMantissa) + (K::kBias << K::kMantissa);
   return {r * taylor_tail<T, 1>(r), (Vec<T>)exponent};
}

template <class T>
INLINE Vec<T> vector_exp(Vec<T> x)
{
   const Reduced<T> e = reduce_exp<T>(x);
   return e.two_n + e.two_n * e.expm1_r;
}

template <class T>
INLINE Vec<T> vector_sigmoid(Vec<T> x)
{
   return T(1) / (T(1) + vector_exp<T>(-x));
}

/// tanh|x| = -m / (2 + m) with m = exp(-2|x|) - 1, taken without cancellation, so that it is exact near 0 as well.
template <class T>
INLINE Vec<T> vector_tanh(Vec<T> x)
{
   using Sign = VectorTypes<T>;
   const IntVec<T> sign = (IntVec<T>)x & static_cast<decltype(IntVec<T>{}[0] + 0)>(Sign::kSign);
   const Vec<T> magnitude = (Vec<T>)((IntVec<T>)x ^ sign);
   const Reduced<T> e = reduce_exp<T>(T(-2) * magnitude);
   const Vec<T> m = e.two_n * e.expm1_r + (e.two_n - T(1));
   const Vec<T> result = -m / (T(2) + m);
   return (Vec<T>)((IntVec<T>)result | sign);
}

} // namespace
