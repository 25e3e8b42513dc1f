/// \file
/// The small parts of the core: random numbers, threads, standardisation, loss, optimisers, memory.
#include "check.h"

#include "core/aligned.h"
#include "core/error.h"
#include "core/loss.h"
#include "core/network.h"
#include "core/optimizer.h"
#include "core/preprocess.h"
#include "core/random.h"
#include "core/thread_pool.h"
#include "core/trainer.h"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <numeric>
#include <random>
#include <set>
#include <thread>

#include <sys/wait.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

using namespace tmva_lstm;

TEST(philox_gives_the_known_answers_of_random123)
{
   using Four = std::array<std::uint32_t, 4>;
   CHECK(philox({0, 0, 0, 0}, {0, 0}) == Four{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
   const std::uint32_t f = 0xffffffff;
   CHECK(philox({f, f, f, f}, {f, f}) == Four{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
   CHECK(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
         Four{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST(streams_differ_by_seed_purpose_epoch_and_index)
{
   std::set<std::uint64_t> drawn;
   std::size_t count = 0;
   for (const std::uint64_t seed : {std::uint64_t(0), std::uint64_t(1), std::uint64_t(1) << 32, ~std::uint64_t(0)})
      for (const Purpose purpose : {Purpose::Initialise, Purpose::Shuffle, Purpose::Validation, Purpose::ChunkOrder})
         for (const std::uint32_t epoch : {0u, 1u, 77u})
            for (const std::uint64_t index : {std::uint64_t(0), std::uint64_t(5), std::uint64_t(1) << 40}) {
               const RandomStream stream(seed, purpose, epoch);
               drawn.insert(stream.bits(index));
               ++count;
               CHECK(stream.uniform(index) >= 0 && stream.uniform(index) < 1);
               CHECK(stream.bits(index) == RandomStream(seed, purpose, epoch).bits(index));
            }
   CHECK(drawn.size() == count);
}

TEST(uniform_numbers_fill_the_interval)
{
   const RandomStream stream(3, Purpose::Initialise);
   std::vector<int> bins(100);
   const int count = 100000;
   for (int n = 0; n < count; ++n)
      ++bins[static_cast<std::size_t>(100 * stream.uniform(static_cast<std::uint64_t>(n)))];
   double chi2 = 0;
   for (const int bin : bins)
      chi2 += (bin - 1000.) * (bin - 1000.) / 1000.;
   CHECK(chi2 < 148.2 && chi2 > 59); // 99 degrees of freedom: once in 1000 either way
}

TEST(every_task_is_done_once_whatever_the_threads)
{
   for (const std::size_t n_threads : {0, 1, 2, 3, 7, 40})
      for (const std::size_t n_tasks : {0, 1, 2, 5, 100}) {
         std::vector<std::atomic<int>> done(n_tasks);
         std::atomic<bool> in_range{true};
         parallel_for(n_tasks, n_threads, [&](std::size_t index, std::size_t thread) {
            ++done[index];
            if (thread >= std::max<std::size_t>(1, n_threads))
               in_range = false;
         });
         CHECK(in_range);
         CHECK(std::all_of(done.begin(), done.end(), [](const auto &count) { return count == 1; }));
      }
   CHECK(usable_processors() >= 1);
}

TEST(the_exception_of_the_lowest_task_is_thrown)
{
   for (int repeat = 0; repeat < 50; ++repeat)
      for (const std::size_t n_threads : {1, 4}) {
         std::atomic<int> done{0};
         CHECK_THROWS(parallel_for(20, n_threads,
                                   [&](std::size_t index, std::size_t) {
                                      ++done;
                                      if (index % 5 == 3)
                                         throw ArgumentError("task " + std::to_string(index));
                                   }),
                      ArgumentError, "task 3");
         CHECK(done == 20);
      }
   int after = 0;
   parallel_for(1, 4, [&](std::size_t, std::size_t) { ++after; });
   CHECK(after == 1);
}

TEST(sections_inside_sections_and_beside_each_other)
{
   std::atomic<int> done{0};
   parallel_for(6, 3, [&](std::size_t, std::size_t) {
      parallel_for(5, 4, [&](std::size_t, std::size_t) { ++done; });
   });
   CHECK(done == 30);

   std::vector<std::thread> callers;
   std::vector<long> sums(5);
   for (std::size_t caller = 0; caller < sums.size(); ++caller)
      callers.emplace_back([&sums, caller] {
         for (int repeat = 0; repeat < 200; ++repeat) {
            std::vector<long> parts(10);
            parallel_for(10, 3, [&](std::size_t index, std::size_t) { parts[index] = static_cast<long>(index); });
            sums[caller] += std::accumulate(parts.begin(), parts.end(), 0L);
         }
      });
   for (std::thread &caller : callers)
      caller.join();
   for (const long sum : sums)
      CHECK(sum == 200 * 45);
}

std::atomic<bool> held_up{false}, let_go{false};

/// A thread that is kept off its processor, or wakes up late, holds up nothing: the caller does the work alone.
TEST(a_section_does_not_wait_for_a_thread_without_a_task)
{
   std::signal(SIGUSR1, [](int) {
      held_up = true;
      while (!let_go)
         std::this_thread::yield();
   });
   const pthread_t caller = pthread_self();
   std::atomic<bool> known{false};
   pthread_t worker = caller;
   parallel_for(2, 2, [&](std::size_t, std::size_t thread) { // neither thread can take both tasks
      if (thread == 1)
         worker = pthread_self();
      known = known || thread == 1;
      while (!known)
         std::this_thread::yield();
   });
   CHECK(!pthread_equal(worker, caller));
   pthread_kill(worker, SIGUSR1);
   while (!held_up)
      std::this_thread::yield();
   std::vector<std::size_t> thread_of(200, 7);
   const unsigned before = alarm(60); // a section that waits ends the program here
   for (int repeat = 0; repeat < 1000; ++repeat)
      parallel_for(thread_of.size(), 2, [&](std::size_t index, std::size_t thread) { thread_of[index] = thread; });
   alarm(before);
   CHECK(thread_of == std::vector<std::size_t>(200, 0));
   let_go = true;
   std::signal(SIGUSR1, SIG_DFL);
}

TEST(a_forked_child_has_threads_of_its_own)
{
   std::atomic<int> done{0};
   parallel_for(8, 4, [&](std::size_t, std::size_t) { ++done; });
   const pid_t child = fork();
   if (child == 0) {
      alarm(30);
      std::atomic<int> here{0};
      parallel_for(50, 4, [&](std::size_t, std::size_t) { ++here; });
      _exit(here == 50 ? 0 : 1);
   }
   int status = -1;
   CHECK(waitpid(child, &status, 0) == child);
   CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
   parallel_for(8, 4, [&](std::size_t, std::size_t) { ++done; });
   CHECK(done == 16);
}

#if defined(__x86_64__)
TEST(denormals_are_flushed_inside_and_the_callers_setting_comes_back)
{
   const unsigned before = _mm_getcsr(), off = before & ~0x8040u;
   for (const unsigned setting : {off, off | 0x8000u, off | 0x0040u, off | 0x8040u, (off & ~0x6000u) | 0x2000u}) {
      _mm_setcsr(setting);
      for (const std::size_t n_threads : {1, 4}) {
         std::atomic<int> flushed{0};
         parallel_for(16, n_threads, [&](std::size_t, std::size_t) {
            volatile float tiny = 1e-30f;
            flushed += (_mm_getcsr() & 0x8040u) == 0x8040u && tiny * tiny == 0;
         });
         CHECK(flushed == 16);
         // the low six bits tell of exceptions that have happened; the rest are settings
         CHECK((_mm_getcsr() & ~0x3fu) == (setting & ~0x3fu));
         try {
            parallel_for(1, n_threads, [](std::size_t, std::size_t) { throw ArgumentError("thrown"); });
         } catch (const ArgumentError &) {
         }
         CHECK((_mm_getcsr() & ~0x3fu) == (setting & ~0x3fu));
      }
   }
   _mm_setcsr(before);
}
#endif

TEST(aligned_arrays)
{
   AlignedArray<float> array(3);
   for (const std::size_t size : {1, 100, 7, 1000}) {
      array.require(size);
      CHECK(array.size() == size);
      CHECK(reinterpret_cast<std::uintptr_t>(array.data()) % kAlignment == 0);
      array.fill(2);
      CHECK(array[size - 1] == 2);
   }
   CHECK(array.bytes() == 4000);
}

TEST(summary_of_columns)
{
   std::mt19937 random(5);
   std::normal_distribution<float> normal(1e4f, 3);
   std::vector<float> values(2 * 1001);
   for (float &value : values)
      value = normal(random);
   for (std::size_t row = 0; row < 1001; ++row)
      values[2 * row + 1] = 5;
   SummaryFit whole(2);
   whole.add(values.data(), 1001);
   double sum = 0, squares = 0;
   for (std::size_t row = 0; row < 1001; ++row)
      sum += values[2 * row];
   for (std::size_t row = 0; row < 1001; ++row)
      squares += (values[2 * row] - sum / 1001) * (values[2 * row] - sum / 1001);
   const std::vector<ColumnSummary> found = whole.summary();
   CHECK_NEAR(found[0].mean, sum / 1001, 1e-9);
   CHECK_NEAR(found[0].deviation, std::sqrt(squares / 1001), 1e-9);
   CHECK(found[1].mean == 5 && found[1].deviation == 1 && found[1].minimum == 5 && found[1].maximum == 5);

   SummaryFit parts(2);
   for (std::size_t first = 0, size = 1; first < 1001; first += size, size = 1 + 3 * size % 50)
      parts.add(values.data() + 2 * first, std::min(size, 1001 - first));
   CHECK(parts.rows() == 1001);
   for (std::size_t column = 0; column < 2; ++column)
      CHECK(std::memcmp(&parts.summary()[column], &found[column], sizeof(ColumnSummary)) == 0);

   const std::int64_t offsets[] = {0, 3, 3, 1000, 1001};
   const std::uint8_t use[] = {1, 1, 0, 1}, all[] = {1, 1, 1, 1};
   SummaryFit some(2), rest(2);
   some.add(values.data(), offsets, 4, use);
   CHECK(some.rows() == 4);
   rest.add(values.data(), offsets, 4, all);
   CHECK(std::memcmp(&rest.summary()[0], &found[0], sizeof(ColumnSummary)) == 0);
   CHECK(SummaryFit(1).summary()[0].deviation == 1);
}

TEST(validation_takes_the_fraction_of_each_class)
{
   std::vector<std::int32_t> labels(997);
   std::mt19937 random(6);
   for (std::int32_t &label : labels)
      label = static_cast<std::int32_t>(random() % 7 ? random() % 2 : 2);
   for (const double fraction : {0., 0.1, 0.5, 1.}) {
      const std::vector<std::uint8_t> mask = draw_validation(labels.data(), labels.size(), 4, fraction, 12);
      CHECK(mask == draw_validation(labels.data(), labels.size(), 4, fraction, 12));
      for (std::int32_t k = 0; k < 4; ++k) {
         long count = 0, chosen = 0;
         for (std::size_t n = 0; n < labels.size(); ++n) {
            count += labels[n] == k;
            chosen += labels[n] == k && mask[n];
         }
         CHECK(chosen == std::lround(fraction * static_cast<double>(count)));
      }
   }
   CHECK(draw_validation(nullptr, 5, 1, 0.4, 1) != draw_validation(nullptr, 5, 1, 0.4, 4));
   CHECK(draw_validation(nullptr, 0, 1, 0.4, 1).empty());
}

TEST(losses_and_their_slopes)
{
   const double step = 1e-5;
   for (const Loss loss : {Loss::CrossEntropy, Loss::SigmoidCrossEntropy, Loss::MeanSquaredError})
      for (const std::size_t K : {1, 2, 5}) {
         std::vector<double> z(K), slope(K), unused(K), targets(K);
         for (std::size_t k = 0; k < K; ++k) {
            z[k] = 1.7 * static_cast<double>(k) - 1;
            targets[k] = 0.3 - static_cast<double>(k);
         }
         for (std::int32_t label = 0; label < static_cast<std::int32_t>(std::max<std::size_t>(2, K)); ++label)
            for (const double *t : {static_cast<const double *>(nullptr), static_cast<const double *>(targets.data())}) {
               if (t && loss != Loss::MeanSquaredError)
                  continue;
               const double value = event_loss(loss, 1, z.data(), K, label, t, slope.data());
               // the definitions, from probabilities
               double expected = 0;
               for (std::size_t k = 0; k < K; ++k) {
                  const bool is_class = static_cast<std::size_t>(label) == (K == 1 ? 1 : k);
                  const double p = 1 / (1 + std::exp(-z[k])), wanted = t ? t[k] : is_class;
                  expected += loss == Loss::MeanSquaredError ? (z[k] - wanted) * (z[k] - wanted) / static_cast<double>(K)
                                                             : -std::log(is_class ? p : 1 - p);
               }
               if (loss == Loss::CrossEntropy && K > 1) {
                  double sum = 0;
                  for (const double logit : z)
                     sum += std::exp(logit);
                  expected = -std::log(std::exp(z[static_cast<std::size_t>(label)]) / sum);
               }
               CHECK_NEAR(value, expected, 1e-13 * (1 + expected));
               for (std::size_t k = 0; k < K; ++k) {
                  std::vector<double> up = z, down = z;
                  up[k] += step;
                  down[k] -= step;
                  const double difference = event_loss(loss, 1, up.data(), K, label, t, unused.data()) -
                                            event_loss(loss, 1, down.data(), K, label, t, unused.data());
                  CHECK_NEAR(slope[k], difference / (2 * step), 1e-8);
               }
            }
         CHECK(loss_from_name(loss_name(loss)) == loss);
      }
   CHECK_THROWS(loss_from_name("hinge"), ArgumentError, "there is no loss 'hinge'; there are 'cross entropy'");
   for (const float z : {-1e4f, 1e4f}) {
      float slope;
      CHECK_NEAR(event_loss<float>(Loss::CrossEntropy, 1, &z, 1, z > 0, nullptr, &slope), 0, 0);
      CHECK_NEAR(event_loss<float>(Loss::CrossEntropy, 1, &z, 1, z < 0, nullptr, &slope), 1e4, 0);
      CHECK(std::fabs(slope) == 1);
   }
}

TEST(losses_of_targets_and_their_slopes)
{
   // below, at and beyond the bend of Huber's loss, on both sides; equal output and target
   const std::vector<double> z{0.5, -2, 3, 0, 1.25}, targets{0.25, -1.5, -1, 4, 1.25};
   const std::size_t K = z.size();
   for (const Loss loss : {Loss::MeanAbsoluteError, Loss::Huber})
      for (const double delta : {0.5, 1., 2.75}) {
         std::vector<double> slope(K), unused(K);
         double expected = 0;
         for (std::size_t k = 0; k < K; ++k) {
            const double d = std::fabs(z[k] - targets[k]);
            expected += loss == Loss::MeanAbsoluteError ? d : d <= delta ? d * d / 2 : delta * (d - delta / 2);
         }
         CHECK_NEAR(event_loss(loss, delta, z.data(), K, 0, targets.data(), slope.data()), expected / 5, 1e-15);
         for (std::size_t k = 0; k < K; ++k) {
            std::vector<double> up = z, down = z;
            up[k] += 1e-6;
            down[k] -= 1e-6;
            CHECK_NEAR(slope[k], (event_loss(loss, delta, up.data(), K, 0, targets.data(), unused.data()) -
                                  event_loss(loss, delta, down.data(), K, 0, targets.data(), unused.data())) / 2e-6, 1e-6);
         }
         CHECK(slope[4] == 0);
         CHECK(loss_from_name(loss_name(loss)) == loss);
         CHECK(is_for_targets(loss) && !is_for_classes(loss));
      }
}

TEST(targets_are_standardised_and_restored)
{
   std::vector<float> values{1, 20, 3, 50};
   standardise_targets(values.data(), 2, {1, 10}, {2, 20});
   CHECK((values == std::vector<float>{0, 0.5f, 1, 2}));
   restore_targets(values.data(), 2, {1, 10}, {2, 20});
   CHECK((values == std::vector<float>{1, 20, 3, 50}));
}

TEST(probabilities_of_logits)
{
   const double logits[] = {-1.2, 0, 800, -800};
   double p[8];
   probabilities(logits, 4, 1, p);
   for (int n = 0; n < 4; ++n) {
      CHECK_NEAR(p[2 * n + 1], 1 / (1 + std::exp(-logits[n])), 1e-16);
      CHECK_NEAR(p[2 * n] + p[2 * n + 1], 1, 1e-15);
   }
   probabilities(logits, 1, 4, p);
   CHECK(p[2] == 1 && p[0] == 0 && p[3] == 0);
   probabilities(logits, 2, 2, p);
   CHECK_NEAR(p[0], 1 / (1 + std::exp(1.2)), 1e-15);
   CHECK_NEAR(p[0] + p[1], 1, 1e-15);
}

namespace {

/// One step of all parameters, the gradient handed over as `scale` times another.
void step(Optimizer<double> &optimizer, double gradient, double &parameter)
{
   const double fourth = gradient / 4;
   optimizer.begin_step();
   optimizer.step(0, 1, 4., &fourth, &parameter);
}

} // namespace

TEST(steps_of_adam_and_sgd)
{
   const double gradients[] = {0.5, -2, 1e-3, 0};
   OptimizerOptions options;
   options.learning_rate = 0.1;
   Optimizer<double> adam(options, 1);
   double p = 1, m = 0, v = 0, expected = 1;
   for (int t = 1; t <= 4; ++t) {
      const double g = gradients[t - 1];
      step(adam, g, p);
      m = 0.9 * m + 0.1 * g;
      v = 0.999 * v + 0.001 * g * g;
      expected -= 0.1 * (m / (1 - std::pow(0.9, t))) / (std::sqrt(v / (1 - std::pow(0.999, t))) + 1e-8);
      CHECK_NEAR(p, expected, 1e-14);
   }
   options.kind = OptimizerKind::Sgd;
   options.momentum = 0.5;
   Optimizer<double> sgd(options, 1);
   p = 1;
   for (const double g : gradients)
      step(sgd, g, p);
   // velocities 0.5, -1.75, -0.874, -0.437
   CHECK_NEAR(p, 1 - 0.1 * (0.5 - 1.75 - 0.874 - 0.437), 1e-15);
}

TEST(an_optimizer_takes_its_parameters_in_parts)
{
   constexpr std::size_t kCount = 37;
   for (const OptimizerKind kind : {OptimizerKind::Adam, OptimizerKind::Sgd}) {
      OptimizerOptions options;
      options.kind = kind;
      Optimizer<float> whole(options, kCount), parts(options, kCount);
      std::vector<float> p(kCount, 1.f), q(kCount, 1.f), gradient(kCount);
      for (int t = 0; t < 5; ++t) {
         for (std::size_t n = 0; n < kCount; ++n)
            gradient[n] = std::sin(static_cast<float>(n * 7 + t));
         whole.begin_step();
         whole.step(0, kCount, 0.3f, gradient.data(), p.data());
         parts.begin_step();
         for (const std::size_t first : {30, 0, 11})
            parts.step(first, first == 30 ? kCount : first == 0 ? 11 : 30, 0.3f, gradient.data(), q.data());
      }
      CHECK(p == q);
      CHECK(p[1] != 1.f && p[36] != 1.f);
   }
}

TEST(clipping_by_norm)
{
   std::vector<double> gradient(23, 0.);
   gradient[2] = 3;
   gradient[22] = -4;
   const auto factor = [&](double given, double largest) { return clipped(gradient.data(), gradient.size(), given, largest); };
   CHECK(factor(2, 0) == 2);
   CHECK(factor(1, 20) == 1);
   CHECK(factor(2, 10) == 2);
   CHECK_NEAR(factor(1, 1), 0.2, 1e-16);
   CHECK_NEAR(factor(-2, 1), -0.2, 1e-16);
   std::fill(gradient.begin(), gradient.end(), 0.);
   CHECK(factor(1, 1) == 1);
}

TEST_MAIN()
