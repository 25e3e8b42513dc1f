/// \file
/// Layer and network over awkward shapes: gradients against differences, batches cut at random, limits, callers side by
/// side. Meant to be run under the sanitizers as well: every block, lane count and chunk of steps is met.
#include "network_fixtures.h"

#include "core/error.h"
#include "core/lstm_arrays.h"
#include "core/trainer.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <numeric>
#include <random>
#include <thread>

using namespace tmva_lstm;

namespace {

/// Not differentiable at 0.
const std::vector<NetworkShape> kKinked = {
   make_shape(3, 1, 4, 1, 0, {{9, Activation::Relu}}),
   make_shape(2, 0, 3, 2, 3, {{4, Activation::SymmetricRelu}, {7, Activation::FastTanh}}),
};

template <class T>
void run_everything(std::size_t N, std::size_t longest)
{
   for (const NetworkShape &s : kShapes) {
      const Events<T> events(s, N, longest, 4);
      const auto batch = everything(N);
      Network<T> network = make_network<T>(s);
      network.set_parameters(random_parameters<T>(s, 9).data());
      WorkLimits limits;
      std::vector<T> first(s.parameters());
      const LossSum expected = network.gradient(events.view(), batch.data(), N, 1, limits, first.data());
      for (const std::size_t n_threads : {2, 3, 7}) {
         limits.n_threads = n_threads;
         std::vector<T> gradient(s.parameters());
         const LossSum sum = network.gradient(events.view(), batch.data(), N, 1, limits, gradient.data());
         CHECK(sum.loss == expected.loss && sum.weight == expected.weight && sum.n == expected.n);
         CHECK(std::memcmp(first.data(), gradient.data(), first.size() * sizeof(T)) == 0);
      }
      const LossSum loss = network.loss(events.view(), batch.data(), N, 1, limits);
      CHECK_NEAR(loss.loss, expected.loss, (sizeof(T) == 4 ? 1e-5 : 1e-12) * (1 + std::fabs(expected.loss)));
   }
}

} // namespace

namespace {

/// Each entry of the gradient against the central difference of fourth order.
void check_gradient(const NetworkShape &s, double step, double tolerance)
{
   const Events<double> events(s, 19, 11, 3);
   const auto batch = everything(19);
   Network<double> network = make_network<double>(s);
   std::vector<double> p = random_parameters<double>(s, 8), gradient(p.size());
   network.set_parameters(p.data());
   const WorkLimits limits;
   network.gradient(events.view(), batch.data(), 19, 1.5, limits, gradient.data());
   for (std::size_t entry = 0; entry < p.size(); ++entry) {
      double sums[4];
      const double shifts[] = {2 * step, step, -step, -2 * step};
      for (int n = 0; n < 4; ++n) {
         std::vector<double> moved = p;
         moved[entry] += shifts[n];
         network.set_parameters(moved.data());
         sums[n] = network.loss(events.view(), batch.data(), 19, 1.5, limits).loss;
      }
      const double expected = (8 * (sums[1] - sums[2]) - (sums[0] - sums[3])) / (12 * step);
      CHECK_NEAR(gradient[entry], expected, tolerance);
   }
}

} // namespace

TEST(gradient_is_the_derivative_of_the_loss)
{
   for (const NetworkShape &s : kShapes)
      if (s.pooling == Pooling::Max)
         check_gradient(s, 1e-6, 1e-6); // where another step becomes the largest there is a kink
      else
         check_gradient(s, s.layer_norm ? 2e-4 : 1e-3, 1e-7); // few units normalised: the fifth derivative is large
   // a short step, which no kink comes to lie within
   for (const NetworkShape &s : kKinked)
      check_gradient(s, 1e-6, 1e-6);
}

TEST(gradient_with_dropout_is_the_derivative_of_the_loss_with_the_same_draw)
{
   for (const NetworkShape &s : dropping_shapes()) {
      const Events<double> events(s, 19, 11, 3);
      const auto batch = everything(19);
      Network<double> network = make_network<double>(s);
      std::vector<double> p = random_parameters<double>(s, 8), gradient(p.size()), unused(p.size());
      const DropDraw draw{5, 2};
      const auto loss_at = [&](const std::vector<double> &parameters, std::vector<double> &out) {
         network.set_parameters(parameters.data());
         return network.gradient(events.view(), batch.data(), 19, 1.5, {}, out.data(), draw).loss;
      };
      const double dropped = loss_at(p, gradient);
      CHECK(std::fabs(dropped - network.loss(events.view(), batch.data(), 19, 1.5, {}).loss) > 1e-3); // scores drop nothing
      for (std::size_t entry = 0; entry < p.size(); ++entry) {
         double sums[4];
         const double step = 1e-3, shifts[] = {2 * step, step, -step, -2 * step};
         for (int n = 0; n < 4; ++n) {
            std::vector<double> moved = p;
            moved[entry] += shifts[n];
            sums[n] = loss_at(moved, unused);
         }
         CHECK_NEAR(gradient[entry], (8 * (sums[1] - sums[2]) - (sums[0] - sums[3])) / (12 * step), 1e-7);
      }
   }
}

TEST(dropout_is_a_function_of_seed_step_and_place)
{
   for (const NetworkShape &s : dropping_shapes()) {
      const Events<float> events(s, 71, 9, 4);
      const auto batch = everything(71);
      Network<float> network = make_network<float>(s);
      network.set_parameters(random_parameters<float>(s, 9).data());
      const auto gradient = [&](DropDraw draw, std::size_t n_threads) {
         WorkLimits limits;
         limits.n_threads = n_threads;
         std::vector<float> out(s.parameters());
         network.gradient(events.view(), batch.data(), 71, 1, limits, out.data(), draw);
         return out;
      };
      const auto expected = gradient({3, 1}, 1);
      for (const std::size_t n_threads : {1, 2, 7})
         CHECK(gradient({3, 1}, n_threads) == expected);
      CHECK(gradient({3, 2}, 2) != expected);
      CHECK(gradient({4, 1}, 2) != expected);
   }
}

TEST(dropout_keeps_the_mean_and_drops_as_many_as_asked_for)
{
   constexpr std::size_t rows = 10, L = kLanes<float>;
   std::vector<std::int64_t> positions(L);
   std::size_t dropped = 0, count = 0;
   float factors[rows * L];
   for (std::uint32_t step = 1; step <= 100; ++step) {
      for (std::size_t lane = 0; lane < L; ++lane)
         positions[lane] = static_cast<std::int64_t>(lane);
      draw_factors(DropDraw{8, step}, 0.3, 5, rows, 20, positions.data(), L, factors);
      for (const float each : factors) {
         CHECK(each == 0.f || each == static_cast<float>(1 / 0.7));
         dropped += each == 0.f;
         ++count;
      }
   }
   const double expected = 0.3 * static_cast<double>(count), deviation = std::sqrt(expected * 0.7);
   CHECK_NEAR(static_cast<double>(dropped), expected, 4 * deviation);
}

TEST(all_sizes_of_batches_and_lengths)
{
   for (const std::size_t N : {3, 16, 17, 32, 33, 71})
      for (const std::size_t longest : {1, 4, 5, 9}) {
         run_everything<float>(N, longest);
         run_everything<double>(N, longest);
      }
}

TEST(an_event_has_one_score)
{
   for (const NetworkShape &s : kShapes) {
      const Events<float> events(s, 70, 6, 1);
      Network<float> network = make_network<float>(s);
      network.set_parameters(random_parameters<float>(s, 2).data());
      const auto rows = [&](std::int64_t event) { return (s.every_step ? events.view().length(event) : 1) * s.K; };
      std::vector<std::vector<float>> alone(70);
      const WorkLimits limits;
      for (std::int64_t n = 0; n < 70; ++n) {
         alone[static_cast<std::size_t>(n)].resize(rows(n));
         network.logits(events.view(), &n, 1, limits, alone[static_cast<std::size_t>(n)].data());
      }
      std::mt19937 random(7);
      auto batch = everything(70);
      for (std::size_t size = 1; size <= 70; size += 3) {
         std::shuffle(batch.begin(), batch.end(), random);
         std::vector<float> together(size * 6 * s.K), expected;
         network.logits(events.view(), batch.data(), size, limits, together.data());
         for (std::size_t n = 0; n < size; ++n) {
            const auto &each = alone[static_cast<std::size_t>(batch[n])];
            expected.insert(expected.end(), each.begin(), each.end());
         }
         CHECK(std::memcmp(together.data(), expected.data(), expected.size() * sizeof(float)) == 0);
      }
   }
}

TEST(callers_side_by_side_share_a_network)
{
   const NetworkShape s = make_shape(3, 2, 5, 1);
   const Events<float> events(s, 200, 7, 1);
   const auto batch = everything(200);
   Network<float> network = make_network<float>(s);
   network.set_parameters(random_parameters<float>(s, 2).data());
   WorkLimits limits;
   limits.n_threads = 3;
   std::vector<float> expected(200);
   network.logits(events.view(), batch.data(), 200, limits, expected.data());
   std::vector<std::thread> callers;
   std::vector<int> wrong(4);
   for (std::size_t caller = 0; caller < wrong.size(); ++caller)
      callers.emplace_back([&, caller] {
         for (int repeat = 0; repeat < 20; ++repeat) {
            std::vector<float> found(200);
            network.logits(events.view(), batch.data(), 200, limits, found.data());
            wrong[caller] += found != expected;
         }
      });
   for (std::thread &caller : callers)
      caller.join();
   CHECK(wrong == std::vector<int>(4));
}

TEST(a_batch_without_events)
{
   const NetworkShape s = make_shape(2, 1, 3, 1);
   const Events<float> events(s, 5, 4, 1);
   Network<float> network = make_network<float>(s);
   network.set_parameters(random_parameters<float>(s, 2).data());
   std::vector<float> gradient(s.parameters(), 5.f);
   const LossSum sum = network.gradient(events.view(), nullptr, 0, 1, {}, gradient.data());
   CHECK(sum.n == 0 && sum.loss == 0);
   CHECK(gradient == std::vector<float>(s.parameters()));
}

TEST(sequences_longer_than_the_steps_joined_are_refused)
{
   const NetworkShape joined = make_shape(2, 0, 3, 1, 4);
   const Events<float> events(make_shape(2, 0, 3, 1), 3, 5, 1);
   const auto batch = everything(3);
   Network<float> network = make_network<float>(joined);
   network.set_parameters(random_parameters<float>(joined, 2).data());
   CHECK_THROWS(network.loss(events.view(), batch.data(), 3, 1, {}), ArgumentError,
                "event 0 has 5 steps; this network joins the states of 4 steps");
}

TEST(the_bytes_of_a_block_are_those_it_takes)
{
   // the sum of the arrays that prepare() asks for, seen through their addresses: the block's own arithmetic must not drift
   for (const LayerShape &s : {LayerShape{3, 5}, reset_before(make_shape(3, 0, 5, 1)).stack().part(0)})
      for (const std::size_t steps : {0, 1, 9}) {
         constexpr std::size_t L = kLanes<double>;
         const std::size_t columns = s.columns<double>(), states = s.cell.reset_before ? 3 : 2;
         const std::size_t numbers = (steps + 1) * s.inputs() * L + (steps + 1) * s.H * L + steps * s.H * L +
                                     steps * s.rows() * L + states * s.H * L + kChunk<double> * L * columns;
         CHECK(LayerBlock<double>::bytes(s, steps) == numbers * sizeof(double));
         LayerBlock<double> block;
         block.reserve(s, steps);
         CHECK(block.held_bytes() == numbers * sizeof(double));
      }
}

TEST(layer_on_arrays_over_awkward_shapes)
{
   std::mt19937 random(5);
   std::normal_distribution<double> normal;
   for (const std::size_t N : {0, 1, 17, 40})
      for (const std::size_t steps : {0, 1, 9})
         for (const LayerShape s : {LayerShape{1, 1}, LayerShape{3, 5}, LayerShape{9, 14}}) {
            // exactly as large as asked for: a sanitizer sees what reads or writes beyond
            const auto make = [&](std::size_t count) {
               std::unique_ptr<float[]> array(new float[count]);
               for (std::size_t n = 0; n < count; ++n)
                  array[n] = static_cast<float>(normal(random));
               return array;
            };
            const std::size_t H = s.H, states = N * steps * H;
            const auto x = make(N * steps * s.D), W = make(4 * H * s.D), U = make(4 * H * H), b = make(4 * H), h0 = make(N * H),
                       c0 = make(N * H), h = make(states), c = make(states), gates = make(4 * states), dh = make(states),
                       dx = make(N * steps * s.D), dW = make(4 * H * s.D), dU = make(4 * H * H), db = make(4 * H),
                       dh0 = make(N * H), dc0 = make(N * H), dgates = make(4 * states), dh_total = make(states),
                       dc_total = make(states);
            std::vector<std::int64_t> lengths(N);
            for (std::int64_t &length : lengths)
               length = static_cast<std::int64_t>(random() % (steps + 1));
            const LayerArrays<float> in{N, steps, s, x.get(), W.get(), U.get(), b.get(), lengths.data(), h0.get(), c0.get()};
            layer_forward(in, 3, h.get(), c.get(), gates.get());
            layer_backward(in, h.get(), c.get(), gates.get(), dh.get(), 3,
                           LayerArraysGradient<float>{dx.get(), dW.get(), dU.get(), db.get(), dh0.get(), dc0.get(), dgates.get(),
                                                      dh_total.get(), dc_total.get()});
            // the bias enters each gate as 1: its gradient is the sum of those of the gates
            for (std::size_t row = 0; row < 4 * H; ++row) {
               double sum = 0;
               for (std::size_t at = row; at < 4 * states; at += 4 * H)
                  sum += dgates[at];
               CHECK_NEAR(db[row], sum, 1e-4);
            }
         }
}

TEST(training_is_the_same_for_any_number_of_threads)
{
   const NetworkShape s = make_shape(2, 1, 6, 1);
   const Events<float> events(s, 150, 8, 2);
   std::vector<std::vector<float>> results;
   for (const std::size_t n_threads : {1, 2, 3, 7}) {
      TrainingOptions options;
      options.epochs = 2;
      options.batch_size = 40;
      options.limits.n_threads = n_threads;
      Trainer<float> trainer(s, Standardisation<float>::identity(2), Standardisation<float>::identity(1), options);
      MemorySource<float> source(events.view(), everything(130), options.seed, true);
      const LabelledView<float> view = events.view();
      const auto all = everything(150);
      const std::vector<std::int64_t> validate(all.begin() + 130, all.end());
      const StopReason reason =
         trainer.fit(source, &view, validate, [] { return true; }, [](const EpochRecord &) { return true; });
      CHECK(reason == StopReason::AllEpochs);
      results.push_back(trainer.parameters());
   }
   for (const auto &result : results)
      CHECK(result == results[0]);
}

TEST_MAIN()
