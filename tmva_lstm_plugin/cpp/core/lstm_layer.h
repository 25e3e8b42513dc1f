/// \file
/// One recurrent layer over a block of sequences, an LSTM if nothing else is said (other cells: cells.h): forward through time, and back through time with the gradients of all four
/// gates.
///
/// Forward, for t = 1..T (S. Hochreiter, J. Schmidhuber, Neural Computation 9 (1997) 1735; with the forget gate of F. A.
/// Gers et al., Neural Computation 12 (2000) 2451):
///
///   (1)  i, f, o = sigmoid(W x_t + U h_{t-1} + b),   g = tanh(W x_t + U h_{t-1} + b)      each with its own rows
///   (2)  c_t = f c_{t-1} + i g
///   (3)  h_t = o tanh(c_t)
///
/// Backward, for t = T..1, `d` in front meaning the gradient of the loss:
///
///   (4)  dc += dh o (1 - tanh(c_t)^2)
///   (5)  do = dh tanh(c_t) o (1-o)   di = dc g i (1-i)   df = dc c_{t-1} f (1-f)   dg = dc i (1-g^2)
///   (6)  dc_{t-1} = dc f
///   (7)  dh_{t-1} = U^T [di df dg do]
///   (8)  dx_t = W^T [di df dg do]
///   (9)  dW += [di df dg do] x_t^T    dU += [di df dg do] h_{t-1}^T    db += [di df dg do]
///
/// backward() goes through time and hands each step to cell_backward(). Gate gradients are with respect to the
/// pre-activations.
///
/// A block holds up to L sequences, one a lane, the longest first: those still running at a step are a prefix of the lanes,
/// and nothing is computed for a register in which none is. What a register computes for a lane that has ended meets a
/// gradient that is exactly zero, so it never counts; the sums of (9) leave such lanes out.
#pragma once

#include "cells.h"

namespace tmva_lstm {
inline namespace TMVA_LSTM_ABI {

/// Gradient sums of a batch: blocks are dealt to so many, and these are added in order. Fixed, so that the order of all additions
/// is; large enough for the threads of a big machine.
constexpr std::size_t kGradientSlots = 16;

/// The layer's weights, rearranged for the kernels. Made anew after each change of the weights; shared by all threads.
template <class T>
class PackedLayer {
public:
   /// `input_gradient`: also prepare dx, which the first layer does not need in training. `flat`: the layer's parameters, see
   /// parameter_layout() in network.h.
   void pack(LayerShape shape, const T *flat, bool input_gradient, std::size_t n_threads = 1);
   /// The same for an LSTM whose W (4H, D), U (4H, H) and b (4H) stand apart.
   void pack(LayerShape shape, const T *W, const T *U, const T *b, bool input_gradient, std::size_t n_threads = 1);

   LayerShape shape() const { return fShape; }
   const Kernels<T> &kernels() const { return *fKernels; }
   const T *gates() const { return fGates.data(); }
   const T *state_transposed() const { return fStateTransposed.data(); }
   const T *input_transposed() const { return fInputTransposed.size() ? fInputTransposed.data() : nullptr; }
   /// What is used instead of these where the cell is not the plain LSTM.
   const PackedCell<T> &cell() const { return fCell; }

private:
   LayerShape fShape;
   const Kernels<T> *fKernels = nullptr;
   AlignedArray<T> fGates;
   AlignedArray<T> fStateTransposed;
   AlignedArray<T> fInputTransposed;
   PackedCell<T> fCell;
};

/// The activations of one block, or of some of its steps: what forward() leaves for backward(). One thread's own. Steps are
/// counted from the first that it holds.
///
/// Before forward() the caller fills x of every step, h and c of step 0; before backward() it sets dh_final (and dh_step
/// where the loss looks at every step).
template <class T>
class LayerBlock {
public:
   /// Makes room for all steps. `lengths` (n_lanes, not increasing) are those of the sequences in the lanes.
   void prepare(LayerShape shape, const std::size_t *lengths, std::size_t n_lanes);
   /// Makes room for the steps [first, last), which may not reach beyond the longest sequence. dh() and dc() keep what they hold.
   void prepare(LayerShape shape, const std::size_t *lengths, std::size_t n_lanes, std::size_t first, std::size_t last);

   /// Takes the memory for up to `steps` steps now; `drops`: states may be dropped.
   void reserve(LayerShape shape, std::size_t steps, bool drops = false);

   /// Bytes that a block of `steps` steps takes, the gradient panel included.
   static std::size_t bytes(LayerShape shape, std::size_t steps, bool drops = false);
   /// Bytes that it keeps, from the largest block so far.
   std::size_t held_bytes() const;

   std::size_t steps() const { return fSteps; }
   std::size_t n_lanes() const { return fLanes; }
   /// Lanes whose sequence has a step t (0-based). At t = steps(): those that go on beyond the steps held here.
   std::size_t running(std::size_t t) const { return fRunning[t]; }

   T *x(std::size_t t) { return fInputs.data() + t * fShape.inputs() * L; }           ///< [D][L], input of step t
   T *h(std::size_t t) { return x(t) + fShape.D * L; }                               ///< [H][L], h before step t
   T *c(std::size_t t) { return fCells.data() + t * fShape.H * L; }                  ///< [H][L], c before step t
   T *tanh_c(std::size_t t) { return fTanhCells.data() + t * fShape.H * L; }         ///< [H][L], tanh(c) after step t
   T *gates(std::size_t t) { return fGates.data() + t * fShape.rows() * L; }         ///< [rows()][L]; after backward: dgates
   /// [H][L], h after step t as it goes on to what is above: h(t + 1) itself, unless some of that is dropped on its way to the next
   /// step.
   const T *output(std::size_t t) { return fDropped ? fOutputs.data() + t * fShape.H * L : h(t + 1); }
   /// What h is multiplied with on its way to the next step, [H][L], the same at all steps; null for nothing. Not owned. Said before
   /// prepare(), which makes the room that it takes.
   void drop_states(const T *factors) { fDropped = factors; }
   const T *dropped() const { return fDropped; }
   T *keep_output(std::size_t t) { return fOutputs.data() + t * fShape.H * L; } ///< where output(t) stands apart
   T *dh() { return fHiddenGradient.data(); }                                        ///< [H][L]
   T *dc() { return fCellGradient.data(); }                                          ///< [H][L]
   T *panel() { return fPanel.data(); }                                              ///< [kChunk][L][C]
   T *room() { return fRoom.data(); } ///< [H][L], see PackedCell::state_gradient(); where that needs it

   static constexpr std::size_t L = kLanes<T>;

private:
   LayerShape fShape;
   std::size_t fSteps = 0;
   std::size_t fLanes = 0;
   AlignedArray<std::size_t> fRunning;
   AlignedArray<T> fInputs, fCells, fTanhCells, fGates, fHiddenGradient, fCellGradient, fPanel, fRoom;
   const T *fDropped = nullptr;
   AlignedArray<T> fOutputs; ///< [T][H][L], with dropped states only
};

/// One step forward that keeps nothing for a backward pass: c [H][L] from c_{t-1} to c_t, h [H][L] to h_t (not within u). `room`
/// [rows() + H][L] is for cells other than the plain LSTM.
template <class T>
void state_step(const PackedLayer<T> &layer, const T *u, T *c, T *h, T *room, std::size_t n_lanes);

/// Forward through all steps of the block: equations (1) to (3).
template <class T>
void forward(const PackedLayer<T> &layer, LayerBlock<T> &block);

/// What the loss sends to the layer; null where it sends nothing.
template <class T>
struct LossGradient {
   const T *dh_steps = nullptr; ///< [T][H][L], to h of each step
   const T *dh_final = nullptr; ///< [H][L], to the last true h of each lane; not sent to lanes that end elsewhere
};

/// What backward() is asked for besides the gate gradients; null for what is not wanted.
template <class T>
struct LayerGradient {
   T *dparameters = nullptr; ///< [panel_rows()][C] panel (see LayerShape::columns) that (9) is added into
   T *dx = nullptr;          ///< [T][D][L], equation (8); lanes that have ended are left untouched
   T *dh_total = nullptr;    ///< [T][H][L], all that reaches h_t: from the loss and from step t+1; untouched likewise
   T *dc_total = nullptr;    ///< [T][H][L], all that reaches c_t, equation (4); untouched likewise
};

/// Backward through all steps: equations (4) to (9). `block` holds the activations of forward(); afterwards gates(t) holds the
/// gate gradients of step t, and dh() and dc() those of the initial state. Where sequences go on beyond the block's steps, dh()
/// and dc() have to hold the gradients of the state behind its last step, as backward() over the steps behind has left them.
template <class T>
void backward(const PackedLayer<T> &layer, LayerBlock<T> &block, const LossGradient<T> &loss,
              const LayerGradient<T> &wanted);

/// One step of backward(): turns dh() of step t into the gate gradients, equations (4) to (6), and those into dh() of the
/// step before, equation (7). Peephole weights add their gradient into `dparameters` (or nothing into null).
template <class T>
void cell_backward(const PackedLayer<T> &layer, LayerBlock<T> &block, std::size_t t, T *dparameters = nullptr);

} // namespace TMVA_LSTM_ABI
} // namespace tmva_lstm
