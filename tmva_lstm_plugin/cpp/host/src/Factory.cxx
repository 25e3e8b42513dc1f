#include "TMVA/Factory.h"

#include "TMVA/ClassifierFactory.h"
#include "TMVA/Config.h"
#include "TMVA/DataLoader.h"
#include "TMVA/MethodBase.h"
#include "TMVA/Ranking.h"
#include "TMVA/Tools.h"

#include "TFile.h"
#include "TH2.h"

namespace TMVA {

Factory::Factory(TString job, TFile *target, TString options)
   : Configurable(options), fTargetFile(target), fJobName(job), fSilentFile(target == nullptr)
{
   ReadOptions();
   if (target && (!target->IsOpen() || !target->IsWritable()))
      Log() << kFATAL << "The output file \"" << target->GetName()
            << "\" is not open for writing: open it with TFile::Open(name, \"RECREATE\"), and close it after the evaluation"
            << Endl;
}

Factory::Factory(TString job, TString options) : Factory(job, static_cast<TFile *>(nullptr), options) {}

Factory::~Factory()
{
   DeleteAllMethods();
}

void Factory::ReadOptions()
{
   SetConfigName("Factory");
   Bool_t verbose = kFALSE, silent = kFALSE, color = kFALSE, drawProgressBar = kFALSE, correlations = kFALSE;
   TString analysisType("Auto"), verboseLevel("Info");
   DeclareOptionRef(verbose, "V", "Print more");
   DeclareOptionRef(verboseLevel, "VerboseLevel", "How much is printed");
   for (const char *level : {"Debug", "Verbose", "Info"})
      AddPreDefVal(level);
   DeclareOptionRef(color, "Color", "Colours in the terminal (the host has none)");
   DeclareOptionRef(fTransformations, "Transformations",
                    "List of transformations to plot the input variables for, separated by ';': I (identity), N "
                    "(normalisation)");
   DeclareOptionRef(correlations, "Correlations", "Print correlations of the responses with each other and with the inputs");
   DeclareOptionRef(fROC, "ROC", "Print the tables of a classification");
   DeclareOptionRef(silent, "Silent", "Print nothing but errors and the final tables");
   DeclareOptionRef(drawProgressBar, "DrawProgressBar", "Show how far training and evaluation are");
   DeclareOptionRef(fModelPersistence, "ModelPersistence", "Write weights files, and test what is read back from them");
   DeclareOptionRef(analysisType, "AnalysisType", "Kind of analysis; Auto decides by the classes of the first booking");
   for (const char *type : {"Classification", "Regression", "Multiclass", "Auto"})
      AddPreDefVal(type);
   ParseOptions();
   CheckForUnusedOptions();

   if (verboseLevel != "Info")
      Log().SetMinType(kVERBOSE);
   if (correlations)
      Log() << kWARNING << "Correlations: the embedded host does not print correlations of the responses" << Endl;
   gConfig().SetSilent(silent);
   fAnalysisType = analysisType == "Classification" ? Types::kClassification
                   : analysisType == "Regression"   ? Types::kRegression
                   : analysisType == "Multiclass"   ? Types::kMulticlass
                                                    : Types::kNoAnalysisType;
   gTools().TMVAWelcomeMessage();
}

const char *Factory::AnalysisName() const
{
   return fAnalysisType == Types::kRegression   ? "Regression"
          : fAnalysisType == Types::kMulticlass ? "Multiclass classification"
                                                : "Classification";
}

TString Factory::WeightFileFolder(const TString &dataset) const
{
   TString folder = gConfig().GetIONames().fWeightFileDirPrefix;
   if (folder != "" && !folder.EndsWith("/"))
      folder += "/";
   return folder + dataset + "/" + gConfig().GetIONames().fWeightFileDir;
}

// ---------------------------------------------------------------------------------------- booking

void Factory::DecideAnalysisType(const DataSetInfo &info)
{
   if (fAnalysisType != Types::kNoAnalysisType)
      return;
   if (info.GetNClasses() < 2)
      Log() << kFATAL << "No analysis type for " << info.GetNClasses() << " classes and " << info.GetNTargets()
            << " regression targets. Add the trees before booking; a regression has to be asked for with "
               "AnalysisType=Regression in the options of the Factory"
            << Endl;
   const bool binary = info.GetNClasses() == 2 && info.GetClassInfo("Signal") && info.GetClassInfo("Background");
   fAnalysisType = binary ? Types::kClassification : Types::kMulticlass;
}

void Factory::RefuseBoosting(const TString &options) const
{
   Int_t number = 0;
   Configurable parser(options);
   parser.DeclareOptionRef(number, "Boost_num", "Number of times the classifier will be boosted");
   parser.ParseOptions();
   if (number > 0)
      Log() << kFATAL << "Boost_num=" << number
            << " is not available: the embedded host does not boost (method \"Boost\"). Leave the option out, or use a ROOT "
               "with TMVA"
            << Endl;
}

MethodBase *Factory::BookMethod(DataLoader *loader, TString methodName, TString title, TString options)
{
   if (!loader)
      Log() << kFATAL << "BookMethod(\"" << methodName << "\", \"" << title << "\"): there is no DataLoader" << Endl;
   const TString dataset = loader->GetName();
   DataSetInfo &info = loader->GetDataSetInfo();
   if (title == "" || title.Contains("/"))
      Log() << kFATAL << "A method needs a title that can be part of a file name, found \"" << title << "\"" << Endl;
   if (HasMethod(dataset, title))
      Log() << kFATAL << "Booking failed since method with title <" << title << "> already exists in DataSet <" << dataset << ">"
            << Endl;
   DecideAnalysisType(info);
   Log() << kHEADER << "Booking method: " << title << Endl << Endl;
   RefuseBoosting(options);

   std::unique_ptr<IMethod> created(
      ClassifierFactory::Instance().Create(methodName.Data(), fJobName, title, info, options));
   auto *method = dynamic_cast<MethodBase *>(created.get());
   if (!method)
      Log() << kFATAL << "Method \"" << methodName << "\" could not be created, or is not a TMVA::MethodBase" << Endl;
   if (!method->HasAnalysisType(fAnalysisType, info.GetNClasses(), info.GetNTargets())) {
      Log() << kWARNING << "Method " << method->GetMethodTypeName() << " cannot handle " << AnalysisName() << " with "
            << info.GetNClasses() << " classes and " << info.GetNTargets() << " targets." << Endl;
      return nullptr;
   }
   if (fModelPersistence)
      method->SetWeightFileDir(WeightFileFolder(dataset));
   method->SetModelPersistence(fModelPersistence);
   method->SetAnalysisType(fAnalysisType);
   method->SetupMethod();
   method->ParseOptions();
   method->ProcessSetup();
   method->SetFile(fTargetFile);
   method->SetSilentFile(IsSilentFile());
   method->CheckSetup();

   MVector *&list = fMethodsMap[dataset];
   if (!list)
      list = new MVector;
   list->push_back(created.release());
   return method;
}

MethodBase *Factory::BookMethod(DataLoader *loader, Types::EMVA method, TString title, TString options)
{
   return BookMethod(loader, Types::Instance().GetMethodName(method), title, options);
}

IMethod *Factory::GetMethod(const TString &dataset, const TString &title) const
{
   const auto found = fMethodsMap.find(dataset);
   if (found != fMethodsMap.end())
      for (IMethod *method : *found->second)
         if (method && title == method->GetName())
            return method;
   return nullptr;
}

std::vector<MethodBase *> Factory::Methods(const MVector &list) const
{
   std::vector<MethodBase *> methods;
   for (IMethod *method : list)
      if (auto *base = dynamic_cast<MethodBase *>(method))
         methods.push_back(base);
   return methods;
}

void Factory::DeleteAllMethods()
{
   for (auto &methods : fMethodsMap) {
      for (IMethod *method : *methods.second)
         delete method;
      delete methods.second;
   }
   fMethodsMap.clear();
}

// ---------------------------------------------------------------------------------------- training

void Factory::CheckTrainable(MethodBase &method) const
{
   const DataSetInfo &info = method.DataInfo();
   if (!info.HasInput())
      Log() << kFATAL << "No input data for the training: add trees to the DataLoader \"" << info.GetName() << "\"" << Endl;
   if (fAnalysisType == Types::kRegression && info.GetNTargets() < 1)
      Log() << kFATAL << "You want to do regression training without specifying a target." << Endl;
   if (fAnalysisType != Types::kRegression && info.GetNClasses() < 2)
      Log() << kFATAL << "You want to do classification training, but specified less than two classes." << Endl;
}

void Factory::TrainAllMethods()
{
   Log() << kHEADER << "Train all methods" << Endl;
   for (auto &methods : fMethodsMap)
      TrainDataSet(*methods.second);
}

void Factory::TrainDataSet(MVector &list)
{
   constexpr Long64_t kMinNoTrainingEvents = 10; // all classes together
   std::vector<MethodBase *> trained;
   for (MethodBase *method : Methods(list)) {
      Event::SetIsTraining(kTRUE);
      CheckTrainable(*method);
      if (!IsSilentFile())
         WriteDataInformation(method->DataInfo());
      const Long64_t events = method->Data()->GetNTrainingEvents();
      if (events < kMinNoTrainingEvents) {
         Log() << kWARNING << "Method " << method->GetMethodName() << " not trained (training tree has less entries [" << events
               << "] than required [" << kMinNoTrainingEvents << "]" << Endl;
         continue;
      }
      Log() << kHEADER << "Train method: " << method->GetMethodName() << " for " << AnalysisName() << Endl << Endl;
      method->TrainMethod();
      Log() << kHEADER << "Training finished" << Endl << Endl;
      trained.push_back(method);
   }
   if (fAnalysisType != Types::kRegression)
      for (MethodBase *method : trained) {
         Log() << kINFO << "Ranking input variables (method specific)..." << Endl;
         if (const Ranking *ranking = method->CreateRanking()) // the method's own, as in TMVA
            ranking->Print();
         else
            Log() << kINFO << "No variable ranking supplied by classifier: " << method->GetMethodName() << Endl;
      }
   if (!IsSilentFile())
      for (MethodBase *method : trained) {
         method->BaseDir()->cd();
         method->fTrainHistory.SaveHistory(method->GetMethodName());
      }
   if (!fModelPersistence || trained.empty())
      return;
   // what is tested is what a Reader will find in the weights file
   Log() << kHEADER << "=== Destroy and recreate all methods via weight files for testing ===" << Endl << Endl;
   if (!IsSilentFile())
      fTargetFile->cd();
   for (MethodBase *method : trained)
      for (IMethod *&place : list)
         if (dynamic_cast<MethodBase *>(place) == method) {
            place = nullptr; // should anything throw, nothing points to the deleted one
            place = MakeAnew(method);
            break;
         }
}

MethodBase *Factory::MakeAnew(MethodBase *method)
{
   const TString typeName = method->GetMethodTypeName(), file = method->GetWeightFileName();
   DataSetInfo &info = method->DataInfo();
   delete method;
   std::unique_ptr<IMethod> created(ClassifierFactory::Instance().Create(typeName.Data(), info, file));
   method = dynamic_cast<MethodBase *>(created.get());
   if (!method)
      Log() << kFATAL << "Method \"" << typeName << "\" could not be made from its weights file " << file << Endl;
   method->SetModelPersistence(fModelPersistence);
   method->SetFile(fTargetFile);
   method->SetSilentFile(IsSilentFile());
   method->SetAnalysisType(fAnalysisType);
   method->SetupMethod();
   method->ReadStateFromFile();
   created.release();
   return method;
}

void Factory::WriteDataInformation(DataSetInfo &info)
{
   if (fTargetFile->GetDirectory(info.GetName()))
      return; // this data set is in the file already
   TDirectory::TContext context(fTargetFile);
   TDirectory *directory = fTargetFile->mkdir(info.GetName());
   const std::vector<Event *> &events = info.GetDataSet()->GetEventCollection(Types::kTraining); // computes the correlations, too
   for (UInt_t i = 0; i < info.GetNClasses(); ++i) {
      const TString name = info.GetClassInfo(static_cast<Int_t>(i))->GetName();
      TString suffix = fAnalysisType == Types::kMulticlass ? name : TString();
      if (fAnalysisType == Types::kClassification)
         suffix = name == "Signal" ? "S" : "B";
      const std::unique_ptr<TH2> histogram(info.CreateCorrelationMatrixHist(
         info.CorrelationMatrix(name), "CorrelationMatrix" + suffix, "Correlation Matrix (" + name + ")"));
      if (histogram)
         directory->WriteTObject(histogram.get());
   }
   for (const TString &definition : gTools().SplitString(fTransformations, ';')) {
      if (definition == "None")
         continue;
      TransformationHandler handler(info, "Factory");
      handler.CreateTransformations(definition);
      handler.CalcTransformations(events);
      const TString name = "InputVariables_" + handler.GetName();
      if (!directory->GetDirectory(name))
         handler.PlotVariables(events, *directory->mkdir(name), "_" + handler.GetName());
   }
}

} // namespace TMVA
