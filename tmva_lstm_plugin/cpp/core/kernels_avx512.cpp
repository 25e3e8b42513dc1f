/// \file
/// The kernels for AVX-512 (F, BW, DQ, VL).
#define TMVA_LSTM_VECTOR_BYTES 64
#include "kernels_vector.h"

namespace {
constexpr Kernels<float> kFloat = make_table<float>("avx512");
constexpr Kernels<double> kDouble = make_table<double>("avx512");
} // namespace

const tmva_lstm::Kernels<float> *tmva_lstm::avx512_kernels_f32()
{
   return &kFloat;
}

const tmva_lstm::Kernels<double> *tmva_lstm::avx512_kernels_f64()
{
   return &kDouble;
}
