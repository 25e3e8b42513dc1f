#include "TMVA/DataSetFactory.h"

#include "TreeEventReader.h"

#include "TMVA/Configurable.h"
#include "TMVA/DataInputHandler.h"
#include "TMVA/DataSet.h"
#include "TMVA/DataSetInfo.h"
#include "TMVA/Event.h"
#include "TMVA/MsgLogger.h"
#include "TMVA/Tools.h"

#include "TMath.h"
#include "TRandom3.h"

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <numeric>

namespace TMVA {

/// What std::shuffle draws from: TRandom3 with the range TMVA gives it, so that a seed picks the same events as there
/// (with the same standard library). Seed 0 is different each time.
class UniformBits {
public:
   using result_type = UInt_t;
   explicit UniformBits(UInt_t seed) : fRandom(seed) {}
   static constexpr result_type min() { return 0; }
   static constexpr result_type max() { return kMaxUInt; }
   result_type operator()() { return fRandom.Integer(kMaxUInt); }

private:
   TRandom3 fRandom;
};

namespace {

Double_t SumOfWeights(const std::vector<Event *> &events)
{
   return std::accumulate(events.begin(), events.end(), 0.,
                          [](Double_t sum, const Event *event) { return sum + event->GetOriginalWeight(); });
}

} // namespace

DataSetFactory::DataSetFactory() : fLogger(new MsgLogger("DataSetFactory", kINFO)) {}

DataSetFactory::~DataSetFactory()
{
   for (ClassSample &sample : fSamples)
      for (auto part : {&ClassSample::training, &ClassSample::testing, &ClassSample::undecided})
         for (Event *event : sample.*part)
            delete event;
}

Double_t DataSetFactory::ClassSample::PassedFraction() const
{
   return eventsBeforeCut > 0 ? static_cast<Double_t>(eventsAfterCut) / static_cast<Double_t>(eventsBeforeCut) : 1;
}

DataSet *DataSetFactory::CreateDataSet(DataSetInfo &info, DataInputHandler &input)
{
   if (input.GetEntries() == 0)
      return BuildDynamicDataSet(info);

   const std::unique_ptr<std::vector<TString>> classes(input.GetClassList());
   for (const TString &name : *classes)
      info.AddClass(name);
   if (info.GetNVariables() == 0)
      Log() << kFATAL << Form("Dataset[%s] : ", info.GetName())
            << "no input variable has been declared: call AddVariable or AddVariablesArray" << Endl;
   fSamples.resize(info.GetNClasses());
   ReadOptions(info);
   ReadEvents(info, input);
   ReportCuts(info);

   UniformBits random(fSplitSeed);
   if (fSplitMode == "RANDOM")
      for (ClassSample &sample : fSamples)
         std::shuffle(sample.undecided.begin(), sample.undecided.end(), random);
   for (UInt_t i = 0; i < fSamples.size(); ++i)
      Split(fSamples[i], info, info.GetClassInfo(static_cast<Int_t>(i))->GetName(), random);
   Normalise(info);

   std::unique_ptr<DataSet> dataSet(new DataSet(info)); // takes the vectors and the events over
   auto *training = new std::vector<Event *>(Mix(&ClassSample::training, "Training"));
   auto *testing = new std::vector<Event *>(Mix(&ClassSample::testing, "Testing"));
   if (fMixMode == "RANDOM") {
      std::shuffle(training->begin(), training->end(), random);
      std::shuffle(testing->begin(), testing->end(), random);
   }
   dataSet->SetEventCollection(training, Types::kTraining);
   dataSet->SetEventCollection(testing, Types::kTesting);
   dataSet->SetCurrentType(Types::kTraining);
   if (dataSet->GetNTrainingEvents() < 1)
      Log() << kFATAL << "Dataset " << info.GetName() << " does not have any training events" << Endl;
   if (dataSet->GetNTestEvents() < 1)
      Log() << kERROR << "Dataset " << info.GetName()
            << " does not have any testing events: methods can be trained, but not tested or evaluated" << Endl;
   if (fComputeCorrelations && dataSet->GetNTrainingEvents() > 1) {
      const std::vector<Event *> &events = dataSet->GetEventCollection(Types::kTraining);
      FindRanges(info, events);
      FindCorrelations(info, events);
   }
   Log() << kHEADER << Form("[%s] : ", info.GetName()) << " " << Endl << Endl;
   return dataSet.release();
}

DataSet *DataSetFactory::BuildDynamicDataSet(DataSetInfo &info)
{
   if (info.GetNVariables() == 0)
      Log() << kFATAL << Form("Dataset[%s] : ", info.GetName())
            << "there are neither events nor variables: declare the variables with AddVariable first" << Endl;
   if (info.GetNClasses() == 0)
      info.AddClass("data")->SetNumber(0);
   // owned by the event from here on
   auto *links = new std::vector<Float_t *>;
   for (const VariableInfo &variable : info.GetVariableInfos())
      if (variable.GetExternalLink())
         links->push_back(static_cast<Float_t *>(variable.GetExternalLink()));
   std::vector<char> spectatorTypes; // behind the link of an 'I' stands an Int_t
   for (const VariableInfo &spectator : info.GetSpectatorInfos()) {
      links->push_back(static_cast<Float_t *>(spectator.GetExternalLink()));
      spectatorTypes.push_back(spectator.GetVarType());
   }
   const std::vector<Float_t *> *event = links;
   auto *events = new std::vector<Event *>{new Event(event, spectatorTypes, info.GetNVariables())};
   auto *dataSet = new DataSet(info);
   dataSet->SetEventCollection(events, Types::kTraining);
   dataSet->SetCurrentType(Types::kTraining);
   dataSet->SetCurrentEvent(0);
   return dataSet;
}

void DataSetFactory::ReadOptions(DataSetInfo &info)
{
   Configurable options(info.GetSplitOptions());
   options.SetConfigName("DataSetFactory");
   options.SetConfigDescription("Options of PrepareTrainingAndTestTree: how the training and the testing events are made");
   fSplitMode = "Random";
   options.DeclareOptionRef(fSplitMode, "SplitMode", "How events are dealt to training and testing");
   for (const char *mode : {"Random", "Alternate", "Block"})
      options.AddPreDefVal(TString(mode));
   fMixMode = "SameAsSplitMode";
   options.DeclareOptionRef(
      fMixMode, "MixMode",
      "In what order events of different classes stand in a sample");
   for (const char *mode : {"SameAsSplitMode", "Random", "Alternate", "Block"})
      options.AddPreDefVal(TString(mode));
   options.DeclareOptionRef(fSplitSeed, "SplitSeed", "Seed of SplitMode and MixMode Random; 0: another one each time");
   fNormMode = "EqualNumEvents";
   options.DeclareOptionRef(
      fNormMode, "NormMode",
      "Scale of the training weights (NumEvents: a mean of 1 in each class; EqualNumEvents: a mean of 1 in the first class, "
      "the same sum in all others)");
   for (const char *mode : {"None", "NumEvents", "EqualNumEvents"})
      options.AddPreDefVal(TString(mode));
   options.DeclareOptionRef(fScaleWithPreselEff, "ScaleWithPreselEff",
                            "Scale requested numbers of events by the efficiency of the cuts");
   for (UInt_t i = 0; i < fSamples.size(); ++i) {
      const TString name = info.GetClassInfo(static_cast<Int_t>(i))->GetName();
      options.DeclareOptionRef(fSamples[i].trainingRequested, "nTrain_" + name,
                               "Number of training events of class " + name + " (default: 0 = all)");
      options.DeclareOptionRef(fSamples[i].testingRequested, "nTest_" + name,
                               "Number of test events of class " + name + " (default: 0 = all)");
      options.DeclareOptionRef(fSamples[i].trainingFraction, "TrainTestSplit_" + name,
                               "Fraction of the events of class " + name + " used for training (default: 0 = not used)");
   }
   options.DeclareOptionRef(fVerbose, "V", "Verbosity");
   TString level("Info");
   options.DeclareOptionRef(level, "VerboseLevel", "How much is printed");
   for (const char *value : {"Debug", "Verbose", "Info"})
      options.AddPreDefVal(TString(value));
   options.DeclareOptionRef(fCorrelations, "Correlations", "Print the correlation matrices");
   options.DeclareOptionRef(fComputeCorrelations, "CalcCorrelations",
                            "Compute correlations and ranges of the variables");
   options.ParseOptions();
   options.CheckForUnusedOptions();

   fLogger->SetMinType(level == "Debug" ? kDEBUG : level == "Verbose" || fVerbose ? kVERBOSE : kINFO);
   fSplitMode.ToUpper();
   fMixMode.ToUpper();
   fNormMode.ToUpper();
   if (fMixMode == "SAMEASSPLITMODE")
      fMixMode = fSplitMode;
   else if (fMixMode != fSplitMode)
      Log() << kINFO << Form("Dataset[%s] : ", info.GetName()) << "DataSet splitmode=" << fSplitMode
            << " differs from mixmode=" << fMixMode << Endl;
}

void DataSetFactory::ReadEvents(DataSetInfo &info, DataInputHandler &input)
{
   TreeEventReader reader(info, Log());
   for (UInt_t i = 0; i < fSamples.size(); ++i) {
      ClassSample &sample = fSamples[i];
      const TString className = info.GetClassInfo(static_cast<Int_t>(i))->GetName();
      TreeEventReader::Counts counts;
      for (auto tree = input.begin(className); tree != input.end(className); ++tree) {
         std::vector<Event *> &events = tree->GetTreeType() == Types::kTraining  ? sample.training
                                        : tree->GetTreeType() == Types::kTesting ? sample.testing
                                                                                 : sample.undecided;
         reader.Read(*tree, i, events, counts);
      }
      sample.eventsBeforeCut = counts.eventsBeforeCut;
      sample.eventsAfterCut = counts.eventsAfterCut;
      sample.weightBeforeCut = counts.weightBeforeCut;
      sample.weightAfterCut = counts.weightAfterCut;
   }
   reader.ReportNotFinite();
}

void DataSetFactory::ReportCuts(const DataSetInfo &info)
{
   Log() << kHEADER << Form("[%s] : ", info.GetName()) << "Number of events in input trees" << Endl;
   if (!info.HasCuts())
      return;
   const TString dataSet = Form("Dataset[%s] :     ", info.GetName());
   for (UInt_t i = 0; i < fSamples.size(); ++i) {
      const ClassInfo &classInfo = *info.GetClassInfo(static_cast<Int_t>(i));
      const ClassSample &sample = fSamples[i];
      const TString name = Form("%-*s", info.GetClassNameMaxLength(), classInfo.GetName());
      Log() << kINFO << dataSet << name << " requirement: \"" << classInfo.GetCut().GetTitle() << "\"" << Endl;
      Log() << kINFO << dataSet << name << "      -- number of events passed: " << sample.eventsAfterCut
            << "  / sum of weights: " << sample.weightAfterCut << Endl;
      Log() << kINFO << dataSet << name << "      -- efficiency             : "
            << (sample.weightBeforeCut != 0 ? sample.weightAfterCut / sample.weightBeforeCut : 0) << Endl;
   }
}

void DataSetFactory::Split(ClassSample &sample, const DataSetInfo &info, const TString &className, UniformBits &random)
{
   const TString where = Form("Dataset[%s] : class %s: ", info.GetName(), className.Data());
   const Int_t training = static_cast<Int_t>(sample.training.size()), testing = static_cast<Int_t>(sample.testing.size()),
               undecided = static_cast<Int_t>(sample.undecided.size()), available = training + testing + undecided;
   if (sample.trainingRequested < 0 || sample.testingRequested < 0)
      Log() << kFATAL << where << "nTrain_" << className << " and nTest_" << className << " must not be negative (found "
            << sample.trainingRequested << " and " << sample.testingRequested << ")" << Endl;
   if (sample.trainingFraction < 0 || sample.trainingFraction >= 1)
      Log() << kFATAL << where << "The option TrainTestSplit_" << className << " has to be above 0 and below 1, but is set to "
            << sample.trainingFraction << Endl;
   if (sample.trainingFraction > 0) {
      sample.trainingRequested = Int_t(sample.trainingFraction * available);
      sample.testingRequested = 0;
   }
   if (sample.PassedFraction() < 1)
      Log() << kINFO << Form("Dataset[%s] : ", info.GetName())
            << (fScaleWithPreselEff ? "requested numbers of events are scaled by the efficiency of the cuts"
                                    : "requested numbers of events count those that pass the cuts")
            << Endl;
   const Double_t scale = fScaleWithPreselEff ? sample.PassedFraction() : 1;
   Int_t requestedTraining = Int_t(sample.trainingRequested * scale);
   Int_t requestedTesting = Int_t(sample.testingRequested * scale);

   // how many of the class go into each part before they are shortened to what was requested
   Int_t useForTraining, useForTesting;
   if (requestedTraining == 0 && requestedTesting == 0) {
      if (undecided >= std::abs(training - testing)) {
         useForTraining = useForTesting = available / 2;
      } else { // all undecided ones go to the smaller part
         useForTraining = training + (training < testing ? undecided : 0);
         useForTesting = testing + (training < testing ? 0 : undecided);
      }
      requestedTraining = useForTraining;
      requestedTesting = useForTesting;
   } else if (requestedTesting == 0) {
      useForTraining = std::max(requestedTraining, training);
      useForTesting = requestedTesting = available - useForTraining;
   } else if (requestedTraining == 0) {
      useForTesting = std::max(requestedTesting, testing);
      useForTraining = requestedTraining = available - useForTesting;
   } else {
      const Int_t needed = std::max(requestedTraining - training, 0) + std::max(requestedTesting - testing, 0);
      useForTraining = std::max(requestedTraining, training) + std::max(undecided - needed, 0) / 2;
      useForTesting = available - useForTraining;
   }
   if (requestedTraining > available || useForTesting < testing || useForTraining < training ||
       requestedTraining > useForTraining || requestedTesting > useForTesting)
      Log() << kFATAL << where << "More events requested than available: " << sample.trainingRequested << " for training and "
            << sample.testingRequested << " for testing, while there are " << training << " for training, " << testing
            << " for testing and " << undecided << " to be split" << Endl;

   std::vector<Event *> &pool = sample.undecided;
   if (fSplitMode == "ALTERNATE") {
      // one to training, one to testing; when training has enough, all others go to testing
      Int_t given = training;
      for (auto event = pool.begin(); event != pool.end();) {
         if (++given <= requestedTraining)
            sample.training.push_back(*event++);
         if (event != pool.end())
            sample.testing.push_back(*event++);
      }
      pool.clear();
   } else {
      auto next = pool.begin();
      sample.training.insert(sample.training.end(), next, next + (useForTraining - training));
      next += useForTraining - training;
      sample.testing.insert(sample.testing.end(), next, next + (useForTesting - testing));
      next += useForTesting - testing;
      std::for_each(next, pool.end(), [](Event *event) { delete event; }); // the odd one of an even split
      pool.clear();
   }
   ShortenTo(sample.training, requestedTraining, where + "training", random);
   ShortenTo(sample.testing, requestedTesting, where + "testing", random);
}

void DataSetFactory::ShortenTo(std::vector<Event *> &events, Int_t size, const TString &what, UniformBits &random)
{
   const std::size_t wanted = static_cast<std::size_t>(size);
   if (events.size() < wanted)
      Log() << kWARNING << what << ": " << size << " events requested, only " << events.size() << " left after the split" << Endl;
   if (events.size() <= wanted)
      return;
   if (fSplitMode == "RANDOM") {
      std::vector<UInt_t> positions(events.size());
      std::iota(positions.begin(), positions.end(), 0u);
      std::shuffle(positions.begin(), positions.end(), random);
      positions.resize(events.size() - wanted);
      for (const UInt_t position : positions) {
         delete events[position];
         events[position] = nullptr;
      }
      events.erase(std::remove(events.begin(), events.end(), nullptr), events.end());
   } else {
      std::for_each(events.begin() + size, events.end(), [](Event *event) { delete event; });
      events.resize(wanted);
   }
}

void DataSetFactory::Normalise(DataSetInfo &info)
{
   const auto storeSums = [&] {
      Double_t trainingSums[2] = {0, 0}, testingSums[2] = {0, 0}; // signal, everything else
      for (UInt_t i = 0; i < fSamples.size(); ++i) {
         const int part = i == info.GetSignalClassIndex() ? 0 : 1;
         trainingSums[part] += SumOfWeights(fSamples[i].training);
         testingSums[part] += SumOfWeights(fSamples[i].testing);
      }
      info.SetTrainingSumSignalWeights(trainingSums[0]);
      info.SetTrainingSumBackgrWeights(trainingSums[1]);
      info.SetTestingSumSignalWeights(testingSums[0]);
      info.SetTestingSumBackgrWeights(testingSums[1]);
   };
   info.SetNormalization(fNormMode);
   if (fNormMode == "NONE") {
      storeSums();
      Log() << kINFO << Form("Dataset[%s] : ", info.GetName())
            << "NormMode None: weights stay as they are" << Endl;
      return;
   }
   if (fNormMode == "EQUALNUMEVENTS")
      Log() << kINFO << Form("Dataset[%s] : ", info.GetName())
            << "NormMode EqualNumEvents: the training weights of every class are scaled to a sum of "
            << fSamples.front().training.size() << ", the number of training events of class "
            << info.GetClassInfo(0)->GetName() << "; test weights stay as they are" << Endl;
   for (UInt_t i = 0; i < fSamples.size(); ++i) {
      std::vector<Event *> &events = fSamples[i].training;
      const TString className = info.GetClassInfo(static_cast<Int_t>(i))->GetName();
      if (events.empty())
         continue;
      const Double_t sum = SumOfWeights(events);
      if (!(sum > 0))
         Log() << kFATAL << Form("Dataset[%s] : ", info.GetName()) << "the weights of the " << events.size()
               << " training events of class " << className << " sum to " << sum
               << ", which NormMode=" << (fNormMode == "NUMEVENTS" ? "NumEvents" : "EqualNumEvents")
               << " cannot scale to a number of events. Check the weight expression, or use NormMode=None" << Endl;
      const std::size_t wanted = fNormMode == "EQUALNUMEVENTS" ? fSamples.front().training.size() : events.size();
      const Double_t factor = static_cast<Float_t>(wanted) / sum;
      Log() << kDEBUG << "--> Rescale " << className << " event weights by factor: " << factor << Endl;
      for (Event *event : events)
         event->SetWeight(event->GetWeight() * factor);
   }
   storeSums();

   Log() << kINFO << "Number of training and testing events" << Endl;
   Log() << kINFO << "---------------------------------------------------------------------------" << Endl;
   for (UInt_t i = 0; i < fSamples.size(); ++i) {
      const ClassSample &sample = fSamples[i];
      const TString name =
         Form("%-*s -- ", info.GetClassNameMaxLength(), info.GetClassInfo(static_cast<Int_t>(i))->GetName());
      Log() << kINFO << name << "training events            : " << sample.training.size() << Endl;
      Log() << kINFO << name << "testing events             : " << sample.testing.size() << Endl;
      Log() << kINFO << name << "training and testing events: " << sample.training.size() + sample.testing.size() << Endl;
      if (sample.eventsAfterCut < sample.eventsBeforeCut)
         Log() << kINFO << Form("Dataset[%s] : ", info.GetName()) << name
               << "part of the events that passes the cuts: " << sample.PassedFraction() << Endl;
   }
   Log() << kINFO << Endl;
}

std::vector<Event *> DataSetFactory::Mix(std::vector<Event *> ClassSample::*part, const TString &what)
{
   std::vector<Event *> mixed;
   for (std::size_t i = 0; i < fSamples.size(); ++i) {
      std::vector<Event *> &events = fSamples[i].*part;
      if (fMixMode != "ALTERNATE" || i == 0) {
         mixed.insert(mixed.end(), events.begin(), events.end());
      } else {
         // one event of class i after every i events of the classes before; what is left over stays in its order
         if (events.size() != (fSamples[0].*part).size())
            Log() << kINFO << what
                  << " sample: the classes differ in size, so MixMode=Alternate alternates only as far as the smaller one goes"
                  << Endl;
         std::vector<Event *> merged;
         merged.reserve(mixed.size() + events.size());
         auto before = mixed.begin();
         auto own = events.begin();
         while (own != events.end() && mixed.end() - before >= static_cast<std::ptrdiff_t>(i)) {
            merged.insert(merged.end(), before, before + static_cast<std::ptrdiff_t>(i));
            before += static_cast<std::ptrdiff_t>(i);
            merged.push_back(*own++);
         }
         merged.insert(merged.end(), before, mixed.end());
         merged.insert(merged.end(), own, events.end());
         mixed.swap(merged);
      }
   }
   for (ClassSample &sample : fSamples)
      (sample.*part).clear();
   return mixed;
}

} // namespace TMVA
