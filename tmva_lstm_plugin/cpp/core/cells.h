/// \file
/// Recurrent cells beside the plain LSTM of lstm_layer.h: one step of each, forward and backward, over a block.
///
/// Products in these equations are element by element but for those of a matrix with a vector.
///
/// LSTM with peepholes p (F. A. Gers, J. Schmidhuber, IJCNN 2000): equations (1) to (3) of lstm_layer.h with
///
///   (10)  i, f = sigmoid(W x_t + U h_{t-1} + b + p c_{t-1}),   o = sigmoid(W x_t + U h_{t-1} + b + p c_t)
///
/// LSTM with coupled gates (K. Greff et al., arXiv:1503.04069, "CIFG"): f = 1 - i, with rows for i, g, o alone.
///
/// GRU (K. Cho et al., arXiv:1406.1078, with the reset gate behind the product, as cuDNN, PyTorch and TMVA's ResetGateAfter):
///
///   (11)  r, z = sigmoid(W x_t + U h_{t-1} + b)
///   (12)  n = tanh(W_n x_t + b_n + r q),   q = U_n h_{t-1} + b_q
///   (13)  h_t = (1 - z) n + z h_{t-1}
///
/// W and U have the rows of r, z, n; b those of r, z, n and q. With the reset gate before the product, as in the paper and with TMVA's
/// ResetGateAfter off, there is one sum, and b has the rows of r, z, n:
///
///   (12')  n = tanh(W_n x_t + U_n (r h_{t-1}) + b_n)
///
/// and back, m = r h_{t-1}:  dm = U_n^T dn,  dr = dm h_{t-1} r (1-r),  dh_{t-1} += dm r,  dU_n += dn m^T.
///
/// Simple RNN (J. L. Elman, Cognitive Science 14 (1990) 179):
///
///   (14)  h_t = tanh(W x_t + U h_{t-1} + b)
///
/// What forward leaves for backward, in `gates` [rows()][L]: LSTM its gates; GRU q, r, z, n in this order, so that the rows which
/// meet U stand side by side, and so do those which meet W, but r, z, n with (12'); RNN h. `c` is the cell state of the LSTM and h of
/// the others. `tanh_c` is written by the LSTM, and with (12') it holds m.
#pragma once

#include "aligned.h"
#include "kernels.h"

#include <vector>

namespace tmva_lstm {
inline namespace TMVA_LSTM_ABI {

/// The weights of such a cell, rearranged for the kernels.
template <class T>
class PackedCell {
public:
   /// `flat`: W, U, b, peepholes.
   void pack(LayerShape shape, const T *flat);

   /// One step; arrays as in Kernels::gates_forward(). `h` is not within u.
   void forward(const T *u, const T *c_prev, T *gates, T *c, T *tanh_c, T *h, std::size_t n_lanes) const;

   /// One step back, elementwise. `gates` becomes the gradients of the sums (with (12') but for r, which stays for state_gradient()),
   /// with zeros in the rows that only fill up. dc [H][L]: what reaches the state `c` of the step from
   /// the one behind it, and of the step before on return; dh [H][L]: what reaches h. With peepholes their gradient is added into
   /// the panel, column inputs() + 1.
   void backward(T *gates, T *dc, const T *dh, const T *c_prev, const T *c, const T *tanh_c, T *dparameters,
                 std::size_t n_lanes) const;

   /// dh_{t-1} [H][L] of what goes through U, and dx_t [D][L], from the gradients of the sums. With (12') r becomes its gradient on the
   /// way; h_prev [H][L] is what U met, `room` [H][L] is for that cell alone.
   void state_gradient(T *dgates, const T *h_prev, T *dh, T *room, std::size_t n_lanes) const;
   void input_gradient(const T *dgates, T *dx, std::size_t n_lanes) const;

   /// Of the output gate of unit j.
   T output_peephole(std::size_t j) const { return fPeephole[(fShape.peepholes() - 1) * fShape.H + j]; }

private:
   void gather(std::size_t first, std::size_t last, bool biases, const T *W, std::size_t D, const T *U, std::size_t H);
   void pack_rows(std::size_t columns, AlignedArray<T> &packed);
   void pack_back(std::size_t columns, AlignedArray<T> &packed);
   void sums(const T *u, T *gates, std::size_t n_lanes) const;
   void candidate(const T *h_prev, T *gates, T *m, T *room, std::size_t n_lanes) const;
   /// out = f(out + bias) over `rows` rows from `first` on.
   template <class F>
   void squash(F function, std::size_t first, std::size_t rows, T *gates, std::size_t n_lanes) const;

   LayerShape fShape;
   const Kernels<T> *fKernels = nullptr;
   AlignedArray<T> fForward[3]; ///< of each product of a step
   AlignedArray<T> fStateTransposed, fInputTransposed;
   AlignedArray<T> fCandidateTransposed; ///< U_n of (12'), which fStateTransposed then is without
   std::vector<T> fBias;     ///< in the order of `gates`
   std::vector<T> fPeephole; ///< [peepholes()][H]
   std::vector<T> fRows, fTransposed; ///< room for packing
};

/// Takes the gradient of the parameters (W, U, b, peepholes; as they stand in the flat buffer) out of a panel [panel_rows()][columns].
template <class T>
void unpack_gradient(LayerShape shape, const T *panel, T *flat);

} // namespace TMVA_LSTM_ABI
} // namespace tmva_lstm
