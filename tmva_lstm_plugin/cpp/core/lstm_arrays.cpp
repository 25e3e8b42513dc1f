#include "lstm_arrays.h"

#include "thread_pool.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

namespace tmva_lstm {
inline namespace TMVA_LSTM_ABI {
namespace {

/// The sequences of one block, longest first.
struct Lanes {
   const std::size_t *sequence; ///< which sequence is in each lane
   std::size_t n;
};

/// Sequences sorted by length, and the walk over their blocks, slot by slot as in Network.
template <class T>
class Blocks {
public:
   explicit Blocks(const LayerArrays<T> &in) : fOrder(in.N), fCount((in.N + kLanes<T> - 1) / kLanes<T>)
   {
      std::iota(fOrder.begin(), fOrder.end(), std::size_t(0));
      std::stable_sort(fOrder.begin(), fOrder.end(),
                       [&](std::size_t a, std::size_t b) { return in.lengths[a] > in.lengths[b]; });
   }

   std::size_t slots() const { return std::min(fCount, kGradientSlots); }

   /// Calls work(slot, lanes, block) for all blocks; `block` is prepared and holds x, h0 and c0.
   template <class Work>
   void for_each(const LayerArrays<T> &in, std::size_t n_threads, Work work) const
   {
      std::vector<LayerBlock<T>> blocks(std::max<std::size_t>(1, std::min(n_threads, slots())));
      parallel_for(slots(), blocks.size(), [&](std::size_t slot, std::size_t thread) {
         for (std::size_t index = slot; index < fCount; index += slots()) {
            const std::size_t first = index * kLanes<T>;
            const Lanes lanes{fOrder.data() + first, std::min(kLanes<T>, fOrder.size() - first)};
            load(in, lanes, blocks[thread]);
            work(slot, lanes, blocks[thread]);
         }
      });
   }

private:
   static void load(const LayerArrays<T> &in, const Lanes &lanes, LayerBlock<T> &block);

   std::vector<std::size_t> fOrder;
   std::size_t fCount;
};

/// lanes[features][L] = rows of an array (N, T, features) at step t; lanes without it are 0.
template <class T>
void to_lanes(const T *rows, std::size_t stride, std::size_t features, const Lanes &lanes, std::size_t running, T *out)
{
   std::fill_n(out, features * kLanes<T>, T(0));
   for (std::size_t lane = 0; rows && lane < running; ++lane)
      for (std::size_t k = 0; k < features; ++k)
         out[k * kLanes<T> + lane] = rows[lanes.sequence[lane] * stride + k];
}

/// The inverse, for the lanes that run.
template <class T>
void from_lanes(const T *in, std::size_t stride, std::size_t features, const Lanes &lanes, std::size_t running, T *rows)
{
   for (std::size_t lane = 0; lane < running; ++lane)
      for (std::size_t k = 0; k < features; ++k)
         rows[lanes.sequence[lane] * stride + k] = in[k * kLanes<T> + lane];
}

template <class T>
void Blocks<T>::load(const LayerArrays<T> &in, const Lanes &lanes, LayerBlock<T> &block)
{
   const std::size_t D = in.shape.D, H = in.shape.H;
   std::size_t lengths[kLanes<T>];
   for (std::size_t lane = 0; lane < lanes.n; ++lane)
      lengths[lane] = static_cast<std::size_t>(in.lengths[lanes.sequence[lane]]);
   block.prepare(in.shape, lengths, lanes.n);
   for (std::size_t t = 0; t < block.steps(); ++t)
      to_lanes(in.x + t * D, in.T_steps * D, D, lanes, block.running(t), block.x(t));
   to_lanes(in.h0, H, H, lanes, lanes.n, block.h(0));
   to_lanes(in.c0, H, H, lanes, lanes.n, block.c(0));
}

} // namespace

template <class T>
void layer_forward(const LayerArrays<T> &in, std::size_t n_threads, T *h, T *c, T *gates)
{
   const std::size_t H = in.shape.H, states = in.T_steps * H;
   PackedLayer<T> layer;
   layer.pack(in.shape, in.W, in.U, in.b, false);
   std::fill_n(h, in.N * states, T(0));
   std::fill_n(c, in.N * states, T(0));
   std::fill_n(gates, in.N * states * 4, T(0));
   Blocks<T>(in).for_each(in, n_threads, [&](std::size_t, const Lanes &lanes, LayerBlock<T> &block) {
      forward(layer, block);
      for (std::size_t t = 0; t < block.steps(); ++t) {
         from_lanes(block.h(t + 1), states, H, lanes, block.running(t), h + t * H);
         from_lanes(block.c(t + 1), states, H, lanes, block.running(t), c + t * H);
         from_lanes(block.gates(t), states * 4, 4 * H, lanes, block.running(t), gates + t * 4 * H);
      }
   });
}

template <class T>
void layer_backward(const LayerArrays<T> &in, const T *h, const T *c, const T *gates, const T *dh,
                    std::size_t n_threads, const LayerArraysGradient<T> &out)
{
   const LayerShape shape = in.shape;
   const std::size_t D = shape.D, H = shape.H, states = in.T_steps * H, L = kLanes<T>;
   const std::size_t C = shape.columns<T>(), panel = shape.rows() * C;
   PackedLayer<T> layer;
   layer.pack(shape, in.W, in.U, in.b, true);
   std::fill_n(out.dx, in.N * in.T_steps * D, T(0));
   std::fill_n(out.dgates, in.N * states * 4, T(0));
   std::fill_n(out.dh_total, in.N * states, T(0));
   std::fill_n(out.dc_total, in.N * states, T(0));

   const Blocks<T> blocks(in);
   std::vector<AlignedArray<T>> slots(blocks.slots());
   for (auto &slot : slots) {
      slot.require(panel);
      slot.fill(T(0));
   }
   blocks.for_each(in, n_threads, [&](std::size_t slot, const Lanes &lanes, LayerBlock<T> &block) {
      const std::size_t steps = block.steps();
      std::vector<T> dh_steps(steps * H * L), dh_total(steps * H * L), dc_total(steps * H * L);
      AlignedArray<T> dx(steps * D * L); // the one a kernel writes
      for (std::size_t t = 0; t < steps; ++t) {
         const std::size_t running = block.running(t);
         to_lanes(h + t * H, states, H, lanes, running, block.h(t + 1));
         to_lanes(c + t * H, states, H, lanes, running, block.c(t + 1));
         to_lanes(gates + t * 4 * H, states * 4, 4 * H, lanes, running, block.gates(t));
         to_lanes(dh + t * H, states, H, lanes, running, dh_steps.data() + t * H * L);
         layer.kernels().tanh(block.c(t + 1), block.tanh_c(t), H * L);
      }
      backward<T>(layer, block, {dh_steps.data(), nullptr},
                  {slots[slot].data(), dx.data(), dh_total.data(), dc_total.data()});
      for (std::size_t t = 0; t < steps; ++t) {
         const std::size_t running = block.running(t);
         from_lanes(dx.data() + t * D * L, in.T_steps * D, D, lanes, running, out.dx + t * D);
         from_lanes(block.gates(t), states * 4, 4 * H, lanes, running, out.dgates + t * 4 * H);
         from_lanes(dh_total.data() + t * H * L, states, H, lanes, running, out.dh_total + t * H);
         from_lanes(dc_total.data() + t * H * L, states, H, lanes, running, out.dc_total + t * H);
      }
      from_lanes(block.dh(), H, H, lanes, lanes.n, out.dh0);
      from_lanes(block.dc(), H, H, lanes, lanes.n, out.dc0);
   });

   for (std::size_t row = 0; row < shape.rows(); ++row) {
      auto sum = [&](std::size_t column) {
         T total = 0;
         for (const auto &slot : slots)
            total += slot[row * C + column];
         return total;
      };
      for (std::size_t d = 0; d < D; ++d)
         out.dW[row * D + d] = sum(d);
      for (std::size_t j = 0; j < H; ++j)
         out.dU[row * H + j] = sum(D + j);
      out.db[row] = sum(D + H);
   }
}

template void layer_forward(const LayerArrays<float> &, std::size_t, float *, float *, float *);
template void layer_forward(const LayerArrays<double> &, std::size_t, double *, double *, double *);
template void layer_backward(const LayerArrays<float> &, const float *, const float *, const float *, const float *,
                             std::size_t, const LayerArraysGradient<float> &);
template void layer_backward(const LayerArrays<double> &, const double *, const double *, const double *,
                             const double *, std::size_t, const LayerArraysGradient<double> &);

} // namespace TMVA_LSTM_ABI
} // namespace tmva_lstm
