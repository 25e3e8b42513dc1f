#include "PermutationRanking.h"

#include "core/permutation.h"

#include <algorithm>
#include <chrono>

namespace tmva_lstm_tmva {

using namespace tmva_lstm;

namespace {

constexpr std::uint64_t kSeed = 4357; // any; a ranking is the same each time
/// Events of the first look at what one costs, which is what the core takes at once, and of the second.
constexpr std::size_t kFewest = 32, kSecondLook = 256;

} // namespace

std::vector<Importance> permutation_importance(const SequenceModel &model, const SequenceBuffer &all, std::size_t max_events,
                                               double max_seconds, std::size_t n_threads)
{
   const auto start = std::chrono::steady_clock::now();
   const EventLayout &layout = all.layout();
   const ModelDocument &document = model.document();
   const std::size_t D = layout.D, E = layout.E, n_rankings = D + E + layout.T;
   const WorkLimits limits{n_threads};
   const auto spent = [start] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(); };
   SequenceBuffer events = all.sample(std::min(max_events, kFewest));
   // looks at few events and then at more tell how many the time allows; fewer than those of the first look rank nothing
   for (const std::size_t look : {kFewest, kSecondLook}) {
      const double before = spent();
      mean_score_loss(model.network(), events.view(), limits);
      const double each = (spent() - before) / static_cast<double>(events.size());
      const double allowed = (max_seconds - spent()) / (each * static_cast<double>(n_rankings + 1));
      if (allowed < static_cast<double>(events.size()) && look == kFewest)
         return {};
      const std::size_t most = look == kFewest ? std::min(max_events, kSecondLook) : max_events;
      events = all.sample(static_cast<std::size_t>(std::clamp(allowed, 1., static_cast<double>(most))));
   }
   for (std::size_t n = 0; n < events.targets().size(); ++n) {
      const FeatureSpec &target = document.targets[n % document.targets.size()];
      events.targets()[n] = (events.targets()[n] - target.mean) / target.scale;
   }
   PermutationImportance importance(model.network(), events.view(), layout.T, limits);
   std::vector<Importance> result;
   for (std::size_t n = 0; n < importance.count(); ++n)
      result.push_back({n < D ? document.features[n].name
                              : n < D + E ? document.event_features[n - D].name : "step " + std::to_string(n - D - E),
                        importance.increase(n, kSeed, 0)});
   return result;
}

} // namespace tmva_lstm_tmva
