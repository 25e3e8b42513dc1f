#include "optimizer.h"

#include "error.h"
#include "names.h"

#include <algorithm>
#include <cmath>

namespace tmva_lstm {
inline namespace TMVA_LSTM_ABI {

OptimizerKind optimizer_from_name(const std::string &name)
{
   constexpr const char *kNames[] = {"adam", "sgd", "adamw", "rmsprop", "adagrad", "adadelta"};
   return value_named<OptimizerKind>(name, kNames, "optimizer is '", "', expected one of ");
}

OptimizerOptions default_options(OptimizerKind kind)
{
   OptimizerOptions options;
   options.kind = kind;
   if (kind != OptimizerKind::Sgd)
      options.momentum = 0;
   switch (kind) {
   case OptimizerKind::AdamW: options.weight_decay = 0.01; break;
   case OptimizerKind::RmsProp: options.rho = 0.99; break;
   case OptimizerKind::Adagrad: options.epsilon = 1e-10; break;
   case OptimizerKind::Adadelta: options.epsilon = 1e-6; break;
   case OptimizerKind::Adam:
   case OptimizerKind::Sgd: break;
   }
   return options;
}

namespace {

bool has_first(const OptimizerOptions &options)
{
   return options.kind == OptimizerKind::RmsProp ? options.momentum > 0 : options.kind != OptimizerKind::Adagrad;
}

} // namespace

template <class T>
Optimizer<T>::Optimizer(OptimizerOptions options, std::size_t parameters, std::vector<ParameterRange> weights)
   : fOptions(options), fWeights(std::move(weights)),
     fState{0, std::vector<T>(has_first(options) ? parameters : 0, T(0)),
            std::vector<T>(options.kind != OptimizerKind::Sgd ? parameters : 0, T(0))}
{
   if (options.weight_decay != 0 && options.kind != OptimizerKind::AdamW)
      throw ArgumentError("weight_decay belongs to AdamW; other optimisers take l2, which enters the gradient");
}

template <class T>
void Optimizer<T>::set_state(OptimizerState<T> state)
{
   if (state.first.size() != fState.first.size() || state.second.size() != fState.second.size())
      throw ArgumentError("the state has " + std::to_string(state.first.size()) + " and " + std::to_string(state.second.size()) +
                          " numbers, expected " + std::to_string(fState.first.size()) + " and " + std::to_string(fState.second.size()) +
                          ": it is of another optimiser or network");
   fState = std::move(state);
}

template <class T>
void Optimizer<T>::begin_step()
{
   ++fState.steps;
   const double n_steps = static_cast<double>(fState.steps);
   fRate = static_cast<T>(fOptions.learning_rate);
   fKeep = static_cast<T>(1 - fOptions.learning_rate * fOptions.weight_decay);
   if (fOptions.kind == OptimizerKind::Adam || fOptions.kind == OptimizerKind::AdamW) {
      fRate = static_cast<T>(fOptions.learning_rate / (1 - std::pow(fOptions.beta1, n_steps)));
      fInverseRoot = static_cast<T>(1 / std::sqrt(1 - std::pow(fOptions.beta2, n_steps)));
   }
}

template <class T>
void Optimizer<T>::decay(std::size_t first, std::size_t last, T *parameters) const
{
   const T keep = fKeep;
   for (const auto &[begin, end] : fWeights)
      for (std::size_t n = std::max(first, begin); n < std::min(last, end); ++n)
         parameters[n] *= keep;
}

template <class T>
void Optimizer<T>::step(std::size_t first, std::size_t last, T scale, const T *__restrict gradient, T *__restrict parameters)
{
   T *__restrict moment = fState.first.data();
   T *__restrict square = fState.second.data();
   const T rate = fRate, epsilon = static_cast<T>(fOptions.epsilon), momentum = static_cast<T>(fOptions.momentum);
   const T rho = static_cast<T>(fOptions.rho), keep = static_cast<T>(1 - fOptions.rho);
   switch (fOptions.kind) {
   case OptimizerKind::Sgd:
      if (fOptions.nesterov)
         for (std::size_t n = first; n < last; ++n) {
            const T g = scale * gradient[n];
            moment[n] = momentum * moment[n] + g;
            parameters[n] -= rate * (g + momentum * moment[n]);
         }
      else
         for (std::size_t n = first; n < last; ++n) {
            moment[n] = momentum * moment[n] + scale * gradient[n];
            parameters[n] -= rate * moment[n];
         }
      return;
   case OptimizerKind::RmsProp:
      if (fOptions.momentum > 0)
         for (std::size_t n = first; n < last; ++n) {
            const T g = scale * gradient[n];
            square[n] = rho * square[n] + keep * g * g;
            moment[n] = momentum * moment[n] + g / (std::sqrt(square[n]) + epsilon);
            parameters[n] -= rate * moment[n];
         }
      else
         for (std::size_t n = first; n < last; ++n) {
            const T g = scale * gradient[n];
            square[n] = rho * square[n] + keep * g * g;
            parameters[n] -= rate * g / (std::sqrt(square[n]) + epsilon);
         }
      return;
   case OptimizerKind::Adagrad:
      for (std::size_t n = first; n < last; ++n) {
         const T g = scale * gradient[n];
         square[n] += g * g;
         parameters[n] -= rate * g / (std::sqrt(square[n]) + epsilon);
      }
      return;
   case OptimizerKind::Adadelta:
      for (std::size_t n = first; n < last; ++n) {
         const T g = scale * gradient[n];
         square[n] = rho * square[n] + keep * g * g;
         const T move = std::sqrt(moment[n] + epsilon) / std::sqrt(square[n] + epsilon) * g;
         moment[n] = rho * moment[n] + keep * move * move;
         parameters[n] -= rate * move;
      }
      return;
   case OptimizerKind::AdamW:
      if (fOptions.weight_decay != 0)
         decay(first, last, parameters);
      break;
   case OptimizerKind::Adam: break;
   }
   // m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2;  p -= rate m^ / (sqrt(v^) + epsilon), where ^ divides by
   // 1 - beta^steps. Folded: rate m / (1 - beta1^n) / (sqrt(v) / sqrt(1 - beta2^n) + epsilon)
   const T beta1 = static_cast<T>(fOptions.beta1), beta2 = static_cast<T>(fOptions.beta2);
   const T keep1 = static_cast<T>(1 - fOptions.beta1), keep2 = static_cast<T>(1 - fOptions.beta2);
   const T inverse_root = fInverseRoot;
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

template <class T>
void clip_values(T *gradient, std::size_t count, double factor, double largest)
{
   const T by = static_cast<T>(factor), limit = static_cast<T>(largest);
   for (std::size_t n = 0; n < count; ++n) {
      const T g = by * gradient[n];
      gradient[n] = g > limit ? limit : g < -limit ? -limit : g; // what is not a number stays so, and is told as a divergence
   }
}

template <class T>
void move_average(std::size_t first, std::size_t last, double decay, const T *__restrict parameters, T *__restrict average)
{
   const T keep = static_cast<T>(decay), take = static_cast<T>(1 - decay);
   for (std::size_t n = first; n < last; ++n)
      average[n] = keep * average[n] + take * parameters[n];
}

template class Optimizer<float>;
template class Optimizer<double>;
template double clipped(const float *, std::size_t, double, double);
template double clipped(const double *, std::size_t, double, double);
template void clip_values(float *, std::size_t, double, double);
template void clip_values(double *, std::size_t, double, double);
template void move_average(std::size_t, std::size_t, double, const float *, float *);
template void move_average(std::size_t, std::size_t, double, const double *, double *);

} // namespace TMVA_LSTM_ABI
} // namespace tmva_lstm
