/// \file
/// Optimisers, schedules, clipping by value, the moving average and growing batches, as far as the core alone shows them. Against
/// PyTorch they stand in tests/python/test_optimisation.py.
#include "check.h"
#include "network_fixtures.h"

#include "core/error.h"
#include "core/optimizer.h"
#include "core/schedule.h"
#include "core/trainer.h"

#include <algorithm>
#include <cmath>
#include <vector>

using namespace tmva_lstm;

namespace {

constexpr OptimizerKind kAll[] = {OptimizerKind::Adam,    OptimizerKind::Sgd,     OptimizerKind::AdamW,
                                  OptimizerKind::RmsProp, OptimizerKind::Adagrad, OptimizerKind::Adadelta};

/// Where a parameter of 1 is after the gradients, with a learning rate of 0.1.
double after(OptimizerOptions options, std::vector<double> gradients, std::vector<ParameterRange> weights = {})
{
   options.learning_rate = 0.1;
   Optimizer<double> optimizer(options, 1, std::move(weights));
   double p = 1;
   for (const double g : gradients) {
      const double fourth = g / 4;
      optimizer.begin_step();
      optimizer.step(0, 1, 4., &fourth, &p);
   }
   return p;
}

} // namespace

TEST(two_steps_of_each_optimizer_by_hand)
{
   OptimizerOptions o = default_options(OptimizerKind::Sgd);
   o.momentum = 0.5;
   o.nesterov = true; // velocities 1, 2.5; steps 1 + 0.5, 2 + 1.25
   CHECK_NEAR(after(o, {1, 2}), 1 - 0.1 * (1.5 + 3.25), 1e-15);

   o = default_options(OptimizerKind::RmsProp);
   o.rho = 0.75; // squares 0.25, 0.1875 + 1
   CHECK_NEAR(after(o, {1, 2}), 1 - 0.1 * (1 / (0.5 + 1e-8) + 2 / (std::sqrt(1.1875) + 1e-8)), 1e-14);
   o.momentum = 0.5;
   const double first = 1 / (0.5 + 1e-8), second = 0.5 * first + 2 / (std::sqrt(1.1875) + 1e-8);
   CHECK_NEAR(after(o, {1, 2}), 1 - 0.1 * (first + second), 1e-14);

   CHECK_NEAR(after(default_options(OptimizerKind::Adagrad), {3, 4}), 1 - 0.1 * (1 + 0.8), 1e-10);

   o = default_options(OptimizerKind::Adadelta);
   o.rho = 0.5;
   o.epsilon = 0.5; // under both roots: squares 2, 3; the first step is sqrt(0.5 / 2.5) * 2
   const double move = std::sqrt(0.2) * 2, mean = 0.5 * move * move;
   CHECK_NEAR(after(o, {2, 2}), 1 - 0.1 * (move + std::sqrt((mean + 0.5) / 3.5) * 2), 1e-14);
}

TEST(decoupled_decay_takes_weights_and_no_others)
{
   OptimizerOptions o = default_options(OptimizerKind::AdamW);
   o.weight_decay = 0.5;
   CHECK_NEAR(after(o, {0, 0}, {{0, 1}}), 0.95 * 0.95, 1e-15);
   CHECK(after(o, {0, 0}) == 1);
   const std::size_t count = 10;
   std::vector<double> parameters(count, 1.), gradient(count, 0.);
   o.learning_rate = 0.1;
   Optimizer<double> optimizer(o, count, {{0, 3}, {6, 9}});
   optimizer.begin_step();
   for (const std::size_t n : {5, 0, 2, 7})
      optimizer.step(n, n == 0 ? 2 : n == 2 ? 5 : n == 5 ? 7 : count, 1., gradient.data(), parameters.data());
   for (std::size_t n = 0; n < count; ++n)
      CHECK_NEAR(parameters[n], n < 3 || (n >= 6 && n < 9) ? 0.95 : 1, 1e-15);
   o.kind = OptimizerKind::Adam;
   CHECK_THROWS(Optimizer<double>(o, 1), ArgumentError, "weight_decay belongs to AdamW");
}

TEST(every_optimizer_takes_its_parameters_in_parts)
{
   constexpr std::size_t kCount = 37;
   for (const OptimizerKind kind : kAll)
      for (const bool second : {false, true}) {
         OptimizerOptions options = default_options(kind);
         options.nesterov = second;
         if (kind == OptimizerKind::RmsProp && second)
            options.momentum = 0.9;
         const std::vector<ParameterRange> weights{{0, 7}, {11, 33}};
         Optimizer<float> whole(options, kCount, weights), parts(options, kCount, weights);
         std::vector<float> p(kCount, 1.f), q(kCount, 1.f), gradient(kCount);
         for (int t = 0; t < 5; ++t) {
            for (std::size_t n = 0; n < kCount; ++n)
               gradient[n] = std::sin(static_cast<float>(n * 7 + static_cast<std::size_t>(t)));
            whole.begin_step();
            whole.step(0, kCount, 0.3f, gradient.data(), p.data());
            parts.begin_step();
            for (const std::size_t first : {30, 0, 11})
               parts.step(first, first == 30 ? kCount : first == 0 ? 11 : 30, 0.3f, gradient.data(), q.data());
         }
         CHECK(p == q);
         CHECK(std::count(p.begin(), p.end(), 1.f) == 0);
      }
}

TEST(values_are_clipped)
{
   std::vector<double> g{0.5, -3, 2, std::nan("")};
   clip_values(g.data(), g.size(), -2, 3);
   CHECK(g[0] == -1 && g[1] == 3 && g[2] == -3 && std::isnan(g[3]));
}

TEST(names_that_are_not_known_are_told_with_those_that_are)
{
   CHECK(optimizer_from_name("adadelta") == OptimizerKind::Adadelta && schedule_from_name("one_cycle") == ScheduleKind::OneCycle);
   CHECK_THROWS(optimizer_from_name("adan"), ArgumentError, "'adan', expected one of 'adam', 'sgd', 'adamw', 'rmsprop'");
   CHECK_THROWS(schedule_from_name("cos"), ArgumentError, "'cos', expected one of 'constant', 'step'");
}

TEST(schedules_at_their_corners)
{
   ScheduleOptions o;
   o.kind = ScheduleKind::Step;
   o.decay_epochs = 2;
   o.warmup_epochs = 1;
   // the warm-up of 4 steps begins at a tenth; epochs of the schedule count from its end
   CHECK_NEAR(scheduled_rate(o, 2, {0, 0, 4, 20}), 0.2, 1e-15);
   CHECK_NEAR(scheduled_rate(o, 2, {0, 2, 4, 20}), 1.1, 1e-15);
   CHECK_NEAR(scheduled_rate(o, 2, {2, 8, 4, 20}), 2, 1e-15);
   CHECK_NEAR(scheduled_rate(o, 2, {3, 12, 4, 20}), 0.2, 1e-15);
   o.kind = ScheduleKind::Cosine;
   o.min_learning_rate = 0.5;
   CHECK_NEAR(scheduled_rate(o, 2, {1, 4, 4, 20}), 2, 1e-15);
   CHECK_NEAR(scheduled_rate(o, 2, {3, 12, 4, 20}), 1.25, 1e-15);
   CHECK_NEAR(scheduled_rate(o, 2, {9, 99, 4, 20}), 0.5, 1e-15); // beyond the end, as a source with more events than it said
   CHECK_NEAR(scheduled_rate(o, 2, {1, 3, 4, 20}), 2, 1e-15);   // or with fewer
   o.kind = ScheduleKind::OneCycle;
   o.warmup_epochs = 0;
   CHECK_NEAR(scheduled_rate(o, 1, {0, 0, 0, 10}), 0.04, 1e-15);
   CHECK_NEAR(scheduled_rate(o, 1, {0, 2, 0, 10}), 1, 1e-15);
   CHECK_NEAR(scheduled_rate(o, 1, {0, 9, 0, 10}), 4e-6, 1e-15);
   CHECK(std::isfinite(scheduled_rate(o, 1, {0, 0, 0, 1})));
}

TEST(batches_grow_to_their_maximum)
{
   const BatchGrowth growth{1.5, 2, 100};
   std::vector<std::size_t> found;
   for (std::size_t epoch = 0; epoch < 10; epoch += 2) {
      found.push_back(grown_batch(32, growth, epoch));
      CHECK(grown_batch(32, growth, epoch + 1) == found.back());
   }
   CHECK(found == std::vector<std::size_t>({32, 48, 72, 100, 100}));
   CHECK(grown_batch(32, {}, 1000) == 32);
   CHECK(grown_batch(32, {2, 1, 0}, 10'000) > 1'000'000); // without a maximum it does not run over
}

namespace {

/// All of it at once.
TrainingOptions everything_on(std::size_t n_threads)
{
   TrainingOptions options;
   options.epochs = 5;
   options.batch_size = 8;
   options.growth = {2, 1, 64};
   options.optimizer = default_options(OptimizerKind::AdamW);
   options.schedule.kind = ScheduleKind::Cosine;
   options.schedule.warmup_epochs = 1;
   options.clip_value = 0.01;
   options.clip_norm = 0.05;
   options.ema_decay = 0.9;
   options.l1 = options.l2 = 1e-4;
   options.limits.n_threads = n_threads;
   return options;
}

} // namespace

TEST(the_same_bits_for_any_number_of_threads_with_all_of_it_on)
{
   const NetworkShape shape = make_shape(5, 2, 80, 1); // 27,000 parameters: two parts of a step
   const Events<float> events(shape, 120, 6, 3);
   std::vector<std::int64_t> train, validate;
   for (std::int64_t n = 0; n < 120; ++n)
      (n % 5 ? train : validate).push_back(n);
   std::vector<std::vector<float>> found;
   for (const std::size_t n_threads : {1, 2, 3}) {
      Trainer<float> trainer(shape, Standardisation<float>::identity(shape.D), Standardisation<float>::identity(shape.E), everything_on(n_threads));
      MemorySource<float> source(events.view(), train, 1, true);
      std::vector<double> rates;
      const LabelledView<float> view = events.view();
      trainer.fit(source, &view, validate, [] { return true; }, [&](const EpochRecord &record) {
         rates.push_back(record.learning_rate);
         return true;
      });
      CHECK(rates.size() == 5 && rates[1] > rates[2] && rates[4] > 0);
      found.push_back(trainer.parameters());
   }
   CHECK(found[0] == found[1] && found[0] == found[2]);
}

TEST(a_trainer_refuses_what_has_no_meaning)
{
   const NetworkShape shape = make_shape(1, 0, 1, 1);
   const auto make = [&](const TrainingOptions &options) {
      return Trainer<float>(shape, Standardisation<float>::identity(1), Standardisation<float>::identity(0), options).parameters();
   };
   TrainingOptions o;
   o.ema_decay = 1;
   CHECK_THROWS(make(o), ArgumentError, "ema_decay is 1.000000; expected a number from 0");
   o = {};
   o.growth.factor = 0.5;
   CHECK_THROWS(make(o), ArgumentError, "batch_growth is 0.500000");
   o = {};
   o.schedule.decay_epochs = 0;
   CHECK_THROWS(make(o), ArgumentError, "expected at least 1");
}

TEST_MAIN()
