#include "schedule.h"

#include "names.h"

#include <algorithm>
#include <cmath>

namespace tmva_lstm {
inline namespace TMVA_LSTM_ABI {

namespace {

/// From `start` to `end` as `part` goes from 0 to 1, along half a wave of the cosine.
double annealed(double start, double end, double part)
{
   constexpr double kPi = 3.14159265358979323846;
   return end + (start - end) / 2 * (std::cos(kPi * part) + 1);
}

double one_cycle(const ScheduleOptions &options, double base, double step, double steps)
{
   const double first = base / options.start_divisor, final = first / options.end_divisor;
   // as in PyTorch, the highest rate is that of step rise_fraction * steps - 1, the lowest that of the last step
   const double top = options.rise_fraction * steps - 1, last = steps - 1;
   if (step <= top)
      return annealed(first, base, top > 0 ? step / top : 1);
   return annealed(base, final, std::min((step - top) / (last - top), 1.));
}

} // namespace

ScheduleKind schedule_from_name(const std::string &name)
{
   constexpr const char *kNames[] = {"constant", "step", "exponential", "cosine", "one_cycle", "plateau"};
   return value_named<ScheduleKind>(name, kNames, "schedule is '", "', expected one of ");
}

double scheduled_rate(const ScheduleOptions &options, double base, const Moment &moment)
{
   if (moment.epoch < options.warmup_epochs) {
      const double part = static_cast<double>(moment.step) / static_cast<double>(std::max<std::size_t>(moment.warmup_steps, 1));
      return base * (options.warmup_start + (1 - options.warmup_start) * std::min(part, 1.));
   }
   const double epoch = static_cast<double>(moment.epoch - options.warmup_epochs);
   // a source may have given fewer events than it said
   const double step = static_cast<double>(std::max(moment.step, moment.warmup_steps) - moment.warmup_steps);
   const double steps = static_cast<double>(moment.steps - moment.warmup_steps);
   switch (options.kind) {
   case ScheduleKind::Step:
      return base * std::pow(options.decay_factor, std::floor(epoch / static_cast<double>(options.decay_epochs)));
   case ScheduleKind::Exponential: return base * std::pow(options.decay_factor, epoch);
   case ScheduleKind::Cosine: return annealed(base, options.min_learning_rate, std::min(step / steps, 1.));
   case ScheduleKind::OneCycle: return one_cycle(options, base, step, steps);
   case ScheduleKind::Constant:
   case ScheduleKind::Plateau: break;
   }
   return base;
}

void Plateau::epoch_done(double loss)
{
   constexpr double kThreshold = 1e-4, kLeastChange = 1e-8; // PyTorch's
   if (loss < fState.best * (1 - kThreshold)) {
      fState.best = loss;
      fState.worse = 0;
   } else {
      ++fState.worse;
   }
   if (fState.worse > fOptions.plateau_patience) {
      const double rate = std::max(fState.rate * fOptions.decay_factor, fOptions.min_learning_rate);
      if (fState.rate - rate > kLeastChange)
         fState.rate = rate;
      fState.worse = 0;
   }
}

std::size_t grown_batch(std::size_t batch_size, const BatchGrowth &growth, std::size_t epoch)
{
   if (growth.factor <= 1)
      return batch_size;
   const double most = growth.maximum ? static_cast<double>(growth.maximum) : 4e18;
   const double grown = static_cast<double>(batch_size) *
                        std::pow(growth.factor, std::floor(static_cast<double>(epoch) / static_cast<double>(growth.epochs)));
   return static_cast<std::size_t>(std::round(std::min(grown, most)));
}

} // namespace TMVA_LSTM_ABI
} // namespace tmva_lstm
