#include "TMVA/DataSet.h"

#include "TMVA/DataSetInfo.h"

#include "TTree.h"

#include <algorithm>
#include <cstring>

namespace TMVA {

Bool_t Event::fgIsTraining = kFALSE;
Bool_t Event::fgIgnoreNegWeightsInTraining = kFALSE;

DataSet::DataSet(const DataSetInfo &dsi) : fInfo(dsi) {}

DataSet::~DataSet()
{
   SetEventCollection({}, Types::kTraining);
   SetEventCollection({}, Types::kTesting);
}

void DataSet::SetEventCollection(std::vector<Event *> events, Types::ETreeType type)
{
   fEvents[Index(type)].swap(events);
   for (const Event *event : events)
      delete event;
}

Results *DataSet::GetResults(const TString &name, Types::ETreeType type, Types::EAnalysisType analysis)
{
   auto &results = fResults[Index(type)];
   const auto found = results.find(name);
   if (found != results.end() || analysis == Types::kMaxAnalysisType)
      return found == results.end() ? nullptr : found->second.get();
   const UInt_t width = analysis == Types::kMulticlass   ? fInfo.GetNClasses()
                        : analysis == Types::kRegression ? fInfo.GetNTargets()
                                                         : 1;
   return (results[name] = std::make_unique<Results>(analysis, width)).get();
}

TTree *DataSet::GetTree(Types::ETreeType type)
{
   const TString treeName = type == Types::kTraining ? "TrainTree" : "TestTree";
   auto *tree = new TTree(treeName, treeName);
   Int_t classId = 0;
   Float_t weight = 0;
   std::vector<char> className(std::max(39, fInfo.GetClassNameMaxLength()) + 1);
   tree->Branch("classID", &classId, "classID/I");
   tree->Branch("className", className.data(), "className/C");

   const auto scalar = [&tree](const TString &name, Float_t *address) { tree->Branch(name, address, name + "/F"); };
   std::vector<Float_t> values(fInfo.GetNVariables()), targets(fInfo.GetNTargets()), spectators(fInfo.GetNSpectators());
   for (UInt_t i = 0; i < values.size(); ++i) {
      TString name = fInfo.GetVariableInfo(i).GetInternalName();
      if (!fInfo.IsVariableFromArray(i)) {
         scalar(name, &values[i]);
         continue;
      }
      const Int_t size = fInfo.GetVarArraySize(fInfo.GetVariableInfo(i).GetExpression());
      name.Remove(name.Last('['));
      tree->Branch(name, &values[i], name + Form("[%d]/F", size));
      i += size - 1;
   }
   for (UInt_t i = 0; i < targets.size(); ++i)
      scalar(fInfo.GetTargetInfo(i).GetInternalName(), &targets[i]);
   for (UInt_t i = 0; i < spectators.size(); ++i)
      scalar(fInfo.GetSpectatorInfo(i).GetInternalName(), &spectators[i]);
   scalar("weight", &weight);

   std::vector<std::pair<const Results *, std::vector<Float_t>>> answers;
   answers.reserve(fResults[Index(type)].size()); // the branches keep addresses
   for (const auto &[name, results] : fResults[Index(type)]) {
      TString leaves;
      for (UInt_t k = 0; k < results->width; ++k)
         leaves += (k ? ":" : "") +
                   (results->analysis == Types::kMulticlass   ? TString(fInfo.GetClassInfo(k)->GetName())
                    : results->analysis == Types::kRegression ? fInfo.GetTargetInfo(k).GetInternalName()
                                                                       : name) + "/F";
      answers.emplace_back(results.get(), std::vector<Float_t>(results->width));
      tree->Branch(name, answers.back().second.data(), leaves);
   }

   for (Long64_t ievt = 0; ievt < GetNEvents(type); ++ievt) {
      const Event &event = *GetEventCollection(type)[ievt];
      classId = event.GetClass();
      weight = event.GetWeight();
      std::strncpy(className.data(), fInfo.GetClassInfo(classId)->GetName(), className.size() - 1);
      std::copy_n(event.GetValues().begin(), values.size(), values.begin());
      std::copy_n(event.GetTargets().begin(), targets.size(), targets.begin());
      std::copy_n(event.GetSpectators().begin(), spectators.size(), spectators.begin());
      for (auto &[results, row] : answers)
         for (UInt_t k = 0; k < row.size(); ++k)
            row[k] = results->GetValue(ievt, k);
      tree->Fill();
   }
   tree->ResetBranchAddresses();
   MsgLogger("DataSet") << kHEADER << fInfo.Prefix() << "Created tree '" << treeName << "', " << tree->GetEntries() << " events"
                        << Endl << Endl;
   return tree;
}

} // namespace TMVA
