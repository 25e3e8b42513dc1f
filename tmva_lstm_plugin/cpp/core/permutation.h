/// \file
/// Permutation importance (L. Breiman, Machine Learning 45 (2001) 5): how much worse a network gets when one feature, one event feature
/// or one step is taken from other events. One definition for all doors.
#pragma once

#include "network.h"

#include <cstdint>
#include <vector>

namespace tmva_lstm {
inline namespace TMVA_LSTM_ABI {

/// Mean loss of a network's scores, weighted with the event weights: cross entropy of the event's class (whatever loss the network was
/// trained with), or squared deviation of the standardised targets.
double mean_score_loss(const Network<float> &network, const LabelledView<float> &events, const WorkLimits &limits);

/// Permutes one thing after the other. They are numbered: the D features (each over all steps of all events), the E event features, then
/// the steps from 0 (all features of the step together, among the events that have it).
class PermutationImportance {
public:
   /// The events must live as long; `most_steps`: how many steps are ranked.
   PermutationImportance(const Network<float> &network, const LabelledView<float> &events, std::size_t most_steps,
                         const WorkLimits &limits);

   std::size_t count() const { return fView.D + fView.E + fSteps; }
   /// Mean loss with nothing permuted.
   double reference() const { return fReference; }
   /// Mean loss with thing `number` permuted, minus reference(). The order is a function of seed, number and repeat.
   double increase(std::size_t number, std::uint64_t seed, std::uint32_t repeat);

private:
   /// Where the numbers that change places stand: of one feature at a time.
   std::vector<std::vector<std::size_t>> places(std::size_t number) const;

   const Network<float> &fNetwork;
   LabelledView<float> fView;
   std::vector<float> fValues, fEventValues;
   std::size_t fSteps;
   WorkLimits fLimits;
   double fReference;
};

} // namespace TMVA_LSTM_ABI
} // namespace tmva_lstm
