/// \file
/// Cross entropy from logits, and probabilities.
#include "network.h"

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

template <class T>
double cross_entropy(const T *logits, std::size_t K, std::int32_t label, T *dlogits)
{
   if (K == 1) {
      // -y log(sigmoid(z)) - (1 - y) log(1 - sigmoid(z)) = max(z, 0) - y z + log(1 + exp(-|z|))
      const T z = *logits;
      *dlogits = sigmoid(z) - T(label);
      return std::max(z, T(0)) - (label ? z : T(0)) + std::log1p(std::exp(-std::abs(z)));
   }
   const T log_sum = softmax(logits, K, dlogits);
   dlogits[label] -= T(1);
   return log_sum - logits[label];
}

template void probabilities(const float *, std::size_t, std::size_t, float *);
template void probabilities(const double *, std::size_t, std::size_t, double *);
template double cross_entropy(const float *, std::size_t, std::int32_t, float *);
template double cross_entropy(const double *, std::size_t, std::int32_t, double *);

} // namespace TMVA_LSTM_ABI
} // namespace tmva_lstm
