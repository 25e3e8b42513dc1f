/// \file
/// Layer normalisation of what a layer gives at a step (J. L. Ba et al., arXiv:1607.06450), over a block of events:
///
///   (15)  y = gain (x - mean(x)) / sqrt(var(x) + 1e-5) + bias       mean and variance over the numbers of one event's step
#pragma once

#include "shapes.h"

namespace tmva_lstm {
inline namespace TMVA_LSTM_ABI {

/// x [rows][L] becomes y. Keeps normalised [rows][L], the quotient of (15), and inverse [L], one over its denominator.
template <class T>
void normalise(std::size_t rows, const T *gain, const T *bias, T *x, T *normalised, T *inverse, std::size_t n_lanes);

/// dy [rows][L] becomes dx; the gradients of gain and bias [rows] are added into theirs.
template <class T>
void normalise_backward(std::size_t rows, const T *gain, T *dy, const T *normalised, const T *inverse, T *dgain, T *dbias,
                        std::size_t n_lanes);

} // namespace TMVA_LSTM_ABI
} // namespace tmva_lstm
