/// \file
/// The table of kernels on vector registers, included once by each of kernels_baseline.cpp, kernels_avx2.cpp, kernels_avx512.cpp.
/// The plain twin of each kernel stands in kernels_plain.cpp.
#pragma once

#include "kernels_backward.h"
#include "kernels_forward.h"
#include "kernels_transpose.h"

namespace {

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
