#include "SequenceModel.h"

#include "core/error.h"
#include "core/preprocess.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>

namespace tmva_lstm_tmva {

using namespace tmva_lstm;

namespace {

/// Activations a block may take in each thread.
constexpr std::size_t kBytesPerThread = std::size_t(1) << 30;
/// Events stored in a document with their scores, and the longest that are.
constexpr std::size_t kProbes = 16, kProbeSteps = 256;

FeatureSpec to_spec(const std::string &name, const ColumnSummary &column)
{
   return {name, "", static_cast<float>(column.mean), static_cast<float>(column.deviation),
           static_cast<float>(column.minimum), static_cast<float>(column.maximum)};
}

std::vector<FeatureSpec> to_specs(const std::vector<std::string> &names, const std::vector<ColumnSummary> &columns)
{
   std::vector<FeatureSpec> specs;
   for (std::size_t n = 0; n < names.size(); ++n)
      specs.push_back(to_spec(names[n], columns[n]));
   return specs;
}

Standardisation<float> standardisation(const std::vector<FeatureSpec> &specs)
{
   Standardisation<float> result;
   for (const FeatureSpec &spec : specs) {
      result.mean.push_back(spec.mean);
      result.inverse.push_back(1.f / spec.scale);
   }
   return result;
}

struct TargetUnits {
   std::vector<float> mean, scale;
};

TargetUnits units_of(const std::vector<FeatureSpec> &targets)
{
   TargetUnits units;
   for (const FeatureSpec &target : targets) {
      units.mean.push_back(target.mean);
      units.scale.push_back(target.scale);
   }
   return units;
}

/// Which events train and which validate, and how their weights are scaled.
struct Roles {
   std::vector<std::int64_t> train, validate;
   std::vector<std::uint8_t> trains; ///< a mask
   double weight_scale = 1;
   std::size_t longest = 0;
};

Roles choose_roles(const Booking &booking, Task task, const SequenceBuffer &events, const ModelNames &names,
                   TrainingReport &report)
{
   const std::size_t classes = task == Task::Regression ? 1 : names.classes.size();
   const std::vector<double> &weights = events.weights();
   std::vector<std::int64_t> used;
   std::vector<std::int32_t> labels;
   double absolute = 0, negative = 0;
   for (std::size_t n = 0; n < events.size(); ++n) {
      const double weight = weights.empty() ? 1 : weights[n];
      absolute += std::abs(weight);
      if (weight < 0) {
         ++report.negative_events;
         negative -= weight;
      }
      if (weight == 0) {
         ++report.unused_events;
         continue;
      }
      used.push_back(static_cast<std::int64_t>(n));
      if (task != Task::Regression)
         labels.push_back(events.labels()[n]);
   }
   report.negative_share = absolute > 0 ? negative / absolute : 0;
   if (used.size() < 2)
      throw ArgumentError("there are " + std::to_string(used.size()) +
                          " training events with a weight other than 0; a training needs at least 2");

   const double fraction = booking.validation_events
                              ? static_cast<double>(booking.validation_events) / static_cast<double>(used.size())
                              : booking.validation_fraction;
   if (fraction >= 1)
      throw ArgumentError("ValidationSize asks for " + std::to_string(booking.validation_events) + " of " +
                          std::to_string(used.size()) + " training events; leave some to train on");
   const std::vector<std::uint8_t> mask =
      draw_validation(labels.empty() ? nullptr : labels.data(), used.size(), classes, fraction, booking.phases.front().seed);
   Roles roles;
   roles.trains.assign(events.size(), 0);
   std::vector<double> sums(classes, 0);
   std::vector<std::size_t> counts(classes, 0);
   double total = 0;
   for (std::size_t n = 0; n < used.size(); ++n) {
      const std::int64_t event = used[n];
      if (mask[n]) {
         roles.validate.push_back(event);
         continue;
      }
      roles.train.push_back(event);
      roles.trains[static_cast<std::size_t>(event)] = 1;
      roles.longest = std::max(roles.longest, events.length(static_cast<std::size_t>(event)));
      const double weight = weights.empty() ? 1 : weights[static_cast<std::size_t>(event)];
      const std::size_t label = labels.empty() ? 0 : static_cast<std::size_t>(labels[n]);
      sums[label] += weight;
      ++counts[label];
      total += weight;
   }
   for (std::size_t k = 0; k < classes; ++k) {
      const std::string of_class = task == Task::Regression ? "" : "class '" + names.classes[k] + "'";
      if (counts[k] == 0)
         throw ArgumentError((of_class.empty() ? "there is" : of_class + " has") + " no event to train on among " +
                             std::to_string(used.size()) + "; give more events, or a smaller ValidationSize");
      if (!(sums[k] > 0))
         throw ArgumentError("the weights " + (of_class.empty() ? "" : "of " + of_class + " ") + "sum to " + std::to_string(sums[k]) + " over " +
                             std::to_string(counts[k]) + " training events, expected a sum above 0; check the weight "
                             "expression, or book with IgnoreNegWeightsInTraining");
   }
   for (const TrainingOptions &phase : booking.phases)
      if (phase.batch_size > roles.train.size() && phase.batch_size != kDefaultBatchSize)
         throw ArgumentError("TrainingStrategy asks for BatchSize=" + std::to_string(phase.batch_size) + ", but there are " +
                             std::to_string(roles.train.size()) + " events to train on (" + std::to_string(roles.validate.size()) +
                             " validate); ask for a smaller one, or give more events");
   roles.weight_scale = static_cast<double>(roles.train.size()) / total;
   report.training_events = roles.train.size();
   report.validation_events = roles.validate.size();
   return roles;
}

/// Mean, deviation and range of each target over the training part.
std::vector<ColumnSummary> summarise_targets(const SequenceBuffer &events, const Roles &roles, std::size_t K)
{
   SummaryFit fit(K);
   const float *targets = events.view().targets;
   for (const std::int64_t event : roles.train)
      fit.add(targets + static_cast<std::size_t>(event) * K, 1);
   return fit.summary();
}

Probes choose_probes(const SequenceBuffer &events)
{
   Probes probes;
   const std::size_t D = events.layout().D, E = events.layout().E;
   for (std::size_t n = 0; n < events.size() && (probes.offsets.empty() || probes.offsets.size() <= kProbes); ++n) {
      if (events.length(n) == 0 || events.length(n) > kProbeSteps)
         continue;
      if (probes.offsets.empty())
         probes.offsets.push_back(0);
      const auto first = events.values().begin() + events.offsets()[n] * static_cast<std::int64_t>(D);
      probes.values.insert(probes.values.end(), first, first + static_cast<std::int64_t>(events.length(n) * D));
      const auto more = events.event_values().begin() + static_cast<std::int64_t>(n * E);
      probes.event_values.insert(probes.event_values.end(), more, more + static_cast<std::int64_t>(E));
      probes.offsets.push_back(probes.offsets.back() + static_cast<std::int64_t>(events.length(n)));
   }
   return probes;
}

/// Scores (N, outputs) of a network.
std::vector<float> network_scores(const Network<float> &network, const SequenceView<float> &view,
                                  const std::vector<FeatureSpec> &targets, std::size_t n_threads)
{
   std::vector<std::int64_t> all(view.N);
   std::iota(all.begin(), all.end(), std::int64_t(0));
   const std::size_t K = network.shape().K;
   std::vector<float> outputs(view.N * K);
   network.logits(view, all.data(), view.N, {n_threads, kBytesPerThread}, outputs.data());
   if (!targets.empty()) {
      const TargetUnits units = units_of(targets);
      restore_targets(outputs.data(), view.N, units.mean, units.scale);
      return outputs;
   }
   std::vector<float> result(view.N * network.shape().classes());
   probabilities(outputs.data(), view.N, K, result.data());
   return result;
}

/// All phases, or those that a checkpoint leaves, one after the other. Returns the parameters.
std::vector<float> train_phases(const Booking &booking, const ModelDocument &document, const LabelledView<float> &view, const Roles &roles,
                                std::size_t n_threads, TrainingReport &report, const TrainingGuide &guide)
{
   const auto now = [] { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); };
   const double began = now();
   if (guide.from)
      report.epochs = guide.from->epochs;
   std::vector<float> parameters;
   for (std::size_t phase = guide.from ? guide.from->phase : 0; phase < booking.phases.size(); ++phase) {
      TrainingOptions options = booking.phases[phase];
      options.weight_scale = roles.weight_scale;
      options.limits = {n_threads, kBytesPerThread};
      Trainer<float> trainer(booking.network, standardisation(document.features), standardisation(document.event_features), options);
      if (!parameters.empty())
         trainer.set_parameters(parameters);
      std::size_t before = report.epochs.size();
      if (guide.from && phase == guide.from->phase) {
         const std::string &state = guide.from->state;
         before = guide.from->epochs_before;
         trainer.set_state(tmva_lstm::state_from_bytes<float>(reinterpret_cast<const unsigned char *>(state.data()), state.size()));
      }
      // each phase draws its own orders: epochs count on
      MemorySource<float> source(view, roles.train, options.seed + before, true);
      TrainingWatch<float> watch;
      watch.keep_going = guide.keep_going;
      watch.epoch_done = [&](const EpochRecord &epoch) {
         EpochRecord record = epoch;
         record.epoch += before;
         report.epochs.push_back(record);
         return guide.epoch_done(record);
      };
      watch.max_seconds = booking.max_seconds - (now() - began);
      if (guide.save)
         watch.save = [&](const tmva_lstm::TrainingState<float> &state) {
            const std::vector<unsigned char> bytes = tmva_lstm::to_bytes(state);
            guide.save({options.seed, phase, before, report.epochs, std::string(bytes.begin(), bytes.end()), {}});
         };
      watch.save_epochs = guide.save_epochs;
      watch.save_seconds = guide.save_seconds;
      const StopReason reason = trainer.fit(source, roles.validate.empty() ? nullptr : &view, roles.validate, watch);
      parameters = trainer.parameters();
      report.interrupted = reason == StopReason::Interrupted;
      report.out_of_time = reason == StopReason::MaxTime;
      if (report.interrupted || report.out_of_time)
         break;
   }
   return parameters;
}

} // namespace

SequenceModel SequenceModel::train(const Booking &booked, Task task, const SequenceBuffer &given, const ModelNames &names,
                                   std::size_t n_threads, TrainingReport &report, const TrainingGuide &guide)
{
   Booking booking = booked;
   if (guide.from)
      for (TrainingOptions &phase : booking.phases)
         phase.seed = guide.from->seed;
   const Roles roles = choose_roles(booking, task, given, names, report);
   SequenceBuffer events = given;

   ModelDocument document;
   document.task = task == Task::Binary ? "binary" : task == Task::Multiclass ? "multiclass" : "regression";
   document.class_names = names.classes;
   document.hidden = booking.network.H;
   document.lower = booking.network.lower;
   document.bidirectional = booking.network.bidirectional;
   document.cell = booking.network.cell;
   document.pooling = booking.network.pooling;
   document.layer_norm = booking.network.layer_norm;
   document.flat_steps = booking.network.flat_steps;
   document.dense = booking.network.dense;
   document.loss = booking.network.loss;
   document.max_length = static_cast<std::int64_t>(events.layout().T);
   document.longest_length = static_cast<std::int64_t>(roles.longest);
   SummaryFit steps(booking.network.D), whole(booking.network.E);
   steps.add(events.values().data(), events.offsets().data(), events.size(), roles.trains.data());
   for (const std::int64_t event : roles.train)
      whole.add(events.event_values().data() + static_cast<std::size_t>(event) * booking.network.E, 1);
   document.features = to_specs(names.features, steps.summary());
   document.event_features = to_specs(names.event_features, whole.summary());
   if (task == Task::Regression) {
      document.targets = to_specs(names.targets, summarise_targets(events, roles, booking.network.K));
      const TargetUnits units = units_of(document.targets);
      standardise_targets(events.targets().data(), events.size(), units.mean, units.scale);
   }

   const LabelledView<float> view = events.view();
   report.monitor = booking.phases.front().monitor;
   const std::vector<float> parameters = train_phases(booking, document, view, roles, n_threads, report, guide);
   document.parameters = parameters;
   document.probes = choose_probes(events);
   Network<float> network(booking.network, standardisation(document.features), standardisation(document.event_features));
   network.set_parameters(parameters.data());
   if (!document.probes.offsets.empty()) {
      SequenceView<float> probes;
      probes.values = document.probes.values.data();
      probes.offsets = document.probes.offsets.data();
      probes.event_values = document.probes.event_values.data();
      probes.N = document.probes.offsets.size() - 1;
      probes.D = booking.network.D;
      probes.E = booking.network.E;
      document.probes.scores = network_scores(network, probes, document.targets, n_threads);
   }
   return SequenceModel(std::move(document));
}

SequenceModel::SequenceModel(ModelDocument document) : fDocument(std::move(document))
{
   if (fDocument.every_step)
      throw ModelError("network: found outputs for every step, expected one answer for an event, which is all that TMVA has room for; "
                       "take load_model in Python");
   auto network = std::make_shared<Network<float>>(network_shape(fDocument), standardisation(fDocument.features),
                                                   standardisation(fDocument.event_features));
   network->set_parameters(fDocument.parameters.data());
   fNetwork = network;
}

std::size_t SequenceModel::outputs() const
{
   return fDocument.targets.empty() ? fDocument.class_names.size() : fDocument.targets.size();
}

std::vector<float> SequenceModel::scores(const SequenceBuffer &events, std::size_t n_threads) const
{
   return network_scores(*fNetwork, events.view(), fDocument.targets, n_threads);
}

} // namespace tmva_lstm_tmva
