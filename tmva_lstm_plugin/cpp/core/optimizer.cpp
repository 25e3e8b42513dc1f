#include "optimizer.h"

#include <cmath>

namespace tmva_lstm {
inline namespace TMVA_LSTM_ABI {

template <class T>
Optimizer<T>::Optimizer(OptimizerOptions options, std::size_t parameters)
   : fOptions(options), fFirst(parameters, T(0)),
     fSecond(options.kind == OptimizerKind::Adam ? parameters : 0, T(0))
{
}

template <class T>
void Optimizer<T>::step(const T *gradient, T *parameters)
{
   ++fSteps;
   const std::size_t count = fFirst.size();
   if (fOptions.kind == OptimizerKind::Sgd) {
      const T rate = static_cast<T>(fOptions.learning_rate), momentum = static_cast<T>(fOptions.momentum);
      for (std::size_t n = 0; n < count; ++n) {
         fFirst[n] = momentum * fFirst[n] + gradient[n];
         parameters[n] -= rate * fFirst[n];
      }
      return;
   }
   // m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2;  p -= rate m^ / (sqrt(v^) + epsilon), where ^ divides by
   // 1 - beta^steps. Folded: rate m / (1 - beta1^n) / (sqrt(v) / sqrt(1 - beta2^n) + epsilon)
   const double n_steps = static_cast<double>(fSteps);
   const T beta1 = static_cast<T>(fOptions.beta1), beta2 = static_cast<T>(fOptions.beta2);
   const T keep1 = static_cast<T>(1 - fOptions.beta1), keep2 = static_cast<T>(1 - fOptions.beta2);
   const T rate = static_cast<T>(fOptions.learning_rate / (1 - std::pow(fOptions.beta1, n_steps)));
   const T inverse_root = static_cast<T>(1 / std::sqrt(1 - std::pow(fOptions.beta2, n_steps)));
   const T epsilon = static_cast<T>(fOptions.epsilon);
   for (std::size_t n = 0; n < count; ++n) {
      fFirst[n] = beta1 * fFirst[n] + keep1 * gradient[n];
      fSecond[n] = beta2 * fSecond[n] + keep2 * gradient[n] * gradient[n];
      parameters[n] -= rate * fFirst[n] / (std::sqrt(fSecond[n]) * inverse_root + epsilon);
   }
}

template <class T>
double scale_and_clip(T *gradient, std::size_t count, double factor, double largest_norm)
{
   double squares = 0;
   for (std::size_t n = 0; n < count; ++n)
      squares += static_cast<double>(gradient[n]) * static_cast<double>(gradient[n]);
   const double norm = std::sqrt(squares) * std::abs(factor);
   if (largest_norm > 0 && norm > largest_norm)
      factor *= largest_norm / norm;
   const T scale = static_cast<T>(factor);
   for (std::size_t n = 0; n < count; ++n)
      gradient[n] *= scale;
   return norm;
}

template class Optimizer<float>;
template class Optimizer<double>;
template double scale_and_clip(float *, std::size_t, double, double);
template double scale_and_clip(double *, std::size_t, double, double);

} // namespace TMVA_LSTM_ABI
} // namespace tmva_lstm
