/// \file
/// A phase of the option TrainingStrategy: `key=value` pairs joined by commas, in MethodDL's grammar and beyond it.
#pragma once

#include "core/trainer.h"

#include <string>
#include <vector>

namespace tmva_lstm_tmva {

/// Reads one phase (`number` from 1) on top of `defaults`, a phase of the same grammar. What is wrong is added to `complaints`, what the
/// user should know to `notes`, a line each.
///
/// MethodDL's keys that have no effect on the optimiser chosen (Momentum with ADAM, ADAM_beta1 with SGD) are noted, for option strings
/// carry them along; keys of this method alone, and those of optimisers it did not have, are refused where they have no effect.
tmva_lstm::TrainingOptions read_phase(const std::string &text, std::size_t number, const std::string &defaults,
                                      std::vector<std::string> &complaints, std::vector<std::string> &notes);

} // namespace tmva_lstm_tmva
