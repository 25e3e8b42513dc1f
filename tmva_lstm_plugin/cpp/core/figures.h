/// \file
/// How well scores tell classes apart, as a training watches it: area below the ROC curve, accuracy. With event weights of either sign.
#pragma once

#include "namespace.h"

#include <cstddef>
#include <cstdint>
#include <string>

namespace tmva_lstm {
inline namespace TMVA_LSTM_ABI {

/// What decides whether the weights are the best so far, and when a training stops early.
enum class Monitor { Loss, Auc, Accuracy };

const char *monitor_name(Monitor monitor);
/// The inverse, of "loss", "auc" and "accuracy". Throws ArgumentError.
Monitor monitor_from_name(const std::string &name);
/// Whether `value` is better than `other`: a smaller loss, a larger figure of the others. NaN is never better.
bool is_better(Monitor monitor, double value, double other);
/// What every value is better than.
double worst(Monitor monitor);

/// Labels and weights of N events, not owned.
struct JudgedEvents {
   const std::int32_t *labels = nullptr; ///< (N), in [0, classes)
   const double *weights = nullptr;      ///< (N), or null: all 1
   std::size_t N = 0;
};

/// Area below the ROC curve of scores (N rows, `stride` apart) for one class against all others:
/// sum w_i w_j ([s_i > s_j] + [s_i = s_j] / 2) / (W W'), over i of the class and j of the others, whose weights sum to W and W'.
/// The sums run in the order of the scores, equal ones in that of the events. NaN if W or W' is
/// not above 0, or a score is NaN.
template <class T>
double class_auc(const T *scores, std::size_t stride, std::int32_t signal, const JudgedEvents &events);

/// From probabilities (N, classes): of two classes the AUC of the second one, else the mean over the classes, each against the rest.
template <class T>
double macro_auc(const T *probabilities, std::size_t classes, const JudgedEvents &events);

/// Part of the sum of weights of the events whose class has the highest probability (of equal ones the first); NaN if that sum
/// is not above 0.
template <class T>
double accuracy(const T *probabilities, std::size_t classes, const JudgedEvents &events);

} // namespace TMVA_LSTM_ABI
} // namespace tmva_lstm
