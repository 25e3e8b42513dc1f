/// \file
/// The inner loops, as a table of functions: one table for each instruction set and precision, chosen at run time.
///
/// All arrays begin on a multiple of kAlignment bytes and have kLanes<T> lanes; `n_lanes` says how many of them are in use
/// (a prefix). What a lane computes never depends on the other lanes nor on its position: an event's score is the same, to
/// the bit, alone or in any batch. Equations (1) to (9) are those of lstm_layer.h.
#pragma once

#include "shapes.h"

namespace tmva_lstm {
inline namespace TMVA_LSTM_ABI {

template <class T>
struct Kernels {
   const char *name; ///< "plain", "baseline", "avx2", "avx512"

   /// Numbers that pack_gates() writes.
   std::size_t (*packed_gates_size)(LayerShape shape);
   /// Rearranges W (4H x D), U (4H x H), b (4H) into the order in which gates_forward() reads them.
   void (*pack_gates)(LayerShape shape, const T *W, const T *U, const T *b, T *packed);

   /// One step forward, equations (1) to (3).
   ///   gates  [4H][L]  out: i, f, g, o after their activations
   ///   c      [H][L]   out: c_t           tanh_c [H][L] out: tanh(c_t)       h [H][L] out: h_t
   ///   u      [D+H][L] in:  x_t, h_{t-1}  c_prev [H][L] in: c_{t-1}
   void (*gates_forward)(LayerShape shape, const T *packed, const T *u, const T *c_prev, T *gates, T *c, T *tanh_c, T *h,
                         std::size_t n_lanes);

   /// One step forward for scores alone: the same numbers, with nothing kept for a backward pass.
   ///   c      [H][L]   in: c_{t-1}, out: c_t          h [H][L]   out: h_t, not within u
   void (*state_forward)(LayerShape shape, const T *packed, const T *u, T *c, T *h, std::size_t n_lanes);

   /// Numbers that pack_units() writes.
   std::size_t (*packed_units_size)(LayerShape shape);
   /// Rearranges W, U, b for single_forward().
   void (*pack_units)(LayerShape shape, const T *W, const T *U, const T *b, T *packed);

   /// One step forward of one sequence by itself, the same numbers again: the units are the lanes. P = round_up(H, kPaddedUnits);
   /// what stands behind the H units is zero and stays so.
   ///   x [D]   h_prev [P] in: h_{t-1}   c [P] in: c_{t-1}, out: c_t   h [P] out: h_t, another array than h_prev
   void (*single_forward)(LayerShape shape, const T *packed, const T *x, const T *h_prev, T *c, T *h);

   /// One step of the elementwise backward pass, equations (4) to (6).
   ///   dgates [4H][L]  out: gradient with respect to the pre-activations; may be the array `gates` itself
   ///   dc     [H][L]   in: gradient of c_t from step t+1; out: gradient of c_{t-1}
   ///   dh     [H][L]   in: gradient of h_t
   void (*cell_backward)(std::size_t H, T *dgates, T *dc, const T *dh, const T *gates, const T *c_prev, const T *tanh_c,
                         std::size_t n_lanes);

   /// Rearranges the columns [first, first + columns) of `matrix` (rows x stride) for product(), transposed.
   std::size_t (*packed_transposed_size)(std::size_t rows, std::size_t columns);
   void (*pack_transposed)(const T *matrix, std::size_t rows, std::size_t stride, std::size_t first, std::size_t columns,
                           T *packed);

   /// out[columns][L] = matrix^T in[rows][L], for dh_{t-1} = U^T dgates and dx_t = W^T dgates, equations (7) and (8).
   void (*product)(const T *packed, std::size_t rows, std::size_t columns, const T *in, T *out, std::size_t n_lanes);

   /// Standardised features of one step into lanes: x[D][L] = (rows[lane][d] - mean[d]) * inverse[d]; lanes from n_lanes on
   /// hold zeros, so that what is computed for them stays finite. Rows need no alignment.
   void (*load_step)(std::size_t D, const T *const *rows, std::size_t n_lanes, const T *mean, const T *inverse, T *x);

   /// z[L][C] = transpose of u[inputs][L], then a column of ones, then zeros up to C; only the first n_lanes rows are needed.
   void (*transpose)(const T *u, std::size_t inputs, std::size_t C, T *z, std::size_t n_lanes);

   /// dparameters[rows][C] += sum over steps s and lanes e of dgates[s][rows][e] z[s][e][C], equation (9), in the first
   /// inputs + 1 columns; those behind are left or added zeros.
   ///   dgates  [n_steps] arrays [rows][L], `dgates_stride` numbers apart
   ///   z       [n_steps][L][C], of transpose()
   ///   n_lanes [n_steps] lanes in use at each step
   void (*weight_gradient)(std::size_t rows, std::size_t inputs, std::size_t C, std::size_t n_steps, const T *dgates,
                           std::size_t dgates_stride, const T *z, const std::size_t *n_lanes, T *dparameters);

   /// Elementwise 1 / (1 + exp(-x)) and tanh(x), as the gates use them; `count` any.
   void (*sigmoid)(const T *x, T *out, std::size_t count);
   void (*tanh)(const T *x, T *out, std::size_t count);
   /// y = exp(x), for the softmax.
   void (*exp)(const T *x, T *out, std::size_t count);
};

/// The table in use: the widest instruction set this processor has, or the one named by the environment variable
/// TMVA_LSTM_ISA (plain, baseline, avx2, avx512). Throws ArgumentError when that one is unknown or not available here.
template <class T>
const Kernels<T> &kernels();

/// Names of all tables this processor can run, slowest first.
const char *const *available_kernels(std::size_t &count);

// One function an instruction set and precision; see kernels_*.cpp.
const Kernels<float> *plain_kernels_f32();
const Kernels<double> *plain_kernels_f64();
const Kernels<float> *baseline_kernels_f32();
const Kernels<double> *baseline_kernels_f64();
const Kernels<float> *avx2_kernels_f32();
const Kernels<double> *avx2_kernels_f64();
const Kernels<float> *avx512_kernels_f32();
const Kernels<double> *avx512_kernels_f64();

} // namespace TMVA_LSTM_ABI
} // namespace tmva_lstm
