#include "trainer.h"

#include "error.h"
#include "random.h"

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
void MemorySource<T>::begin(std::size_t epoch)
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

template <class T>
Trainer<T>::Trainer(const NetworkShape &shape, Standardisation<T> features, Standardisation<T> event_features,
                    TrainingOptions options)
   : fOptions(options), fNetwork(shape, std::move(features), std::move(event_features)),
     fOptimizer(options.optimizer, shape.parameters()), fParameters(shape.parameters()), fGradient(shape.parameters())
{
   if (options.batch_size == 0)
      throw ArgumentError("batch_size is 0; expected at least 1");
   initialise();
   fNetwork.set_parameters(fParameters.data());
}

template <class T>
void Trainer<T>::initialise()
{
   const RandomStream random(fOptions.seed, Purpose::Initialise);
   for (const ParameterView &view : parameter_layout(fNetwork.shape())) {
      T *part = fParameters.data() + view.offset;
      const std::size_t count = view.rows * view.columns;
      const bool is_bias = view.name.size() > 2 && view.name.substr(view.name.size() - 2) == ".b";
      // the four gates of W and U are four matrices
      const std::size_t rows = view.name.substr(0, 5) == "lstm." ? view.rows / 4 : view.rows;
      const double bound = std::sqrt(6. / static_cast<double>(rows + view.columns));
      for (std::size_t n = 0; n < count; ++n)
         part[n] = is_bias ? T(0) : static_cast<T>(bound * (2 * random.uniform(view.offset + n) - 1));
      if (view.name == "lstm.b")
         std::fill_n(part + rows, rows, static_cast<T>(fOptions.forget_bias));
   }
}

template <class T>
void Trainer<T>::set_parameters(std::vector<T> flat)
{
   if (flat.size() != fParameters.size())
      throw ArgumentError(std::to_string(flat.size()) + " parameters given, expected " +
                          std::to_string(fParameters.size()));
   fParameters = std::move(flat);
   fNetwork.set_parameters(fParameters.data());
}

template <class T>
LossSum Trainer<T>::train_batch(const LabelledView<T> &events, const std::int64_t *batch, std::size_t n_batch)
{
   const LossSum sum =
      fNetwork.gradient(events, batch, n_batch, fOptions.weight_scale, fOptions.limits, fGradient.data());
   if (sum.n == 0)
      return sum; // nothing but events of weight 0: no step
   // the mean over events, not over weights: a batch whose weights happen to cancel must not be blown up
   scale_and_clip(fGradient.data(), fGradient.size(), 1. / static_cast<double>(sum.n), fOptions.clip_norm);
   fOptimizer.step(fGradient.data(), fParameters.data());
   fNetwork.set_parameters(fParameters.data());
   return sum;
}

template <class T>
StopReason Trainer<T>::fit(EpochSource<T> &source, const LabelledView<T> *validation,
                           const std::vector<std::int64_t> &validate, const KeepGoing &keep_going,
                           const EpochDone &epoch_done)
{
   std::vector<T> best_parameters;
   double best_loss = std::numeric_limits<double>::infinity();
   std::size_t best_epoch = 0;
   StopReason reason = StopReason::AllEpochs;

   for (std::size_t epoch = 1; epoch <= fOptions.epochs && reason == StopReason::AllEpochs; ++epoch) {
      source.begin(epoch);
      LossSum sum;
      std::size_t events = 0;
      Portion<T> portion;
      while (reason == StopReason::AllEpochs && source.next(portion))
         for (std::size_t first = 0; first < portion.n; first += fOptions.batch_size) {
            if (!keep_going()) {
               reason = StopReason::Interrupted;
               break;
            }
            const std::size_t n = std::min(fOptions.batch_size, portion.n - first);
            const LossSum batch = train_batch(portion.events, portion.order + first, n);
            sum.loss += batch.loss;
            sum.weight += batch.weight;
            events += n;
         }
      if (reason == StopReason::Interrupted)
         break;

      EpochRecord record;
      record.epoch = epoch;
      record.loss = sum.loss / sum.weight;
      record.events = events;
      if (!std::isfinite(record.loss))
         throw Error("training diverged in epoch " + std::to_string(epoch) + ": the loss is " +
                     std::to_string(record.loss) + "; lower the learning rate or the clipping norm");
      if (validation) {
         const LossSum v = fNetwork.loss(*validation, validate.data(), validate.size(), fOptions.weight_scale,
                                         fOptions.limits);
         record.validation_loss = v.loss / v.weight;
         if (record.validation_loss < best_loss) {
            best_loss = record.validation_loss;
            best_epoch = epoch;
            best_parameters = fParameters;
            record.best = true;
         } else if (fOptions.patience && epoch - best_epoch >= fOptions.patience) {
            reason = StopReason::EarlyStopping;
         }
      }
      if (!epoch_done(record))
         reason = StopReason::Interrupted;
   }
   if (!best_parameters.empty())
      set_parameters(std::move(best_parameters));
   return reason;
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
