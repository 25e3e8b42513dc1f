/// \file
/// A step of a training, and scoring, take no memory once they have seen a batch as large: every operator new is counted.
///
/// Which thread gets which block differs from run to run. What is asked here must hold for each way the blocks can fall: so the
/// warm-up is a single batch, and what follows are many.
#include "network_fixtures.h"

#include "core/trainer.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>

namespace {

std::atomic<long> allocations{0};

void *counted(std::size_t size, std::size_t alignment)
{
   allocations.fetch_add(1, std::memory_order_relaxed);
   size = std::max<std::size_t>(1, (size + alignment - 1) / alignment * alignment); // aligned_alloc asks for a multiple
   void *memory = alignment <= alignof(std::max_align_t) ? std::malloc(size) : std::aligned_alloc(alignment, size);
   if (!memory)
      throw std::bad_alloc();
   return memory;
}

} // namespace

// The other forms (of arrays, without exceptions) call these two.
void *operator new(std::size_t size)
{
   return counted(size, 1);
}
void *operator new(std::size_t size, std::align_val_t alignment)
{
   return counted(size, static_cast<std::size_t>(alignment));
}
void operator delete(void *memory) noexcept
{
   std::free(memory);
}
void operator delete(void *memory, std::size_t) noexcept
{
   std::free(memory);
}
void operator delete(void *memory, std::align_val_t) noexcept
{
   std::free(memory);
}
void operator delete(void *memory, std::size_t, std::align_val_t) noexcept
{
   std::free(memory);
}

using namespace tmva_lstm;

namespace {

constexpr std::size_t kEvents = 400, kLongest = 23, kBatch = 150;

/// Last state or all of them, hidden dense layers or none.
std::vector<NetworkShape> shapes()
{
   return {
      make_shape(3, 0, 9, 1),
      make_shape(3, 2, 9, 3, 0, {{11, Activation::Tanh}, {5, Activation::Gauss}}),
      make_shape(3, 2, 9, 3, kLongest, {{5, Activation::Relu}, {11, Activation::Linear}}),
      stacked({7, 5, 11}, make_shape(3, 2, 9, 3)),
      stacked({7, 5}, make_shape(3, 2, 9, 3, kLongest), true),
      normalised(pooled(Pooling::Attention, with_cell(CellKind::Gru, stacked({7}, make_shape(3, 2, 9, 3), true)))),
      reset_before(stacked({7}, make_shape(3, 2, 9, 3))),
      changed(stacked({7}, make_shape(3, 2, 9, 3)), [](NetworkShape &s) { s.drop = {0.2, 0.3, 0.4}; }),
      pooled(Pooling::Max, with_cell(CellKind::Lstm, make_shape(3, 2, 9, 1), true, true)),
      of_every_step(with_cell(CellKind::Rnn, make_shape(3, 2, 9, 3))),
      make_shape(3, 0, 80, 1), // its weights are rearranged by two threads, its optimiser's step is cut in parts
   };
}

/// The batches to come: of one event to kBatch, drawn at random; the first holds event 0 and is as large as they get.
std::vector<std::vector<std::int64_t>> draw_batches(std::size_t count)
{
   std::mt19937 random(8);
   auto all = everything(kEvents);
   std::vector<std::vector<std::int64_t>> batches;
   batches.emplace_back(all.begin(), all.begin() + kBatch);
   while (batches.size() < count) {
      std::shuffle(all.begin(), all.end(), random);
      const std::size_t size = batches.size() % 3 ? kBatch : 1 + random() % kBatch;
      batches.emplace_back(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(size));
   }
   return batches;
}

/// Allocations of `work(batch)` over all batches but the first.
template <class Work>
long after_the_first(const std::vector<std::vector<std::int64_t>> &batches, Work work)
{
   work(batches.front());
   const long before = allocations;
   std::for_each(batches.begin() + 1, batches.end(), work);
   return allocations - before;
}

Trainer<float> make_trainer(const NetworkShape &shape, std::size_t n_threads, TrainingOptions options = {})
{
   options.limits.n_threads = n_threads;
   return {shape, Standardisation<float>::identity(shape.D), Standardisation<float>::identity(shape.E), options};
}

} // namespace

TEST(allocations_are_counted)
{
   const long before = allocations;
   {
      AlignedArray<float> aligned(5);
      std::vector<float> numbers(5);
      const auto text = std::make_unique<std::string>(100, 'x');
      CHECK(aligned.size() + numbers.size() + text->size() == 110);
   }
   CHECK(allocations - before == 4);
}

TEST(a_step_of_a_training_takes_no_memory)
{
   const auto batches = draw_batches(40);
   for (const NetworkShape &shape : shapes())
      for (const std::size_t n_threads : {1, 3, 7}) {
         const Events<float> events(shape, kEvents, kLongest, 3);
         Trainer<float> trainer = make_trainer(shape, n_threads);
         const std::vector<float> start = trainer.parameters();
         const long found = after_the_first(batches, [&](const std::vector<std::int64_t> &batch) {
            CHECK(trainer.train_batch(events.view(), batch.data(), batch.size()).n > 0 || batch.size() < 5);
         });
         CHECK_NEAR(static_cast<double>(found), 0, 0);
         CHECK(trainer.parameters() != start);
      }
}

TEST(penalties_momentum_and_the_plain_kernels_take_none_either)
{
   const auto batches = draw_batches(8);
   const NetworkShape shape = shapes()[1];
   const Events<float> events(shape, kEvents, kLongest, 3);
   TrainingOptions options;
   options.l1 = options.l2 = 1e-3;
   options.clip_value = 0.1;
   options.ema_decay = 0.9;
   options.optimizer.kind = OptimizerKind::Sgd;
   std::size_t count = 0;
   const char *const *names = available_kernels(count);
   for (std::size_t n = 0; n < count; ++n) {
      setenv("TMVA_LSTM_ISA", names[n], 1);
      Trainer<float> trainer = make_trainer(shape, 3, options);
      const long found = after_the_first(batches, [&](const std::vector<std::int64_t> &batch) {
         trainer.train_batch(events.view(), batch.data(), batch.size());
      });
      CHECK_NEAR(static_cast<double>(found), 0, 0);
   }
   unsetenv("TMVA_LSTM_ISA");
}

TEST(an_epoch_takes_as_much_with_many_batches_as_with_one)
{
   const NetworkShape shape = shapes()[0];
   const Events<float> events(shape, kEvents, kLongest, 3);
   const auto use = everything(kEvents);
   std::vector<long> found;
   for (const std::size_t batches : {1, 8}) {
      TrainingOptions options;
      options.epochs = 1;
      options.batch_size = kEvents / batches;
      Trainer<float> trainer = make_trainer(shape, 1, options);
      trainer.train_batch(events.view(), use.data(), use.size());
      MemorySource<float> source(events.view(), use, 1, true);
      const long before = allocations;
      trainer.fit(source, nullptr, {}, [] { return true; }, [](const EpochRecord &) { return true; });
      found.push_back(allocations - before);
   }
   CHECK(found[0] == found[1]);
   CHECK(found[0] > 0); // the order is drawn, the parameters are handed over
}

TEST(scoring_takes_no_memory)
{
   const auto batches = draw_batches(40);
   for (const NetworkShape &shape : shapes())
      for (const std::size_t n_threads : {1, 3, 7}) {
         const Events<float> events(shape, kEvents, kLongest, 3);
         Trainer<float> trainer = make_trainer(shape, n_threads);
         WorkLimits limits;
         limits.n_threads = n_threads;
         std::vector<float> logits(kBatch * kLongest * shape.K);
         const long found = after_the_first(batches, [&](const std::vector<std::int64_t> &batch) {
            trainer.network().logits(events.view(), batch.data(), batch.size(), limits, logits.data());
         });
         CHECK_NEAR(static_cast<double>(found), 0, 0);
         CHECK(std::any_of(logits.begin(), logits.end(), [](float z) { return z != 0; }));
      }
}

TEST_MAIN()
