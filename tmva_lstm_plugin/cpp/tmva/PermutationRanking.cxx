#include "PermutationRanking.h"

#include "core/random.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>

namespace tmva_lstm_tmva {

using namespace tmva_lstm;

namespace {

constexpr std::uint64_t kSeed = 4357; // any; a ranking is the same each time
/// Events of the first look at what one costs, which is what the core takes at once, and of the second.
constexpr std::size_t kFewest = 32, kSecondLook = 256;

/// Mean loss of scores: cross entropy of the event's class, or squared deviation in units of the targets' spread.
double mean_loss(const SequenceModel &model, const SequenceBuffer &events, std::size_t n_threads)
{
   const std::vector<float> scores = model.scores(events, n_threads);
   const std::size_t K = model.outputs();
   const LabelledView<float> view = events.view();
   const std::vector<FeatureSpec> &targets = model.document().targets;
   double sum = 0, weights = 0;
   for (std::size_t n = 0; n < events.size(); ++n) {
      double loss = 0;
      if (targets.empty()) {
         const double probability = scores[n * K + static_cast<std::size_t>(view.labels[n])];
         loss = -std::log(std::max(probability, 1e-7)); // a score of 0 is one of less than single precision
      } else {
         for (std::size_t k = 0; k < K; ++k)
            loss += std::pow((scores[n * K + k] - view.targets[n * K + k]) / targets[k].scale, 2) / static_cast<double>(K);
      }
      const double weight = view.weights ? view.weights[n] : 1;
      sum += weight * loss;
      weights += weight;
   }
   return weights > 0 ? sum / weights : 0;
}

/// The numbers at `places`, put into a random order among themselves.
void permute(std::vector<float> &values, const std::vector<std::size_t> &places, std::uint64_t index)
{
   std::vector<std::int64_t> order(places.size());
   std::iota(order.begin(), order.end(), std::int64_t(0));
   RandomStream(kSeed + index, Purpose::Shuffle).shuffle(order.data(), order.size());
   std::vector<float> taken;
   for (const std::int64_t from : order)
      taken.push_back(values[places[static_cast<std::size_t>(from)]]);
   for (std::size_t n = 0; n < places.size(); ++n)
      values[places[n]] = taken[n];
}

} // namespace

std::vector<Importance> permutation_importance(const SequenceModel &model, const SequenceBuffer &all, std::size_t max_events,
                                               double max_seconds, std::size_t n_threads)
{
   const auto start = std::chrono::steady_clock::now();
   const EventLayout &layout = all.layout();
   const ModelDocument &document = model.document();
   const std::size_t D = layout.D, E = layout.E, n_rankings = D + E + layout.T;
   const auto spent = [start] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(); };
   SequenceBuffer events = all.sample(std::min(max_events, kFewest));
   // looks at few events and then at more tell how many the time allows; fewer than those of the first look rank nothing
   for (const std::size_t look : {kFewest, kSecondLook}) {
      const double before = spent();
      mean_loss(model, events, n_threads);
      const double each = (spent() - before) / static_cast<double>(events.size());
      const double allowed = (max_seconds - spent()) / (each * static_cast<double>(n_rankings + 1));
      if (allowed < static_cast<double>(events.size()) && look == kFewest)
         return {};
      const std::size_t most = look == kFewest ? std::min(max_events, kSecondLook) : max_events;
      events = all.sample(static_cast<std::size_t>(std::clamp(allowed, 1., static_cast<double>(most))));
   }
   const double reference = mean_loss(model, events, n_threads);

   std::vector<Importance> result;
   const auto rank = [&](const std::string &name, std::vector<float> &values, const std::vector<std::vector<std::size_t>> &groups) {
      const std::vector<float> before = values;
      for (const auto &places : groups)
         permute(values, places, result.size());
      result.push_back({name, mean_loss(model, events, n_threads) - reference});
      values = before;
   };
   for (std::size_t d = 0; d < D; ++d) {
      std::vector<std::size_t> places;
      for (std::size_t n = d; n < events.values().size(); n += D)
         places.push_back(n);
      rank(document.features[d].name, events.values(), {places});
   }
   for (std::size_t e = 0; e < E; ++e) {
      std::vector<std::size_t> places;
      for (std::size_t n = e; n < events.event_values().size(); n += E)
         places.push_back(n);
      rank(document.event_features[e].name, events.event_values(), {places});
   }
   for (std::size_t t = 0; t < layout.T; ++t) {
      // the features of a step move together: the same draw for each
      std::vector<std::vector<std::size_t>> groups(D);
      for (std::size_t n = 0; n < events.size(); ++n)
         if (events.length(n) > t)
            for (std::size_t d = 0; d < D; ++d)
               groups[d].push_back((static_cast<std::size_t>(events.offsets()[n]) + t) * D + d);
      rank("step " + std::to_string(t), events.values(), groups);
   }
   return result;
}

} // namespace tmva_lstm_tmva
