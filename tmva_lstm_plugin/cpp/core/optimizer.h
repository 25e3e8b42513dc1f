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

   /// Begins the next step: begin_step(), then step() for each part of the parameters, by whatever thread.
   void begin_step();
   /// Moves the parameters [first, last) along `scale` times the gradient.
   void step(std::size_t first, std::size_t last, T scale, const T *gradient, T *parameters);

private:
   OptimizerOptions fOptions;
   std::uint64_t fSteps = 0;
   T fRate = 0, fInverseRoot = 1; ///< of the step under way
   std::vector<T> fFirst;  ///< Adam: mean of the gradient; SGD: velocity
   std::vector<T> fSecond; ///< Adam: mean of its square
};

/// What to multiply the gradient with: `factor`, or less if the norm of `factor` times the gradient would exceed largest_norm > 0.
template <class T>
double clipped(const T *gradient, std::size_t count, double factor, double largest_norm);

} // namespace TMVA_LSTM_ABI
} // namespace tmva_lstm
