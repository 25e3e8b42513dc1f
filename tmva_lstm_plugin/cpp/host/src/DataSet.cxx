#include "TMVA/DataSet.h"

#include <cstring>

#include "TMVA/DataSetInfo.h"
#include "TMVA/Event.h"
#include "TMVA/ResultsClassification.h"
#include "TMVA/ResultsMulticlass.h"
#include "TMVA/ResultsRegression.h"

namespace TMVA {

DataSet::DataSet(const DataSetInfo &dsi) : TNamed(dsi.GetName(), "DataSet"), fdsi(dsi), fLogger("DataSet") {}

DataSet::~DataSet()
{
   for (UInt_t t = 0; t < kNTrees; ++t) {
      DestroyCollection(t);
      for (auto &entry : fResults[t])
         delete entry.second;
   }
}

void DataSet::DestroyCollection(UInt_t treeIndex)
{
   for (Event *event : fEventCollection[treeIndex])
      delete event;
   fEventCollection[treeIndex].clear();
}

UInt_t DataSet::TreeIndex(Types::ETreeType type) const
{
   switch (type) {
   case Types::kTraining: return 0;
   case Types::kTesting: return 1;
   case Types::kValidation: return 2;
   case Types::kTrainingOriginal: return 3;
   default: return fCurrentTreeIdx;
   }
}

Types::ETreeType DataSet::GetCurrentType() const
{
   static const Types::ETreeType types[kNTrees] = {Types::kTraining, Types::kTesting, Types::kValidation,
                                                   Types::kTrainingOriginal};
   return types[fCurrentTreeIdx];
}

void DataSet::AddEvent(Event *event, Types::ETreeType type)
{
   fEventCollection[TreeIndex(type)].push_back(event);
   if (event->GetWeight() < 0)
      fHasNegativeEventWeights = kTRUE;
}

const Event *DataSet::GetEvent() const
{
   return fEventCollection[fCurrentTreeIdx].at(fCurrentEventIdx);
}

UInt_t DataSet::GetNVariables() const
{
   return fdsi.GetNVariables();
}
UInt_t DataSet::GetNTargets() const
{
   return fdsi.GetNTargets();
}
UInt_t DataSet::GetNSpectators() const
{
   return fdsi.GetNSpectators();
}

void DataSet::SetEventCollection(std::vector<Event *> *events, Types::ETreeType type)
{
   const UInt_t t = TreeIndex(type);
   DestroyCollection(t);
   ClearNClassEvents(t);
   fEventCollection[t].swap(*events);
   delete events;
   for (const Event *event : fEventCollection[t]) {
      IncrementNClassEvents(t, event->GetClass());
      if (event->GetWeight() < 0)
         fHasNegativeEventWeights = kTRUE;
   }
}

void DataSet::IncrementNClassEvents(Int_t type, UInt_t classNumber)
{
   std::vector<Long64_t> &counts = fClassEvents.at(type);
   if (counts.size() <= classNumber)
      counts.resize(classNumber + 1, 0);
   ++counts[classNumber];
}

Long64_t DataSet::GetNClassEvents(Int_t type, UInt_t classNumber)
{
   const std::vector<Long64_t> &counts = fClassEvents.at(type);
   return classNumber < counts.size() ? counts[classNumber] : 0;
}

void DataSet::ClearNClassEvents(Int_t type)
{
   fClassEvents.at(type).clear();
}

Long64_t DataSet::NOfClassNamed(const char *className, Types::ETreeType type)
{
   const ClassInfo *info = fdsi.GetClassInfo(className);
   return info ? GetNClassEvents(TreeIndex(type), info->GetNumber()) : 0;
}

Results *DataSet::GetResults(const TString &name, Types::ETreeType type, Types::EAnalysisType analysistype)
{
   auto &results = fResults[TreeIndex(type)];
   const auto found = results.find(name);
   if (found != results.end())
      return found->second;
   Results *made = nullptr;
   switch (analysistype) {
   case Types::kClassification:
   case Types::kNoAnalysisType: made = new ResultsClassification(&fdsi, name); break;
   case Types::kRegression: made = new ResultsRegression(&fdsi, name); break;
   case Types::kMulticlass: made = new ResultsMulticlass(&fdsi, name); break;
   case Types::kMaxAnalysisType: return nullptr;
   }
   made->SetTreeType(type);
   return results[name] = made;
}

void DataSet::DeleteResults(const TString &name, Types::ETreeType type, Types::EAnalysisType)
{
   auto &results = fResults[TreeIndex(type)];
   const auto found = results.find(name);
   if (found == results.end())
      return;
   delete found->second;
   results.erase(found);
}

void DataSet::DeleteAllResults(Types::ETreeType type, Types::EAnalysisType)
{
   auto &results = fResults[TreeIndex(type)];
   for (auto &entry : results)
      delete entry.second;
   results.clear();
}

TTree *DataSet::GetTree(Types::ETreeType type)
{
   if (type != Types::kTraining && type != Types::kTesting)
      return nullptr;
   const Types::ETreeType savedType = GetCurrentType();
   SetCurrentType(type);
   const auto &results = fResults[TreeIndex(type)];
   const TString treeName = type == Types::kTraining ? "TrainTree" : "TestTree";
   auto *tree = new TTree(treeName, treeName);

   Int_t classId = 0;
   Float_t weight = 0;
   std::vector<char> className(std::max(39, fdsi.GetClassNameMaxLength()) + 1);
   tree->Branch("classID", &classId, "classID/I");
   tree->Branch("className", className.data(), "className/C");

   const auto scalar = [&tree](const TString &name, Float_t *address) { tree->Branch(name, address, name + "/F"); };
   std::vector<Float_t> values(fdsi.GetNVariables()), targets(fdsi.GetNTargets()), spectators(fdsi.GetNSpectators());
   for (UInt_t i = 0; i < values.size(); ++i) {
      const VariableInfo &info = fdsi.GetVariableInfo(i);
      const Int_t size = fdsi.IsVariableFromArray(i) ? fdsi.GetVarArraySize(info.GetExpression()) : -1;
      if (size <= 0) {
         scalar(info.GetInternalName(), &values[i]);
         continue;
      }
      TString name = info.GetInternalName();
      name.Remove(name.Last('['));
      tree->Branch(name, &values[i], name + Form("[%d]/F", size));
      i += size - 1;
   }
   for (UInt_t i = 0; i < targets.size(); ++i)
      scalar(fdsi.GetTargetInfo(i).GetInternalName(), &targets[i]);
   for (UInt_t i = 0; i < spectators.size(); ++i)
      scalar(fdsi.GetSpectatorInfo(i).GetInternalName(), &spectators[i]);
   scalar("weight", &weight);

   std::vector<std::pair<const Results *, std::vector<Float_t>>> answers;
   answers.reserve(results.size()); // the branches keep addresses
   for (const auto &[name, result] : results) {
      const Types::EAnalysisType analysis = result->GetAnalysisType();
      TString leaves;
      UInt_t width = 1;
      if (analysis == Types::kMulticlass) {
         width = fdsi.GetNClasses();
         for (UInt_t i = 0; i < width; ++i)
            leaves += TString(i ? ":" : "") + fdsi.GetClassInfo(i)->GetName() + "/F";
      } else if (analysis == Types::kRegression) {
         width = fdsi.GetNTargets();
         for (UInt_t i = 0; i < width; ++i)
            leaves += (i ? ":" : "") + fdsi.GetTargetInfo(i).GetInternalName() + "/F";
      } else {
         leaves = name + "/F";
      }
      answers.emplace_back(result, std::vector<Float_t>(width));
      tree->Branch(name, answers.back().second.data(), leaves);
   }

   for (Long64_t ievt = 0; ievt < GetNEvents(type); ++ievt) {
      const Event *event = GetEvent(ievt);
      classId = event->GetClass();
      weight = event->GetWeight();
      std::strncpy(className.data(), fdsi.GetClassInfo(classId)->GetName(), className.size() - 1);
      std::copy_n(event->GetValues().begin(), values.size(), values.begin());
      std::copy_n(event->GetTargets().begin(), targets.size(), targets.begin());
      std::copy_n(event->GetSpectators().begin(), spectators.size(), spectators.begin());
      for (auto &[result, row] : answers)
         std::copy_n((*result)[ievt].begin(), row.size(), row.begin());
      tree->Fill();
   }
   tree->ResetBranchAddresses();
   SetCurrentType(savedType);
   Log() << kHEADER << Form("[%s] : ", fdsi.GetName()) << "Created tree '" << treeName << "' with " << tree->GetEntries() << " events"
         << Endl;
   return tree;
}

} // namespace TMVA
