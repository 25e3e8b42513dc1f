/// \file
/// Blocks whose activations do not fit into memory: how they are cut in time, that the cut changes no bit of a result, and
/// that the stated memory is kept to.
#include "network_fixtures.h"

#include "core/error.h"
#include "core/segments.h"
#include "core/trainer.h"

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <new>

using namespace tmva_lstm;

// All AlignedArrays take their memory here, so that it can be counted.
namespace {

std::atomic<std::size_t> live_bytes = 0, peak_bytes = 0, allocations = 0;

} // namespace

void *operator new(std::size_t size, std::align_val_t alignment)
{
   // one alignment unit in front holds the size
   const auto unit = static_cast<std::size_t>(alignment);
   auto *start = static_cast<unsigned char *>(std::aligned_alloc(unit, unit + round_up(size, unit)));
   if (!start)
      throw std::bad_alloc();
   std::memcpy(start, &size, sizeof(size));
   live_bytes += size;
   peak_bytes = std::max(peak_bytes.load(), live_bytes.load()); // it is read where one thread works
   ++allocations;
   return start + unit;
}

void operator delete(void *p, std::align_val_t alignment) noexcept
{
   if (!p)
      return;
   unsigned char *start = static_cast<unsigned char *>(p) - static_cast<std::size_t>(alignment);
   std::size_t size = 0;
   std::memcpy(&size, start, sizeof(size));
   live_bytes -= size;
   std::free(start);
}

namespace {

/// What cutting `steps` steps into segments of `length` takes.
template <class T>
std::size_t bytes_of_cut(const StackShape &s, std::size_t steps, std::size_t length)
{
   const std::size_t checkpoints = (steps + length - 1) / length - 1;
   std::size_t units = 0;
   for (std::size_t n = 0; n < s.parts(); ++n)
      units += s.part(n).H;
   return StackBlock<T>::bytes(s, length) + checkpoints * 2 * units * kLanes<T> * sizeof(T);
}

/// By trying all cuts.
template <class T>
std::size_t least_bytes_by_trial(const StackShape &s, std::size_t steps)
{
   std::size_t least = StackBlock<T>::bytes(s, steps);
   for (std::size_t length = kChunk<T>; length < steps; length += kChunk<T>)
      least = std::min(least, bytes_of_cut<T>(s, steps, length));
   return least;
}

/// Limits from the tightest a block can do with to one it fits into, each with another cut.
template <class T>
std::vector<std::size_t> limits_of_all_cuts(const StackShape &s, std::size_t steps)
{
   std::vector<std::size_t> limits{Segments<T>::least_bytes(s, steps)};
   std::size_t length = Segments<T>(s, steps, limits[0]).longest_segment();
   for (length += kChunk<T>; length < steps; length += kChunk<T>)
      limits.push_back(bytes_of_cut<T>(s, steps, length));
   limits.push_back(StackBlock<T>::bytes(s, steps));
   return limits;
}

template <class T>
void check_segments(const StackShape &s, std::size_t steps, std::size_t bytes)
{
   const Segments<T> segments(s, steps, bytes);
   const std::size_t count = segments.count(), length = segments.longest_segment();
   CHECK((count == 1) == (StackBlock<T>::bytes(s, steps) <= bytes));
   CHECK(segments.begin(0) == 0 && segments.end(count - 1) == steps);
   if (count == 1)
      return;
   CHECK(length % kChunk<T> == 0);
   CHECK(bytes_of_cut<T>(s, steps, length) <= bytes && bytes_of_cut<T>(s, steps, length + kChunk<T>) > bytes);
   CHECK(segments.end(0) > 0 && segments.end(0) <= length);
   for (std::size_t n = 1; n < count; ++n)
      CHECK(segments.begin(n) == segments.end(n - 1) && segments.end(n) == segments.begin(n) + length);
}

template <class T>
void check_all_cuts(const StackShape &s)
{
   std::size_t least_before = 0;
   for (std::size_t steps = 1; steps <= 400; ++steps) {
      const std::size_t least = Segments<T>::least_bytes(s, steps);
      CHECK(least == least_bytes_by_trial<T>(s, steps));
      CHECK(Segments<T>::longest(s, least) >= steps);
      // one byte less does for a shorter block only
      CHECK(Segments<T>::longest(s, least - 1) < steps);
      CHECK_THROWS(Segments<T>(s, steps, least - 1), MemoryError, "it needs at least " + std::to_string(least));
      CHECK(least >= least_before);
      least_before = least;
      for (const std::size_t bytes : limits_of_all_cuts<T>(s, steps)) {
         check_segments<T>(s, steps, bytes);
         check_segments<T>(s, steps, bytes + 1);
      }
   }
}

/// As many events of each length from 0 to `longest`, for which batches of several blocks cut all of them anywhere.
std::vector<std::size_t> lengths_up_to(std::size_t longest, std::size_t N)
{
   std::vector<std::size_t> lengths(N);
   for (std::size_t n = 0; n < N; ++n)
      lengths[n] = longest - n % (longest + 1);
   return lengths;
}

template <class T>
struct Result {
   LossSum sum;
   std::vector<T> gradient;

   Result(Network<T> &network, const Events<T> &events, const WorkLimits &limits)
      : gradient(network.shape().parameters(), T(7))
   {
      const auto batch = everything(events.weights.size());
      sum = network.gradient(events.view(), batch.data(), batch.size(), 1.5, limits, gradient.data(), {2, 3});
   }
   bool operator==(const Result &other) const
   {
      return sum.loss == other.sum.loss && sum.weight == other.sum.weight && sum.n == other.sum.n &&
             std::memcmp(gradient.data(), other.gradient.data(), gradient.size() * sizeof(T)) == 0;
   }
};

template <class T>
void check_gradients(const NetworkShape &s, std::size_t longest, std::size_t N)
{
   const Events<T> events(s, lengths_up_to(longest, N), 6);
   Network<T> network = make_network<T>(s);
   network.set_parameters(random_parameters<T>(s, 3).data());
   const Result<T> whole(network, events, {});
   std::size_t cuts = 0;
   for (const std::size_t bytes : limits_of_all_cuts<T>(s.stack(), longest)) {
      cuts += Segments<T>(s.stack(), longest, bytes).count() > 1;
      for (const std::size_t n_threads : {1, 2, 3})
         CHECK(Result<T>(network, events, {n_threads, bytes}) == whole);
   }
   CHECK(cuts >= 2);
   CHECK(Result<T>(network, events, {}) == whole);
}

/// The layouts of the network: the last state or all of them joined, with and without event features and hidden layers.
const std::vector<NetworkShape> kLayouts = {
   make_shape(3, 2, 5, 1),
   make_shape(1, 0, 1, 3),
   make_shape(9, 1, 14, 2, 0, {{5, Activation::Tanh}}, Loss::MeanSquaredError),
   make_shape(2, 1, 6, 1, 45, {{4, Activation::Sigmoid}}),
   make_shape(2, 0, 3, 3, 41),
   stacked({4}, make_shape(3, 1, 5, 1)),
   stacked({5, 2, 7}, make_shape(2, 0, 3, 3, 41)),
   with_cell(CellKind::Rnn, make_shape(1, 0, 2, 1)),
   with_cell(CellKind::Lstm, pooled(Pooling::Max, make_shape(3, 2, 5, 1)), true, true),
   normalised(pooled(Pooling::Attention, with_cell(CellKind::Gru, stacked({4}, make_shape(3, 1, 5, 2))))),
   normalised(of_every_step(stacked({4}, make_shape(3, 1, 5, 2)))),
   changed(normalised(pooled(Pooling::Mean, stacked({4}, make_shape(3, 1, 5, 2)))),
           [](NetworkShape &s) { s.drop = {0.2, 0.3, 0.4}; }),
   changed(make_shape(3, 1, 5, 2), [](NetworkShape &s) { s.drop = {0.2, 0.3, 0.4}; }),
   reset_before(stacked({4}, make_shape(3, 1, 5, 2))),
   changed(reset_before(make_shape(3, 1, 5, 2)), [](NetworkShape &s) { s.drop = {0.2, 0.3, 0.4}; }),
};

} // namespace

TEST(a_block_is_cut_so_that_it_fits)
{
   std::vector<StackShape> shapes{{1, {1}}, {8, {128}}, {100, {2}}, {8, {64, 64}}, {3, {5, 2, 9}}};
   for (const std::size_t each : {7, 9, 13}) // a simple RNN, whose steps are the cheapest beside a checkpoint; all there is; room of its own
      shapes.push_back(kLayouts[each].stack());
   for (const StackShape &s : shapes) {
      check_all_cuts<float>(s);
      check_all_cuts<double>(s);
   }
   // without steps there is nothing to cut
   CHECK(Segments<float>(LayerShape{3, 5}, 0, 0).count() == 1 && Segments<float>(LayerShape{3, 5}, 0, 0).end(0) == 0);
}

TEST(both_directions_are_not_cut)
{
   const StackShape s{3, {4, 5}, true};
   const std::size_t bytes = StackBlock<float>::bytes(s, 100);
   CHECK(Segments<float>(s, 100, bytes).count() == 1);
   CHECK(Segments<float>::longest(s, bytes) == 100 && Segments<float>::longest(s, bytes - 1) == 99);
   CHECK(Segments<float>::least_bytes(s, 100) == bytes);
   CHECK_THROWS(Segments<float>(s, 100, bytes - 1), MemoryError, "in layers of both directions, which cannot be cut");
   StackBlock<float> block;
   const std::size_t lengths[] = {7, 3};
   CHECK_THROWS(block.prepare(s, lengths, 2, 0, 6), ArgumentError, "need all steps of a sequence at once");
   CHECK_THROWS(block.prepare(s, lengths, 2, 1, 7), ArgumentError, "need all steps of a sequence at once");
   // an event that is too long is named
   const NetworkShape shape = stacked({4}, make_shape(3, 0, 5, 1), true);
   Network<float> network = make_network<float>(shape);
   const Events<float> events(shape, std::vector<std::size_t>{2, 120, 7}, 1);
   std::vector<float> gradient(shape.parameters());
   const auto batch = everything(3);
   CHECK_THROWS(network.gradient(events.view(), batch.data(), 3, 1, {1, bytes}, gradient.data()), MemoryError,
                "event 1 has 120 steps");
}

TEST(memory_goes_with_the_root_of_the_length)
{
   const LayerShape s{8, 128};
   CHECK(LayerBlock<float>::bytes(s, 100000) > 11'000'000'000);
   CHECK(Segments<float>::least_bytes(s, 100000) < 40'000'000);
   const std::size_t a_gigabyte = Segments<float>::longest(s, 1 << 30);
   CHECK(a_gigabyte > 70'000'000);
   CHECK(Segments<float>::least_bytes(s, a_gigabyte) <= 1 << 30);
   CHECK(Segments<float>::least_bytes(s, a_gigabyte + 1) > 1 << 30);
   // without a limit to speak of, nothing overflows
   CHECK(Segments<float>::longest(LayerShape{1, 1}, ~std::size_t(0)) > std::size_t(1) << 50);
   CHECK(Segments<float>(LayerShape{1, 1}, 1'000'000, ~std::size_t(0)).count() == 1);
}

TEST(cutting_in_time_changes_no_bit_of_a_gradient)
{
   for (const NetworkShape &s : kLayouts) {
      check_gradients<float>(s, 41, 100);
      check_gradients<double>(s, 41, 100);
   }
   // more blocks than slots, and a length that is a multiple of the chunk
   check_gradients<float>(kLayouts[0], 40, 700);
}

TEST(training_with_little_memory_is_the_same_training)
{
   const NetworkShape s = make_shape(3, 2, 5, 1);
   const Events<float> events(s, lengths_up_to(41, 150), 2);
   const LabelledView<float> view = events.view();
   const auto all = everything(150);
   const std::vector<std::int64_t> train(all.begin(), all.begin() + 110), validate(all.begin() + 110, all.end());
   std::vector<std::vector<float>> results;
   for (const std::size_t bytes : {std::size_t(1) << 30, Segments<float>::least_bytes(s.stack(), 41)}) {
      TrainingOptions options;
      options.epochs = 3;
      options.batch_size = 40;
      options.limits = {2, bytes};
      Trainer<float> trainer(s, Standardisation<float>::identity(3), Standardisation<float>::identity(2), options);
      MemorySource<float> source(view, train, options.seed, true);
      const StopReason reason =
         trainer.fit(source, &view, validate, [] { return true; }, [](const EpochRecord &) { return true; });
      CHECK(reason == StopReason::AllEpochs);
      results.push_back(trainer.parameters());
   }
   CHECK(results[0] == results[1]);
}

TEST(what_no_cut_fits_is_refused_and_scored)
{
   const NetworkShape s = make_shape(3, 0, 5, 1);
   const WorkLimits limits{1, 100000};
   const std::size_t longest = Network<float>::longest_sequence(s, limits.bytes_per_thread);
   const std::size_t needed = Segments<float>::least_bytes(s.stack(), longest + 1);
   CHECK(needed > limits.bytes_per_thread);
   const Events<float> fits(s, 3, longest, 1), does_not(s, 3, longest + 1, 1);
   const auto batch = everything(3);
   Network<float> network = make_network<float>(s);
   network.set_parameters(random_parameters<float>(s, 2).data());
   std::vector<float> gradient(s.parameters());
   CHECK(network.gradient(fits.view(), batch.data(), 3, 1, limits, gradient.data()).n == 3);
   CHECK_THROWS(network.gradient(does_not.view(), batch.data(), 3, 1, limits, gradient.data()), MemoryError,
                "event 0 has " + std::to_string(longest + 1) + " steps, which need at least " + std::to_string(needed) +
                   " bytes of activations a thread; the limit of 100000 bytes allows " + std::to_string(longest) +
                   " steps: raise the memory limit, or keep fewer steps of a sequence (max_length)");
   // nothing is kept of a step that is only scored
   CHECK(network.loss(does_not.view(), batch.data(), 3, 1, {1, 0}).loss ==
         network.loss(does_not.view(), batch.data(), 3, 1, {}).loss);
}

TEST(the_limit_is_kept_to_and_memory_is_kept)
{
   const NetworkShape s = make_shape(3, 1, 5, 1);
   const WorkLimits limits{1, 300000};
   const std::size_t whole = (limits.bytes_per_thread - StackBlock<float>::bytes(s.stack(), 0)) /
                             (StackBlock<float>::bytes(s.stack(), 1) - StackBlock<float>::bytes(s.stack(), 0));
   const std::size_t longest = Network<float>::longest_sequence(s, limits.bytes_per_thread);
   CHECK(Segments<float>(s.stack(), whole, limits.bytes_per_thread).count() == 1);
   CHECK(longest > 10 * whole);
   const Events<float> one_step(s, 3, 1, 1), uncut(s, 3, whole, 1), just_cut(s, 3, whole + 1, 1), cut(s, 3, longest, 1);
   Network<float> network = make_network<float>(s);
   network.set_parameters(random_parameters<float>(s, 2).data());
   Result<float>(network, one_step, limits); // what does not depend on lengths is there from now on
   const std::size_t others = live_bytes - StackBlock<float>::bytes(s.stack(), 1);
   for (const Events<float> *events : {&uncut, &cut, &just_cut, &uncut, &cut, &one_step, &just_cut}) {
      peak_bytes = live_bytes.load();
      Result<float>(network, *events, limits);
      const std::size_t counts_of_lanes = (whole + 2) * sizeof(std::size_t); // are not activations
      CHECK(peak_bytes - others <= limits.bytes_per_thread + counts_of_lanes);
      if (events != &one_step)
         CHECK(peak_bytes - others > limits.bytes_per_thread * 9 / 10);
      const std::size_t before = allocations;
      Result<float>(network, *events, limits);
      CHECK(allocations == before);
   }
}

TEST_MAIN()
