/// \file
/// What a TMVA method adds to the core's document: how variables are a sequence, options, history, origin. Plain C++.
#pragma once

#include "SequenceModel.h"

#include <string>
#include <utility>
#include <vector>

namespace tmva_lstm_tmva {

/// Text that gives the number back exactly, whatever the locale.
std::string exact(double value);

/// Puts the layout into the document's recipe.
void write_layout(tmva_lstm::ModelDocument &document, const EventLayout &layout);
/// Takes it from there. A file that Python wrote has T = max_length (or the longest length), then the event features, and the
/// length in the spectator "length".
EventLayout read_layout(const tmva_lstm::ModelDocument &document);

void write_options(tmva_lstm::ModelDocument &document, const std::vector<std::pair<std::string, std::string>> &options);
/// Summary and history, as Python writes them: the same for any number of threads.
void write_training(tmva_lstm::ModelDocument &document, const TrainingReport &report);
/// Date, host, versions, threads, duration.
void write_provenance(tmva_lstm::ModelDocument &document, const std::string &root_version, unsigned n_threads, double seconds);

} // namespace tmva_lstm_tmva
