/// \file
/// The kernels for AVX2 and FMA.
#define TMVA_LSTM_VECTOR_BYTES 32
#include "kernels_vector.h"

namespace {
constexpr Kernels<float> kFloat = make_table<float>("avx2");
constexpr Kernels<double> kDouble = make_table<double>("avx2");
} // namespace

const tmva_lstm::Kernels<float> *tmva_lstm::avx2_kernels_f32()
{
   return &kFloat;
}

const tmva_lstm::Kernels<double> *tmva_lstm::avx2_kernels_f64()
{
   return &kDouble;
}
