/// \file
/// The layer itself on plain arrays: what lstm_forward() and lstm_backward() of the Python door show.
///
/// Arrays are row-major with the sequence first: x (N, T, D). `lengths` (N) says how many steps of each sequence are true;
/// everything beyond is 0 in all results.
#pragma once

#include "lstm_layer.h"

#include <cstdint>

namespace tmva_lstm {
inline namespace TMVA_LSTM_ABI {

/// What forward and backward both need. Arrays are not owned.
template <class T>
struct LayerArrays {
   std::size_t N = 0, T_steps = 0;
   LayerShape shape;
   const T *x = nullptr;                  ///< (N, T, D)
   const T *W = nullptr;                  ///< (4H, D)
   const T *U = nullptr;                  ///< (4H, H)
   const T *b = nullptr;                  ///< (4H)
   const std::int64_t *lengths = nullptr; ///< (N)
   const T *h0 = nullptr;                 ///< (N, H), or null: zeros
   const T *c0 = nullptr;                 ///< (N, H), or null: zeros
};

/// Fills h (N, T, H), c (N, T, H) and gates (N, T, 4, H).
template <class T>
void layer_forward(const LayerArrays<T> &in, std::size_t n_threads, T *h, T *c, T *gates);

/// Results of layer_backward(), all written (not added to).
template <class T>
struct LayerArraysGradient {
   T *dx;       ///< (N, T, D)
   T *dW;       ///< (4H, D)
   T *dU;       ///< (4H, H)
   T *db;       ///< (4H)
   T *dh0;      ///< (N, H)
   T *dc0;      ///< (N, H)
   T *dgates;   ///< (N, T, 4, H), with respect to the pre-activations
   T *dh_total; ///< (N, T, H), all that reaches h_t
   T *dc_total; ///< (N, T, H), all that reaches c_t
};

/// From the results of layer_forward() and dh (N, T, H), the gradient of the loss with respect to h of each step.
template <class T>
void layer_backward(const LayerArrays<T> &in, const T *h, const T *c, const T *gates, const T *dh,
                    std::size_t n_threads, const LayerArraysGradient<T> &out);

} // namespace TMVA_LSTM_ABI
} // namespace tmva_lstm
