/// \file
/// The plain twin of every kernel: loops that follow the equations of lstm_layer.h, without vector code.
///
/// Tests hold the vector kernels against these; TMVA_LSTM_ISA=plain runs everything on them.
#include "kernels.h"

#include <cmath>

namespace tmva_lstm {
inline namespace TMVA_LSTM_ABI {
namespace {

template <class T>
T sigmoid(T x)
{
   return T(1) / (T(1) + std::exp(-x));
}

std::size_t packed_gates_size(LayerShape s)
{
   return s.rows() * (s.inputs() + 1);
}

/// Row by row: b, then W, then U.
template <class T>
void pack_gates(LayerShape s, const T *W, const T *U, const T *b, T *packed)
{
   for (std::size_t row = 0; row < s.rows(); ++row) {
      *packed++ = b[row];
      for (std::size_t d = 0; d < s.D; ++d)
         *packed++ = W[row * s.D + d];
      for (std::size_t j = 0; j < s.H; ++j)
         *packed++ = U[row * s.H + j];
   }
}

/// Gates of unit j, equation (1); input(k) is number k of [x_t; h_{t-1}].
template <class T, class Input>
void unit_gates(LayerShape s, const T *packed, std::size_t j, Input input, T (&gate)[4])
{
   for (std::size_t k = 0; k < 4; ++k) {
      const T *row = packed + (k * s.H + j) * (s.inputs() + 1);
      T sum = row[0];
      for (std::size_t n = 0; n < s.inputs(); ++n)
         sum += row[1 + n] * input(n);
      gate[k] = k == 2 ? std::tanh(sum) : sigmoid(sum);
   }
}

template <class T>
void gates_forward(LayerShape s, const T *packed, const T *u, const T *c_prev, T *gates, T *c, T *tanh_c, T *h,
                   std::size_t n_lanes)
{
   constexpr std::size_t L = kLanes<T>;
   for (std::size_t lane = 0; lane < n_lanes; ++lane)
      for (std::size_t j = 0; j < s.H; ++j) {
         T gate[4];
         unit_gates(s, packed, j, [&](std::size_t n) { return u[n * L + lane]; }, gate);
         for (std::size_t k = 0; k < 4; ++k)
            gates[(k * s.H + j) * L + lane] = gate[k];
         const std::size_t at = j * L + lane;
         c[at] = gate[1] * c_prev[at] + gate[0] * gate[2];
         tanh_c[at] = std::tanh(c[at]);
         h[at] = gate[3] * tanh_c[at];
      }
}

template <class T>
void state_forward(LayerShape s, const T *packed, const T *u, T *c, T *h, std::size_t n_lanes)
{
   constexpr std::size_t L = kLanes<T>;
   for (std::size_t lane = 0; lane < n_lanes; ++lane)
      for (std::size_t j = 0; j < s.H; ++j) {
         T gate[4];
         unit_gates(s, packed, j, [&](std::size_t n) { return u[n * L + lane]; }, gate);
         T &cell = c[j * L + lane];
         cell = gate[1] * cell + gate[0] * gate[2];
         h[j * L + lane] = gate[3] * std::tanh(cell);
      }
}

template <class T>
void single_forward(LayerShape s, const T *packed, const T *x, const T *h_prev, T *c, T *h)
{
   for (std::size_t j = 0; j < s.H; ++j) {
      T gate[4];
      unit_gates(s, packed, j, [&](std::size_t n) { return n < s.D ? x[n] : h_prev[n - s.D]; }, gate);
      c[j] = gate[1] * c[j] + gate[0] * gate[2];
      h[j] = gate[3] * std::tanh(c[j]);
   }
   for (std::size_t j = s.H; j < round_up(s.H, kPaddedUnits); ++j)
      h[j] = T(0);
}

template <class T>
void cell_backward(std::size_t H, T *dgates, T *dc, const T *dh, const T *gates, const T *c_prev, const T *tanh_c,
                   std::size_t n_lanes)
{
   constexpr std::size_t L = kLanes<T>;
   for (std::size_t j = 0; j < H; ++j)
      for (std::size_t lane = 0; lane < n_lanes; ++lane) {
         const std::size_t at = j * L + lane, gate = H * L;
         const T i = gates[at], f = gates[gate + at], g = gates[2 * gate + at], o = gates[3 * gate + at];
         const T dcell = dc[at] + dh[at] * o * (1 - tanh_c[at] * tanh_c[at]);
         dgates[at] = dcell * g * i * (1 - i);
         dgates[gate + at] = dcell * c_prev[at] * f * (1 - f);
         dgates[2 * gate + at] = dcell * i * (1 - g * g);
         dgates[3 * gate + at] = dh[at] * tanh_c[at] * o * (1 - o);
         dc[at] = dcell * f;
      }
}

std::size_t packed_transposed_size(std::size_t rows, std::size_t columns)
{
   return rows * columns;
}

template <class T>
void pack_transposed(const T *matrix, std::size_t rows, std::size_t stride, std::size_t first, std::size_t columns,
                     T *packed)
{
   for (std::size_t column = 0; column < columns; ++column)
      for (std::size_t row = 0; row < rows; ++row)
         *packed++ = matrix[row * stride + first + column];
}

template <class T>
void product(const T *packed, std::size_t rows, std::size_t columns, const T *in, T *out, std::size_t n_lanes)
{
   constexpr std::size_t L = kLanes<T>;
   for (std::size_t column = 0; column < columns; ++column)
      for (std::size_t lane = 0; lane < n_lanes; ++lane) {
         T sum = 0;
         for (std::size_t row = 0; row < rows; ++row)
            sum += packed[column * rows + row] * in[row * L + lane];
         out[column * L + lane] = sum;
      }
}

template <class T>
void load_step(std::size_t D, const T *const *rows, std::size_t n_lanes, const T *mean, const T *inverse, T *x)
{
   constexpr std::size_t L = kLanes<T>;
   for (std::size_t d = 0; d < D; ++d)
      for (std::size_t lane = 0; lane < L; ++lane)
         x[d * L + lane] = lane < n_lanes ? (rows[lane][d] - mean[d]) * inverse[d] : T(0);
}

template <class T>
void transpose(const T *u, std::size_t inputs, std::size_t C, T *z, std::size_t n_lanes)
{
   constexpr std::size_t L = kLanes<T>;
   for (std::size_t lane = 0; lane < n_lanes; ++lane)
      for (std::size_t column = 0; column < C; ++column)
         z[lane * C + column] = column < inputs ? u[column * L + lane] : T(column == inputs ? 1 : 0);
}

template <class T>
void weight_gradient(std::size_t rows, std::size_t inputs, std::size_t C, std::size_t n_steps, const T *dgates,
                     std::size_t dgates_stride, const T *z, const std::size_t *n_lanes, T *dparameters)
{
   constexpr std::size_t L = kLanes<T>;
   for (std::size_t step = 0; step < n_steps; ++step)
      for (std::size_t lane = 0; lane < n_lanes[step]; ++lane)
         for (std::size_t row = 0; row < rows; ++row)
            for (std::size_t column = 0; column <= inputs; ++column)
               dparameters[row * C + column] +=
                  dgates[step * dgates_stride + row * L + lane] * z[(step * L + lane) * C + column];
}

template <class T>
void sigmoid_array(const T *x, T *out, std::size_t count)
{
   for (std::size_t n = 0; n < count; ++n)
      out[n] = sigmoid(x[n]);
}

template <class T>
void tanh_array(const T *x, T *out, std::size_t count)
{
   for (std::size_t n = 0; n < count; ++n)
      out[n] = std::tanh(x[n]);
}

template <class T>
void exp_array(const T *x, T *out, std::size_t count)
{
   for (std::size_t n = 0; n < count; ++n)
      out[n] = std::exp(x[n]);
}

template <class T>
constexpr Kernels<T> kTable{"plain",
                            packed_gates_size,
                            pack_gates<T>,
                            gates_forward<T>,
                            state_forward<T>,
                            packed_gates_size,
                            pack_gates<T>,
                            single_forward<T>,
                            cell_backward<T>,
                            packed_transposed_size,
                            pack_transposed<T>,
                            product<T>,
                            load_step<T>,
                            transpose<T>,
                            weight_gradient<T>,
                            sigmoid_array<T>,
                            tanh_array<T>,
                            exp_array<T>};

} // namespace

const Kernels<float> *plain_kernels_f32()
{
   return &kTable<float>;
}

const Kernels<double> *plain_kernels_f64()
{
   return &kTable<double>;
}

} // namespace TMVA_LSTM_ABI
} // namespace tmva_lstm
