#include "dense_layer.h"

#include "error.h"

#include <algorithm>
#include <cmath>

namespace tmva_lstm {
inline namespace TMVA_LSTM_ABI {

const std::vector<std::string> &activation_names()
{
   static const std::vector<std::string> names{"LINEAR",   "RELU",     "TANH",    "FTANH",
                                               "SYMMRELU", "SOFTSIGN", "SIGMOID", "GAUSS"};
   return names;
}

const char *activation_name(Activation activation)
{
   return activation_names()[static_cast<std::size_t>(activation)].c_str();
}

Activation activation_from_name(const std::string &name)
{
   const auto &names = activation_names();
   const auto found = std::find(names.begin(), names.end(), name);
   if (found != names.end())
      return static_cast<Activation>(found - names.begin());
   std::string known;
   for (const auto &each : names)
      known += (known.empty() ? "" : ", ") + each;
   throw ArgumentError("there is no activation '" + name + "'; there are " + known);
}

namespace {

/// y = f(z), over n numbers.
template <class T>
void activate(const Kernels<T> &kernels, Activation activation, const T *z, T *y, std::size_t n)
{
   switch (activation) {
   case Activation::Linear: std::copy_n(z, n, y); break;
   case Activation::Relu:
      for (std::size_t k = 0; k < n; ++k)
         y[k] = std::max(z[k], T(0));
      break;
   case Activation::Tanh:
   case Activation::FastTanh: kernels.tanh(z, y, n); break;
   case Activation::SymmetricRelu:
      for (std::size_t k = 0; k < n; ++k)
         y[k] = std::abs(z[k]);
      break;
   case Activation::SoftSign:
      for (std::size_t k = 0; k < n; ++k)
         y[k] = z[k] / (1 + std::abs(z[k]));
      break;
   case Activation::Sigmoid: kernels.sigmoid(z, y, n); break;
   case Activation::Gauss:
      for (std::size_t k = 0; k < n; ++k)
         y[k] = -z[k] * z[k];
      kernels.exp(y, y, n);
      break;
   }
}

/// f'(z), from z and y = f(z).
template <class T>
T derivative(Activation activation, T y, T z)
{
   switch (activation) {
   case Activation::Linear: return 1;
   case Activation::Relu: return z > 0 ? T(1) : T(0);
   case Activation::Tanh:
   case Activation::FastTanh: return 1 - y * y;
   case Activation::SymmetricRelu: return z > 0 ? T(1) : z < 0 ? T(-1) : T(0);
   case Activation::SoftSign: return (1 - std::abs(y)) * (1 - std::abs(y));
   case Activation::Sigmoid: return y * (1 - y);
   case Activation::Gauss: return -2 * z * y;
   }
   return 1;
}

} // namespace

template <class T>
void DenseLayer<T>::pack(const T *W, const T *b)
{
   fKernels = &tmva_lstm::kernels<T>();
   fTransposed.require(fShape.inputs * fShape.width);
   T *transposed = fTransposed.data();
   for (std::size_t k = 0; k < fShape.width; ++k)
      for (std::size_t m = 0; m < fShape.inputs; ++m)
         transposed[m * fShape.width + k] = W[k * fShape.inputs + m];
   fForward.require(fKernels->packed_transposed_size(fShape.inputs, fShape.width));
   fKernels->pack_transposed(transposed, fShape.inputs, fShape.width, 0, fShape.width, fForward.data());
   fBackward.require(fKernels->packed_transposed_size(fShape.width, fShape.inputs));
   fKernels->pack_transposed(W, fShape.width, fShape.inputs, 0, fShape.inputs, fBackward.data());
   fBias.assign(b, b + fShape.width);
}

template <class T>
void DenseLayer<T>::forward(const T *x, T *pre, T *y, std::size_t n_lanes) const
{
   constexpr std::size_t L = kLanes<T>;
   fKernels->product(fForward.data(), fShape.inputs, fShape.width, x, pre, n_lanes);
   for (std::size_t k = 0; k < fShape.width; ++k) {
      for (std::size_t lane = 0; lane < n_lanes; ++lane)
         pre[k * L + lane] += fBias[k];
      std::fill(pre + k * L + n_lanes, pre + (k + 1) * L, T(0)); // lanes not in use stay finite
   }
   activate(*fKernels, fActivation, pre, y, fShape.width * L);
}

template <class T>
void DenseLayer<T>::backward(const T *x, const T *pre, const T *y, T *dy, T *dx, T *z, T *dpanel,
                             std::size_t n_lanes) const
{
   constexpr std::size_t L = kLanes<T>;
   for (std::size_t k = 0; k < fShape.width; ++k)
      for (std::size_t lane = 0; lane < L; ++lane) {
         const std::size_t at = k * L + lane;
         dy[at] = lane < n_lanes ? dy[at] * derivative(fActivation, y[at], pre[at]) : T(0);
      }
   std::fill(dy + fShape.width * L, dy + fShape.panel_rows() * L, T(0));
   if (dx)
      fKernels->product(fBackward.data(), fShape.width, fShape.inputs, dy, dx, n_lanes);
   const std::size_t C = fShape.template columns<T>();
   fKernels->transpose(x, fShape.inputs, C, z, n_lanes);
   fKernels->weight_gradient(fShape.panel_rows(), fShape.inputs, C, 1, dy, 0, z, &n_lanes, dpanel);
}

template <class T>
void DenseLayer<T>::unpack(const T *dpanel, T *dW, T *db) const
{
   const std::size_t C = fShape.template columns<T>();
   for (std::size_t k = 0; k < fShape.width; ++k) {
      std::copy_n(dpanel + k * C, fShape.inputs, dW + k * fShape.inputs);
      db[k] = dpanel[k * C + fShape.inputs];
   }
}

template class DenseLayer<float>;
template class DenseLayer<double>;

} // namespace TMVA_LSTM_ABI
} // namespace tmva_lstm
