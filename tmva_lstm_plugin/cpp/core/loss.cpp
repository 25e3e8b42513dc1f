#include "loss.h"

#include "names.h"

#include <algorithm>
#include <cmath>

namespace tmva_lstm {
inline namespace TMVA_LSTM_ABI {
namespace {

/// log(sum_k exp(z_k)), and exp(z_k - that) into `p`.
template <class T>
T softmax(const T *z, std::size_t K, T *p)
{
   const T largest = *std::max_element(z, z + K);
   T sum = 0;
   for (std::size_t k = 0; k < K; ++k)
      sum += p[k] = std::exp(z[k] - largest);
   for (std::size_t k = 0; k < K; ++k)
      p[k] /= sum;
   return largest + std::log(sum);
}

/// 1 / (1 + exp(-z)), without overflow on either side.
template <class T>
T sigmoid(T z)
{
   const T e = std::exp(-std::abs(z));
   return (z >= 0 ? T(1) : e) / (T(1) + e);
}

} // namespace

template <class T>
void probabilities(const T *logits, std::size_t n, std::size_t K, T *out)
{
   for (std::size_t event = 0; event < n; ++event, logits += K)
      if (K == 1) {
         *out++ = sigmoid(-*logits);
         *out++ = sigmoid(*logits);
      } else {
         softmax(logits, K, out);
         out += K;
      }
}

namespace {

/// -y log(sigmoid(z)) - (1 - y) log(1 - sigmoid(z)) = max(z, 0) - y z + log(1 + exp(-|z|)), for y = 0 or 1.
template <class T>
double sigmoid_cross_entropy(T z, bool y, T *dz)
{
   *dz = sigmoid(z) - T(y);
   return std::max(z, T(0)) - (y ? z : T(0)) + std::log1p(std::exp(-std::abs(z)));
}

struct Deviation {
   double loss, slope; ///< slope: derivative of the loss
};

/// MeanAbsoluteError or Huber of one output that is `d` above its target.
Deviation deviation_loss(Loss loss, double delta, double d)
{
   const double size = std::abs(d), sign = (d > 0) - (d < 0);
   if (loss == Loss::MeanAbsoluteError)
      return {size, sign};
   return size < delta ? Deviation{0.5 * d * d, d} : Deviation{delta * (size - 0.5 * delta), delta * sign};
}

constexpr const char *kNames[] = {"cross entropy", "sigmoid cross entropy", "mean squared error", "mean absolute error", "huber"};

} // namespace

const char *loss_name(Loss loss)
{
   return kNames[static_cast<int>(loss)];
}

Loss loss_from_name(const std::string &name)
{
   return value_named<Loss>(name, kNames, "there is no loss '", "'; there are ");
}

template <class T>
double event_loss(Loss loss, double huber_delta, const T *z, std::size_t K, std::int32_t label, const T *targets, T *dz)
{
   // with one output, class 1 is what it stands for
   const auto is_class = [&](std::size_t k) { return static_cast<std::size_t>(label) == (K == 1 ? 1 : k); };
   switch (loss) {
   case Loss::MeanSquaredError: {
      double sum = 0;
      for (std::size_t k = 0; k < K; ++k) {
         const T difference = z[k] - (targets ? targets[k] : T(is_class(k)));
         dz[k] = 2 * difference / static_cast<T>(K);
         sum += static_cast<double>(difference) * static_cast<double>(difference);
      }
      return sum / static_cast<double>(K);
   }
   case Loss::MeanAbsoluteError:
   case Loss::Huber: {
      double sum = 0;
      for (std::size_t k = 0; k < K; ++k) {
         const Deviation at = deviation_loss(loss, huber_delta, static_cast<double>(z[k] - targets[k]));
         dz[k] = static_cast<T>(at.slope) / static_cast<T>(K);
         sum += at.loss;
      }
      return sum / static_cast<double>(K);
   }
   case Loss::CrossEntropy:
      if (K > 1) {
         const T log_sum = softmax(z, K, dz);
         dz[label] -= T(1);
         return log_sum - z[label];
      }
      [[fallthrough]];
   case Loss::SigmoidCrossEntropy: {
      double sum = 0;
      for (std::size_t k = 0; k < K; ++k)
         sum += sigmoid_cross_entropy(z[k], is_class(k), dz + k);
      return sum;
   }
   }
   return 0;
}

template void probabilities(const float *, std::size_t, std::size_t, float *);
template void probabilities(const double *, std::size_t, std::size_t, double *);
template double event_loss(Loss, double, const float *, std::size_t, std::int32_t, const float *, float *);
template double event_loss(Loss, double, const double *, std::size_t, std::int32_t, const double *, double *);

} // namespace TMVA_LSTM_ABI
} // namespace tmva_lstm
