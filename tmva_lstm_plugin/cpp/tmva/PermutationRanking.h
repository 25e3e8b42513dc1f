/// \file
/// How much worse a model gets when one feature, or one step, is taken from another event. Plain C++.
#pragma once

#include "SequenceModel.h"

namespace tmva_lstm_tmva {

struct Importance {
   std::string name;
   double value; ///< mean loss with the values permuted, minus that without
};

/// Permutation importance (L. Breiman, Machine Learning 45 (2001) 5) of each feature over all steps, of each event feature, and of
/// each step over all features, on at most `max_events` of the events and in about `max_seconds`; empty when that is too short for 32
/// events. Losses are means weighted with the event weights.
std::vector<Importance> permutation_importance(const SequenceModel &model, const SequenceBuffer &events, std::size_t max_events,
                                               double max_seconds, std::size_t n_threads);

} // namespace tmva_lstm_tmva
