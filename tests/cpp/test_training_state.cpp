/// \file
/// A training that was stopped and goes on ends in the same bits; when its state is kept, when time is over; what is monitored.
#include "check.h"
#include "network_fixtures.h"

#include "core/error.h"
#include "core/trainer.h"
#include "core/training_state.h"

#include <cmath>
#include <string>
#include <vector>

using namespace tmva_lstm;

namespace {

using State = TrainingState<float>;
using Bytes = std::vector<unsigned char>;

constexpr std::size_t kTrain = 43, kAll = 60;

/// How a training went, to the bit.
struct Course {
   std::vector<EpochRecord> epochs;
   std::vector<float> parameters;
   StopReason reason = StopReason::AllEpochs;
   Bytes state; ///< the last that was kept
   std::size_t saves = 0;
};

/// From the first epoch or from a state, with a clock that counts batches, for so many of them.
Course train(const NetworkShape &shape, TrainingOptions options, std::size_t n_threads, const Bytes *from = nullptr,
             double batches = std::numeric_limits<double>::infinity(), TrainingWatch<float> watch = {})
{
   const Events<float> events(shape, kAll, 6, 4);
   options.limits.n_threads = n_threads;
   Trainer<float> trainer(shape, Standardisation<float>::identity(shape.D), Standardisation<float>::identity(shape.E), options);
   MemorySource<float> source(events.view(), everything(kTrain), options.seed, true);
   const LabelledView<float> view = events.view();
   const auto all = everything(kAll);
   const std::vector<std::int64_t> validate(all.begin() + kTrain, all.end());
   Course course;
   std::size_t asked = 0;
   watch.keep_going = [&] { return ++asked, true; };
   watch.clock = [&] { return static_cast<double>(asked); };
   watch.max_seconds = batches;
   watch.epoch_done = [&](const EpochRecord &record) { return course.epochs.push_back(record), true; };
   watch.save = [&](const State &state) {
      course.state = to_bytes(state);
      ++course.saves;
   };
   if (from)
      trainer.set_state(state_from_bytes<float>(from->data(), from->size()));
   course.reason = trainer.fit(source, &view, validate, watch);
   course.parameters = trainer.parameters();
   return course;
}

TrainingOptions base()
{
   TrainingOptions options;
   options.epochs = 5;
   options.batch_size = 9; // five batches in an epoch, the last of seven
   options.optimizer.learning_rate = 0.02;
   return options;
}

/// Each optimiser, each schedule, and what else has a memory.
std::vector<std::pair<std::string, TrainingOptions>> all_kinds()
{
   std::vector<std::pair<std::string, TrainingOptions>> kinds;
   const auto add = [&](const std::string &name) -> TrainingOptions & { return kinds.emplace_back(name, base()).second; };
   for (const char *name : {"adam", "sgd", "adamw", "rmsprop", "adagrad", "adadelta"}) {
      TrainingOptions &options = add(name);
      options.optimizer = default_options(optimizer_from_name(name));
      options.optimizer.learning_rate = 0.02;
   }
   add("rmsprop with momentum").optimizer = default_options(OptimizerKind::RmsProp);
   kinds.back().second.optimizer.momentum = 0.5;
   for (const char *name : {"step", "exponential", "cosine", "one_cycle", "plateau"}) {
      ScheduleOptions &schedule = add(name).schedule;
      schedule.kind = schedule_from_name(name);
      schedule.decay_epochs = 2;
      schedule.plateau_patience = 0;
      schedule.warmup_epochs = schedule.kind == ScheduleKind::OneCycle ? 0 : 2;
   }
   TrainingOptions &patient = add("plateau that waits"); // some of its bad epochs before the stop, some after
   patient.schedule.kind = ScheduleKind::Plateau;
   patient.schedule.plateau_patience = 1;
   patient.optimizer.learning_rate = 0.3;
   patient.epochs = 9;
   add("moving average").ema_decay = 0.8;
   add("growing batches").growth = {1.5, 1, 30};
   add("patience").patience = 2;
   kinds.back().second.optimizer.learning_rate = 0.3; // worse and worse
   add("accuracy").monitor = Monitor::Accuracy;
   add("auc").monitor = Monitor::Auc;
   TrainingOptions &everything_on = add("all of it");
   everything_on.optimizer = default_options(OptimizerKind::AdamW);
   everything_on.l1 = everything_on.l2 = 1e-4;
   everything_on.clip_value = 0.01;
   everything_on.ema_decay = 0.7;
   everything_on.growth = {2, 2, 40};
   everything_on.schedule.kind = ScheduleKind::Plateau;
   everything_on.schedule.plateau_patience = 0;
   everything_on.patience = 3;
   everything_on.monitor = Monitor::Auc;
   return kinds;
}

bool same(const EpochRecord &a, const EpochRecord &b)
{
   const auto equal = [](double x, double y) { return x == y || (std::isnan(x) && std::isnan(y)); };
   return a.epoch == b.epoch && equal(a.loss, b.loss) && equal(a.validation_loss, b.validation_loss) &&
          equal(a.monitored, b.monitored) && a.learning_rate == b.learning_rate && a.best == b.best;
}

/// Positive weights, so that every figure is defined.
NetworkShape plain_shape(std::size_t K = 1)
{
   return make_shape(2, 1, 5, K);
}

} // namespace

TEST(a_training_stopped_anywhere_ends_in_the_same_bits)
{
   for (const auto &[name, options] : all_kinds()) {
      const Course whole = train(plain_shape(), options, 1);
      for (const int batches : {1, 4, 5, 6, 12, 17}) {
         const Course first = train(plain_shape(), options, 2, nullptr, batches);
         if (first.reason != StopReason::MaxTime) // patience had an end before
            continue;
         const Course rest = train(plain_shape(), options, 3, &first.state);
         std::vector<EpochRecord> epochs = first.epochs;
         epochs.insert(epochs.end(), rest.epochs.begin(), rest.epochs.end());
         bool equal = epochs.size() == whole.epochs.size() && rest.parameters == whole.parameters &&
                      rest.reason == whole.reason && rest.state == whole.state;
         for (std::size_t n = 0; equal && n < epochs.size(); ++n)
            equal = same(epochs[n], whole.epochs[n]);
         if (!equal)
            check::fail(__FILE__, __LINE__, name + " stopped after " + std::to_string(batches) + " batches ends otherwise");
      }
   }
}

TEST(stopped_again_and_again_after_every_batch)
{
   TrainingOptions options = base();
   options.epochs = 3;
   options.ema_decay = 0.5;
   options.schedule.kind = ScheduleKind::Cosine;
   const Course whole = train(plain_shape(3), options, 2);
   Course part = train(plain_shape(3), options, 2, nullptr, 0);
   std::size_t runs = 1;
   for (; part.reason == StopReason::MaxTime; ++runs) {
      const Bytes state = part.state;
      part = train(plain_shape(3), options, 2, &state, 0);
   }
   CHECK(runs == 15); // one batch each, whatever little time there is; the last one has none left to stop before
   CHECK(part.parameters == whole.parameters);
}

TEST(early_stopping_stays_where_it_was)
{
   TrainingOptions options = base();
   options.patience = 1;
   options.epochs = 40;
   options.optimizer.learning_rate = 0.3;
   const Course whole = train(plain_shape(), options, 2);
   CHECK(whole.reason == StopReason::EarlyStopping);
   const Course again = train(plain_shape(), options, 2, &whole.state);
   CHECK(again.reason == StopReason::EarlyStopping);
   CHECK(again.epochs.empty());
   CHECK(again.parameters == whole.parameters);
}

TEST(more_epochs_go_on_where_the_schedule_allows)
{
   for (const char *name : {"constant", "step", "exponential", "plateau"}) {
      TrainingOptions options = base();
      options.schedule.kind = schedule_from_name(name);
      options.schedule.decay_epochs = 2;
      options.schedule.warmup_epochs = 1;
      options.schedule.plateau_patience = 0;
      options.growth = {1.5, 1, 30};
      TrainingOptions shorter = options;
      shorter.epochs = 3;
      const Course first = train(plain_shape(), shorter, 2);
      CHECK(first.reason == StopReason::AllEpochs);
      CHECK(train(plain_shape(), options, 2, &first.state).parameters == train(plain_shape(), options, 1).parameters);
   }
}

TEST(time_is_over_before_the_next_batch_and_the_best_weights_are_kept)
{
   TrainingOptions options = base();
   options.optimizer.learning_rate = 0.3;
   const Course course = train(plain_shape(), options, 1, nullptr, 12.5);
   CHECK(course.reason == StopReason::MaxTime);
   CHECK(course.epochs.size() == 2);
   const State state = state_from_bytes<float>(course.state.data(), course.state.size());
   CHECK(state.progress.epoch == 2);
   CHECK(state.progress.batches == 2);
   CHECK(state.progress.step == 12);
   CHECK(state.progress.best_epoch == (course.epochs[1].best ? 2u : 1u));
   CHECK(course.parameters == state.best);
   CHECK(course.parameters != state.parameters);
   // an epoch that is complete is looked at before time is
   CHECK(train(plain_shape(), options, 1, nullptr, 4.5).epochs.size() == 0);
   CHECK(train(plain_shape(), options, 1, nullptr, 5.5).epochs.size() == 1);
   CHECK(train(plain_shape(), options, 1, nullptr, 25).reason == StopReason::AllEpochs);
}

TEST(the_state_is_kept_when_it_is_asked_for)
{
   const double never = std::numeric_limits<double>::infinity();
   TrainingWatch<float> watch;
   CHECK(train(plain_shape(), base(), 1, nullptr, never, watch).saves == 1); // at the end, always
   watch.save_epochs = 2;
   CHECK(train(plain_shape(), base(), 1, nullptr, never, watch).saves == 3); // 2, 4, end
   watch.save_epochs = 5;
   CHECK(train(plain_shape(), base(), 1, nullptr, never, watch).saves == 1); // the fifth is the end
   watch.save_epochs = 0;
   watch.save_seconds = 7; // of 25 batches: 7, 14, 21, and the end
   CHECK(train(plain_shape(), base(), 1, nullptr, never, watch).saves == 4);
}

TEST(a_state_that_does_not_fit_is_refused)
{
   TrainingOptions options = base();
   options.ema_decay = 0.5;
   const Bytes state = train(plain_shape(), options, 1, nullptr, 7).state;
   CHECK_THROWS(train(plain_shape(3), options, 1, &state), ArgumentError, "it is of another network");
   CHECK_THROWS(train(make_shape(2, 1, 6, 1), options, 1, &state), ArgumentError, "the network has ");
   TrainingOptions other = options;
   other.ema_decay = 0;
   CHECK_THROWS(train(plain_shape(), other, 1, &state), ArgumentError, "moving average");
   other = options;
   other.optimizer = default_options(OptimizerKind::Sgd);
   CHECK_THROWS(train(plain_shape(), other, 1, &state), ArgumentError, "it is of another optimiser");
   other = options;
   other.epochs = 1; // the second is begun
   CHECK_THROWS(train(plain_shape(), other, 1, &state), ArgumentError, "the state is of epoch 2, the training has 1");
}

TEST(damaged_bytes_are_refused)
{
   const Bytes bytes = train(plain_shape(), base(), 1, nullptr, 3).state;
   CHECK(to_bytes(state_from_bytes<float>(bytes.data(), bytes.size())) == bytes);
   for (std::size_t size = 0; size < bytes.size(); size += size < 400 ? 1 : 37) {
      const Bytes cut(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size)); // a block of its own, for the sanitizer
      CHECK_THROWS(state_from_bytes<float>(cut.data(), cut.size()), ModelError, "the state of the training");
   }
   CHECK_THROWS(state_from_bytes<double>(bytes.data(), bytes.size()), ModelError, "is an array in single precision, expected an array in double precision");
   Bytes longer = bytes;
   longer.push_back(0);
   CHECK_THROWS(state_from_bytes<float>(longer.data(), longer.size()), ModelError, "has 1 bytes more");
   Bytes renamed = bytes;
   renamed[4] = 'E';
   CHECK_THROWS(state_from_bytes<float>(renamed.data(), renamed.size()), ModelError, "has 'Epoch' where this version has 'epoch'");
   Bytes huge = bytes; // the first array claims to have 2^63 numbers
   const std::string name = "optimizer_first";
   const auto at = std::search(huge.begin(), huge.end(), name.begin(), name.end());
   *(at + static_cast<std::ptrdiff_t>(name.size()) + 8) = 0x80;
   CHECK_THROWS(state_from_bytes<float>(huge.data(), huge.size()), ModelError, "ends within 'optimizer_first'");
}

// --- figures ------------------------------------------------------------------------------------------------------------

TEST(auc_is_the_sum_over_all_pairs)
{
   std::mt19937 random(3);
   const std::size_t N = 57;
   std::vector<float> scores;
   std::vector<std::int32_t> labels;
   std::vector<double> weights;
   for (std::size_t n = 0; n < N; ++n) {
      scores.push_back(static_cast<float>(random() % 11)); // many are equal
      labels.push_back(static_cast<std::int32_t>(random() % 3));
      weights.push_back(n % 7 == 2 ? -0.5 : 0.5 + static_cast<double>(random() % 100));
   }
   for (const double *w : {static_cast<const double *>(nullptr), static_cast<const double *>(weights.data())}) {
      double pairs = 0, own = 0, others = 0;
      for (std::size_t i = 0; i < N; ++i) {
         (labels[i] == 2 ? own : others) += w ? w[i] : 1;
         for (std::size_t j = 0; j < N; ++j)
            if (labels[i] == 2 && labels[j] != 2)
               pairs += (w ? w[i] * w[j] : 1) * (scores[i] > scores[j] ? 1 : scores[i] == scores[j] ? 0.5 : 0);
      }
      CHECK_NEAR(class_auc(scores.data(), 1, 2, {labels.data(), w, N}), pairs / (own * others), 1e-13);
   }
   CHECK(std::isnan(class_auc(scores.data(), 1, 5, {labels.data(), nullptr, N})));
   scores[8] = NAN;
   CHECK(std::isnan(class_auc(scores.data(), 1, 2, {labels.data(), nullptr, N})));
}

TEST(accuracy_is_the_part_of_the_weight)
{
   const std::vector<double> p = {0.5, 0.5, 0.2, 0.8, 0.9, 0.1};
   const std::vector<std::int32_t> labels = {0, 0, 0};
   const std::vector<double> weights = {2, -1, 4};
   CHECK_NEAR(accuracy(p.data(), 2, {labels.data(), nullptr, 3}), 2. / 3, 1e-15);
   CHECK_NEAR(accuracy(p.data(), 2, {labels.data(), weights.data(), 3}), 6. / 5, 1e-15);
   CHECK(std::isnan(accuracy(p.data(), 2, {labels.data(), nullptr, 0})));
}

TEST(steps_that_are_not_masked_are_monitored)
{
   for (const std::size_t K : {1, 3})
      for (const Monitor monitor : {Monitor::Accuracy, Monitor::Auc}) {
         const NetworkShape shape = of_every_step(plain_shape(K));
         Events<float> events(shape, kAll, 6, 4);
         for (double &weight : events.weights)
            weight = std::abs(weight) + 0.1;
         const LabelledView<float> view = events.view();
         TrainingOptions options = base();
         options.epochs = 1; // whose weights are kept, and give the outputs below
         options.monitor = monitor;
         Trainer<float> trainer(shape, Standardisation<float>::identity(2), Standardisation<float>::identity(1), options);
         MemorySource<float> source(view, everything(kTrain), 1, true);
         const auto all = everything(kAll);
         const std::vector<std::int64_t> validate(all.begin() + kTrain, all.end());
         double found = 0;
         TrainingWatch<float> watch;
         watch.keep_going = [] { return true; };
         watch.epoch_done = [&](const EpochRecord &record) { return found = record.monitored, true; };
         trainer.fit(source, &view, validate, watch);

         std::vector<float> labelled; // probabilities of the steps that have a label, event by event
         std::vector<std::int32_t> labels;
         std::vector<double> weights;
         for (const std::int64_t event : validate) {
            const std::size_t length = view.length(event), first = static_cast<std::size_t>(view.offsets[event]);
            std::vector<float> z(length * K), p(length * shape.classes());
            trainer.network().logits(view, &event, 1, {}, z.data());
            probabilities(z.data(), length, K, p.data());
            for (std::size_t t = 0; t < length; ++t)
               if (view.labels[first + t] >= 0) {
                  const auto row = p.begin() + static_cast<std::ptrdiff_t>(t * shape.classes());
                  labelled.insert(labelled.end(), row, row + static_cast<std::ptrdiff_t>(shape.classes()));
                  labels.push_back(view.labels[first + t]);
                  weights.push_back(view.weights[event]);
               }
         }
         CHECK(labels.size() > 20 && labels.size() < static_cast<std::size_t>(view.offsets[kAll] - view.offsets[kTrain]));
         const JudgedEvents judged{labels.data(), weights.data(), labels.size()};
         CHECK(found == (monitor == Monitor::Auc ? macro_auc(labelled.data(), shape.classes(), judged)
                                                 : accuracy(labelled.data(), shape.classes(), judged)));
      }
}

TEST(what_has_no_meaning_is_not_monitored)
{
   TrainingOptions options = base();
   options.monitor = Monitor::Auc;
   const NetworkShape regression = make_shape(2, 1, 5, 2, 0, {}, Loss::MeanSquaredError);
   CHECK_THROWS(train(regression, options, 1), ArgumentError, "which is of classes");
   const Events<float> events(plain_shape(), kAll, 6, 4);
   const LabelledView<float> view = events.view();
   Trainer<float> trainer(plain_shape(), Standardisation<float>::identity(2), Standardisation<float>::identity(1), options);
   MemorySource<float> source(view, everything(kAll), 1, true);
   const auto yes = [] { return true; };
   const auto also = [](const EpochRecord &) { return true; };
   CHECK_THROWS(trainer.fit(source, nullptr, {}, yes, also), ArgumentError, "which is of validation events");
   std::vector<std::int64_t> of_one_class;
   for (std::int64_t n = 0; n < static_cast<std::int64_t>(kAll); ++n)
      if (events.labels[static_cast<std::size_t>(n)] == 1 && events.weights[static_cast<std::size_t>(n)] > 0)
         of_one_class.push_back(n);
   CHECK_THROWS(trainer.fit(source, &view, of_one_class, yes, also), ArgumentError, "of class 0 (from 0) the weights of the validation events sum to 0");
   CHECK_THROWS(monitor_from_name("AUC"), ArgumentError, "expected 'loss', 'auc' or 'accuracy'");
   CHECK(monitor_from_name("accuracy") == Monitor::Accuracy);
}

TEST_MAIN()
