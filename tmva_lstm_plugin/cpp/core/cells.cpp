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
   return shape.cell.reset_after() ? kGru : kOthers;
}

} // namespace

/// The rows of blocks [first, last), from the matrices W and U (either may be null) side by side; for b: W is b, with one column.
template <class T>
void PackedCell<T>::gather(std::size_t first, std::size_t last, bool biases, const T *W, std::size_t D, const T *U, std::size_t H)
{
   fRows.clear();
   for (std::size_t n = first; n < last; ++n) {
      const Block block = blocks(fShape)[n];
      for (std::size_t j = 0; j < fShape.H; ++j) {
         const auto add = [&](int at, const T *matrix, std::size_t columns) {
            const T *row = matrix + (static_cast<std::size_t>(at) * fShape.H + j) * columns;
            fRows.insert(fRows.end(), row, row + columns);
         };
         if (W)
            add(biases ? block.b : block.W, W, D);
         if (U)
            add(block.U, U, H);
      }
   }
}

/// Packs the gathered rows for a product that gives them from `columns` inputs.
template <class T>
void PackedCell<T>::pack_rows(std::size_t columns, AlignedArray<T> &packed)
{
   const std::size_t rows = fRows.size() / columns;
   fTransposed.resize(fRows.size());
   for (std::size_t row = 0; row < rows; ++row)
      for (std::size_t column = 0; column < columns; ++column)
         fTransposed[column * rows + row] = fRows[row * columns + column];
   packed.require(fKernels->packed_transposed_size(columns, rows));
   fKernels->pack_transposed(fTransposed.data(), columns, rows, 0, rows, packed.data());
}

/// The same for the way back, from the rows to the inputs.
template <class T>
void PackedCell<T>::pack_back(std::size_t columns, AlignedArray<T> &packed)
{
   const std::size_t rows = fRows.size() / columns;
   packed.require(fKernels->packed_transposed_size(rows, columns));
   fKernels->pack_transposed(fRows.data(), rows, columns, 0, columns, packed.data());
}

template <class T>
void PackedCell<T>::pack(LayerShape shape, const T *flat)
{
   fShape = shape;
   fKernels = &tmva_lstm::kernels<T>();
   const std::size_t D = shape.D, H = shape.H, sums = shape.sums();
   const T *W = flat, *U = W + shape.gates() * H * D, *b = U + shape.gates() * H * H, *peepholes = b + sums * H;
   const bool reset_after = shape.cell.reset_after(), reset_before = shape.cell.reset_before;
   // rows [0, last_U) meet h, rows [first_W, sums) meet x
   const std::size_t last_U = reset_after ? 3 : reset_before ? 2 : sums, first_W = reset_after ? 1 : 0;
   gather(0, last_U, false, nullptr, 0, U, H);
   pack_back(H, fStateTransposed);
   gather(first_W, sums, false, W, D, nullptr, 0);
   pack_back(D, fInputTransposed);
   if (reset_after) {
      gather(0, 1, false, nullptr, 0, U, H);
      pack_rows(H, fForward[0]);
      gather(1, 3, false, W, D, U, H);
      pack_rows(D + H, fForward[1]);
      gather(3, 4, false, W, D, nullptr, 0);
      pack_rows(D, fForward[2]);
   } else if (reset_before) {
      gather(0, 2, false, W, D, U, H);
      pack_rows(D + H, fForward[0]);
      gather(2, 3, false, W, D, nullptr, 0);
      pack_rows(D, fForward[1]);
      gather(2, 3, false, nullptr, 0, U, H);
      pack_rows(H, fForward[2]);
      pack_back(H, fCandidateTransposed);
   } else {
      gather(0, sums, false, W, D, U, H);
      pack_rows(D + H, fForward[0]);
   }
   gather(0, sums, true, b, 1, nullptr, 0);
   fBias = fRows;
   fPeephole.assign(peepholes, peepholes + shape.peepholes() * H);
}

template <class T>
void PackedCell<T>::sums(const T *u, T *gates, std::size_t n_lanes) const
{
   constexpr std::size_t L = kLanes<T>;
   const std::size_t D = fShape.D, H = fShape.H;
   if (fShape.cell.reset_before) { // what the candidate's sum has of h is added by candidate()
      fKernels->product(fForward[0].data(), D + H, 2 * H, u, gates, n_lanes);
      fKernels->product(fForward[1].data(), D, H, u, gates + 2 * H * L, n_lanes);
      return;
   }
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

/// (12'), from r and W_n x_t in `gates`: m [H][L], and n. `room` [H][L].
template <class T>
void PackedCell<T>::candidate(const T *h_prev, T *gates, T *m, T *room, std::size_t n_lanes) const
{
   constexpr std::size_t L = kLanes<T>;
   const std::size_t H = fShape.H;
   T *n = gates + 2 * H * L;
   for (std::size_t j = 0; j < H; ++j) {
      for (std::size_t lane = 0; lane < n_lanes; ++lane)
         m[j * L + lane] = gates[j * L + lane] * h_prev[j * L + lane];
      std::fill(m + j * L + n_lanes, m + (j + 1) * L, T(0)); // the product takes whole registers
   }
   fKernels->product(fForward[2].data(), H, H, m, room, n_lanes);
   for (std::size_t j = 0; j < H; ++j)
      for (std::size_t lane = 0; lane < n_lanes; ++lane)
         n[j * L + lane] += room[j * L + lane];
   squash(fKernels->tanh, 2 * H, H, gates, n_lanes);
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
   case CellKind::Gru: // (11) to (13)
      if (fShape.cell.reset_before) {
         squash(fKernels->sigmoid, 0, 2 * H, gates, n_lanes);
         candidate(u + fShape.D * L, gates, tanh_c, h, n_lanes);
         each([&](std::size_t, std::size_t at) {
            const T z = gates[gate + at], n = gates[2 * gate + at];
            h[at] = c[at] = (1 - z) * n + z * c_prev[at];
         });
         return;
      }
      // q stays as it is
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
   for (std::size_t row = 0; row < fShape.sums() * H; ++row) // lanes that do not run yet: the product takes whole registers
      std::fill(gates + row * L + n_lanes, gates + (row + 1) * L, T(0));
   if (fShape.cell.kind != CellKind::Lstm) {
      for (std::size_t j = 0; j < H; ++j)
         for (std::size_t lane = 0; lane < n_lanes; ++lane) {
            const std::size_t at = j * L + lane;
            if (fShape.cell.kind == CellKind::Rnn) {
               gates[at] = dh[at] * (1 - gates[at] * gates[at]);
               dc[at] = 0;
               continue;
            }
            const std::size_t z_at = fShape.cell.reset_before ? gate + at : 2 * gate + at, n_at = z_at + gate;
            const T z = gates[z_at], n = gates[n_at];
            const T dh_t = dh[at] + dc[at]; // c is h, which also goes on as it is
            const T dn = dh_t * (1 - z) * (1 - n * n);
            if (!fShape.cell.reset_before) {
               const T q = gates[at], r = gates[gate + at];
               gates[at] = dn * r;
               gates[gate + at] = dn * q * r * (1 - r);
            }
            gates[z_at] = dh_t * (c_prev[at] - n) * z * (1 - z);
            gates[n_at] = dn;
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
void PackedCell<T>::state_gradient(T *dgates, const T *h_prev, T *dh, T *room, std::size_t n_lanes) const
{
   constexpr std::size_t L = kLanes<T>;
   const std::size_t H = fShape.H;
   if (!fShape.cell.reset_before) {
      fKernels->product(fStateTransposed.data(), fShape.cell.kind == CellKind::Gru ? 3 * H : fShape.sums() * H, H, dgates, dh, n_lanes);
      return;
   }
   fKernels->product(fCandidateTransposed.data(), H, H, dgates + 2 * H * L, room, n_lanes); // dm
   const auto each = [&](auto work) {
      for (std::size_t j = 0; j < H; ++j)
         for (std::size_t lane = 0; lane < n_lanes; ++lane)
            work(j * L + lane);
   };
   each([&](std::size_t at) {
      const T r = dgates[at], dm = room[at];
      dgates[at] = dm * h_prev[at] * r * (1 - r);
      room[at] = dm * r;
   });
   fKernels->product(fStateTransposed.data(), 2 * H, H, dgates, dh, n_lanes);
   each([&](std::size_t at) { dh[at] += room[at]; });
}

template <class T>
void PackedCell<T>::input_gradient(const T *dgates, T *dx, std::size_t n_lanes) const
{
   const std::size_t first = fShape.cell.reset_after() ? fShape.H : 0;
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
         const bool behind = shape.cell.reset_before && block == 2; // see LayerShape::panel_rows
         const std::size_t row_at = block * H + j;
         const T *row = panel + (behind ? shape.gate_panel_rows() + row_at - shape.first_candidate_row() : row_at) * C;
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
