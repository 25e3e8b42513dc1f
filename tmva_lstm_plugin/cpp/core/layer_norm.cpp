#include "layer_norm.h"

#include <cmath>

namespace tmva_lstm {
inline namespace TMVA_LSTM_ABI {

template <class T>
void normalise(std::size_t rows, const T *gain, const T *bias, T *x, T *normalised, T *inverse, std::size_t n_lanes)
{
   constexpr std::size_t L = kLanes<T>;
   const T count = static_cast<T>(rows);
   T mean[L] = {}, variance[L] = {};
   for (std::size_t j = 0; j < rows; ++j)
      for (std::size_t lane = 0; lane < n_lanes; ++lane)
         mean[lane] += x[j * L + lane];
   for (std::size_t lane = 0; lane < n_lanes; ++lane)
      mean[lane] /= count;
   for (std::size_t j = 0; j < rows; ++j)
      for (std::size_t lane = 0; lane < n_lanes; ++lane) {
         const T off = x[j * L + lane] - mean[lane];
         normalised[j * L + lane] = off;
         variance[lane] += off * off;
      }
   for (std::size_t lane = 0; lane < n_lanes; ++lane)
      inverse[lane] = T(1) / std::sqrt(variance[lane] / count + T(1e-5));
   for (std::size_t j = 0; j < rows; ++j)
      for (std::size_t lane = 0; lane < n_lanes; ++lane) {
         const std::size_t at = j * L + lane;
         normalised[at] *= inverse[lane];
         x[at] = gain[j] * normalised[at] + bias[j];
      }
}

template <class T>
void normalise_backward(std::size_t rows, const T *gain, T *dy, const T *normalised, const T *inverse, T *dgain, T *dbias,
                        std::size_t n_lanes)
{
   constexpr std::size_t L = kLanes<T>;
   const T count = static_cast<T>(rows);
   T mean[L] = {}, along[L] = {}; // of the quotient's gradient, and of its product with the quotient
   for (std::size_t j = 0; j < rows; ++j) {
      T gain_sum = 0, bias_sum = 0;
      for (std::size_t lane = 0; lane < n_lanes; ++lane) {
         const std::size_t at = j * L + lane;
         gain_sum += dy[at] * normalised[at];
         bias_sum += dy[at];
         dy[at] *= gain[j];
         mean[lane] += dy[at];
         along[lane] += dy[at] * normalised[at];
      }
      dgain[j] += gain_sum;
      dbias[j] += bias_sum;
   }
   for (std::size_t lane = 0; lane < n_lanes; ++lane) {
      mean[lane] /= count;
      along[lane] /= count;
   }
   for (std::size_t j = 0; j < rows; ++j)
      for (std::size_t lane = 0; lane < n_lanes; ++lane) {
         const std::size_t at = j * L + lane;
         dy[at] = inverse[lane] * (dy[at] - mean[lane] - normalised[at] * along[lane]);
      }
}

template void normalise(std::size_t, const float *, const float *, float *, float *, float *, std::size_t);
template void normalise(std::size_t, const double *, const double *, double *, double *, double *, std::size_t);
template void normalise_backward(std::size_t, const float *, float *, const float *, const float *, float *, float *, std::size_t);
template void normalise_backward(std::size_t, const double *, double *, const double *, const double *, double *, double *,
                                 std::size_t);

} // namespace TMVA_LSTM_ABI
} // namespace tmva_lstm
