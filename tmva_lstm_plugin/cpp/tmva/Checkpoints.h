/// \file
/// The state of a training in a file beside its weights, from which the same booking goes on as if it had never stopped.
#pragma once

#include "SequenceModel.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace tmva_lstm_tmva {

/// What a training is of: names and values. Trainings that go on from each other's checkpoints have the same.
using TrainingFacts = std::vector<std::pair<std::string, std::string>>;

/// One for the events: their number and a digest of all that a training looks at.
std::pair<std::string, std::string> fact_of(const SequenceBuffer &events);

/// One file, for one training. It has a line `TMVA-LSTM method checkpoint 1`, one with the MD5 of all that follows, and that:
/// numbers of 64 bits and texts behind their lengths, as this processor writes them.
class Checkpoints {
public:
   Checkpoints(std::string path, TrainingFacts facts) : fPath(std::move(path)), fFacts(std::move(facts)) {}

   /// What was written last; nothing where there is no file. Throws tmva_lstm::ArgumentError where it cannot be read, is damaged, or is of
   /// another training: then all differences at once.
   std::optional<Checkpoint> read() const;
   /// Takes the place of the one before when all of it is on disk. Returns what went wrong, if anything did; then the one before
   /// is untouched.
   std::string write(const Checkpoint &checkpoint) const;

   const std::string &path() const { return fPath; }

private:
   std::string fPath;
   TrainingFacts fFacts;
};

} // namespace tmva_lstm_tmva
