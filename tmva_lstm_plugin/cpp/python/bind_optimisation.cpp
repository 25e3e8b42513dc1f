/// \file
/// The options of optimiser, schedule and what goes with them, and a schedule by itself.
#include "bindings.h"
#include "core/error.h"

namespace {

using namespace tmva_lstm;
using nb::literals::operator""_a;

TrainingOptions optimisation_from(const nb::dict &given)
{
   TrainingOptions o;
   OptionReader reader(given);
   take_optimisation(reader, o);
   return o;
}

/// The learning rates of a schedule whose moving part is asked by itself: one for each of `losses`, before it is known.
std::vector<double> plateau_rates(const nb::dict &options, const std::vector<double> &losses)
{
   const TrainingOptions o = optimisation_from(options);
   Plateau plateau(o.schedule, o.optimizer.learning_rate);
   std::vector<double> rates;
   for (const double loss : losses) {
      rates.push_back(plateau.rate());
      plateau.epoch_done(loss);
   }
   return rates;
}

/// Where `start` (n) is after a step along each row of `gradients` (steps, n), of the optimiser alone.
template <class T>
auto optimizer_steps(const nb::dict &options, const Input<T, 1> &start, const Input<T, 2> &gradients, const Input<std::uint8_t, 1> &decays)
{
   const std::size_t count = start.shape(0);
   if (gradients.shape(1) != count || decays.shape(0) != count)
      throw ArgumentError("the gradients have " + std::to_string(gradients.shape(1)) + " columns and " +
                          std::to_string(decays.shape(0)) + " parameters are said to decay or not, expected " + std::to_string(count));
   const TrainingOptions o = optimisation_from(options);
   std::vector<ParameterRange> ranges;
   for (std::size_t n = 0; n < count; ++n)
      if (decays.data()[n])
         ranges.emplace_back(n, n + 1);
   Optimizer<T> optimizer(o.optimizer, count, std::move(ranges));
   std::vector<T> parameters(start.data(), start.data() + count);
   for (std::size_t step = 0; step < gradients.shape(0); ++step) {
      optimizer.begin_step();
      optimizer.step(0, count, T(1), gradients.data() + step * count, parameters.data());
   }
   return to_numpy(std::move(parameters), {count});
}

} // namespace

void OptionReader::refuse_others() const
{
   for (auto [key, value] : fGiven)
      if (!fKnown.count(nb::cast<std::string>(key)))
         throw ArgumentError("the trainer has no option '" + nb::cast<std::string>(key) + "'");
}

void take_optimisation(OptionReader &reader, TrainingOptions &o)
{
   const auto take = [&](const char *key, auto &member) { reader.take(key, member); };
   std::string optimizer = "adam", schedule = "constant";
   take("optimizer", optimizer);
   take("schedule", schedule);
   // what is left out is the default of the one chosen
   o.optimizer = default_options(optimizer_from_name(optimizer));
   o.schedule.kind = schedule_from_name(schedule);
   take("learning_rate", o.optimizer.learning_rate);
   take("momentum", o.optimizer.momentum);
   take("nesterov", o.optimizer.nesterov);
   take("beta1", o.optimizer.beta1);
   take("beta2", o.optimizer.beta2);
   take("epsilon", o.optimizer.epsilon);
   take("rho", o.optimizer.rho);
   take("weight_decay", o.optimizer.weight_decay);
   take("l1", o.l1);
   take("l2", o.l2);
   take("clip_norm", o.clip_norm);
   take("clip_value", o.clip_value);
   take("ema_decay", o.ema_decay);
   take("batch_growth", o.growth.factor);
   take("batch_growth_epochs", o.growth.epochs);
   take("max_batch_size", o.growth.maximum);
   take("decay_epochs", o.schedule.decay_epochs);
   if (o.schedule.kind == ScheduleKind::Exponential)
      o.schedule.decay_factor = kExponentialFactor;
   take("decay_factor", o.schedule.decay_factor);
   take("min_learning_rate", o.schedule.min_learning_rate);
   take("plateau_patience", o.schedule.plateau_patience);
   take("rise_fraction", o.schedule.rise_fraction);
   take("start_divisor", o.schedule.start_divisor);
   take("end_divisor", o.schedule.end_divisor);
   take("warmup_epochs", o.schedule.warmup_epochs);
   take("warmup_start", o.schedule.warmup_start);
}

void bind_schedule(nb::module_ &m)
{
   constexpr const char *kSteps = "Parameters after a step of the optimiser along each gradient; where `decays` is 1, AdamW decays.";
   m.def("optimizer_steps", &optimizer_steps<double>, "options"_a, "start"_a.noconvert(), "gradients"_a.noconvert(), "decays"_a, kSteps);
   m.def("optimizer_steps", &optimizer_steps<float>, "options"_a, "start"_a.noconvert(), "gradients"_a.noconvert(), "decays"_a, kSteps);
   m.def(
      "scheduled_rate",
      [](const nb::dict &options, std::size_t epoch, std::size_t step, std::size_t warmup_steps, std::size_t steps) {
         const TrainingOptions o = optimisation_from(options);
         return scheduled_rate(o.schedule, o.optimizer.learning_rate, {epoch, step, warmup_steps, steps});
      },
      "options"_a, "epoch"_a, "step"_a, "warmup_steps"_a, "steps"_a, "The learning rate of a step; see core/schedule.h.");
   m.def("plateau_rates", &plateau_rates, "options"_a, "losses"_a,
         "The learning rates of epochs with these losses under the schedule 'plateau'.");
}
