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
void Optimizer<T>::begin_step()
{
   ++fSteps;
   const double n_steps = static_cast<double>(fSteps);
   fRate = static_cast<T>(fOptions.learning_rate);
   if (fOptions.kind == OptimizerKind::Adam) {
      fRate = static_cast<T>(fOptions.learning_rate / (1 - std::pow(fOptions.beta1, n_steps)));
      fInverseRoot = static_cast<T>(1 / std::sqrt(1 - std::pow(fOptions.beta2, n_steps)));
   }
}

template <class T>
void Optimizer<T>::step(std::size_t first, std::size_t last, T scale, const T *__restrict gradient, T *__restrict parameters)
{
   T *__restrict moment = fFirst.data();
   if (fOptions.kind == OptimizerKind::Sgd) {
      const T rate = fRate, momentum = static_cast<T>(fOptions.momentum);
      for (std::size_t n = first; n < last; ++n) {
         moment[n] = momentum * moment[n] + scale * gradient[n];
         parameters[n] -= rate * moment[n];
      }
      return;
   }
   // m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2;  p -= rate m^ / (sqrt(v^) + epsilon), where ^ divides by
   // 1 - beta^steps. Folded: rate m / (1 - beta1^n) / (sqrt(v) / sqrt(1 - beta2^n) + epsilon)
   T *__restrict square = fSecond.data();
   const T beta1 = static_cast<T>(fOptions.beta1), beta2 = static_cast<T>(fOptions.beta2);
   const T keep1 = static_cast<T>(1 - fOptions.beta1), keep2 = static_cast<T>(1 - fOptions.beta2);
   const T rate = fRate, inverse_root = fInverseRoot, epsilon = static_cast<T>(fOptions.epsilon);
   for (std::size_t n = first; n < last; ++n) {
      const T g = scale * gradient[n];
      moment[n] = beta1 * moment[n] + keep1 * g;
      square[n] = beta2 * square[n] + keep2 * g * g;
      parameters[n] -= rate * moment[n] / (std::sqrt(square[n]) * inverse_root + epsilon);
   }
}

template <class T>
double sum_of_squares(const T *numbers, std::size_t count)
{
   // eight sums side by side: in double precision, for which the processor then has vector code
   constexpr std::size_t kSums = 8;
   double sums[kSums] = {};
   std::size_t n = 0;
   for (; n + kSums <= count; n += kSums)
      for (std::size_t k = 0; k < kSums; ++k)
         sums[k] += static_cast<double>(numbers[n + k]) * static_cast<double>(numbers[n + k]);
   double total = 0;
   for (std::size_t k = 0; k < kSums; ++k)
      total += sums[k];
   for (; n < count; ++n)
      total += static_cast<double>(numbers[n]) * static_cast<double>(numbers[n]);
   return total;
}

template <class T>
double clipped(const T *gradient, std::size_t count, double factor, double largest_norm)
{
   if (largest_norm > 0) {
      const double norm = std::sqrt(sum_of_squares(gradient, count)) * std::abs(factor);
      if (norm > largest_norm)
         factor *= largest_norm / norm;
   }
   return factor;
}

template class Optimizer<float>;
template class Optimizer<double>;
template double clipped(const float *, std::size_t, double, double);
template double clipped(const double *, std::size_t, double, double);

} // namespace TMVA_LSTM_ABI
} // namespace tmva_lstm
