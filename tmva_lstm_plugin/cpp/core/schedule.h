/// \file
/// How the learning rate and the batch size go over a training. Where PyTorch has a schedule (torch.optim.lr_scheduler), the values
/// are its values.
#pragma once

#include "namespace.h"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>

namespace tmva_lstm {
inline namespace TMVA_LSTM_ABI {

enum class ScheduleKind {
   Constant,
   Step,        ///< times decay_factor after every decay_epochs epochs (StepLR)
   Exponential, ///< times decay_factor after every epoch (ExponentialLR)
   Cosine,      ///< down to min_learning_rate, at every batch (CosineAnnealingLR over all steps)
   OneCycle,    ///< up and down again, at every batch (OneCycleLR, cosine annealing; the momentum stays as it is)
   Plateau      ///< times decay_factor when the loss has stopped to fall (ReduceLROnPlateau)
};

/// Decay factor of Exponential where none is given: a tenth, the default of the others, would be the end after a few epochs.
constexpr double kExponentialFactor = 0.95;

struct ScheduleOptions {
   ScheduleKind kind = ScheduleKind::Constant;
   std::size_t decay_epochs = 10;
   double decay_factor = 0.1;
   double min_learning_rate = 0;     ///< Cosine, Plateau
   std::size_t plateau_patience = 5; ///< epochs without a better loss that are let pass
   double rise_fraction = 0.3;       ///< OneCycle: part of the steps on the way up
   double start_divisor = 25;        ///< OneCycle: it begins with the learning rate over this
   double end_divisor = 1e4;         ///< OneCycle: it ends with the first learning rate over this
   std::size_t warmup_epochs = 0;    ///< linear, at every batch, before the schedule begins (LinearLR, then the schedule)
   double warmup_start = 0.1;        ///< part of the learning rate the warm-up begins with
};

/// Of the names "constant", "step", "exponential", "cosine", "one_cycle", "plateau". Throws ArgumentError.
ScheduleKind schedule_from_name(const std::string &name);

/// Where a training stands, before a step.
struct Moment {
   std::size_t epoch = 0;        ///< from 0
   std::size_t step = 0;         ///< from 0, over the whole training
   std::size_t warmup_steps = 0; ///< in the warm-up
   std::size_t steps = 1;        ///< in the whole training, if it is not stopped early
};

/// The learning rate of a step, for `base`. Of Plateau it is the warm-up alone: what the losses make of it is in Plateau.
double scheduled_rate(const ScheduleOptions &options, double base, const Moment &moment);

/// What ScheduleKind::Plateau remembers.
struct PlateauState {
   double rate = 0; ///< of the epochs to come
   double best = std::numeric_limits<double>::infinity();
   std::uint64_t worse = 0; ///< epochs in a row
};

/// The part of ScheduleKind::Plateau that has a memory: a loss counts as better when it is below (1 - 1e-4) times the best so far.
class Plateau {
public:
   Plateau(const ScheduleOptions &options, double base) : fOptions(options) { fState.rate = base; }
   Plateau(const ScheduleOptions &options, const PlateauState &state) : fOptions(options), fState(state) {}
   /// Of the epochs to come.
   double rate() const { return fState.rate; }
   const PlateauState &state() const { return fState; }
   void epoch_done(double loss);

private:
   ScheduleOptions fOptions;
   PlateauState fState;
};

/// Batches that grow: times `factor` after every `epochs` epochs, rounded, and no larger than `maximum`.
struct BatchGrowth {
   double factor = 1;
   std::size_t epochs = 1;
   std::size_t maximum = 0; ///< 0: no limit
};

/// Batch size of an epoch (from 0).
std::size_t grown_batch(std::size_t batch_size, const BatchGrowth &growth, std::size_t epoch);

} // namespace TMVA_LSTM_ABI
} // namespace tmva_lstm
