#include "trainer.h"

#include "error.h"
#include "random.h"
#include "thread_pool.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace tmva_lstm {
inline namespace TMVA_LSTM_ABI {

template <class T>
MemorySource<T>::MemorySource(LabelledView<T> events, std::vector<std::int64_t> use, std::uint64_t seed, bool shuffle)
   : fEvents(events), fUse(std::move(use)), fSeed(seed), fShuffle(shuffle)
{
}

template <class T>
void MemorySource<T>::begin(std::size_t epoch, std::size_t) // all in one portion, which any batch size suits
{
   fOrder = fUse;
   if (fShuffle)
      RandomStream(fSeed, Purpose::Shuffle, static_cast<std::uint32_t>(epoch)).shuffle(fOrder.data(), fOrder.size());
   fDelivered = false;
}

template <class T>
bool MemorySource<T>::next(Portion<T> &portion)
{
   if (fDelivered)
      return false;
   portion = {fEvents, fOrder.data(), fOrder.size()};
   fDelivered = true;
   return true;
}

namespace {

/// What decays: weights, not biases, as for the penalties.
std::vector<ParameterRange> weight_ranges(const std::vector<ParameterView> &layout)
{
   std::vector<ParameterRange> ranges;
   for (const ParameterView &view : layout)
      if (view.kind == ParameterKind::Weight)
         ranges.emplace_back(view.offset, view.offset + view.rows * view.columns);
   std::sort(ranges.begin(), ranges.end());
   return ranges;
}

NetworkShape dropping(NetworkShape shape, DropRates drop)
{
   if (drop.any())
      shape.drop = drop;
   return shape;
}

} // namespace

template <class T>
Trainer<T>::Trainer(const NetworkShape &shape, Standardisation<T> features, Standardisation<T> event_features,
                    TrainingOptions options)
   : fOptions(options), fLayout(parameter_layout(shape)), fNetwork(dropping(shape, options.drop), std::move(features), std::move(event_features)),
     fOptimizer(options.optimizer, shape.parameters(), weight_ranges(fLayout)), fParameters(shape.parameters()),
     fGradient(shape.parameters()), fAverage(options.ema_decay > 0 ? shape.parameters() : 0)
{
   if (options.batch_size == 0)
      throw ArgumentError("batch_size is 0; expected at least 1");
   if (!(options.ema_decay >= 0 && options.ema_decay < 1))
      throw ArgumentError("ema_decay is " + std::to_string(options.ema_decay) + "; expected a number from 0 to less than 1");
   if (!(options.growth.factor >= 1))
      throw ArgumentError("batch_growth is " + std::to_string(options.growth.factor) + "; expected a number of at least 1");
   if (options.schedule.decay_epochs == 0 || options.growth.epochs == 0)
      throw ArgumentError("decay_epochs or batch_growth_epochs is 0; expected at least 1");
   initialise(shape, fOptions.initialisation, fOptions.forget_bias, fOptions.seed, fParameters.data());
   fNetwork.set_parameters(fParameters.data());
}

template <class T>
void Trainer<T>::set_parameters(std::vector<T> flat)
{
   if (flat.size() != fParameters.size())
      throw ArgumentError(std::to_string(flat.size()) + " parameters given, expected " +
                          std::to_string(fParameters.size()));
   fParameters = std::move(flat);
   fHasAverage = false;
   fResumed = false;
   fNetwork.set_parameters(fParameters.data());
}

template <class T>
LossSum Trainer<T>::train_batch(const LabelledView<T> &events, const std::int64_t *batch, std::size_t n_batch)
{
   const LossSum sum =
      fNetwork.gradient(events, batch, n_batch, fOptions.weight_scale, fOptions.limits, fGradient.data(),
                        {fOptions.seed, static_cast<std::uint32_t>(++fProgress.step)});
   if (sum.n == 0)
      return sum; // nothing but events of weight 0: no step
   // the mean over events, not over weights: a batch whose weights happen to cancel must not be blown up
   double scale = 1. / static_cast<double>(sum.n);
   if (fOptions.l1 > 0 || fOptions.l2 > 0) {
      for (T &g : fGradient)
         g *= static_cast<T>(scale);
      add_penalty();
      scale = 1;
   }
   if (fOptions.clip_value > 0) {
      clip_values(fGradient.data(), fGradient.size(), scale, fOptions.clip_value);
      scale = 1;
   }
   make_step(static_cast<T>(clipped(fGradient.data(), fGradient.size(), scale, fOptions.clip_norm)));
   return sum;
}

/// Along `factor` times the gradient.
template <class T>
void Trainer<T>::make_step(T factor)
{
   fOptimizer.begin_step();
   constexpr std::size_t kPart = 16384; // a smaller part is done sooner than another thread is told of it
   const std::size_t count = fParameters.size();
   const double ema_decay = fHasAverage ? fOptions.ema_decay : 0; // the first average is a copy
   parallel_for((count + kPart - 1) / kPart, fOptions.limits.n_threads, [&](std::size_t part, std::size_t) {
      const std::size_t first = part * kPart, last = std::min(count, first + kPart);
      fOptimizer.step(first, last, factor, fGradient.data(), fParameters.data());
      if (!fAverage.empty())
         move_average(first, last, ema_decay, fParameters.data(), fAverage.data());
   });
   fHasAverage = !fAverage.empty();
   fNetwork.set_parameters(fParameters.data(), false, fOptions.limits.n_threads);
}

/// Gradient of l1 sum |w| + l2 sum w^2.
template <class T>
void Trainer<T>::add_penalty()
{
   const T l1 = static_cast<T>(fOptions.l1), l2 = static_cast<T>(fOptions.l2);
   for (const ParameterView &view : fLayout) {
      if (view.kind != ParameterKind::Weight)
         continue;
      for (std::size_t n = view.offset; n < view.offset + view.rows * view.columns; ++n) {
         const T w = fParameters[n];
         fGradient[n] += l1 * static_cast<T>((w > 0) - (w < 0)) + 2 * l2 * w;
      }
   }
}

std::vector<std::uint8_t> draw_validation(const std::int32_t *labels, std::size_t n_events, std::size_t n_classes,
                                          double fraction, std::uint64_t seed)
{
   std::vector<std::int64_t> order(n_events);
   std::iota(order.begin(), order.end(), std::int64_t(0));
   RandomStream(seed, Purpose::Validation).shuffle(order.data(), n_events);
   std::vector<std::size_t> wanted(n_classes, 0);
   for (std::size_t n = 0; n < n_events; ++n)
      ++wanted[labels ? static_cast<std::size_t>(labels[n]) : 0];
   for (std::size_t &count : wanted)
      count = static_cast<std::size_t>(std::llround(fraction * static_cast<double>(count)));
   std::vector<std::uint8_t> mask(n_events, 0);
   for (const std::int64_t event : order) {
      std::size_t &left = wanted[labels ? static_cast<std::size_t>(labels[event]) : 0];
      if (left) {
         --left;
         mask[static_cast<std::size_t>(event)] = 1;
      }
   }
   return mask;
}

template class MemorySource<float>;
template class MemorySource<double>;
template class Trainer<float>;
template class Trainer<double>;

} // namespace TMVA_LSTM_ABI
} // namespace tmva_lstm
