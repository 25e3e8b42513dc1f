#include "TMVA/DataLoader.h"

#include "TMVA/DataInputHandler.h"
#include "TMVA/DataSetInfo.h"
#include "TMVA/DataSetManager.h"
#include "TMVA/MsgLogger.h"

#include "TDirectory.h"
#include "TH2.h"
#include "TTree.h"

#include <cctype>
#include <set>

namespace TMVA {

DataLoader::DataLoader(TString name)
   : fName(name), fDataInputHandler(new DataInputHandler), fDataSetManager(new DataSetManager(*fDataInputHandler))
{
   SetConfigName("DataLoader");
   if (fName == "" || fName == "." || fName == "..")
      Log() << kFATAL << "A DataLoader needs a name that can be a folder, found \"" << fName << "\"" << Endl;
}

DataLoader::~DataLoader() = default;

DataSetInfo &DataLoader::GetDataSetInfo()
{
   return AddDataSet(fName);
}

DataSetInfo &DataLoader::AddDataSet(DataSetInfo &info)
{
   return fDataSetManager->AddDataSetInfo(info);
}

DataSetInfo &DataLoader::AddDataSet(const TString &name)
{
   if (DataSetInfo *info = fDataSetManager->GetDataSetInfo(name))
      return *info;
   return fDataSetManager->TakeDataSetInfo(std::make_unique<DataSetInfo>(name));
}

TH2 *DataLoader::GetCorrelationMatrix(const TString &className)
{
   DataSetInfo &info = GetDataSetInfo();
   info.GetDataSet(); // computes it
   return info.CreateCorrelationMatrixHist(info.CorrelationMatrix(className), "CorrelationMatrix" + className,
                                           "Correlation Matrix (" + className + ")");
}

DataLoader *DataLoader::VarTransform(TString definition)
{
   Log() << kFATAL << "VarTransform(\"" << definition
         << "\") is not in the embedded host; transformations of inputs are asked for with the method's option VarTransform"
         << Endl;
   return this;
}

// ---------------------------------------------------------------------------------------- what an event holds

void DataLoader::AddVariable(const TString &expression, const TString &title, const TString &unit, char type, Double_t min,
                             Double_t max)
{
   GetDataSetInfo().AddVariable(expression, title, unit, min, max, type);
}

void DataLoader::AddVariable(const TString &expression, char type, Double_t min, Double_t max)
{
   AddVariable(expression, "", "", type, min, max);
}

void DataLoader::AddVariablesArray(const TString &expression, int size, char type, Double_t min, Double_t max)
{
   if (size < 1)
      Log() << kFATAL << "AddVariablesArray(\"" << expression << "\", " << size << "): the size has to be positive" << Endl;
   if (GetDataSetInfo().GetVarArraySize(expression) > 0)
      Log() << kFATAL << "AddVariablesArray(\"" << expression << "\", " << size << "): this array has been added already, "
            << "with size " << GetDataSetInfo().GetVarArraySize(expression) << Endl;
   GetDataSetInfo().AddVariablesArray(expression, size, "", "", min, max, type);
}

void DataLoader::SetInputVariables(std::vector<TString> *variables)
{
   for (const TString &variable : *variables)
      AddVariable(variable);
}

void DataLoader::AddTarget(const TString &expression, const TString &title, const TString &unit, Double_t min, Double_t max)
{
   GetDataSetInfo().AddTarget(expression, title, unit, min, max);
}

void DataLoader::AddSpectator(const TString &expression, const TString &title, const TString &unit, Double_t min,
                              Double_t max)
{
   GetDataSetInfo().AddSpectator(expression, title, unit, min, max);
}

// ---------------------------------------------------------------------------------------- trees

void DataLoader::AddTree(TTree *tree, const TString &className, Double_t weight, const TCut &cut, Types::ETreeType type)
{
   if (!tree)
      Log() << kFATAL << "The tree of class " << className
            << " does not exist (empty pointer): check the file and the tree's name" << Endl;
   GetDataSetInfo().AddClass(className);
   Log() << kINFO << "Add Tree " << tree->GetName() << " of type " << className << " with " << tree->GetEntries() << " events"
         << Endl;
   DataInput().AddTree(tree, className, weight, cut, type);
}

void DataLoader::AddTree(TTree *tree, const TString &className, Double_t weight, const TCut &cut, const TString &type)
{
   TString lower(type);
   lower.ToLower();
   const bool training = lower.Contains("train"), testing = lower.Contains("test");
   if (!training && !testing)
      Log() << kFATAL << "<AddTree> cannot interpret tree type: \"" << type
            << "\" should be \"Training\" or \"Test\" or \"Training and Testing\"" << Endl;
   AddTree(tree, className, weight, cut,
           training && testing ? Types::kMaxTreeType
           : training          ? Types::kTraining
                               : Types::kTesting);
}

void DataLoader::SetTree(TTree *tree, const TString &className, Double_t weight)
{
   AddTree(tree, className, weight);
}

void DataLoader::AddSignalTree(TTree *signal, Double_t weight, Types::ETreeType type)
{
   AddTree(signal, "Signal", weight, "", type);
}

void DataLoader::AddSignalTree(TTree *signal, Double_t weight, const TString &type)
{
   AddTree(signal, "Signal", weight, "", type);
}

void DataLoader::AddSignalTree(TString textFile, Double_t weight, Types::ETreeType type)
{
   GetDataSetInfo().AddClass("Signal");
   DataInput().AddSignalTree(textFile, weight, type);
}

void DataLoader::SetSignalTree(TTree *signal, Double_t weight)
{
   AddTree(signal, "Signal", weight);
}

void DataLoader::AddBackgroundTree(TTree *background, Double_t weight, Types::ETreeType type)
{
   AddTree(background, "Background", weight, "", type);
}

void DataLoader::AddBackgroundTree(TTree *background, Double_t weight, const TString &type)
{
   AddTree(background, "Background", weight, "", type);
}

void DataLoader::AddBackgroundTree(TString textFile, Double_t weight, Types::ETreeType type)
{
   GetDataSetInfo().AddClass("Background");
   DataInput().AddBackgroundTree(textFile, weight, type);
}

void DataLoader::SetBackgroundTree(TTree *background, Double_t weight)
{
   AddTree(background, "Background", weight);
}

void DataLoader::SetInputTrees(const TString &signalFile, const TString &backgroundFile, Double_t signalWeight,
                               Double_t backgroundWeight)
{
   AddSignalTree(signalFile, signalWeight);
   AddBackgroundTree(backgroundFile, backgroundWeight);
}

void DataLoader::SetInputTrees(TTree *inputTree, const TCut &signalCut, const TCut &backgroundCut)
{
   AddTree(inputTree, "Signal", 1.0, signalCut);
   AddTree(inputTree, "Background", 1.0, backgroundCut);
}

void DataLoader::SetInputTrees(TTree *signal, TTree *background, Double_t signalWeight, Double_t backgroundWeight)
{
   AddTree(signal, "Signal", signalWeight);
   AddTree(background, "Background", backgroundWeight);
}

// ---------------------------------------------------------------------------------------- events one by one

void DataLoader::CheckEventNames()
{
   const DataSetInfo &info = GetDataSetInfo();
   std::set<TString> names{"type", "weight"}; // branches of the trees the events are kept in
   for (const auto *list : {&info.GetVariableInfos(), &info.GetTargetInfos(), &info.GetSpectatorInfos()})
      for (const VariableInfo &quantity : *list) {
         const TString &name = quantity.GetExpression();
         if (quantity.TestBit(DataSetInfo::kIsArrayVariable))
            Log() << kFATAL << "Events cannot be added one by one when an array is declared (AddVariablesArray of \"" << name
                  << "\"): its elements have one name. Declare each column with AddVariable and a name of its own, or give a "
                     "TTree with an array branch"
                  << Endl;
         for (const char character : std::string(name.Data()))
            if (!std::isalnum(static_cast<unsigned char>(character)) && character != '_')
               Log() << kFATAL << "Events can be added one by one only for plain names of letters, digits and '_', found \"" << name
                     << "\": declare a name and give its value with each event" << Endl;
         if (!names.insert(name).second)
            Log() << kFATAL << "Events can be added one by one only when each quantity has a name of its own, but \"" << name
                  << "\" is taken twice (\"type\" and \"weight\" are taken by the host)" << Endl;
      }
   if (info.GetNVariables() == 0)
      Log() << kFATAL << "No input variable has been declared: call AddVariable before adding events" << Endl;
}

std::unique_ptr<TTree> DataLoader::CreateEventAssignTree(const TString &name)
{
   TDirectory::TContext inMemory(nullptr);
   std::unique_ptr<TTree> tree(new TTree(name, name));
   tree->SetDirectory(nullptr);
   tree->Branch("type", &fAssignedClass, "type/I");
   tree->Branch("weight", &fAssignedWeight, "weight/F");
   const DataSetInfo &info = GetDataSetInfo();
   std::size_t i = 0;
   for (const auto *list : {&info.GetVariableInfos(), &info.GetTargetInfos(), &info.GetSpectatorInfos()})
      for (const VariableInfo &quantity : *list)
         tree->Branch(quantity.GetExpression(), &fAssignedValues[i++], quantity.GetExpression() + "/F");
   return tree;
}

void DataLoader::AddEvent(const TString &className, Types::ETreeType type, const std::vector<Double_t> &event,
                          Double_t weight)
{
   DataSetInfo &info = GetDataSetInfo();
   if (fAssignedAreInput)
      Log() << kFATAL << "Events have to be added before PrepareTrainingAndTestTree is called" << Endl;
   if (type != Types::kTraining && type != Types::kTesting)
      Log() << kFATAL << "An event is added for training or for testing: give Types::kTraining or Types::kTesting" << Endl;
   const std::size_t size = info.GetNVariables() + info.GetNTargets() + info.GetNSpectators();
   if (fAssignedValues.empty()) {
      CheckEventNames();
      fAssignedValues.resize(size);
   }
   if (event.size() != size || fAssignedValues.size() != size)
      Log() << kFATAL << "An event of class " << className << " has " << event.size() << " values, expected " << size << ": "
            << info.GetNVariables() << " variables, " << info.GetNTargets() << " targets and " << info.GetNSpectators()
            << " spectators, all declared before the first event" << Endl;

   const UInt_t index = info.AddClass(className)->GetNumber();
   if (index >= fAssigned.size())
      fAssigned.resize(index + 1);
   AssignedEvents &assigned = fAssigned[index];
   if (!assigned.training) {
      assigned.training = CreateEventAssignTree("TrainAssignTree_" + className);
      assigned.testing = CreateEventAssignTree("TestAssignTree_" + className);
   }
   fAssignedClass = static_cast<Int_t>(index);
   fAssignedWeight = static_cast<Float_t>(weight);
   for (std::size_t i = 0; i < size; ++i)
      fAssignedValues[i] = static_cast<Float_t>(event[i]);
   (type == Types::kTraining ? assigned.training : assigned.testing)->Fill();
}

void DataLoader::AddTrainingEvent(const TString &className, const std::vector<Double_t> &event, Double_t weight)
{
   AddEvent(className, Types::kTraining, event, weight);
}

void DataLoader::AddTestEvent(const TString &className, const std::vector<Double_t> &event, Double_t weight)
{
   AddEvent(className, Types::kTesting, event, weight);
}

void DataLoader::AddSignalTrainingEvent(const std::vector<Double_t> &event, Double_t weight)
{
   AddEvent("Signal", Types::kTraining, event, weight);
}

void DataLoader::AddBackgroundTrainingEvent(const std::vector<Double_t> &event, Double_t weight)
{
   AddEvent("Background", Types::kTraining, event, weight);
}

void DataLoader::AddSignalTestEvent(const std::vector<Double_t> &event, Double_t weight)
{
   AddEvent("Signal", Types::kTesting, event, weight);
}

void DataLoader::AddBackgroundTestEvent(const std::vector<Double_t> &event, Double_t weight)
{
   AddEvent("Background", Types::kTesting, event, weight);
}

Bool_t DataLoader::UserAssignEvents(UInt_t classIndex)
{
   return classIndex < fAssigned.size() && fAssigned[classIndex].training != nullptr;
}

void DataLoader::SetInputTreesFromEventAssignTrees()
{
   if (fAssignedAreInput)
      return;
   for (UInt_t i = 0; i < fAssigned.size(); ++i) {
      if (!UserAssignEvents(i))
         continue;
      const TString className = GetDataSetInfo().GetClassInfo(static_cast<Int_t>(i))->GetName();
      SetWeightExpression("weight", className);
      if (fAssigned[i].training->GetEntries() > 0)
         AddTree(fAssigned[i].training.get(), className, 1.0, "", Types::kTraining);
      if (fAssigned[i].testing->GetEntries() > 0)
         AddTree(fAssigned[i].testing.get(), className, 1.0, "", Types::kTesting);
      fAssignedAreInput = kTRUE;
   }
}

// ---------------------------------------------------------------------------------------- weights, cuts, split

void DataLoader::SetWeightExpression(const TString &expression, const TString &className)
{
   if (className == "") {
      SetSignalWeightExpression(expression);
      SetBackgroundWeightExpression(expression);
   } else {
      GetDataSetInfo().SetWeightExpression(expression, className);
   }
}

void DataLoader::SetSignalWeightExpression(const TString &expression)
{
   GetDataSetInfo().SetWeightExpression(expression, "Signal");
}

void DataLoader::SetBackgroundWeightExpression(const TString &expression)
{
   GetDataSetInfo().SetWeightExpression(expression, "Background");
}

void DataLoader::SetCut(const TString &cut, const TString &className)
{
   SetCut(TCut(cut), className);
}

void DataLoader::SetCut(const TCut &cut, const TString &className)
{
   GetDataSetInfo().SetCut(cut, className);
}

void DataLoader::AddCut(const TString &cut, const TString &className)
{
   AddCut(TCut(cut), className);
}

void DataLoader::AddCut(const TCut &cut, const TString &className)
{
   GetDataSetInfo().AddCut(cut, className);
}

void DataLoader::PrepareTrainingAndTestTree(const TCut &cut, const TString &splitOptions)
{
   SetInputTreesFromEventAssignTrees();
   GetDataSetInfo().PrintClasses();
   AddCut(cut);
   GetDataSetInfo().SetSplitOptions(splitOptions);
}

void DataLoader::PrepareTrainingAndTestTree(TCut signalCut, TCut backgroundCut, const TString &splitOptions)
{
   SetInputTreesFromEventAssignTrees();
   AddCut(signalCut, "Signal");
   AddCut(backgroundCut, "Background");
   GetDataSetInfo().SetSplitOptions(splitOptions);
}

void DataLoader::PrepareTrainingAndTestTree(const TCut &cut, Int_t nTrain, Int_t nTest)
{
   SetInputTreesFromEventAssignTrees();
   AddCut(cut);
   TString options("SplitMode=Random:!V");
   for (UInt_t i = 0; i < GetDataSetInfo().GetNClasses(); ++i) {
      const char *name = GetDataSetInfo().GetClassInfo(static_cast<Int_t>(i))->GetName();
      options += Form(":nTrain_%s=%i:nTest_%s=%i", name, nTrain, name, nTest < 0 ? 0 : nTest);
   }
   GetDataSetInfo().SetSplitOptions(options);
}

void DataLoader::PrepareTrainingAndTestTree(const TCut &cut, Int_t nSignalTrain, Int_t nBackgroundTrain, Int_t nSignalTest,
                                            Int_t nBackgroundTest, const TString &otherOptions)
{
   SetInputTreesFromEventAssignTrees();
   AddCut(cut);
   GetDataSetInfo().SetSplitOptions(
      Form("nTrain_Signal=%i:nTrain_Background=%i:nTest_Signal=%i:nTest_Background=%i:%s", nSignalTrain, nBackgroundTrain,
           nSignalTest, nBackgroundTest, otherOptions.Data()));
}

} // namespace TMVA
