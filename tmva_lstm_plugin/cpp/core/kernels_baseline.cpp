/// \file
/// The kernels for the oldest processor of the platform (SSE2 on x86-64, NEON on Arm).
#define TMVA_LSTM_VECTOR_BYTES 16
#include "kernels_vector.h"

namespace {
constexpr Kernels<float> kFloat = make_table<float>("baseline");
constexpr Kernels<double> kDouble = make_table<double>("baseline");
} // namespace

const tmva_lstm::Kernels<float> *tmva_lstm::baseline_kernels_f32()
{
   return &kFloat;
}

const tmva_lstm::Kernels<double> *tmva_lstm::baseline_kernels_f64()
{
   return &kDouble;
}
