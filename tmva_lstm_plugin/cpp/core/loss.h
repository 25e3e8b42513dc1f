/// \file
/// The loss of one event from the network's outputs, and what the outputs mean.
#pragma once

#include "namespace.h"

#include <cstddef>
#include <cstdint>
#include <string>

namespace tmva_lstm {
inline namespace TMVA_LSTM_ABI {

/// Losses. `K` outputs z; class `label`, or targets y.
enum class Loss {
   CrossEntropy,        ///< K = 1: that of sigmoid(z); K > 1: that of softmax(z) (TMVA: MUTUALEXCLUSIVE)
   SigmoidCrossEntropy, ///< each class against the others by its own sigmoid(z_k), summed (TMVA's CROSSENTROPY)
   MeanSquaredError,    ///< mean over k of (z_k - y_k)^2; in a classification y is 1 for the event's class, else 0
   MeanAbsoluteError,   ///< mean over k of |z_k - y_k|, whose gradient is 0 where they are equal; for targets only
   Huber ///< mean over k of d^2 / 2 where d = |z_k - y_k| is below `huber_delta`, else huber_delta (d - huber_delta / 2); for targets only
};

/// Whether a loss compares outputs with targets; all others know classes.
constexpr bool is_for_targets(Loss loss)
{
   return loss == Loss::MeanSquaredError || loss == Loss::MeanAbsoluteError || loss == Loss::Huber;
}
/// Whether a loss knows classes.
constexpr bool is_for_classes(Loss loss)
{
   return loss != Loss::MeanAbsoluteError && loss != Loss::Huber;
}

const char *loss_name(Loss loss);
/// The inverse; throws ArgumentError with the names there are.
Loss loss_from_name(const std::string &name);

/// Loss of one event, and its gradient with respect to the K outputs. `targets` (K) is null in a classification.
template <class T>
double event_loss(Loss loss, double huber_delta, const T *z, std::size_t K, std::int32_t label, const T *targets, T *dz);

/// Class probabilities (n, classes) from outputs (n, K): one sigmoid for K = 1, else the softmax.
template <class T>
void probabilities(const T *z, std::size_t n, std::size_t K, T *out);

} // namespace TMVA_LSTM_ABI
} // namespace tmva_lstm
