/// \file
/// Where a user says what the events are: variables, trees, cuts, weights, and how to split them.
#ifndef ROOT_TMVA_DataLoader
#define ROOT_TMVA_DataLoader

#include "TMVA/Configurable.h"
#include "TMVA/DataSetInfo.h"
#include "TMVA/Factory.h"
#include "TMVA/Types.h"

#include "TCut.h"

#include <memory>
#include <vector>

class TTree;

namespace TMVA {

class DataLoader : public Configurable {
public:
   /// \param name  of the folder of the results, on disk and in the output file
   DataLoader(TString name = "default");
   ~DataLoader() override;

   const char *GetName() const override { return fInfo.GetName(); }
   DataSetInfo &GetDataSetInfo() { return fInfo; }
   const DataSetInfo &GetDefaultDataSetInfo() { return fInfo; }

   // ---- what an event holds: expressions for TTreeFormula; "label:=expression" gives one a label

   void AddVariable(const TString &expression, const TString &title, const TString &unit, char type = 'F',
                    Double_t min = 0, Double_t max = 0)
   {
      fInfo.AddVariable(expression, title, unit, min, max, type);
   }
   void AddVariable(const TString &expression, char type = 'F', Double_t min = 0, Double_t max = 0)
   {
      AddVariable(expression, "", "", type, min, max);
   }
   /// `size` columns from one array branch. A branch with fewer elements in some event is fatal, further ones are ignored.
   void AddVariablesArray(const TString &expression, int size, char type = 'F', Double_t min = 0, Double_t max = 0)
   {
      fInfo.AddVariablesArray(expression, size, "", "", min, max, type);
   }
   void AddTarget(const TString &expression, const TString &title = "", const TString &unit = "", Double_t min = 0,
                  Double_t max = 0)
   {
      fInfo.AddTarget(expression, title, unit, min, max);
   }
   void AddSpectator(const TString &expression, const TString &title = "", const TString &unit = "", Double_t min = 0,
                     Double_t max = 0)
   {
      fInfo.AddSpectator(expression, title, unit, min, max);
   }

   // ---- where events come from; a tree must stay alive until the first training. kMaxTreeType: to be split

   /// \param cut  when not empty, the entries that pass are copied into a tree in memory, at once
   void AddTree(TTree *tree, const TString &className, Double_t weight = 1.0, const TCut &cut = "",
                Types::ETreeType type = Types::kMaxTreeType);
   /// \param type  contains "train", or "test", or both
   void AddTree(TTree *tree, const TString &className, Double_t weight, const TCut &cut, const TString &type);
   void AddSignalTree(TTree *signal, Double_t weight = 1.0, Types::ETreeType type = Types::kMaxTreeType)
   {
      AddTree(signal, "Signal", weight, "", type);
   }
   void AddSignalTree(TTree *signal, Double_t weight, const TString &type) { AddTree(signal, "Signal", weight, "", type); }
   void AddBackgroundTree(TTree *background, Double_t weight = 1.0, Types::ETreeType type = Types::kMaxTreeType)
   {
      AddTree(background, "Background", weight, "", type);
   }
   void AddBackgroundTree(TTree *background, Double_t weight, const TString &type)
   {
      AddTree(background, "Background", weight, "", type);
   }
   void AddRegressionTree(TTree *tree, Double_t weight = 1.0, Types::ETreeType type = Types::kMaxTreeType)
   {
      AddTree(tree, "Regression", weight, "", type);
   }

   /// Events one by one. `event` holds the values of variables, targets and spectators, in this order, all declared before. No
   /// cut or weight expression applies to them.
   using Values = std::vector<Double_t>;
   void AddEvent(const TString &className, Types::ETreeType type, const Values &event, Double_t weight);
   void AddTrainingEvent(const TString &name, const Values &event, Double_t w) { AddEvent(name, Types::kTraining, event, w); }
   void AddTestEvent(const TString &name, const Values &event, Double_t w) { AddEvent(name, Types::kTesting, event, w); }
   void AddSignalTrainingEvent(const Values &event, Double_t weight = 1.0) { AddTrainingEvent("Signal", event, weight); }
   void AddBackgroundTrainingEvent(const Values &event, Double_t weight = 1.0) { AddTrainingEvent("Background", event, weight); }
   void AddSignalTestEvent(const Values &event, Double_t weight = 1.0) { AddTestEvent("Signal", event, weight); }
   void AddBackgroundTestEvent(const Values &event, Double_t weight = 1.0) { AddTestEvent("Background", event, weight); }

   // ---- weights and cuts of a class; without a class name weights of signal and background, cuts of all classes

   void SetWeightExpression(const TString &expression, const TString &className = "");
   void SetSignalWeightExpression(const TString &expression) { fInfo.SetWeightExpression(expression, "Signal"); }
   void SetBackgroundWeightExpression(const TString &expression) { fInfo.SetWeightExpression(expression, "Background"); }
   void SetCut(const TString &cut, const TString &className = "") { fInfo.SetCut(TCut(cut), className); }
   void SetCut(const TCut &cut, const TString &className = "") { fInfo.SetCut(cut, className); }
   void AddCut(const TString &cut, const TString &className = "") { fInfo.AddCut(TCut(cut), className); }
   void AddCut(const TCut &cut, const TString &className = "") { fInfo.AddCut(cut, className); }

   // ---- how to split: SplitMode, MixMode, SplitSeed, NormMode, nTrain_<class>, nTest_<class>, TrainTestSplit_<class>,
   //      ScaleWithPreselEff, Correlations, CalcCorrelations, V, VerboseLevel

   void PrepareTrainingAndTestTree(const TCut &cut, const TString &splitOptions);
   void PrepareTrainingAndTestTree(TCut signalCut, TCut backgroundCut, const TString &splitOptions);
   /// Numbers of each class; a negative number of test events: all others.
   void PrepareTrainingAndTestTree(const TCut &cut, Int_t nTrain, Int_t nTest = -1);
   void PrepareTrainingAndTestTree(const TCut &cut, Int_t nSignalTrain, Int_t nBackgroundTrain, Int_t nSignalTest,
                                   Int_t nBackgroundTest, const TString &otherOptions = "SplitMode=Random:!V");

private:
   DataSetInfo fInfo;                             //!
   std::vector<std::unique_ptr<TTree>> fOwnTrees; ///<! copied with a cut

   ClassDefOverride(DataLoader, 0);
};

} // namespace TMVA

#endif
