#include "cells.h"

#include <algorithm>

namespace tmva_lstm {
inline namespace TMVA_LSTM_ABI {

namespace {

/// Where a block of rows of `gates` has its weights: the block of W (or U) it is multiplied with, -1 for none, and that of b.
struct Block {
   int W, U, b;
};

/// Of all blocks of rows, in the order in which they stand in `gates`.
const Block *blocks(const LayerShape &shape)
{
   static constexpr Block kGru[] = {{-1, 2, 3}, {0, 0, 0}, {1, 1, 1}, {2, -1, 2}}; // q, r, z, n
   static constexpr Block kOthers[] = {{0, 0, 0}, {1, 1, 1}, {2, 2, 2}, {3, 3, 3}};
   return shape.cell.kind == CellKind::Gru ? kGru : kOthers;
}

/// The rows of blocks [first, last) of a matrix with `columns` columns.
template <class T>
std::vector<T> gathered(const LayerShape &shape, int Block::*which, std::size_t first, std::size_t last, const T *matrix,
                        std::size_t columns)
{
   const std::size_t size = shape.H * columns;
   std::vector<T> rows;
   for (std::size_t n = first; n < last; ++n) {
      const T *from = matrix + static_cast<std::size_t>(blocks(shape)[n].*which) * size;
      rows.insert(rows.end(), from, from + size);
   }
   return rows;
}

/// Packs `matrix` (rows x columns) for a product that gives rows from columns.
template <class T>
void pack_forward(const Kernels<T> &kernels, const std::vector<T> &matrix, std::size_t columns, AlignedArray<T> &packed)
{
   const std::size_t rows = matrix.size() / columns;
   std::vector<T> transposed(matrix.size());
   for (std::size_t row = 0; row < rows; ++row)
      for (std::size_t column = 0; column < columns; ++column)
         transposed[column * rows + row] = matrix[row * columns + column];
   packed.require(kernels.packed_transposed_size(columns, rows));
   kernels.pack_transposed(transposed.data(), columns, rows, 0, rows, packed.data());
}

/// [left | right], row by row.
template <class T>
std::vector<T> side_by_side(const std::vector<T> &left, std::size_t D, const std::vector<T> &right, std::size_t H)
{
   std::vector<T> both;
   both.reserve(left.size() + right.size());
   for (std::size_t row = 0; row * D < left.size(); ++row) {
      both.insert(both.end(), left.begin() + row * D, left.begin() + (row + 1) * D);
      both.insert(both.end(), right.begin() + row * H, right.begin() + (row + 1) * H);
   }
   return both;
}

} // namespace

template <class T>
void PackedCell<T>::pack(LayerShape shape, const T *flat)
{
   fShape = shape;
   fKernels = &tmva_lstm::kernels<T>();
   const std::size_t D = shape.D, H = shape.H, sums = shape.sums();
   const T *W = flat, *U = W + shape.gates() * H * D, *b = U + shape.gates() * H * H, *peepholes = b + sums * H;
   const bool gru = shape.cell.kind == CellKind::Gru;
   // rows [first_U, last_U) meet h, rows [first_W, sums) meet x
   const std::size_t last_U = gru ? 3 : sums, first_W = gru ? 1 : 0;
   const std::vector<T> inputs = gathered(shape, &Block::W, first_W, sums, W, D);
   const std::vector<T> states = gathered(shape, &Block::U, 0, last_U, U, H);
   fStateTransposed.require(fKernels->packed_transposed_size(last_U * H, H));
   fKernels->pack_transposed(states.data(), last_U * H, H, 0, H, fStateTransposed.data());
   fInputTransposed.require(fKernels->packed_transposed_size((sums - first_W) * H, D));
   fKernels->pack_transposed(inputs.data(), (sums - first_W) * H, D, 0, D, fInputTransposed.data());
   fForward.resize(gru ? 3 : 1);
   if (gru) {
      pack_forward(*fKernels, gathered(shape, &Block::U, 0, 1, U, H), H, fForward[0]);
      pack_forward(*fKernels, side_by_side(gathered(shape, &Block::W, 1, 3, W, D), D, gathered(shape, &Block::U, 1, 3, U, H), H),
                   D + H, fForward[1]);
      pack_forward(*fKernels, gathered(shape, &Block::W, 3, 4, W, D), D, fForward[2]);
   } else {
      pack_forward(*fKernels, side_by_side(inputs, D, states, H), D + H, fForward[0]);
   }
   fBias = gathered(shape, &Block::b, 0, sums, b, 1);
   fPeephole.assign(peepholes, peepholes + shape.peepholes() * H);
}

template <class T>
void PackedCell<T>::sums(const T *u, T *gates, std::size_t n_lanes) const
{
   constexpr std::size_t L = kLanes<T>;
   const std::size_t D = fShape.D, H = fShape.H;
   if (fShape.cell.kind != CellKind::Gru) {
      fKernels->product(fForward[0].data(), D + H, fShape.sums() * H, u, gates, n_lanes);
      return;
   }
   fKernels->product(fForward[0].data(), H, H, u + D * L, gates, n_lanes);
   fKernels->product(fForward[1].data(), D + H, 2 * H, u, gates + H * L, n_lanes);
   fKernels->product(fForward[2].data(), D, H, u, gates + 3 * H * L, n_lanes);
}

template <class T>
template <class F>
void PackedCell<T>::squash(F function, std::size_t first, std::size_t rows, T *gates, std::size_t n_lanes) const
{
   constexpr std::size_t L = kLanes<T>;
   for (std::size_t row = first; row < first + rows; ++row) {
      T *at = gates + row * L;
      const T bias = fBias[row];
      for (std::size_t lane = 0; lane < n_lanes; ++lane)
         at[lane] += bias;
      function(at, at, n_lanes);
   }
}

template <class T>
void PackedCell<T>::forward(const T *u, const T *c_prev, T *gates, T *c, T *tanh_c, T *h, std::size_t n_lanes) const
{
   constexpr std::size_t L = kLanes<T>;
   const std::size_t H = fShape.H, gate = H * L;
   const auto each = [&](auto work) {
      for (std::size_t j = 0; j < H; ++j)
         for (std::size_t lane = 0; lane < n_lanes; ++lane)
            work(j, j * L + lane);
   };
   const auto nothing = [](const T *, T *, std::size_t) {};
   sums(u, gates, n_lanes);
   switch (fShape.cell.kind) {
   case CellKind::Rnn: // (14)
      squash(fKernels->tanh, 0, H, gates, n_lanes);
      each([&](std::size_t, std::size_t at) { h[at] = c[at] = gates[at]; });
      return;
   case CellKind::Gru: // (11) to (13); q stays as it is
      squash(nothing, 0, H, gates, n_lanes);
      squash(fKernels->sigmoid, H, 2 * H, gates, n_lanes);
      each([&](std::size_t, std::size_t at) { gates[3 * gate + at] += gates[gate + at] * gates[at]; });
      squash(fKernels->tanh, 3 * H, H, gates, n_lanes);
      each([&](std::size_t, std::size_t at) {
         const T z = gates[2 * gate + at], n = gates[3 * gate + at];
         h[at] = c[at] = (1 - z) * n + z * c_prev[at];
      });
      return;
   case CellKind::Lstm: break;
   }
   const bool coupled = fShape.cell.coupled, peepholes = fShape.cell.peepholes;
   const std::size_t g = coupled ? 1 : 2, o = coupled ? 2 : 3; // blocks of rows
   const T *p = fPeephole.data();
   if (peepholes) // (10)
      for (std::size_t k = 0; k < g; ++k)
         each([&](std::size_t j, std::size_t at) { gates[k * gate + at] += p[k * H + j] * c_prev[at]; });
   squash(fKernels->sigmoid, 0, g * H, gates, n_lanes);
   squash(fKernels->tanh, g * H, H, gates, n_lanes);
   each([&](std::size_t, std::size_t at) { // (2)
      const T i = gates[at], f = coupled ? 1 - i : gates[gate + at];
      c[at] = f * c_prev[at] + i * gates[g * gate + at];
   });
   if (peepholes)
      each([&](std::size_t j, std::size_t at) { gates[o * gate + at] += p[g * H + j] * c[at]; });
   squash(fKernels->sigmoid, o * H, H, gates, n_lanes);
   for (std::size_t j = 0; j < H; ++j)
      fKernels->tanh(c + j * L, tanh_c + j * L, n_lanes);
   each([&](std::size_t, std::size_t at) { h[at] = gates[o * gate + at] * tanh_c[at]; }); // (3)
}

template <class T>
void PackedCell<T>::backward(T *gates, T *dc, const T *dh, const T *c_prev, const T *c, const T *tanh_c, T *dparameters,
                             std::size_t n_lanes) const
{
   constexpr std::size_t L = kLanes<T>;
   const std::size_t H = fShape.H, gate = H * L;
   std::fill(gates + fShape.sums() * gate, gates + fShape.rows() * L, T(0));
   if (fShape.cell.kind != CellKind::Lstm) {
      for (std::size_t j = 0; j < H; ++j)
         for (std::size_t lane = 0; lane < n_lanes; ++lane) {
            const std::size_t at = j * L + lane;
            if (fShape.cell.kind == CellKind::Rnn) {
               gates[at] = dh[at] * (1 - gates[at] * gates[at]);
               dc[at] = 0;
               continue;
            }
            const T q = gates[at], r = gates[gate + at], z = gates[2 * gate + at], n = gates[3 * gate + at];
            const T dh_t = dh[at] + dc[at]; // c is h, which also goes on as it is
            const T dn = dh_t * (1 - z) * (1 - n * n);
            gates[at] = dn * r;
            gates[gate + at] = dn * q * r * (1 - r);
            gates[2 * gate + at] = dh_t * (c_prev[at] - n) * z * (1 - z);
            gates[3 * gate + at] = dn;
            dc[at] = dh_t * z;
         }
      return;
   }
   const bool coupled = fShape.cell.coupled, peepholes = fShape.cell.peepholes;
   const std::size_t g_at = coupled ? 1 : 2, o_at = coupled ? 2 : 3, C = fShape.template columns<T>();
   const auto peephole = [&](std::size_t k, std::size_t j) { return peepholes ? fPeephole[k * H + j] : T(0); };
   for (std::size_t j = 0; j < H; ++j) {
      const T p_i = peephole(0, j), p_f = coupled ? T(0) : peephole(1, j), p_o = peephole(g_at, j);
      T dp_i = 0, dp_f = 0, dp_o = 0;
      for (std::size_t lane = 0; lane < n_lanes; ++lane) {
         const std::size_t at = j * L + lane;
         const T i = gates[at], f = coupled ? 1 - i : gates[gate + at], g = gates[g_at * gate + at], o = gates[o_at * gate + at];
         const T d_o = dh[at] * tanh_c[at] * o * (1 - o);
         const T dcell = dc[at] + dh[at] * o * (1 - tanh_c[at] * tanh_c[at]) + d_o * p_o;
         const T d_i = dcell * (coupled ? g - c_prev[at] : g) * i * (1 - i);
         const T d_f = coupled ? T(0) : dcell * c_prev[at] * f * (1 - f);
         gates[at] = d_i;
         if (!coupled)
            gates[gate + at] = d_f;
         gates[g_at * gate + at] = dcell * i * (1 - g * g);
         gates[o_at * gate + at] = d_o;
         dc[at] = dcell * f + d_i * p_i + d_f * p_f;
         dp_i += d_i * c_prev[at];
         dp_f += d_f * c_prev[at];
         dp_o += d_o * c[at];
      }
      if (peepholes && dparameters) {
         T *column = dparameters + fShape.inputs() + 1;
         column[j * C] += dp_i;
         if (!coupled)
            column[(H + j) * C] += dp_f;
         column[(o_at * H + j) * C] += dp_o;
      }
   }
}

template <class T>
void PackedCell<T>::state_gradient(const T *dgates, T *dh, std::size_t n_lanes) const
{
   const std::size_t rows = fShape.cell.kind == CellKind::Gru ? 3 * fShape.H : fShape.sums() * fShape.H;
   fKernels->product(fStateTransposed.data(), rows, fShape.H, dgates, dh, n_lanes);
}

template <class T>
void PackedCell<T>::input_gradient(const T *dgates, T *dx, std::size_t n_lanes) const
{
   const std::size_t first = fShape.cell.kind == CellKind::Gru ? fShape.H : 0;
   fKernels->product(fInputTransposed.data(), fShape.sums() * fShape.H - first, fShape.D, dgates + first * kLanes<T>, dx, n_lanes);
}

template <class T>
void unpack_gradient(LayerShape shape, const T *panel, T *flat)
{
   const std::size_t D = shape.D, H = shape.H, C = shape.template columns<T>(), gates = shape.gates();
   T *W = flat, *U = W + gates * H * D, *b = U + gates * H * H, *peepholes = b + shape.sums() * H;
   for (std::size_t block = 0; block < shape.sums(); ++block) {
      const Block at = blocks(shape)[block];
      for (std::size_t j = 0; j < H; ++j) {
         const T *row = panel + (block * H + j) * C;
         if (at.W >= 0)
            std::copy_n(row, D, W + (static_cast<std::size_t>(at.W) * H + j) * D);
         if (at.U >= 0)
            std::copy_n(row + D, H, U + (static_cast<std::size_t>(at.U) * H + j) * H);
         b[static_cast<std::size_t>(at.b) * H + j] = row[D + H];
      }
   }
   for (std::size_t n = 0; n < shape.peepholes(); ++n) {
      const std::size_t block = n + 1 < shape.peepholes() ? n : gates - 1; // i, f as far as there is one; o is the last gate
      for (std::size_t j = 0; j < H; ++j)
         peepholes[n * H + j] = panel[(block * H + j) * C + D + H + 1];
   }
}

#define TMVA_LSTM_INSTANTIATE(T)                                                                                       \
   template class PackedCell<T>;                                                                                       \
   template void unpack_gradient(LayerShape, const T *, T *);

TMVA_LSTM_INSTANTIATE(float)
TMVA_LSTM_INSTANTIATE(double)

} // namespace TMVA_LSTM_ABI
} // namespace tmva_lstm
