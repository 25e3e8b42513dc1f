/// \file
/// The loop of Trainer::fit(): epochs of batches, what is looked at after each of them, when it stops and when its state is kept.
#include "trainer.h"

#include "error.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <string>

namespace tmva_lstm {
inline namespace TMVA_LSTM_ABI {

/// What time says: whether it is over, and whether the state is to be kept again.
template <class T>
class TrainingClock {
public:
   explicit TrainingClock(const TrainingWatch<T> &watch) : fWatch(watch), fBegin(now()), fSaved(fBegin) {}

   bool over() const { return fWatch.max_seconds < now() - fBegin; }
   bool save_is_due() const { return fWatch.save && now() - fSaved >= fWatch.save_seconds; }
   void save(const TrainingState<T> &state)
   {
      fWatch.save(state);
      fSaved = now(); // the time it takes does not count: a slow disk must not bring training to a halt
   }
   const TrainingWatch<T> &watch() const { return fWatch; }
   bool has_trained = false;

private:
   double now() const
   {
      if (fWatch.clock)
         return fWatch.clock();
      return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
   }
   const TrainingWatch<T> &fWatch;
   double fBegin, fSaved;
};

template <class T>
TrainingState<T> Trainer<T>::state() const
{
   return {fProgress, fOptimizer.state(), fParameters, fHasAverage ? fAverage : std::vector<T>(), fBest};
}

template <class T>
void Trainer<T>::set_state(TrainingState<T> state)
{
   const std::size_t count = fParameters.size();
   const auto check = [count](const char *what, const std::vector<T> &numbers, bool may_be_empty) {
      if (numbers.size() != count && !(may_be_empty && numbers.empty()))
         throw ArgumentError("the state has " + std::to_string(numbers.size()) + " " + what + ", the network has " + std::to_string(count) +
                             ": it is of another network");
   };
   check("parameters", state.parameters, false);
   check("averaged parameters", state.average, true);
   check("best parameters", state.best, true);
   if (!state.average.empty() && fAverage.empty())
      throw ArgumentError("the state has a moving average of the weights, the training has none (ema_decay is 0)");
   const std::uint64_t begun = state.progress.epoch + (state.progress.batches > 0);
   if (begun > fOptions.epochs)
      throw ArgumentError("the state is of epoch " + std::to_string(begun) + ", the training has " + std::to_string(fOptions.epochs));
   fOptimizer.set_state(std::move(state.optimizer));
   set_parameters(std::move(state.parameters));
   fHasAverage = !state.average.empty();
   if (fHasAverage)
      fAverage = std::move(state.average);
   fBest = std::move(state.best);
   fProgress = state.progress;
   fResumed = true;
}

/// Before the first step: how many there will be, and how many of them in the warm-up.
template <class T>
Moment Trainer<T>::planned_steps(std::size_t events) const
{
   Moment moment;
   moment.steps = 0;
   for (std::size_t epoch = 0; epoch < fOptions.epochs; ++epoch) {
      const std::size_t size = grown_batch(fOptions.batch_size, fOptions.growth, epoch);
      moment.steps += (events + size - 1) / size;
      if (epoch + 1 == fOptions.schedule.warmup_epochs)
         moment.warmup_steps = moment.steps;
   }
   return moment;
}

template <class T>
StopReason Trainer<T>::fit(EpochSource<T> &source, const LabelledView<T> *validation, const std::vector<std::int64_t> &validate,
                           const TrainingWatch<T> &watch)
{
   check_monitor(validation, validate);
   if (!fResumed) {
      fProgress = {};
      fProgress.best = worst(fOptions.monitor);
      fProgress.plateau.rate = fOptions.optimizer.learning_rate;
      fBest.clear();
   }
   fResumed = false;
   const Moment planned = planned_steps(source.events());
   TrainingClock<T> clock(watch);
   StopReason reason = out_of_patience(validation) ? StopReason::EarlyStopping : StopReason::AllEpochs;
   bool saved = false; // as it stands now
   while (reason == StopReason::AllEpochs && fProgress.epoch < fOptions.epochs) {
      EpochRecord record;
      saved = false;
      reason = train_epoch(source, planned, clock, record);
      if (reason != StopReason::AllEpochs)
         break;
      if (!finish_epoch(validation, validate, record))
         reason = StopReason::EarlyStopping;
      if (!watch.epoch_done(record))
         reason = StopReason::Interrupted;
      saved = watch.save && ((watch.save_epochs && record.epoch % watch.save_epochs == 0) || clock.save_is_due());
      if (saved)
         clock.save(state());
   }
   if (watch.save && !saved)
      clock.save(state());
   set_parameters(fBest.empty() ? averaged() : std::move(fBest)); // for scores from here on
   return reason;
}

/// The batches of an epoch that are not done yet. AllEpochs: to its end.
template <class T>
StopReason Trainer<T>::train_epoch(EpochSource<T> &source, Moment moment, TrainingClock<T> &clock, EpochRecord &record)
{
   moment.epoch = fProgress.epoch;
   const std::size_t size = grown_batch(fOptions.batch_size, fOptions.growth, moment.epoch);
   record.epoch = fProgress.epoch + 1;
   std::size_t done = fProgress.batches; // by an earlier fit(); only the last batch of an epoch is not full
   source.begin(record.epoch, size);
   Portion<T> portion;
   while (source.next(portion))
      for (std::size_t first = 0; first < portion.n; first += size) {
         if (done) {
            --done;
            continue;
         }
         if (!clock.watch().keep_going())
            return StopReason::Interrupted;
         if (clock.has_trained && clock.over())
            return StopReason::MaxTime;
         if (clock.save_is_due())
            clock.save(state());
         moment.step = fProgress.step;
         fProgress.learning_rate = scheduled_rate(fOptions.schedule, fProgress.plateau.rate, moment);
         fOptimizer.set_learning_rate(fProgress.learning_rate);
         const std::size_t n = std::min(size, portion.n - first);
         const LossSum batch = train_batch(portion.events, portion.order + first, n);
         ++fProgress.batches;
         fProgress.loss_sum += batch.loss;
         fProgress.weight_sum += batch.weight;
         record.events += n;
         clock.has_trained = true;
      }
   return StopReason::AllEpochs;
}

/// What is looked at after an epoch. False: it was the last, for the figure that is monitored has not become better for too long.
template <class T>
bool Trainer<T>::finish_epoch(const LabelledView<T> *validation, const std::vector<std::int64_t> &validate, EpochRecord &record)
{
   record.loss = fProgress.loss_sum / fProgress.weight_sum;
   record.learning_rate = fProgress.learning_rate;
   if (!std::isfinite(record.loss))
      throw Error("training diverged in epoch " + std::to_string(record.epoch) + ": the loss is " + std::to_string(record.loss) +
                  "; lower the learning rate or the clipping norm");
   ++fProgress.epoch;
   fProgress.batches = 0;
   fProgress.loss_sum = fProgress.weight_sum = 0;
   if (validation) {
      validate_averaged(*validation, validate, record);
      if (is_better(fOptions.monitor, record.monitored, fProgress.best)) {
         fProgress.best = record.monitored;
         fProgress.best_epoch = record.epoch;
         fBest = averaged();
         record.best = true;
      }
   }
   if (fOptions.schedule.kind == ScheduleKind::Plateau && record.epoch > fOptions.schedule.warmup_epochs) {
      Plateau plateau(fOptions.schedule, fProgress.plateau);
      plateau.epoch_done(validation ? record.validation_loss : record.loss);
      fProgress.plateau = plateau.state();
   }
   return !out_of_patience(validation);
}

template <class T>
bool Trainer<T>::out_of_patience(bool validates) const
{
   return validates && fOptions.patience && fProgress.epoch > 0 && fProgress.epoch - fProgress.best_epoch >= fOptions.patience;
}

/// Loss and figure of the averaged parameters.
template <class T>
void Trainer<T>::validate_averaged(const LabelledView<T> &events, const std::vector<std::int64_t> &use, EpochRecord &record)
{
   if (fHasAverage)
      fNetwork.set_parameters(fAverage.data(), false, fOptions.limits.n_threads);
   const LossSum sum = fNetwork.loss(events, use.data(), use.size(), fOptions.weight_scale, fOptions.limits);
   record.validation_loss = sum.loss / sum.weight;
   record.monitored = fOptions.monitor == Monitor::Loss ? record.validation_loss : monitored(events, use);
   if (fHasAverage)
      fNetwork.set_parameters(fParameters.data(), false, fOptions.limits.n_threads);
}

namespace {

/// Labels and weights of some events or, where every step has outputs, of their steps that have a label.
struct Judged {
   std::vector<std::int32_t> labels;
   std::vector<double> weights;
   std::vector<std::size_t> rows; ///< where the outputs of each are among those of all rows of these events
   std::size_t n_rows = 0;

   template <class T>
   Judged(const LabelledView<T> &events, const std::vector<std::int64_t> &use, bool every_step)
   {
      for (const std::int64_t event : use) {
         const std::size_t first = static_cast<std::size_t>(every_step ? events.offsets[event] : event);
         const std::size_t count = every_step ? events.length(event) : 1;
         for (std::size_t row = first; row < first + count; ++row, ++n_rows) {
            if (events.labels[row] < 0)
               continue;
            labels.push_back(events.labels[row]);
            rows.push_back(n_rows);
            if (events.weights)
               weights.push_back(events.weights[event]);
         }
      }
   }
   JudgedEvents view() const { return {labels.data(), weights.empty() ? nullptr : weights.data(), labels.size()}; }
};

} // namespace

template <class T>
double Trainer<T>::monitored(const LabelledView<T> &events, const std::vector<std::int64_t> &use) const
{
   const std::size_t K = fNetwork.shape().K, classes = fNetwork.shape().classes();
   const Judged judged(events, use, fNetwork.shape().every_step);
   std::vector<T> z(judged.n_rows * K), p(judged.rows.size() * classes);
   fNetwork.logits(events, use.data(), use.size(), fOptions.limits, z.data());
   for (std::size_t n = 0; n < judged.rows.size(); ++n) // never to a row that is still to be moved: rows rise
      std::copy_n(z.data() + judged.rows[n] * K, K, z.data() + n * K);
   probabilities(z.data(), judged.rows.size(), K, p.data());
   return fOptions.monitor == Monitor::Auc ? macro_auc(p.data(), classes, judged.view()) : accuracy(p.data(), classes, judged.view());
}

/// Before the first epoch, for nobody wants to wait for a figure that is not defined.
template <class T>
void Trainer<T>::check_monitor(const LabelledView<T> *validation, const std::vector<std::int64_t> &validate) const
{
   if (fOptions.monitor == Monitor::Loss)
      return;
   const std::string asked = std::string("monitor is '") + monitor_name(fOptions.monitor) + "', ";
   if (!validation)
      throw ArgumentError(asked + "which is of validation events, and there are none; give a validation part, or monitor 'loss'");
   if (!validation->labels)
      throw ArgumentError(asked + "which is of classes, and the events have none; monitor 'loss'");
   std::vector<double> sums(fNetwork.shape().classes());
   const Judged judged(*validation, validate, fNetwork.shape().every_step);
   for (std::size_t n = 0; n < judged.labels.size(); ++n)
      sums[static_cast<std::size_t>(judged.labels[n])] += validation->weights ? judged.weights[n] : 1.;
   for (std::size_t k = 0; k < sums.size(); ++k)
      if (!(sums[k] > 0))
         throw ArgumentError(asked + "but of class " + std::to_string(k) + " (from 0) the weights of the validation events sum to " +
                             std::to_string(sums[k]) + ", expected a sum above 0; take a larger validation part, or monitor 'loss'");
}

template StopReason Trainer<float>::fit(EpochSource<float> &, const LabelledView<float> *, const std::vector<std::int64_t> &,
                                        const TrainingWatch<float> &);
template StopReason Trainer<double>::fit(EpochSource<double> &, const LabelledView<double> *, const std::vector<std::int64_t> &,
                                         const TrainingWatch<double> &);
template TrainingState<float> Trainer<float>::state() const;
template TrainingState<double> Trainer<double>::state() const;
template void Trainer<float>::set_state(TrainingState<float>);
template void Trainer<double>::set_state(TrainingState<double>);

} // namespace TMVA_LSTM_ABI
} // namespace tmva_lstm
