#include "DataSetFactory.h"

#include "TMVA/Configurable.h"
#include "TMVA/Tools.h"

#include "TRandom3.h"

#include <algorithm>
#include <cfloat>
#include <cmath>
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

DataSetFactory::~DataSetFactory()
{
   for (ClassSample &sample : fSamples)
      for (auto part : {&ClassSample::training, &ClassSample::testing, &ClassSample::undecided})
         for (Event *event : sample.*part)
            delete event;
}

std::unique_ptr<DataSet> DataSetFactory::CreateDataSet()
{
   if (!fInfo.HasInput())
      Log() << kFATAL << fInfo.Prefix() << "there are no events: add trees to the DataLoader, or ask the method of a Reader by "
            << "Reader::EvaluateMVA" << Endl;
   if (fInfo.GetNVariables() == 0)
      Log() << kFATAL << fInfo.Prefix() << "no input variable has been declared: call AddVariable or AddVariablesArray" << Endl;
   for (UInt_t i = 0; i < fInfo.GetNClasses(); ++i) {
      fSamples.emplace_back();
      fSamples.back().name = fInfo.GetClassInfo(static_cast<Int_t>(i))->GetName();
   }
   ReadOptions();
   ReadEvents();

   UniformBits random(fSplitSeed);
   if (fSplitMode == "Random")
      for (ClassSample &sample : fSamples)
         std::shuffle(sample.undecided.begin(), sample.undecided.end(), random);
   for (ClassSample &sample : fSamples)
      Split(sample, random);
   Normalise();

   auto dataSet = std::make_unique<DataSet>(fInfo);
   dataSet->SetEventCollection(Mix(&ClassSample::training, random), Types::kTraining);
   dataSet->SetEventCollection(Mix(&ClassSample::testing, random), Types::kTesting);
   if (dataSet->GetNTrainingEvents() < 1)
      Log() << kFATAL << fInfo.Prefix() << "does not have any training events" << Endl;
   if (dataSet->GetNTestEvents() < 1)
      Log() << kERROR << fInfo.Prefix() << "does not have any testing events: methods can be trained, but not tested or evaluated"
            << Endl;
   if (fComputeCorrelations && dataSet->GetNTrainingEvents() > 1) {
      FindRanges(dataSet->GetEventCollection(Types::kTraining));
      FindCorrelations(dataSet->GetEventCollection(Types::kTraining));
   }
   return dataSet;
}

void DataSetFactory::ReadOptions()
{
   Configurable options(fInfo.GetSplitOptions());
   options.SetConfigName("DataSetFactory");
   const auto choice = [&](TString &variable, const char *name, const std::vector<TString> &values, const char *description) {
      options.DeclareOptionRef(variable, name, description);
      for (const TString &value : values)
         options.AddPreDefVal(value);
   };
   choice(fSplitMode, "SplitMode", {"Random", "Alternate", "Block"}, "How events are dealt to training and testing");
   choice(fMixMode, "MixMode", {"SameAsSplitMode", "Random", "Alternate", "Block"},
          "In what order events of different classes stand in a sample");
   options.DeclareOptionRef(fSplitSeed, "SplitSeed", "Seed of SplitMode and MixMode Random; 0: another one each time");
   choice(fNormMode, "NormMode", {"None", "NumEvents", "EqualNumEvents"},
          "Scale of the training weights (NumEvents: a mean of 1 in each class; EqualNumEvents: a mean of 1 in the first class, "
          "the same sum in all others)");
   options.DeclareOptionRef(fScaleWithPreselEff, "ScaleWithPreselEff",
                            "Scale requested numbers of events by the efficiency of the cuts");
   for (ClassSample &sample : fSamples) {
      options.DeclareOptionRef(sample.trainingRequested, "nTrain_" + sample.name, "Number of training events (default: 0 = all)");
      options.DeclareOptionRef(sample.testingRequested, "nTest_" + sample.name, "Number of test events (default: 0 = all)");
      options.DeclareOptionRef(sample.trainingFraction, "TrainTestSplit_" + sample.name,
                               "Fraction of the events used for training (default: 0 = not used)");
   }
   Bool_t verbose = kFALSE, correlations = kFALSE;
   options.DeclareOptionRef(verbose, "V", "Verbosity");
   TString level("Info");
   choice(level, "VerboseLevel", {"Debug", "Verbose", "Info"}, "How much is printed");
   options.DeclareOptionRef(correlations, "Correlations", "Print the correlation matrices (without effect)");
   options.DeclareOptionRef(fComputeCorrelations, "CalcCorrelations", "Compute correlations and ranges of the variables");
   options.ParseOptions();
   options.CheckForUnusedOptions();
   if (level != "Info" || verbose)
      fLogger.SetMinType(kVERBOSE);
   if (fMixMode == "SameAsSplitMode")
      fMixMode = fSplitMode;
   for (const ClassSample &sample : fSamples) {
      if (sample.trainingRequested < 0 || sample.testingRequested < 0)
         Log() << kFATAL << fInfo.Prefix() << "nTrain_" << sample.name << " and nTest_" << sample.name
               << " must not be negative, found " << sample.trainingRequested << " and " << sample.testingRequested << Endl;
      if (sample.trainingFraction < 0 || sample.trainingFraction >= 1)
         Log() << kFATAL << fInfo.Prefix() << "The option TrainTestSplit_" << sample.name
               << " has to be above 0 and below 1, but is set to " << sample.trainingFraction << Endl;
   }
}

void DataSetFactory::ReadEvents()
{
   TreeEventReader reader(fInfo, Log());
   for (UInt_t i = 0; i < fSamples.size(); ++i) {
      ClassSample &sample = fSamples[i];
      const ClassInfo &classInfo = *fInfo.GetClassInfo(static_cast<Int_t>(i));
      for (const EventInput &input : classInfo.fInputs) {
         Log() << kINFO << "Building event vectors for type " << static_cast<Int_t>(input.type) << " " << sample.name << Endl;
         reader.Read(input, classInfo,
                     input.type == Types::kTraining  ? sample.training
                     : input.type == Types::kTesting ? sample.testing
                                                     : sample.undecided,
                     sample.counts);
      }
   }
   reader.ReportNotFinite();
}

void DataSetFactory::Split(ClassSample &sample, UniformBits &random)
{
   const Int_t training = static_cast<Int_t>(sample.training.size()), testing = static_cast<Int_t>(sample.testing.size()),
               undecided = static_cast<Int_t>(sample.undecided.size()), available = training + testing + undecided;
   if (sample.trainingFraction > 0) {
      sample.trainingRequested = Int_t(sample.trainingFraction * available);
      sample.testingRequested = 0;
   }
   const CutCounts &counts = sample.counts;
   const Double_t scale = fScaleWithPreselEff && counts.before > 0 ? static_cast<Double_t>(counts.after) / counts.before : 1;
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
      Log() << kFATAL << fInfo.Prefix() << "class " << sample.name << ": More events requested than available: "
            << sample.trainingRequested << " for training and " << sample.testingRequested << " for testing, while there are "
            << training << " for training, " << testing << " for testing and " << undecided << " to be split" << Endl;

   std::vector<Event *> &pool = sample.undecided;
   if (fSplitMode == "Alternate") {
      // one to training, one to testing; when training has enough, all others go to testing
      Int_t given = training;
      for (auto event = pool.begin(); event != pool.end();) {
         if (++given <= requestedTraining)
            sample.training.push_back(*event++);
         if (event != pool.end())
            sample.testing.push_back(*event++);
      }
   } else {
      auto next = pool.begin();
      sample.training.insert(sample.training.end(), next, next + (useForTraining - training));
      next += useForTraining - training;
      sample.testing.insert(sample.testing.end(), next, next + (useForTesting - testing));
      next += useForTesting - testing;
      std::for_each(next, pool.end(), [](Event *event) { delete event; }); // the odd one of an even split
   }
   pool.clear();
   ShortenTo(sample.training, requestedTraining, random);
   ShortenTo(sample.testing, requestedTesting, random);
}

void DataSetFactory::ShortenTo(std::vector<Event *> &events, Int_t size, UniformBits &random)
{
   const std::size_t wanted = static_cast<std::size_t>(size);
   if (events.size() <= wanted)
      return;
   std::vector<UInt_t> positions(events.size()); // of those that go
   std::iota(positions.begin(), positions.end(), 0u);
   if (fSplitMode == "Random")
      std::shuffle(positions.begin(), positions.end(), random);
   else
      std::reverse(positions.begin(), positions.end());
   positions.resize(events.size() - wanted);
   for (const UInt_t position : positions) {
      delete events[position];
      events[position] = nullptr;
   }
   events.erase(std::remove(events.begin(), events.end(), nullptr), events.end());
}

void DataSetFactory::Normalise()
{
   const bool equal = fNormMode == "EqualNumEvents";
   Log() << kINFO << fInfo.Prefix() << "NormMode " << fNormMode << ": ";
   if (fNormMode == "None")
      Log() << "weights stay as they are" << Endl;
   else
      Log() << "the training weights of every class are scaled to a sum of "
            << (equal ? fSamples.front().name + "'s number of training events" : TString("its number of training events"))
            << "; test weights stay as they are" << Endl;
   Log() << kINFO << "Number of training and testing events" << Endl;
   Log() << kINFO << "---------------------------------------------------------------------------" << Endl;
   for (ClassSample &sample : fSamples) {
      const TString name = Form("%-*s -- ", fInfo.GetClassNameMaxLength(), sample.name.Data());
      Log() << kINFO << name << "training events            : " << sample.training.size() << Endl;
      Log() << kINFO << name << "testing events             : " << sample.testing.size() << Endl;
      if (sample.counts.after < sample.counts.before)
         Log() << kINFO << name << "passed the cut: " << sample.counts.after << " of " << sample.counts.before << Endl;
      if (fNormMode == "None" || sample.training.empty())
         continue;
      Double_t sum = 0;
      for (const Event *event : sample.training)
         sum += event->GetOriginalWeight();
      if (!(sum > 0))
         Log() << kFATAL << fInfo.Prefix() << "the weights of the " << sample.training.size() << " training events of class "
               << sample.name << " sum to " << sum << ", which NormMode=" << fNormMode
               << " cannot scale to a number of events. Check the weight expression, or use NormMode=None" << Endl;
      const Double_t factor = static_cast<Float_t>((equal ? fSamples.front() : sample).training.size()) / sum;
      for (Event *event : sample.training)
         event->SetWeight(event->GetWeight() * factor);
   }
   Log() << kINFO << Endl;
}

std::vector<Event *> DataSetFactory::Mix(std::vector<Event *> ClassSample::*part, UniformBits &random)
{
   std::vector<Event *> mixed;
   for (std::size_t i = 0; i < fSamples.size(); ++i) {
      std::vector<Event *> &events = fSamples[i].*part;
      if (fMixMode != "Alternate" || i == 0) {
         mixed.insert(mixed.end(), events.begin(), events.end());
      } else {
         // one event of class i after every i events of the classes before; what is left over stays in its order
         std::vector<Event *> merged;
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
      events.clear();
   }
   if (fMixMode == "Random")
      std::shuffle(mixed.begin(), mixed.end(), random);
   return mixed;
}

// ---------------------------------------------------------------------------------------- over the training events

void DataSetFactory::FindRanges(const std::vector<Event *> &events)
{
   // returns the names of those that are constant
   const auto find = [&](std::vector<VariableInfo> &infos, auto values) {
      std::vector<TString> constant;
      for (UInt_t i = 0; i < infos.size(); ++i) {
         Float_t minimum = FLT_MAX, maximum = -FLT_MAX;
         for (const Event *event : events) {
            minimum = std::min(minimum, values(*event)[i]);
            maximum = std::max(maximum, values(*event)[i]);
         }
         infos[i].SetMin(minimum);
         infos[i].SetMax(maximum);
         if (std::abs(maximum - minimum) <= FLT_MIN)
            constant.push_back(infos[i].GetInternalName());
      }
      return constant;
   };
   const auto variables = find(fInfo.GetVariableInfos(), [](const Event &event) -> auto & { return event.GetValues(); });
   const auto targets = find(fInfo.GetTargetInfos(), [](const Event &event) -> auto & { return event.GetTargets(); });
   find(fInfo.GetSpectatorInfos(), [](const Event &event) -> auto & { return event.GetSpectators(); });
   if (!variables.empty())
      Log() << kWARNING << fInfo.Prefix() << variables.size() << " variables are constant, as padding of an array may be: "
            << variables.front() << (variables.size() > 1 ? ", ..." : "") << Endl;
   if (!targets.empty())
      Log() << kFATAL << fInfo.Prefix() << "Target " << targets.front() << " is constant: it carries no information." << Endl;
}

void DataSetFactory::FindCorrelations(const std::vector<Event *> &events)
{
   const UInt_t n = fInfo.GetNVariables();
   for (UInt_t classIndex = 0; classIndex < fInfo.GetNClasses(); ++classIndex) {
      // sums of w, w x_i and w x_i x_j (j >= i), about the first event of the class: differences keep their digits
      Double_t sum = 0;
      std::vector<Double_t> first, x(n), means(n, 0.), products(std::size_t(n) * n, 0.);
      for (const Event *event : events) {
         if (event->GetClass() != classIndex)
            continue;
         const std::vector<Float_t> &values = event->GetValues();
         if (first.empty())
            first.assign(values.begin(), values.end());
         const Double_t weight = event->GetWeight();
         sum += weight;
         for (UInt_t i = 0; i < n; ++i)
            x[i] = values[i] - first[i];
         for (UInt_t i = 0; i < n; ++i) {
            const Double_t weighted = weight * x[i];
            means[i] += weighted;
            if (weighted == 0)
               continue;
            Double_t *row = &products[std::size_t(i) * n];
            for (UInt_t j = i; j < n; ++j)
               row[j] += weighted * x[j];
         }
      }
      const auto covariance = [&](UInt_t i, UInt_t j) {
         return products[std::size_t(i) * n + j] / sum - means[i] / sum * (means[j] / sum);
      };
      ClassInfo &info = *fInfo.GetClassInfo(static_cast<Int_t>(classIndex));
      info.fCorrelations = std::make_unique<TMatrixD>(n, n);
      TMatrixD &matrix = *info.fCorrelations;
      for (UInt_t i = 0; i < n; ++i) {
         matrix(i, i) = 1;
         for (UInt_t j = i + 1; j < n; ++j) {
            const Double_t variances = covariance(i, i) * covariance(j, j);
            matrix(i, j) = matrix(j, i) = variances > 0 ? covariance(i, j) / std::sqrt(variances) : 0;
         }
      }
   }
}

} // namespace TMVA
