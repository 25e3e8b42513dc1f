/// \file
/// A trained model at work behind a TMVA method: train it, score with it, keep it as a document. Plain C++.
#pragma once

#include "BookingOptions.h"
#include "EventSequences.h"

#include "core/document.h"

#include <functional>
#include <memory>

namespace tmva_lstm_tmva {

/// Names that go into the document.
struct ModelNames {
   std::vector<std::string> features;       ///< D
   std::vector<std::string> event_features; ///< E
   std::vector<std::string> classes;        ///< in a classification; for two, the signal is the second
   std::vector<std::string> targets;        ///< in a regression
};

/// What happened in a training, one entry an epoch over all phases.
struct TrainingReport {
   std::vector<tmva_lstm::EpochRecord> epochs;
   tmva_lstm::Monitor monitor = tmva_lstm::Monitor::Loss;
   std::size_t training_events = 0, validation_events = 0;
   std::size_t negative_events = 0, unused_events = 0; ///< with a weight below 0; of weight 0
   double negative_share = 0;                          ///< of the sum of |weight|
   bool interrupted = false;
   bool out_of_time = false; ///< stopped by MaxTime
};

/// A training at the end of a batch, over all phases.
struct Checkpoint {
   std::uint64_t seed = 0;          ///< of all phases; of a booking with RandomSeed=0 the one that was drawn
   std::uint64_t phase = 0;         ///< the one at work, from 0
   std::uint64_t epochs_before = 0; ///< of the phases before it
   std::vector<tmva_lstm::EpochRecord> epochs; ///< complete ones, over all phases
   std::string state;               ///< of the phase, see tmva_lstm::to_bytes()
   std::string instruction_set;     ///< of the kernels
};

/// Who watches a training.
struct TrainingGuide {
   std::function<bool()> keep_going;                              ///< asked between batches; false ends it
   std::function<bool(const tmva_lstm::EpochRecord &)> epoch_done; ///< false ends it
   /// Where checkpoints go, if anywhere: after every so many epochs, whenever so many seconds have passed, and at the end of a phase.
   std::function<void(const Checkpoint &)> save;
   std::uint64_t save_epochs = 0; ///< 0: never
   double save_seconds = std::numeric_limits<double>::infinity();
   const Checkpoint *from = nullptr; ///< where it goes on, of the same booking and events; null: it begins
};

/// A network with its document.
class SequenceModel {
public:
   /// Trains on labelled (or, in a regression, targeted) events. Throws tmva_lstm::Error with a sentence for the user.
   static SequenceModel train(const Booking &booking, Task task, const SequenceBuffer &events, const ModelNames &names,
                              std::size_t n_threads, TrainingReport &report, const TrainingGuide &guide);

   /// From a document, as read from a weights file. Throws tmva_lstm::ModelError.
   explicit SequenceModel(tmva_lstm::ModelDocument document);

   /// Scores (N, outputs()): class probabilities for a classification, values in the units of the targets for a regression.
   std::vector<float> scores(const SequenceBuffer &events, std::size_t n_threads) const;
   /// Numbers an event has in scores().
   std::size_t outputs() const;

   const tmva_lstm::Network<float> &network() const { return *fNetwork; }
   tmva_lstm::ModelDocument &document() { return fDocument; }
   const tmva_lstm::ModelDocument &document() const { return fDocument; }

private:
   tmva_lstm::ModelDocument fDocument;
   std::shared_ptr<const tmva_lstm::Network<float>> fNetwork;
};

} // namespace tmva_lstm_tmva
