#include "lstm_layer.h"

#include "dropout.h"
#include "thread_pool.h"

#include <algorithm>

namespace tmva_lstm {
inline namespace TMVA_LSTM_ABI {

template <class T>
void PackedLayer<T>::pack(LayerShape shape, const T *flat, bool input_gradient, std::size_t n_threads)
{
   if (shape.cell.plain()) {
      const T *U = flat + shape.rows() * shape.D;
      pack(shape, flat, U, U + shape.rows() * shape.H, input_gradient, n_threads);
      return;
   }
   fShape = shape;
   fKernels = &tmva_lstm::kernels<T>();
   fCell.pack(shape, flat);
}

template <class T>
void PackedLayer<T>::pack(LayerShape shape, const T *W, const T *U, const T *b, bool input_gradient, std::size_t n_threads)
{
   fShape = shape;
   fKernels = &tmva_lstm::kernels<T>();
   fGates.require(fKernels->packed_gates_size(shape));
   fStateTransposed.require(fKernels->packed_transposed_size(shape.rows(), shape.H));
   fInputTransposed.require(input_gradient ? fKernels->packed_transposed_size(shape.rows(), shape.D) : 0);
   constexpr std::size_t kWorthTwo = 16384; // fewer numbers are moved sooner than another thread is told of it
   parallel_for(2, shape.parameters() < kWorthTwo ? 1 : n_threads, [&](std::size_t part, std::size_t) {
      if (part == 0) {
         fKernels->pack_gates(shape, W, U, b, fGates.data());
         return;
      }
      fKernels->pack_transposed(U, shape.rows(), shape.H, 0, shape.H, fStateTransposed.data());
      if (input_gradient)
         fKernels->pack_transposed(W, shape.rows(), shape.D, 0, shape.D, fInputTransposed.data());
   });
}

template <class T>
void LayerBlock<T>::prepare(LayerShape shape, const std::size_t *lengths, std::size_t n_lanes)
{
   prepare(shape, lengths, n_lanes, 0, n_lanes ? lengths[0] : 0);
}

template <class T>
void LayerBlock<T>::prepare(LayerShape shape, const std::size_t *lengths, std::size_t n_lanes, std::size_t first,
                            std::size_t last)
{
   reserve(shape, last - first);
   fShape = shape;
   fLanes = n_lanes;
   fSteps = last - first;
   for (std::size_t t = 0, running = n_lanes; t <= fSteps; ++t) {
      while (running && lengths[running - 1] <= first + t)
         --running;
      fRunning[t] = running;
   }
}

template <class T>
void LayerBlock<T>::reserve(LayerShape shape, std::size_t steps, bool drops)
{
   fRunning.require(steps + 1);
   fInputs.require((steps + 1) * shape.inputs() * L);
   fCells.require((steps + 1) * shape.H * L);
   fTanhCells.require(steps * shape.H * L);
   fGates.require(steps * shape.rows() * L);
   fHiddenGradient.require(shape.H * L);
   fCellGradient.require(shape.H * L);
   fPanel.require(kChunk<T> * L * shape.template columns<T>());
   fRoom.require(shape.cell.reset_before ? shape.H * L : 0);
   if (drops || fDropped)
      fOutputs.require(steps * shape.H * L);
}

template <class T>
std::size_t LayerBlock<T>::bytes(LayerShape shape, std::size_t steps, bool drops)
{
   const std::size_t a_step = shape.inputs() + (drops ? 3 : 2) * shape.H + shape.rows();
   const std::size_t states = shape.cell.reset_before ? 4 : 3;
   return sizeof(T) * L * (steps * a_step + shape.inputs() + states * shape.H + kChunk<T> * shape.template columns<T>());
}

template <class T>
std::size_t LayerBlock<T>::held_bytes() const
{
   return fInputs.bytes() + fCells.bytes() + fTanhCells.bytes() + fGates.bytes() + fHiddenGradient.bytes() +
          fCellGradient.bytes() + fPanel.bytes() + fRoom.bytes() + fOutputs.bytes();
}

template <class T>
void state_step(const PackedLayer<T> &layer, const T *u, T *c, T *h, T *room, std::size_t n_lanes)
{
   const LayerShape shape = layer.shape();
   if (shape.cell.plain())
      layer.kernels().state_forward(shape, layer.gates(), u, c, h, n_lanes);
   else
      layer.cell().forward(u, c, room, c, room + shape.rows() * kLanes<T>, h, n_lanes);
}

template <class T>
void forward(const PackedLayer<T> &layer, LayerBlock<T> &block)
{
   const LayerShape shape = layer.shape();
   for (std::size_t t = 0; t < block.steps(); ++t) {
      const std::size_t running = block.running(t);
      if (shape.cell.plain())
         layer.kernels().gates_forward(shape, layer.gates(), block.x(t), block.c(t), block.gates(t), block.c(t + 1),
                                       block.tanh_c(t), block.h(t + 1), running);
      else
         layer.cell().forward(block.x(t), block.c(t), block.gates(t), block.c(t + 1), block.tanh_c(t), block.h(t + 1), running);
      if (block.dropped()) {
         std::copy_n(block.h(t + 1), shape.H * kLanes<T>, block.keep_output(t));
         apply_factors(shape.H, block.dropped(), block.h(t + 1), running);
      }
   }
}

template <class T>
void cell_backward(const PackedLayer<T> &layer, LayerBlock<T> &block, std::size_t t, T *dparameters)
{
   const LayerShape shape = layer.shape();
   const std::size_t running = block.running(t);
   if (shape.cell.plain()) {
      layer.kernels().cell_backward(shape.H, block.gates(t), block.dc(), block.dh(), block.gates(t), block.c(t),
                                    block.tanh_c(t), running);
      layer.kernels().product(layer.state_transposed(), shape.rows(), shape.H, block.gates(t), block.dh(), running);
   } else {
      layer.cell().backward(block.gates(t), block.dc(), block.dh(), block.c(t), block.c(t + 1), block.tanh_c(t), dparameters,
                            running);
      layer.cell().state_gradient(block.gates(t), block.h(t), block.dh(), block.room(), running);
   }
   if (block.dropped())
      apply_factors(shape.H, block.dropped(), block.dh(), running);
}

namespace {

/// dh += what the loss sends to step t: to all its lanes from dh_steps, to those that end here from dh_final.
template <class T>
void add_loss_gradient(LayerShape shape, LayerBlock<T> &block, std::size_t t, const LossGradient<T> &loss)
{
   constexpr std::size_t L = kLanes<T>;
   const std::size_t running = block.running(t), longer = block.running(t + 1); // lanes [longer, running) end at t
   T *dh = block.dh();
   for (std::size_t j = 0; j < shape.H; ++j) {
      if (loss.dh_steps)
         for (std::size_t lane = 0; lane < running; ++lane)
            dh[j * L + lane] += loss.dh_steps[(t * shape.H + j) * L + lane];
      if (loss.dh_final)
         for (std::size_t lane = longer; lane < running; ++lane)
            dh[j * L + lane] += loss.dh_final[j * L + lane];
   }
}

/// Keeps what reaches h and c of step t, before cell_backward() moves on to the step before.
template <class T>
void keep_totals(const PackedLayer<T> &layer, LayerBlock<T> &block, std::size_t t, const LayerGradient<T> &wanted)
{
   constexpr std::size_t L = kLanes<T>;
   const LayerShape shape = layer.shape();
   const T *o = block.gates(t) + (shape.gates() - 1) * shape.H * L, *tanh_c = block.tanh_c(t);
   for (std::size_t j = 0; j < shape.H; ++j)
      for (std::size_t lane = 0; lane < block.running(t); ++lane) {
         const std::size_t at = j * L + lane, to = t * shape.H * L + at;
         T dh = block.dh()[at], dc = block.dc()[at];
         if (shape.cell.kind == CellKind::Lstm) {
            dc += dh * o[at] * (1 - tanh_c[at] * tanh_c[at]);
            if (shape.cell.peepholes) // that of the output gate sees c
               dc += dh * tanh_c[at] * o[at] * (1 - o[at]) * layer.cell().output_peephole(j);
         } else {
            dh += dc; // c is h
            dc = dh;
         }
         if (wanted.dh_total)
            wanted.dh_total[to] = dh;
         if (wanted.dc_total)
            wanted.dc_total[to] = dc;
      }
}

/// Steps [first, last) of equation (9).
template <class T>
void add_weight_gradient(const PackedLayer<T> &layer, LayerBlock<T> &block, std::size_t first, std::size_t last,
                         T *dparameters)
{
   const LayerShape shape = layer.shape();
   const std::size_t C = shape.columns<T>();
   std::size_t running[kChunk<T>];
   for (std::size_t t = first; t < last; ++t) {
      running[t - first] = block.running(t);
      layer.kernels().transpose(block.x(t), shape.inputs(), C, block.panel() + (t - first) * kLanes<T> * C, block.running(t));
   }
   const auto add = [&](std::size_t row, std::size_t rows, T *to) {
      layer.kernels().weight_gradient(rows, shape.inputs(), C, last - first, block.gates(first) + row * kLanes<T>,
                                      shape.rows() * kLanes<T>, block.panel(), running, to);
   };
   add(0, shape.gate_panel_rows(), dparameters);
   if (!shape.cell.reset_before)
      return;
   for (std::size_t t = first; t < last; ++t) // in the place of h_{t-1} what the reset gate leaves of it, see cells.h
      for (std::size_t lane = 0; lane < block.running(t); ++lane)
         for (std::size_t j = 0; j < shape.H; ++j)
            block.panel()[((t - first) * kLanes<T> + lane) * C + shape.D + j] = block.tanh_c(t)[j * kLanes<T> + lane];
   add(shape.first_candidate_row(), shape.rows() - shape.first_candidate_row(), dparameters + shape.gate_panel_rows() * C);
}

} // namespace

template <class T>
void backward(const PackedLayer<T> &layer, LayerBlock<T> &block, const LossGradient<T> &loss,
              const LayerGradient<T> &wanted)
{
   const LayerShape shape = layer.shape();
   if (block.running(block.steps()) == 0) {
      std::fill_n(block.dh(), shape.H * kLanes<T>, T(0));
      std::fill_n(block.dc(), shape.H * kLanes<T>, T(0));
   }
   for (std::size_t last = block.steps(); last > 0;) {
      const std::size_t first = last > kChunk<T> ? last - kChunk<T> : 0;
      for (std::size_t t = last; t-- > first;) {
         add_loss_gradient(shape, block, t, loss);
         if (wanted.dh_total || wanted.dc_total)
            keep_totals(layer, block, t, wanted);
         cell_backward(layer, block, t, wanted.dparameters);
         if (wanted.dx) {
            T *dx = wanted.dx + t * shape.D * kLanes<T>;
            if (shape.cell.plain())
               layer.kernels().product(layer.input_transposed(), shape.rows(), shape.D, block.gates(t), dx, block.running(t));
            else
               layer.cell().input_gradient(block.gates(t), dx, block.running(t));
         }
      }
      if (wanted.dparameters)
         add_weight_gradient(layer, block, first, last, wanted.dparameters);
      last = first;
   }
}

#define TMVA_LSTM_INSTANTIATE(T)                                                                                       \
   template class PackedLayer<T>;                                                                                      \
   template class LayerBlock<T>;                                                                                       \
   template void forward(const PackedLayer<T> &, LayerBlock<T> &);                                                     \
   template void backward(const PackedLayer<T> &, LayerBlock<T> &, const LossGradient<T> &, const LayerGradient<T> &); \
   template void state_step(const PackedLayer<T> &, const T *, T *, T *, T *, std::size_t);                            \
   template void cell_backward(const PackedLayer<T> &, LayerBlock<T> &, std::size_t, T *);

TMVA_LSTM_INSTANTIATE(float)
TMVA_LSTM_INSTANTIATE(double)

} // namespace TMVA_LSTM_ABI
} // namespace tmva_lstm
