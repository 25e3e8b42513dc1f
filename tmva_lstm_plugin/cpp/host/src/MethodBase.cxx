#include "TMVA/MethodBase.h"

#include "TMVA/Config.h"
#include "TMVA/Ranking.h"
#include "TMVA/Timer.h"
#include "TMVA/Tools.h"

#include "TDirectory.h"
#include "TFile.h"
#include "TH1D.h"
#include "TObjString.h"
#include "TSystem.h"

#include <algorithm>
#include <iomanip>

namespace TMVA {

MethodBase::MethodBase(const TString &jobName, Types::EMVA methodType, const TString &methodTitle, DataSetInfo &dsi,
                       const TString &theOption)
   : Configurable(theOption),
     fDataSetInfo(dsi),
     fJobName(jobName),
     fMethodName(methodTitle),
     fMethodType(methodType),
     fTransformation(dsi, methodTitle)
{
}

MethodBase::MethodBase(Types::EMVA methodType, DataSetInfo &dsi, const TString &weightFile)
   : fDataSetInfo(dsi), fMethodName("Method"), fMethodType(methodType), fWeightFile(weightFile), fTransformation(dsi, "Reader")
{
}

MethodBase::~MethodBase()
{
   delete fRegressionReturnVal;
   delete fMulticlassReturnVal;
}

void MethodBase::SetupMethod()
{
   SetConfigName(TString("Method") + GetMethodTypeName());
   DeclareBaseOptions();
   Init();
   DeclareOptions();
}

void MethodBase::DeclareBaseOptions()
{
   DeclareOptionRef(fVerbose, "V", "Verbose output (short form of \"VerbosityLevel\" below - overrides the latter one)");
   DeclareOptionRef(fVerbosityLevelString, "VerbosityLevel", "Verbosity level");
   for (const char *level : {"Default", "Debug", "Verbose", "Info", "Warning", "Error", "Fatal"})
      AddPreDefVal(level);
   DeclareOptionRef(fVarTransformString, "VarTransform",
                    "List of variable transformations performed before training: I (identity), N (normalisation)");
   DeclareOptionRef(fHelp, "H", "Print method-specific help message");
   DeclareOptionRef(fHasMVAPdfs, "CreateMVAPdfs", "Create PDFs for classifier outputs (signal and background)");
   DeclareOptionRef(fIgnoreNegWeightsInTraining, "IgnoreNegWeightsInTraining",
                    "Events with negative weights are ignored in the training (but are included in testing and evaluation)");
}

void MethodBase::ProcessSetup()
{
   ProcessBaseOptions();
   ProcessOptions();
}

void MethodBase::ProcessBaseOptions()
{
   if (fHasMVAPdfs)
      Log() << kFATAL << Prefix() << "CreateMVAPdfs: the embedded host makes no PDFs. Leave it out, or use a ROOT with TMVA" << Endl;
   fTransformation.CreateTransformations(fVarTransformString);
   const char *const levels[] = {"Debug", "Verbose", "Info", "Warning", "Error", "Fatal"};
   for (int level = kDEBUG; level <= kFATAL; ++level)
      if (fVerbosityLevelString == levels[level - kDEBUG] && !fVerbose)
         Log().SetMinType(static_cast<EMsgType>(level));
   Event::SetIgnoreNegWeightsInTraining(fIgnoreNegWeightsInTraining);
}

void MethodBase::TrainMethod()
{
   Data()->SetCurrentType(Types::kTraining);
   Event::SetIsTraining(kTRUE);
   try {
      if (Help())
         PrintHelpMessage();
      TDirectory::TContext context;
      if (!IsSilentFile())
         BaseDir()->cd();
      fTransformation.CalcTransformations(Data()->GetEventCollection());
      Timer timer;
      Train();
      fTrainTime = timer.ElapsedSeconds();
      Log() << kINFO << Prefix() << "Elapsed time for training with " << Data()->GetNEvents() << " events: "
            << timer.GetElapsedTime() << Endl;
      AddOutput(Types::kTraining, GetAnalysisType());
      if (fModelPersistence) {
         WriteStateToFile();
         if (!DoRegression())
            MakeClass();
      }
      if (!IsSilentFile()) {
         BaseDir()->cd();
         WriteMonitoringHistosToFile();
      }
   } catch (...) {
      Event::SetIsTraining(kFALSE); // what comes next must not drop negative weights
      throw;
   }
}

void MethodBase::AddOutput(Types::ETreeType type, Types::EAnalysisType analysisType)
{
   Data()->SetCurrentType(type);
   Results &results = *Data()->GetResults(GetMethodName(), type, analysisType);
   results.values.clear();
   const Long64_t n = Data()->GetNEvents();
   Timer timer;
   if (analysisType == Types::kRegression || analysisType == Types::kMulticlass) {
      for (Long64_t i = 0; i < n; ++i) {
         Data()->SetCurrentEvent(i);
         for (const Float_t value : analysisType == Types::kRegression ? GetRegressionValues() : GetMulticlassValues())
            results.values.push_back(value);
      }
   } else {
      for (const Double_t value : GetMvaValues(0, n, true))
         results.values.push_back(value);
   }
   Log() << kINFO << Prefix() << "Evaluation of " << GetMethodName() << " on the "
         << (type == Types::kTraining ? "training" : "test") << " sample (" << n << " events): " << timer.GetElapsedTime() << Endl;
   if (results.GetSize() != n)
      Log() << kFATAL << Prefix() << GetMethodName() << " answered " << results.GetSize() << " of " << n << " events" << Endl;
   if (analysisType == Types::kRegression)
      PlotDeviations(type);
   else if (analysisType == Types::kMulticlass)
      PlotMulticlass(type);
}

Results &MethodBase::GetResults(Types::ETreeType type) const
{
   Results *results = Data()->GetResults(GetMethodName(), type, Types::kMaxAnalysisType);
   if (!results || results->GetSize() != Data()->GetNEvents(type))
      Log() << kFATAL << Prefix() << GetMethodName() << " has no answers for the "
            << (type == Types::kTraining ? "training" : "test") << " sample: call TrainAllMethods, TestAllMethods first" << Endl;
   return *results;
}

// ---------------------------------------------------------------------------------------- answers

void MethodBase::NoErrorCalc(Double_t *const err, Double_t *const errUpper)
{
   if (err)
      *err = -1;
   if (errUpper)
      *errUpper = -1;
}

namespace {

/// Puts an event in place and takes it away again, also when an exception leaves.
class Temporarily {
public:
   Temporarily(const Event *&place, const Event *event) : fPlace(place) { place = event; }
   ~Temporarily() { fPlace = nullptr; }

private:
   const Event *&fPlace;
};

} // namespace

Double_t MethodBase::GetMvaValue(const Event *const ev, Double_t *err, Double_t *errUpper)
{
   const Temporarily guard(fTmpEvent, ev);
   return GetMvaValue(err, errUpper);
}

const std::vector<Float_t> &MethodBase::GetRegressionValues(const Event *const ev)
{
   const Temporarily guard(fTmpEvent, ev);
   return GetRegressionValues();
}

const std::vector<Float_t> &MethodBase::GetMulticlassValues(const Event *const ev)
{
   const Temporarily guard(fTmpEvent, ev);
   return GetMulticlassValues();
}

std::vector<Double_t> MethodBase::GetMvaValues(Long64_t firstEvt, Long64_t lastEvt, Bool_t)
{
   const Long64_t n = Data()->GetNEvents();
   firstEvt = std::max<Long64_t>(firstEvt, 0);
   if (firstEvt > lastEvt || lastEvt > n)
      lastEvt = n;
   std::vector<Double_t> values;
   for (Long64_t i = firstEvt; i < lastEvt; ++i) {
      Data()->SetCurrentEvent(i);
      values.push_back(GetMvaValue());
   }
   return values;
}

const std::vector<Event *> &MethodBase::GetEventCollection(Types::ETreeType type)
{
   const std::vector<Event *> &events = Data()->GetEventCollection(type);
   if (fTransformation.GetTransformationList().GetSize() == 0)
      return events;
   const int sample = type == Types::kTraining ? 0 : 1;
   if (fTransformedEvents[sample].empty())
      for (const Event *event : events) {
         fTransformedEvents[sample].push_back(std::make_unique<Event>(*GetEvent(event)));
         fEventCollections[sample].push_back(fTransformedEvents[sample].back().get());
      }
   return fEventCollections[sample];
}

// ---------------------------------------------------------------------------------------- places

TDirectory *MethodBase::BaseDir() const
{
   if (!fFile)
      Log() << kFATAL << Prefix() << "BaseDir: there is no output file. Give the Factory a TFile, or ask IsSilentFile()" << Endl;
   const TString path = TString(DataInfo().GetName()) + "/Method_" + GetMethodTypeName() + "/" + fMethodName;
   TDirectory *dir = fFile->GetDirectory(path);
   if (dir)
      return dir;
   dir = fFile->mkdir(path, "", kTRUE);
   if (!dir)
      Log() << kFATAL << Prefix() << "Unable to create the directory " << path << " in " << fFile->GetName()
            << ": is the file open for writing?" << Endl;
   if (fModelPersistence) {
      const TObjString directory(gSystem->WorkingDirectory()), file(GetWeightFileName());
      dir->WriteTObject(&directory, "TrainingPath");
      dir->WriteTObject(&file, "WeightFileName");
   }
   return dir;
}

void MethodBase::SetWeightFileDir(TString fileDir)
{
   fFileDir = fileDir;
   gSystem->mkdir(fFileDir, kTRUE);
}

TString MethodBase::GetWeightFileName() const
{
   if (fWeightFile != "")
      return fWeightFile;
   return fFileDir + "/" + GetJobName() + "_" + GetMethodName() + "." + gConfig().GetIONames().fWeightFileExtension + ".xml";
}

void MethodBase::PrintHelpMessage() const
{
   const std::string line(64, '=');
   Log() << kINFO << line << Endl;
   Log() << kINFO << "H e l p   f o r   M V A   m e t h o d   [ " << GetName() << " ] :" << Endl;
   GetHelpMessage();
   Log() << kINFO << "<Suppress this message by specifying \"!H\" in the booking option>" << Endl;
   Log() << kINFO << line << Endl;
}

// ---------------------------------------------------------------------------------------- what a method tells of its training

void Ranking::AddRank(const Rank &rank)
{
   const auto above = [](const Rank &a, const Rank &b) { return a.GetRankValue() > b.GetRankValue(); };
   fRanks.insert(std::upper_bound(fRanks.begin(), fRanks.end(), rank, above), rank);
}

void Ranking::Print() const
{
   MsgLogger log(fContext.Data());
   int width = 8;
   for (const Rank &rank : fRanks)
      width = std::max(width, int(rank.GetVariable().Length()));
   const std::string line(width + 10 + std::max<Ssiz_t>(9, fDiscriminatorName.Length()), '-');
   log << kHEADER << "Ranking result (top variable is best ranked)" << Endl;
   log << kINFO << line << Endl;
   log << kINFO << "Rank : " << std::setw(width) << std::left << "Variable" << " : " << fDiscriminatorName << Endl;
   log << kINFO << line << Endl;
   Int_t number = 0;
   for (const Rank &rank : fRanks)
      log << kINFO << std::setw(4) << std::right << ++number << " : " << std::setw(width) << std::left
          << rank.GetVariable().Data() << " : " << Form("%3.3e", rank.GetRankValue()) << Endl;
   log << kINFO << line << Endl;
}

void TrainingHistory::SaveHistory(TString name)
{
   for (const auto &[property, record] : fHistory) {
      const Int_t n = record.size();
      const Double_t first = record.front().first, last = record.back().first;
      const Double_t width = n > 1 ? (last - first) / (n - 1) : 1.;
      const TString title = "TrainingHistory_" + name + "_" + property;
      TH1D hist(title, title, n, first - 0.5 * width, last + 0.5 * width);
      for (Int_t i = 0; i < n; ++i)
         hist.AddBinContent(i + 1, record[i].second);
      hist.Write();
   }
}

} // namespace TMVA
