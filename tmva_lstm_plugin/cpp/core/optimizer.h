/// \file
/// From a gradient to a step: Adam and SGD with momentum, in PyTorch's conventions, and clipping by norm.
#pragma once

#include "namespace.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace tmva_lstm {
inline namespace TMVA_LSTM_ABI {

enum class OptimizerKind { Adam, Sgd };

struct OptimizerOptions {
   OptimizerKind kind = OptimizerKind::Adam;
   double learning_rate = 1e-3;
   double momentum = 0.9; ///< SGD: v = momentum v + gradient; p -= learning_rate v
   double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8; ///< Adam, D. P. Kingma, J. Ba, arXiv:1412.6980
};

template <class T>
class Optimizer {
public:
   Optimizer(OptimizerOptions options, std::size_t parameters);

   /// Moves the parameters by one step along the gradient.
   void step(const T *gradient, T *parameters);

private:
   OptimizerOptions fOptions;
   std::uint64_t fSteps = 0;
   std::vector<T> fFirst;  ///< Adam: mean of the gradient; SGD: velocity
   std::vector<T> fSecond; ///< Adam: mean of its square
};

/// Multiplies the gradient by `factor`, then shrinks it to `largest_norm` if its Euclidean norm is larger and largest_norm > 0.
/// Returns the norm before shrinking.
template <class T>
double scale_and_clip(T *gradient, std::size_t count, double factor, double largest_norm);

} // namespace TMVA_LSTM_ABI
} // namespace tmva_lstm
