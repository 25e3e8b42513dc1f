#include "TMVA/DataLoader.h"

#include "TMVA/DataSet.h"

#include "TDirectory.h"
#include "TTree.h"

namespace TMVA {

DataLoader::DataLoader(TString name) : fInfo(name)
{
   SetConfigName("DataLoader");
   if (name == "" || name == "." || name == "..")
      Log() << kFATAL << "A DataLoader needs a name that can be a folder, found \"" << name << "\"" << Endl;
}

DataLoader::~DataLoader() = default;

void DataLoader::AddTree(TTree *tree, const TString &className, Double_t weight, const TCut &cut, Types::ETreeType type)
{
   if (!tree)
      Log() << kFATAL << "The tree of class " << className
            << " does not exist (empty pointer): check the file and the tree's name" << Endl;
   Log() << kINFO << "Add Tree " << tree->GetName() << " of type " << className << " with " << tree->GetEntries() << " events"
         << Endl;
   if (tree->GetEntries() == 0)
      Log() << kFATAL << "Encountered empty TTree or TChain of class " << className << " (tree \"" << tree->GetName()
            << "\"): check the file and the tree's name" << Endl;
   if (cut.GetTitle()[0] != '\0') {
      TDirectory::TContext inMemory(nullptr);
      fOwnTrees.emplace_back(tree->CopyTree(cut.GetTitle()));
      if (!fOwnTrees.back() || fOwnTrees.back()->GetEntries() == 0)
         Log() << kFATAL << "No entry of the tree " << tree->GetName() << " of class " << className
               << " passes the cut \"" << cut.GetTitle() << "\"" << Endl;
      tree = fOwnTrees.back().get();
   }
   fInfo.AddClass(className)->fInputs.push_back({tree, weight, type, {}});
   fInfo.SetChanged();
}

void DataLoader::AddTree(TTree *tree, const TString &className, Double_t weight, const TCut &cut, const TString &type)
{
   const bool training = type.Contains("train", TString::kIgnoreCase), testing = type.Contains("test", TString::kIgnoreCase);
   if (!training && !testing)
      Log() << kFATAL << "<AddTree> cannot interpret tree type: \"" << type
            << "\" should be \"Training\" or \"Test\" or \"Training and Testing\"" << Endl;
   const Types::ETreeType use = training && testing ? Types::kMaxTreeType : training ? Types::kTraining : Types::kTesting;
   AddTree(tree, className, weight, cut, use);
}

void DataLoader::AddEvent(const TString &className, Types::ETreeType type, const Values &event, Double_t weight)
{
   if (type != Types::kTraining && type != Types::kTesting)
      Log() << kFATAL << "An event is added for training or for testing: give Types::kTraining or Types::kTesting" << Endl;
   const std::size_t nVariables = fInfo.GetNVariables(), nTargets = fInfo.GetNTargets(), nSpectators = fInfo.GetNSpectators();
   if (event.size() != nVariables + nTargets + nSpectators || nVariables == 0)
      Log() << kFATAL << "An event of class " << className << " has " << event.size() << " values, expected "
            << nVariables + nTargets + nSpectators << ": " << nVariables << " variables, " << nTargets << " targets and "
            << nSpectators << " spectators, all declared before the first event" << Endl;
   ClassInfo &info = *fInfo.AddClass(className);
   auto input = info.fInputs.begin();
   while (input != info.fInputs.end() && (input->tree || input->type != type))
      ++input;
   if (input == info.fInputs.end())
      input = info.fInputs.insert(input, {nullptr, 1, type, {}});
   const auto targets = event.begin() + nVariables, spectators = targets + nTargets;
   input->given.emplace_back(std::vector<Float_t>(event.begin(), targets), std::vector<Float_t>(targets, spectators),
                             std::vector<Float_t>(spectators, event.end()), info.GetNumber(), static_cast<Float_t>(weight));
   fInfo.SetChanged();
}

void DataLoader::SetWeightExpression(const TString &expression, const TString &className)
{
   if (className != "")
      fInfo.SetWeightExpression(expression, className);
   else
      for (const char *name : {"Signal", "Background"})
         fInfo.SetWeightExpression(expression, name);
}

void DataLoader::PrepareTrainingAndTestTree(const TCut &cut, const TString &splitOptions)
{
   AddCut(cut);
   fInfo.SetSplitOptions(splitOptions);
}

void DataLoader::PrepareTrainingAndTestTree(TCut signalCut, TCut backgroundCut, const TString &splitOptions)
{
   AddCut(signalCut, "Signal");
   AddCut(backgroundCut, "Background");
   fInfo.SetSplitOptions(splitOptions);
}

void DataLoader::PrepareTrainingAndTestTree(const TCut &cut, Int_t nTrain, Int_t nTest)
{
   TString options("SplitMode=Random:!V");
   for (UInt_t i = 0; i < fInfo.GetNClasses(); ++i) {
      const char *name = fInfo.GetClassInfo(static_cast<Int_t>(i))->GetName();
      options += Form(":nTrain_%s=%i:nTest_%s=%i", name, nTrain, name, nTest < 0 ? 0 : nTest);
   }
   PrepareTrainingAndTestTree(cut, options);
}

void DataLoader::PrepareTrainingAndTestTree(const TCut &cut, Int_t nSignalTrain, Int_t nBackgroundTrain, Int_t nSignalTest,
                                            Int_t nBackgroundTest, const TString &otherOptions)
{
   PrepareTrainingAndTestTree(
      cut, TString::Format("nTrain_Signal=%i:nTrain_Background=%i:nTest_Signal=%i:nTest_Background=%i:%s", nSignalTrain,
                           nBackgroundTrain, nSignalTest, nBackgroundTest, otherOptions.Data()));
}

} // namespace TMVA
