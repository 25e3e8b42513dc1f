/// \file
/// The method's training: its events, the epochs, and the state that is kept on the way.
#include "MethodState.h"

#include "Checkpoints.h"
#include "DocumentFacts.h"
#include "Refusal.h"
#include "TmvaEvents.h"
#include "TrainingLog.h"

#include "core/error.h"
#include "TMVA/DataSet.h"
#include "TMVA/Event.h"
#include "TMVA/MsgLogger.h"
#include "TMVA/VariableInfo.h"
#include "TROOT.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <optional>
#include <string>

namespace TMVA {

using namespace tmva_lstm_tmva;

namespace {

/// Training histories came to TMVA in 6.08; an older one goes without.
template <class Method>
auto add_history(Method &method, const char *name, std::size_t epoch, double value, int)
   -> decltype(method.fTrainHistory.AddValue(name, 0, value))
{
   return method.fTrainHistory.AddValue(name, static_cast<Int_t>(epoch), value);
}
template <class Method>
void add_history(Method &, const char *, std::size_t, double, long)
{
}

} // namespace

void MethodLSTM::Train()
{
   // from here on, for gathering the events takes time as well
   const SignalWatch watch;
   try {
      guarded(Log(), "training: ", [&] { TrainGuarded(watch); });
   } catch (...) {
      Event::SetIsTraining(kFALSE); // as TMVA does after a training; what comes next must not drop negative weights
      throw;
   }
}

SequenceBuffer MethodLSTM::TrainingEvents()
{
   const Implementation &my = *fImplementation;
   const Bool_t drop_negative = IgnoreEventsWithNegWeightsInTraining();
   const UInt_t signal = DoRegression() || DoMulticlass() ? 0 : DataInfo().GetSignalClassIndex();
   SequenceBuffer events(my.layout);
   const std::vector<TMVA::Event *> &collection = GetEventCollection(Types::kTraining);
   std::vector<float> variables;
   std::size_t dropped = 0;
   for (std::size_t n = 0; n < collection.size(); ++n) {
      const Event &event = *collection[n];
      if (drop_negative && event.GetWeight() < 0) {
         ++dropped;
         continue;
      }
      // spectators are what they were before any transformation
      const Event *raw = Data()->GetEvent(static_cast<Long64_t>(n), Types::kTraining);
      variables.assign(event.GetValues().begin(), event.GetValues().end());
      try {
         events.add(variables, length_of(my.layout, event, *raw));
      } catch (const EventError &error) {
         refuse(Log(), "training event " + std::to_string(n) + " of " + std::to_string(collection.size()) + ": " +
                          problem_of(error, DataInfo()) + "; mend it, or cut such events away");
      }
      const auto check = [&](const std::string &what, double value) {
         if (!std::isfinite(value))
            refuse(Log(), "training event " + std::to_string(n) + " of " + std::to_string(collection.size()) + ": " + what + " is " +
                             std::to_string(value) + ", expected a finite number; mend it, or cut such events away");
      };
      if (DoRegression())
         for (UInt_t k = 0; k < DataInfo().GetNTargets(); ++k) {
            check("target '" + std::string(DataInfo().GetTargetInfo(k).GetInternalName().Data()) + "'", event.GetTarget(k));
            events.add_target(event.GetTarget(k));
         }
      else
         events.add_label(label_of(event, DoMulticlass(), signal));
      check("the weight", event.GetWeight());
      events.add_weight(event.GetWeight());
   }
   if (dropped)
      Log() << kINFO << dropped << " training events with a negative weight are left out (IgnoreNegWeightsInTraining)" << Endl;
   return events;
}

Checkpoints MethodLSTM::KeptState(const SequenceBuffer &events, const ModelNames &names) const
{
   std::string path = GetWeightFileName().Data();
   if (const std::size_t end = path.rfind(".weights.xml"); end != std::string::npos)
      path.erase(end);
   TrainingFacts facts{{"Layout", fLayout.Data()},
                       {"InputLayout", fInputLayout.Data()},
                       {"TrainingStrategy", fTrainingStrategy.Data()},
                       {"ErrorStrategy", fErrorStrategy.Data()},
                       {"HuberDelta", exact(fHuberDelta)},
                       {"WeightInitialization", fWeightInitialization.Data()},
                       {"ForgetBias", exact(fForgetBias)},
                       {"ValidationSize", fValidationSize.Data()},
                       {"RandomSeed", std::to_string(fRandomSeed)}};
   const auto add = [&](const char *what, const std::vector<std::string> &all) {
      std::string text;
      for (const std::string &name : all)
         text += (text.empty() ? "" : ", ") + name;
      facts.emplace_back(what, text);
   };
   add("features", names.features);
   add("event features", names.event_features);
   add("classes", names.classes);
   add("targets", names.targets);
   facts.push_back(fact_of(events));
   return Checkpoints(path + ".checkpoint", facts);
}

void MethodLSTM::TrainGuarded(const SignalWatch &watch)
{
   Implementation &my = *fImplementation;
   const bool regression = DoRegression();
   const SequenceBuffer events = TrainingEvents();
   ModelNames names;
   for (UInt_t n = 0; n < my.layout.n_variables(); ++n)
      if (n < my.layout.D)
         names.features.push_back(variable_name(DataInfo(), n));
      else if (n >= my.layout.T * my.layout.D &&
               (my.layout.length != EventLayout::Length::Variable || n != my.layout.length_index))
         names.event_features.push_back(variable_name(DataInfo(), n));
   if (regression) {
      for (UInt_t k = 0; k < DataInfo().GetNTargets(); ++k)
         names.targets.push_back(DataInfo().GetTargetInfo(k).GetInternalName().Data());
   } else if (DoMulticlass()) {
      for (UInt_t k = 0; k < DataInfo().GetNClasses(); ++k)
         names.classes.push_back(class_name(DataInfo(), k));
   } else {
      const UInt_t signal = DataInfo().GetSignalClassIndex();
      names.classes = {class_name(DataInfo(), 1 - signal), class_name(DataInfo(), signal)};
   }

   TrainingGuide guide;
   std::optional<Checkpoints> checkpoints; // the digest of the events takes time, so only where it is wanted
   std::optional<Checkpoint> from;
   if (fResume || fCheckpointEpochs > 0 || fCheckpointMinutes > 0) {
      checkpoints.emplace(KeptState(events, names));
      guide.save = [&](const Checkpoint &checkpoint) {
         if (const std::string problem = checkpoints->write(checkpoint); !problem.empty())
            Log() << kWARNING << problem << "; the training goes on" << Endl;
      };
      if (fResume && (from = checkpoints->read()))
         guide.from = &*from;
      else if (fResume)
         Log() << kINFO << "there is no checkpoint '" << checkpoints->path() << "' yet: training begins" << Endl;
   }

   EpochLog log(Log(), my.booking, events.size(), Threads());
   my.report = TrainingReport();
   const auto start = std::chrono::steady_clock::now();
   const auto keep_history = [&](const tmva_lstm::EpochRecord &record) {
      add_history(*this, "trainingError", record.epoch, record.loss, 0);
      if (std::isfinite(record.validation_loss))
         add_history(*this, "valError", record.epoch, record.validation_loss, 0);
      if (const auto monitor = my.booking.phases.front().monitor; monitor != tmva_lstm::Monitor::Loss)
         add_history(*this, tmva_lstm::monitor_name(monitor), record.epoch, record.monitored, 0);
   };
   if (from) {
      log.resumed(*from, checkpoints->path());
      std::for_each(from->epochs.begin(), from->epochs.end(), keep_history);
   }
   guide.save_epochs = static_cast<std::uint64_t>(fCheckpointEpochs);
   if (fCheckpointMinutes > 0)
      guide.save_seconds = 60 * fCheckpointMinutes;
   bool learnt = from.has_value();
   guide.keep_going = [&] {
      if (watch.signalled() && !learnt)
         refuse(Log(), std::string("stopped by ") + watch.name() + " before anything was learnt; no weights are kept");
      learnt = true;
      return !watch.signalled();
   };
   guide.epoch_done = [&](const tmva_lstm::EpochRecord &record) {
      log.line(record);
      keep_history(record);
      return !watch.signalled();
   };
   my.model.reset(new SequenceModel(SequenceModel::train(
      my.booking, regression ? Task::Regression : DoMulticlass() ? Task::Multiclass : Task::Binary, events, names, Threads(),
      my.report, guide)));
   my.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
   log.finish(my.report, watch, my.seconds);
   tmva_lstm::ModelDocument &document = my.model->document();
   write_layout(document, my.layout);
   std::vector<std::pair<std::string, std::string>> options{{"InputLayout", fInputLayout.Data()},
                                                            {"Layout", fLayout.Data()},
                                                            {"TrainingStrategy", fTrainingStrategy.Data()},
                                                            {"ErrorStrategy", fErrorStrategy.Data()},
                                                            {"WeightInitialization", fWeightInitialization.Data()},
                                                            {"ValidationSize", fValidationSize.Data()},
                                                            {"RandomSeed", std::to_string(fRandomSeed)}};
   if (document.loss == tmva_lstm::Loss::Huber)
      options.emplace_back("huber_delta", exact(fHuberDelta)); // by Python's name, which has to know it to judge by that loss
   write_options(document, options);
   write_training(document, my.report);
   write_provenance(document, gROOT->GetVersion(), Threads(), my.seconds);
}

} // namespace TMVA
