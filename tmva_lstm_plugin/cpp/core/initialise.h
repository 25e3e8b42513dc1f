/// \file
/// The parameters before the training.
#pragma once

#include "network.h"

#include <cstdint>
#include <string>

namespace tmva_lstm {
inline namespace TMVA_LSTM_ABI {

/// How weights are drawn before the training; `n` columns and `m` rows of a matrix (for W and U: of one gate). Biases are 0 but
/// for the forget gate's. Names and formulas are TMVA's WeightInitialization, but for the last.
enum class Initialisation {
   XavierUniform, ///< uniform in +-sqrt(6 / (n + m)) (X. Glorot, Y. Bengio, AISTATS 2010)
   Xavier,        ///< normal, deviation sqrt(2 / (n + m))
   Gauss,         ///< normal, deviation sqrt(2 / n)
   Uniform,       ///< uniform in +-sqrt(2 / n)
   Identity,      ///< 1 on the diagonal
   Zero,
   /// U of each gate orthogonal (A. M. Saxe et al., arXiv:1312.6120), all else as XavierUniform.
   Orthogonal
};

/// "xavier uniform", "xavier", "gauss", "uniform", "identity", "zero", "orthogonal".
const char *initialisation_name(Initialisation kind);
/// The inverse; throws ArgumentError with the names there are.
Initialisation initialisation_from_name(const std::string &name);

/// Writes all parameters of a network (flat). Every number is a function of the seed and its place. Biases are 0 but for that of the
/// LSTM's forget gate, which is `forget_bias` (with coupled gates that of the input gate is -forget_bias); gains are 1, peepholes 0.
template <class T>
void initialise(const NetworkShape &shape, Initialisation kind, double forget_bias, std::uint64_t seed, T *flat);

} // namespace TMVA_LSTM_ABI
} // namespace tmva_lstm
