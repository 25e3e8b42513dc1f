/// \file
/// The training loop: epochs of mini-batches, validation, early stopping, best weights. The same through every door.
#pragma once

#include "initialise.h"
#include "network.h"
#include "optimizer.h"
#include "schedule.h"
#include "training_state.h"

#include <functional>
#include <limits>
#include <string>
#include <vector>

namespace tmva_lstm {
inline namespace TMVA_LSTM_ABI {

struct TrainingOptions {
   std::size_t epochs = 15;
   std::size_t batch_size = 64;
   BatchGrowth growth;
   OptimizerOptions optimizer;
   ScheduleOptions schedule;
   double clip_value = 0;    ///< largest component of a batch's gradient, cut before its norm is; 0: no clipping
   double clip_norm = 1;     ///< largest norm of a batch's gradient; 0: no clipping
   double l1 = 0, l2 = 0;    ///< l1 sum |w| + l2 sum w^2 over all weights, not biases, is added to the loss that is minimised
   /// Above 0: what is validated and kept is a moving average of the weights, which keeps this part of itself at a step. It begins
   /// as a copy of the weights after the first step.
   double ema_decay = 0;
   Initialisation initialisation = Initialisation::XavierUniform;
   double forget_bias = 1;   ///< see initialise()
   DropRates drop;           ///< if any, instead of the network's own
   Monitor monitor = Monitor::Loss; ///< of the validation part; what decides which weights are the best, and about patience
   std::size_t patience = 0; ///< epochs without a better figure before training stops; 0: all epochs are run
   std::uint64_t seed = 1;
   double weight_scale = 1; ///< event weights are multiplied by this
   WorkLimits limits;
};

/// What one epoch gave. Losses are means weighted with the event weights.
struct EpochRecord {
   std::size_t epoch = 0; ///< from 1
   double loss = 0;       ///< over the epoch's batches, while the weights move
   double validation_loss = std::numeric_limits<double>::quiet_NaN(); ///< after the epoch; NaN without validation
   double monitored = std::numeric_limits<double>::quiet_NaN(); ///< what TrainingOptions::monitor asks for, after the epoch
   double learning_rate = 0; ///< of the epoch's last step
   std::size_t events = 0;   ///< gone through; of an epoch that was taken up again, since then
   bool best = false;        ///< the best by what is monitored, so far
};

/// Events to train on in one go, in the order given.
template <class T>
struct Portion {
   LabelledView<T> events;
   const std::int64_t *order = nullptr; ///< positions in `events`
   std::size_t n = 0;
};

/// Where an epoch's events come from. Every portion but the last of an epoch must hold a multiple of the epoch's batch size, so
/// that batches do not depend on how the events are portioned.
template <class T>
class EpochSource {
public:
   virtual ~EpochSource() = default;
   /// How many there are in an epoch: a schedule has to know how many steps are to come.
   virtual std::size_t events() const = 0;
   /// A new epoch begins (from 1), in batches of this size.
   virtual void begin(std::size_t epoch, std::size_t batch_size) = 0;
   /// The next portion, valid until the next call; false when the epoch is over.
   virtual bool next(Portion<T> &portion) = 0;
};

/// All events in memory, in an order drawn anew each epoch (or as given, without `shuffle`).
template <class T>
class MemorySource : public EpochSource<T> {
public:
   MemorySource(LabelledView<T> events, std::vector<std::int64_t> use, std::uint64_t seed, bool shuffle);
   std::size_t events() const override { return fUse.size(); }
   void begin(std::size_t epoch, std::size_t batch_size) override;
   bool next(Portion<T> &portion) override;

private:
   LabelledView<T> fEvents;
   std::vector<std::int64_t> fUse, fOrder;
   std::uint64_t fSeed;
   bool fShuffle;
   bool fDelivered = true;
};

/// How training ended.
enum class StopReason { AllEpochs, EarlyStopping, Interrupted, MaxTime };

/// Who watches a training: is asked whether it goes on, is told of its epochs, keeps its state.
template <class T>
struct TrainingWatch {
   std::function<bool()> keep_going;                    ///< asked between batches; false ends training
   std::function<bool(const EpochRecord &)> epoch_done; ///< called after each epoch; false ends training
   /// Seconds that fit() may take: it ends before the first batch after that, but not before it has trained on one.
   double max_seconds = std::numeric_limits<double>::infinity();
   /// Where the state goes, if anywhere: after every so many epochs, whenever so many seconds have passed (between two batches, too),
   /// and when training ends.
   std::function<void(const TrainingState<T> &)> save;
   std::uint64_t save_epochs = 0; ///< 0: never
   double save_seconds = std::numeric_limits<double>::infinity();
   /// Seconds on any clock that does not go back; empty: std::chrono::steady_clock.
   std::function<double()> clock;
};

template <class T>
class TrainingClock;

template <class T>
class Trainer {
public:
   /// Parameters are drawn from the seed.
   Trainer(const NetworkShape &shape, Standardisation<T> features, Standardisation<T> event_features, TrainingOptions options);

   /// Called between batches; false ends training.
   using KeepGoing = std::function<bool()>;
   /// Called after each epoch; false ends training.
   using EpochDone = std::function<bool(const EpochRecord &)>;

   /// Trains: from the first epoch, or, after set_state(), from there on. Afterwards the parameters are the best by what is monitored on
   /// the validation part, or the last ones without one; with ema_decay, of the averaged ones. Throws ArgumentError where what is
   /// monitored has no meaning.
   StopReason fit(EpochSource<T> &source, const LabelledView<T> *validation, const std::vector<std::int64_t> &validate,
                  const TrainingWatch<T> &watch);
   StopReason fit(EpochSource<T> &source, const LabelledView<T> *validation, const std::vector<std::int64_t> &validate,
                  const KeepGoing &keep_going, const EpochDone &epoch_done)
   {
      TrainingWatch<T> watch;
      watch.keep_going = keep_going;
      watch.epoch_done = epoch_done;
      return fit(source, validation, validate, watch);
   }

   /// Where training stands; to be asked for while fit() runs (it gives it to TrainingWatch::save): at its end the best weights take the
   /// place of the last.
   TrainingState<T> state() const;
   /// The next fit(), with the same events and options, goes on from there and ends in the same bits as if it had never stopped. Only
   /// the number of epochs may be another one, where the schedule does not look at it. Throws ArgumentError if it does not fit.
   void set_state(TrainingState<T> state);

   /// Of the steps to come; fit() sets it by the schedule.
   void set_learning_rate(double rate) { fOptimizer.set_learning_rate(rate); }
   /// One optimiser step on one batch; the batch's loss before it.
   LossSum train_batch(const LabelledView<T> &events, const std::int64_t *batch, std::size_t n_batch);

   const std::vector<T> &parameters() const { return fParameters; }
   /// The moving average; the parameters themselves without one, or before the first step.
   const std::vector<T> &averaged() const { return fHasAverage ? fAverage : fParameters; }
   void set_parameters(std::vector<T> flat);
   Network<T> &network() { return fNetwork; }
   const TrainingOptions &options() const { return fOptions; }

private:
   void add_penalty();
   void make_step(T factor);
   Moment planned_steps(std::size_t events) const;
   StopReason train_epoch(EpochSource<T> &source, Moment moment, TrainingClock<T> &clock, EpochRecord &record);
   bool finish_epoch(const LabelledView<T> *validation, const std::vector<std::int64_t> &validate, EpochRecord &record);
   bool out_of_patience(bool validates) const;
   void check_monitor(const LabelledView<T> *validation, const std::vector<std::int64_t> &validate) const;
   void validate_averaged(const LabelledView<T> &events, const std::vector<std::int64_t> &use, EpochRecord &record);
   double monitored(const LabelledView<T> &events, const std::vector<std::int64_t> &use) const;

   TrainingOptions fOptions;
   std::vector<ParameterView> fLayout;
   Network<T> fNetwork;
   Optimizer<T> fOptimizer;
   std::vector<T> fParameters, fGradient;
   std::vector<T> fAverage; ///< as large with ema_decay only
   bool fHasAverage = false;
   TrainingProgress fProgress; ///< of fit()
   std::vector<T> fBest;       ///< the weights to be kept; empty: none yet
   bool fResumed = false;      ///< the next fit() goes on from fProgress
};

/// Draws a validation part for each class: round(fraction * events of the class) of them, from the seed. `labels` may be null
/// (one class). Returns a mask: 1 for validation.
std::vector<std::uint8_t> draw_validation(const std::int32_t *labels, std::size_t n_events, std::size_t n_classes,
                                          double fraction, std::uint64_t seed);

} // namespace TMVA_LSTM_ABI
} // namespace tmva_lstm
