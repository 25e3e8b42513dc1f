#include "permutation.h"

#include "error.h"
#include "random.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace tmva_lstm {
inline namespace TMVA_LSTM_ABI {

double mean_score_loss(const Network<float> &network, const LabelledView<float> &events, const WorkLimits &limits)
{
   if (network.shape().every_step)
      throw ArgumentError("a ranking is for networks with one answer for an event; this one has outputs for every step");
   const std::size_t K = network.shape().K, classes = network.shape().classes();
   std::vector<std::int64_t> all(events.N);
   std::iota(all.begin(), all.end(), std::int64_t(0));
   std::vector<float> outputs(events.N * K), scores(events.targets ? 0 : events.N * classes);
   network.logits(events, all.data(), all.size(), limits, outputs.data());
   if (!events.targets)
      probabilities(outputs.data(), events.N, K, scores.data());
   double sum = 0, weights = 0;
   for (std::size_t n = 0; n < events.N; ++n) {
      double loss = 0;
      if (events.targets) {
         for (std::size_t k = 0; k < K; ++k)
            loss += std::pow(outputs[n * K + k] - events.targets[n * K + k], 2) / static_cast<double>(K);
      } else {
         const double probability = scores[n * classes + static_cast<std::size_t>(events.labels[n])];
         loss = -std::log(std::max(probability, 1e-7)); // a score of 0 is one of less than single precision
      }
      const double weight = events.weights ? events.weights[n] : 1;
      sum += weight * loss;
      weights += weight;
   }
   return weights > 0 ? sum / weights : 0;
}

PermutationImportance::PermutationImportance(const Network<float> &network, const LabelledView<float> &events,
                                             std::size_t most_steps, const WorkLimits &limits)
   : fNetwork(network), fView(events),
     fValues(events.values, events.values + static_cast<std::size_t>(events.offsets[events.N]) * events.D),
     fEventValues(events.event_values, events.event_values + (events.event_values ? events.N * events.E : 0)), fSteps(most_steps),
     fLimits(limits), fReference(mean_score_loss(network, events, limits))
{
   fView.values = fValues.data();
   fView.event_values = fView.E ? fEventValues.data() : nullptr;
}

std::vector<std::vector<std::size_t>> PermutationImportance::places(std::size_t number) const
{
   const std::size_t D = fView.D, E = fView.E;
   if (number < D + E) {
      std::vector<std::size_t> column;
      for (std::size_t n = number < D ? number : number - D; n < (number < D ? fValues : fEventValues).size(); n += number < D ? D : E)
         column.push_back(n);
      return {column};
   }
   const std::size_t t = number - D - E;
   std::vector<std::vector<std::size_t>> columns(D);
   for (std::size_t n = 0; n < fView.N; ++n)
      if (fView.length(static_cast<std::int64_t>(n)) > t)
         for (std::size_t d = 0; d < D; ++d)
            columns[d].push_back((static_cast<std::size_t>(fView.offsets[n]) + t) * D + d);
   return columns;
}

double PermutationImportance::increase(std::size_t number, std::uint64_t seed, std::uint32_t repeat)
{
   std::vector<float> &values = number < fView.D || number >= fView.D + fView.E ? fValues : fEventValues;
   const std::vector<float> before = values;
   for (const std::vector<std::size_t> &column : places(number)) {
      // the features of a step move together: the same draw for each
      std::vector<std::int64_t> order(column.size());
      std::iota(order.begin(), order.end(), std::int64_t(0));
      RandomStream(seed + number, Purpose::Shuffle, repeat).shuffle(order.data(), order.size());
      for (std::size_t n = 0; n < column.size(); ++n)
         values[column[n]] = before[column[static_cast<std::size_t>(order[n])]];
   }
   const double loss = mean_score_loss(fNetwork, fView, fLimits);
   std::copy(before.begin(), before.end(), values.begin());
   return loss - fReference;
}

} // namespace TMVA_LSTM_ABI
} // namespace tmva_lstm
