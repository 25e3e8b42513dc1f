/// \file
/// Vector types for the kernels_*.cpp files, which define TMVA_LSTM_VECTOR_BYTES (16, 32 or 64) before including this.
///
/// GCC's and Clang's vector extensions turn `a + b * c` on such types into the instructions the file is compiled for.
/// Nothing of the standard library is instantiated in those files: the linker may keep one file's copy of a shared
/// template for all callers, and code for a wider instruction set would then stop an older processor.
#pragma once

#include "kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define UNROLL _Pragma("GCC unroll 16")
#define INLINE static inline __attribute__((always_inline))

namespace {

using namespace tmva_lstm;

constexpr int kVectorBytes = TMVA_LSTM_VECTOR_BYTES;

template <class T>
struct VectorTypes;

template <>
struct VectorTypes<float> {
   typedef float Vec __attribute__((vector_size(kVectorBytes), may_alias));
   typedef int Int __attribute__((vector_size(kVectorBytes), may_alias));
   typedef float Unaligned __attribute__((vector_size(kVectorBytes), may_alias, aligned(4)));
   static constexpr unsigned kSign = 0x80000000u;
};

template <>
struct VectorTypes<double> {
   typedef double Vec __attribute__((vector_size(kVectorBytes), may_alias));
   typedef long long Int __attribute__((vector_size(kVectorBytes), may_alias));
   typedef double Unaligned __attribute__((vector_size(kVectorBytes), may_alias, aligned(8)));
   static constexpr unsigned long long kSign = 0x8000000000000000ull;
};

template <class T>
using Vec = typename VectorTypes<T>::Vec;
template <class T>
using IntVec = typename VectorTypes<T>::Int;

/// Numbers in one register.
template <class T>
constexpr int kWidth = kVectorBytes / static_cast<int>(sizeof(T));

template <class T>
INLINE Vec<T> splat(T value)
{
   return Vec<T>{} + value;
}

template <class T>
INLINE Vec<T> load(const T *p)
{
   return *reinterpret_cast<const Vec<T> *>(p);
}

/// Rounds a product before it enters a sum. Where a sum has two products the compiler is free to fuse either of them; this
/// settles which, so that all copies of a loop give the same bits. (Where registers have a letter the barrier costs nothing; GCC
/// takes the vector of __builtin_assoc_barrier() to pieces, number by number.)
template <class T>
INLINE Vec<T> rounded(Vec<T> product)
{
#if defined(__AVX512F__)
   asm("" : "+v"(product));
#elif defined(__x86_64__)
   asm("" : "+x"(product));
#elif defined(__aarch64__)
   asm("" : "+w"(product));
#elif defined(__has_builtin)
#if __has_builtin(__builtin_assoc_barrier)
   product = __builtin_assoc_barrier(product);
#elif __has_builtin(__arithmetic_fence)
   product = __arithmetic_fence(product);
#endif
#endif
   return product;
}

template <class T>
INLINE void store(T *p, Vec<T> v)
{
   *reinterpret_cast<Vec<T> *>(p) = v;
}

/// The lesser of x and the bound; NaN passes through. (The processor's instruction does just this.)
template <class T>
INLINE Vec<T> at_most(Vec<T> x, T bound)
{
   const Vec<T> limit = splat<T>(bound);
#if defined(__AVX512F__)
   if constexpr (kVectorBytes == 64 && sizeof(T) == 4)
      return (Vec<T>)_mm512_maskz_min_ps(__mmask16(-1), (__m512)limit, (__m512)x);
#elif defined(__AVX2__)
   if constexpr (kVectorBytes == 32 && sizeof(T) == 4)
      return (Vec<T>)_mm256_min_ps((__m256)limit, (__m256)x);
#endif
   return limit < x ? limit : x;
}

/// The greater of x and the bound; NaN passes through.
template <class T>
INLINE Vec<T> at_least(Vec<T> x, T bound)
{
   const Vec<T> limit = splat<T>(bound);
#if defined(__AVX512F__)
   if constexpr (kVectorBytes == 64 && sizeof(T) == 4)
      return (Vec<T>)_mm512_maskz_max_ps(__mmask16(-1), (__m512)limit, (__m512)x);
#elif defined(__AVX2__)
   if constexpr (kVectorBytes == 32 && sizeof(T) == 4)
      return (Vec<T>)_mm256_max_ps((__m256)limit, (__m256)x);
#endif
   return limit > x ? limit : x;
}

/// Whether quotients are made from estimates. AVX-512 divides one register in 16 cycles and estimates 1/d to 14 bits in 2: with a
/// step of Newton's, e + e (1 - d e), that leaves 0.53 units of the last place. (Beyond 2^126, where 1/d is no normal number, it
/// may be 0.)
template <class T>
constexpr bool kEstimates = kVectorBytes == 64 && sizeof(T) == 4;

template <class T>
INLINE Vec<T> estimate(Vec<T> d)
{
#if defined(__AVX512F__)
   if constexpr (kEstimates<T>)
      return (Vec<T>)_mm512_maskz_rcp14_ps(__mmask16(-1), (__m512)d);
#endif
   return T(1) / d;
}

} // namespace
