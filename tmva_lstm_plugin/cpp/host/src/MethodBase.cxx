#include "TMVA/MethodBase.h"

#include <algorithm>
#include <fstream>
#include <iostream>

#include "RVersion.h"
#include "TDirectory.h"
#include "TFile.h"
#include "TObjString.h"
#include "TSystem.h"

#include "TMVA/Config.h"
#include "TMVA/ResultsClassification.h"
#include "TMVA/ResultsMulticlass.h"
#include "TMVA/ResultsRegression.h"
#include "TMVA/Timer.h"
#include "TMVA/Tools.h"
#include "TMVA/VariableTransform.h"
#include "TMVA/VariableTransformBase.h"
#include "TMVA/Version.h"

namespace TMVA {

MethodBase::MethodBase(const TString &jobName, Types::EMVA methodType, const TString &methodTitle, DataSetInfo &dsi,
                       const TString &theOption)
   : Configurable(theOption),
     fDataSetInfo(dsi),
     fJobName(jobName),
     fMethodName(methodTitle),
     fMethodType(methodType),
     fTMVATrainingVersion(TMVA_VERSION_CODE),
     fROOTTrainingVersion(ROOT_VERSION_CODE),
     fFileDir(gConfig().GetIONames().fWeightFileDir),
     fTransformation(dsi, methodTitle)
{
   SetTestvarName();
}

MethodBase::MethodBase(Types::EMVA methodType, DataSetInfo &dsi, const TString &weightFile)
   : Configurable(""),
     fDataSetInfo(dsi),
     fMethodName("MethodBase"),
     fMethodType(methodType),
     fConstructedFromWeightFile(kTRUE),
     fFileDir(gConfig().GetIONames().fWeightFileDir),
     fWeightFile(weightFile),
     fTransformation(dsi, "")
{
}

MethodBase::~MethodBase()
{
   delete fRegressionReturnVal;
   delete fMulticlassReturnVal;
   for (const std::vector<Event *> *collection : fEventCollections) {
      if (!collection)
         continue;
      for (Event *event : *collection)
         delete event;
      delete collection;
   }
}

TString MethodBase::DatasetPrefix() const
{
   return Form("[%s] : ", DataInfo().GetName());
}

void MethodBase::SetupMethod()
{
   if (fSetupCompleted)
      Log() << kFATAL << DatasetPrefix() << "Calling SetupMethod for the second time" << Endl;
   gTools().TMVAWelcomeMessage();
   InitBase();
   DeclareBaseOptions();
   Init();
   DeclareOptions();
   fSetupCompleted = kTRUE;
}

void MethodBase::InitBase()
{
   fNbins = gConfig().GetVariablePlotting().fNbinsXOfROCCurve;
   fNbinsMVAoutput = gConfig().GetVariablePlotting().fNbinsMVAoutput;
   fNbinsH = 10000;
   fInputVars.clear();
   for (const VariableInfo &info : DataInfo().GetVariableInfos())
      fInputVars.push_back(info.GetLabel());
   if (const ClassInfo *signal = DataInfo().GetClassInfo("Signal"))
      fSignalClass = signal->GetNumber();
   if (const ClassInfo *background = DataInfo().GetClassInfo("Background"))
      fBackgroundClass = background->GetNumber();
   SetConfigDescription("Configuration options for MVA method");
   SetConfigName(TString("Method") + GetMethodTypeName());
}

void MethodBase::DeclareBaseOptions()
{
   DeclareOptionRef(fVerbose, "V", "Verbose output (short form of \"VerbosityLevel\" below - overrides the latter one)");
   DeclareOptionRef(fVerbosityLevelString = "Default", "VerbosityLevel", "Verbosity level");
   for (const char *level : {"Default", "Debug", "Verbose", "Info", "Warning", "Error", "Fatal"})
      AddPreDefVal(TString(level));
   DeclareOptionRef(fVarTransformString, "VarTransform",
                    "List of variable transformations performed before training: I (identity), N (normalisation)");
   DeclareOptionRef(fHelp, "H", "Print method-specific help message");
   DeclareOptionRef(fHasMVAPdfs, "CreateMVAPdfs", "Create PDFs for classifier outputs (signal and background)");
   DeclareOptionRef(fIgnoreNegWeightsInTraining, "IgnoreNegWeightsInTraining",
                    "Events with negative weights are ignored in the training (but are included for testing and performance evaluation)");
}

void MethodBase::DeclareCompatibilityOptions()
{
   DeclareOptionRef(fNormalise = kFALSE, "Normalise", "Normalise input variables");
   DeclareOptionRef(fUseDecorr = kFALSE, "D", "Use-decorrelated-variables flag");
   DeclareOptionRef(fVariableTransformTypeString = "Signal", "VarTransformType",
                    "Events to derive variable transformations from");
   AddPreDefVal(TString("Signal"));
   AddPreDefVal(TString("Background"));
   DeclareOptionRef(fTxtWeightsOnly = kTRUE, "TxtWeightFilesOnly", "Write all training results (weights) as text files");
   DeclareOptionRef(fNbinsMVAPdf = 60, "NbinsMVAPdf", "Number of bins used for the PDFs of classifier outputs");
   DeclareOptionRef(fNsmoothMVAPdf = 2, "NsmoothMVAPdf", "Number of smoothing iterations for classifier PDFs");
}

void MethodBase::ProcessSetup()
{
   ProcessBaseOptions();
   ProcessOptions();
}

void MethodBase::ProcessBaseOptions()
{
   if (fHasMVAPdfs)
      Log() << kFATAL << DatasetPrefix()
         << "CreateMVAPdfs: the embedded host makes no PDFs of the response. Write !CreateMVAPdfs, or use a "
            << "ROOT that comes with TMVA" << Endl;
   CreateVariableTransforms(fVarTransformString, DataInfo(), GetTransformationHandler(), Log());
   // A TMVA that reads the file finds an input by its expression, which the elements of an array share: it would take the first
   // element for all of them and give other scores without a word.
   for (TObject *object : GetTransformationHandler().GetTransformationList()) {
      const auto &transformation = static_cast<const VariableTransformBase &>(*object);
      if (transformation.GetVariableTransform() != Types::kIdentity && transformation.UsesArrayElements())
         Log() << kFATAL << DatasetPrefix() << "VarTransform=" << fVarTransformString
            << ": elements of arrays (AddVariablesArray) cannot be "
               << "transformed, since TMVA's weights files do not tell them apart. Leave VarTransform out and let the method standardise its "
               << "inputs, select other variables as in N(label1,label2), or declare the elements by AddVariable" << Endl;
   }
   if (fVerbose)
      fVerbosityLevelString = "Verbose";
   static const std::map<TString, EMsgType> levels = {{"Debug", kDEBUG},     {"Verbose", kVERBOSE}, {"Info", kINFO},
                                                      {"Warning", kWARNING}, {"Error", kERROR},     {"Fatal", kFATAL}};
   const auto level = levels.find(fVerbosityLevelString);
   if (level != levels.end())
      Log().SetMinType(level->second);
   Event::SetIgnoreNegWeightsInTraining(fIgnoreNegWeightsInTraining);
}

void MethodBase::CheckSetup()
{
   CheckForUnusedOptions();
}

std::map<TString, Double_t> MethodBase::OptimizeTuningParameters(TString, TString)
{
   Log() << kWARNING << DatasetPrefix() << "Parameter optimization is not yet implemented for method " << GetName() << Endl;
   return {};
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
      GetTransformationHandler().CalcTransformations(Data()->GetEventCollection());

      const Long64_t nEvents = Data()->GetNEvents();
      Timer timer(nEvents, GetName());
      Train();
      SetTrainTime(timer.ElapsedSeconds());
      Log() << kINFO << DatasetPrefix() << "Elapsed time for training with " << nEvents << " events: " << timer.GetElapsedTime()
         << Endl;

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
   if (analysisType == Types::kRegression)
      AddRegressionOutput(type);
   else if (analysisType == Types::kMulticlass)
      AddMulticlassOutput(type);
   else
      AddClassifierOutput(type);
}

void MethodBase::FinishOutput(Types::ETreeType type, Double_t seconds, const TString &elapsed)
{
   Log() << kINFO << DatasetPrefix() << "Evaluation of " << GetMethodName() << " on " << (type == Types::kTraining ? "training"
      : "testing")
         << " sample (" << Data()->GetNEvents() << " events)" << Endl;
   Log() << kINFO << "Elapsed time for evaluation of " << Data()->GetNEvents() << " events: " << elapsed << Endl;
   if (type == Types::kTesting)
      SetTestTime(seconds);
}

void MethodBase::AddClassifierOutput(Types::ETreeType type)
{
   Data()->SetCurrentType(type);
   auto *results = static_cast<ResultsClassification *>(Data()->GetResults(GetMethodName(), type, Types::kClassification));
   const Long64_t n = Data()->GetNEvents();
   Timer timer(n, GetName());
   const std::vector<Double_t> values = GetMvaValues(0, n, true);
   FinishOutput(type, timer.ElapsedSeconds(), timer.GetElapsedTime());
   if (Long64_t(values.size()) != n)
      Log() << kFATAL << DatasetPrefix() << GetMethodName() << " gave " << values.size() << " responses for " << n << " events" << Endl;
   results->Resize(n);
   for (Long64_t i = 0; i < n; ++i)
      results->SetValue(values[i], i, DataInfo().IsSignal(Data()->GetEvent(i, type)));
}

void MethodBase::AddRegressionOutput(Types::ETreeType type)
{
   Data()->SetCurrentType(type);
   auto *results = static_cast<ResultsRegression *>(Data()->GetResults(GetMethodName(), type, Types::kRegression));
   const Long64_t n = Data()->GetNEvents();
   Timer timer(n, GetName());
   results->Resize(n);
   for (Long64_t i = 0; i < n; ++i) {
      Data()->SetCurrentEvent(i);
      std::vector<Float_t> values = GetRegressionValues();
      results->SetValue(values, i);
      timer.DrawProgressBar(i);
   }
   FinishOutput(type, timer.ElapsedSeconds(), timer.GetElapsedTime());
   results->Delete();
   results->CreateDeviationHistograms(GetTestvarName() + (type == Types::kTraining ? "train" : "test"));
}

void MethodBase::AddMulticlassOutput(Types::ETreeType type)
{
   Data()->SetCurrentType(type);
   auto *results = static_cast<ResultsMulticlass *>(Data()->GetResults(GetMethodName(), type, Types::kMulticlass));
   const Long64_t n = Data()->GetNEvents();
   Timer timer(n, GetName());
   results->Resize(n);
   for (Long64_t i = 0; i < n; ++i) {
      Data()->SetCurrentEvent(i);
      std::vector<Float_t> values = GetMulticlassValues();
      results->SetValue(values, i);
      timer.DrawProgressBar(i);
   }
   FinishOutput(type, timer.ElapsedSeconds(), timer.GetElapsedTime());
   results->Delete();
   results->CreateMulticlassHistos(GetTestvarName() + (type == Types::kTraining ? "_Train" : "_Test"), fNbinsMVAoutput, fNbinsH);
}

void MethodBase::NoErrorCalc(Double_t *const err, Double_t *const errUpper)
{
   if (err)
      *err = -1;
   if (errUpper)
      *errUpper = -1;
}

namespace {
/// Puts a pointer in place and takes it away again, also when an exception leaves.
template <class T>
class Temporarily {
public:
   Temporarily(T *&place, T *value) : fPlace(place), fBefore(place) { place = value; }
   ~Temporarily() { fPlace = fBefore; }

private:
   T *&fPlace;
   T *fBefore;
};
} // namespace

Double_t MethodBase::GetMvaValue(const Event *const ev, Double_t *err, Double_t *errUpper)
{
   Temporarily<const Event> guard(fTmpEvent, ev);
   return GetMvaValue(err, errUpper);
}

const std::vector<Float_t> &MethodBase::GetRegressionValues(const Event *const ev)
{
   Temporarily<const Event> guard(fTmpEvent, ev);
   return GetRegressionValues();
}

const std::vector<Float_t> &MethodBase::GetMulticlassValues(const Event *const ev)
{
   Temporarily<const Event> guard(fTmpEvent, ev);
   return GetMulticlassValues();
}

namespace {
const std::vector<Float_t> gNoValues;
}

const std::vector<Float_t> &MethodBase::GetRegressionValues()
{
   return gNoValues;
}
const std::vector<Float_t> &MethodBase::GetMulticlassValues()
{
   return gNoValues;
}
const std::vector<Float_t> &MethodBase::GetTrainingHistory(const char *)
{
   return gNoValues;
}

std::vector<Double_t> MethodBase::GetMvaValues(Long64_t firstEvt, Long64_t lastEvt, Bool_t logProgress)
{
   const Long64_t n = Data()->GetNEvents();
   firstEvt = std::max<Long64_t>(firstEvt, 0);
   if (firstEvt > lastEvt || lastEvt > n)
      lastEvt = n;
   std::vector<Double_t> values(std::max<Long64_t>(lastEvt - firstEvt, 0));
   Timer timer(values.size(), GetName());
   for (size_t i = 0; i < values.size(); ++i) {
      Data()->SetCurrentEvent(firstEvt + i);
      values[i] = GetMvaValue();
      if (logProgress)
         timer.DrawProgressBar(i);
   }
   return values;
}

std::vector<Double_t> MethodBase::GetDataMvaValues(DataSet *data, Long64_t firstEvt, Long64_t lastEvt, Bool_t logProgress)
{
   Temporarily<DataSet> guard(fTmpData, data);
   return GetMvaValues(firstEvt, lastEvt, logProgress);
}

Double_t MethodBase::GetProba(const Event *)
{
   return GetProba(0., 0.5);
}

Double_t MethodBase::GetProba(Double_t, Double_t)
{
   Log() << kWARNING << DatasetPrefix() << "<GetProba> MVA PDFs for Signal and Background don't exist: the embedded host makes none"
      << Endl;
   return -1.0;
}

Double_t MethodBase::GetRarity(Double_t, Types::ESBType) const
{
   Log() << kWARNING << DatasetPrefix() << "<GetRarity> The required MVA PDF does not exist: the embedded host makes none" << Endl;
   return 0.0;
}

Bool_t MethodBase::IsSignalLike(Double_t mvaVal)
{
   return mvaVal * fSignalReferenceCutOrientation > fSignalReferenceCut * fSignalReferenceCutOrientation;
}

const std::vector<Event *> &MethodBase::GetEventCollection(Types::ETreeType type)
{
   const std::vector<Event *> &events = Data()->GetEventCollection(type);
   if (GetTransformationHandler().GetNumOfTransformations() == 0)
      return events;
   const std::vector<Event *> *&transformed = fEventCollections.at(Data()->TreeIndex(type));
   if (!transformed)
      transformed = GetTransformationHandler().CalcTransformations(events, kTRUE);
   return *transformed;
}

TDirectory *MethodBase::MethodBaseDir() const
{
   if (fMethodBaseDir || !fFile)
      return fMethodBaseDir;
   const auto below = [](TDirectory *parent, const TString &name, const TString &title) {
      TDirectory *dir = parent->GetDirectory(name);
      return dir ? dir : parent->mkdir(name, title);
   };
   TDirectory *dataset =
      below(fFile, DataInfo().GetName(), Form("Base directory for dataset %s", DataInfo().GetName()));
   const TString type = GetMethodTypeName();
   fMethodBaseDir = dataset ? below(dataset, "Method_" + type, "Directory for all " + type + " methods") : nullptr;
   if (!fMethodBaseDir)
      Log() << kFATAL << DatasetPrefix() << "Unable to create the directory " << DataInfo().GetName() << "/Method_" << type << " in "
            << fFile->GetName() << ": is the file open for writing?" << Endl;
   return fMethodBaseDir;
}

TDirectory *MethodBase::BaseDir() const
{
   if (fBaseDir)
      return fBaseDir;
   TDirectory *parent = MethodBaseDir();
   if (!parent)
      Log() << kFATAL << DatasetPrefix() << "BaseDir: there is no output file. Give the Factory a TFile, or ask IsSilentFile() first"
         << Endl;
   if (TDirectory *known = parent->GetDirectory(GetMethodName()))
      return known;
   TDirectory *dir = parent->mkdir(GetMethodName());
   if (fModelPersistence) {
      const TObjString path(gSystem->WorkingDirectory()), name(GetWeightFileName());
      dir->WriteTObject(&path, "TrainingPath");
      dir->WriteTObject(&name, "WeightFileName");
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
   return fFileDir + (fFileDir.EndsWith("/") ? "" : "/") + GetJobName() + "_" + GetMethodName() + "." +
          gConfig().GetIONames().fWeightFileExtension + ".xml";
}

void MethodBase::PrintHelpMessage() const
{
   // with an options reference file the help goes there, so everything printed is turned into the file
   std::streambuf *console = std::cout.rdbuf();
   std::ofstream file;
   if (gConfig().WriteOptionsReference()) {
      file.open(GetReferenceFile(), std::ios::app);
      if (!file.good())
         Log() << kFATAL << "<PrintHelpMessage> Unable to append to output file: " << GetReferenceFile() << Endl;
      std::cout.rdbuf(file.rdbuf());
   }
   const TString bold = gTools().Color("bold"), reset = gTools().Color("reset"), line(std::string(64, '=').c_str());
   Log() << kINFO << bold << line << reset << Endl;
   Log() << kINFO << bold << "H e l p   f o r   M V A   m e t h o d   [ " << GetName() << " ] :" << reset << Endl;
   GetHelpMessage();
   Log() << kINFO << "<Suppress this message by specifying \"!H\" in the booking option>" << Endl;
   Log() << kINFO << bold << line << reset << Endl;
   std::cout.rdbuf(console);
}

} // namespace TMVA
