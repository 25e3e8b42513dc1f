/// \file
/// Where a user says what the events are: variables, trees, cuts, weights, and how to split them.
#ifndef ROOT_TMVA_DataLoader
#define ROOT_TMVA_DataLoader

#include "TMVA/Configurable.h"
#include "TMVA/DataSet.h"
#include "TMVA/Factory.h"
#include "TMVA/Types.h"

#include "TCut.h"

#include <memory>
#include <vector>

class TH2;
class TTree;

namespace TMVA {

class DataInputHandler;
class DataSetInfo;
class DataSetManager;

class DataLoader : public Configurable {
public:
   /// \param name  of the folder of the results, on disk and in the output file
   DataLoader(TString name = "default");
   ~DataLoader() override;

   const char *GetName() const override { return fName; }

   // ---- what an event holds: expressions for TTreeFormula; "label:=expression" gives one a label

   void AddVariable(const TString &expression, const TString &title, const TString &unit, char type = 'F',
                    Double_t min = 0, Double_t max = 0);
   void AddVariable(const TString &expression, char type = 'F', Double_t min = 0, Double_t max = 0);
   /// `size` columns from one array branch. A branch with fewer elements in some event is fatal, further ones are ignored.
   void AddVariablesArray(const TString &expression, int size, char type = 'F', Double_t min = 0, Double_t max = 0);
   void SetInputVariables(std::vector<TString> *variables);
   void AddTarget(const TString &expression, const TString &title = "", const TString &unit = "", Double_t min = 0,
                  Double_t max = 0);
   void AddRegressionTarget(const TString &expression, const TString &title = "", const TString &unit = "",
                            Double_t min = 0, Double_t max = 0)
   {
      AddTarget(expression, title, unit, min, max);
   }
   void AddSpectator(const TString &expression, const TString &title = "", const TString &unit = "", Double_t min = 0,
                     Double_t max = 0);

   // ---- where events come from; a tree must stay alive until the first training. kMaxTreeType: to be split

   void AddTree(TTree *tree, const TString &className, Double_t weight = 1.0, const TCut &cut = "",
                Types::ETreeType type = Types::kMaxTreeType);
   /// \param type  contains "train", or "test", or both
   void AddTree(TTree *tree, const TString &className, Double_t weight, const TCut &cut, const TString &type);
   void SetTree(TTree *tree, const TString &className, Double_t weight);
   void AddSignalTree(TTree *signal, Double_t weight = 1.0, Types::ETreeType type = Types::kMaxTreeType);
   void AddSignalTree(TString textFile, Double_t weight = 1.0, Types::ETreeType type = Types::kMaxTreeType);
   void AddSignalTree(TTree *signal, Double_t weight, const TString &type);
   void SetSignalTree(TTree *signal, Double_t weight = 1.0);
   void AddBackgroundTree(TTree *background, Double_t weight = 1.0, Types::ETreeType type = Types::kMaxTreeType);
   void AddBackgroundTree(TString textFile, Double_t weight = 1.0, Types::ETreeType type = Types::kMaxTreeType);
   void AddBackgroundTree(TTree *background, Double_t weight, const TString &type);
   void SetBackgroundTree(TTree *background, Double_t weight = 1.0);
   void AddRegressionTree(TTree *tree, Double_t weight = 1.0, Types::ETreeType type = Types::kMaxTreeType)
   {
      AddTree(tree, "Regression", weight, "", type);
   }
   void SetInputTrees(const TString &signalFile, const TString &backgroundFile, Double_t signalWeight = 1.0,
                      Double_t backgroundWeight = 1.0);
   void SetInputTrees(TTree *inputTree, const TCut &signalCut, const TCut &backgroundCut);
   void SetInputTrees(TTree *signal, TTree *background, Double_t signalWeight = 1.0, Double_t backgroundWeight = 1.0);

   /// Events one by one, all before PrepareTrainingAndTestTree. `event` holds the values of variables, targets and
   /// spectators, in this order; each has to be declared with a name of its own.
   void AddEvent(const TString &className, Types::ETreeType type, const std::vector<Double_t> &event, Double_t weight);
   void AddTrainingEvent(const TString &className, const std::vector<Double_t> &event, Double_t weight);
   void AddTestEvent(const TString &className, const std::vector<Double_t> &event, Double_t weight);
   void AddSignalTrainingEvent(const std::vector<Double_t> &event, Double_t weight = 1.0);
   void AddBackgroundTrainingEvent(const std::vector<Double_t> &event, Double_t weight = 1.0);
   void AddSignalTestEvent(const std::vector<Double_t> &event, Double_t weight = 1.0);
   void AddBackgroundTestEvent(const std::vector<Double_t> &event, Double_t weight = 1.0);
   /// Were events of this class given one by one?
   Bool_t UserAssignEvents(UInt_t classIndex);

   // ---- weights and cuts of a class; without a class name those of all classes

   void SetWeightExpression(const TString &expression, const TString &className = "");
   void SetSignalWeightExpression(const TString &expression);
   void SetBackgroundWeightExpression(const TString &expression);
   void SetCut(const TString &cut, const TString &className = "");
   void SetCut(const TCut &cut, const TString &className = "");
   void AddCut(const TString &cut, const TString &className = "");
   void AddCut(const TCut &cut, const TString &className = "");

   // ---- how to split: SplitMode, MixMode, SplitSeed, NormMode, nTrain_<class>, nTest_<class>, TrainTestSplit_<class>,
   //      ScaleWithPreselEff, Correlations, CalcCorrelations, V, VerboseLevel

   void PrepareTrainingAndTestTree(const TCut &cut, const TString &splitOptions);
   void PrepareTrainingAndTestTree(TCut signalCut, TCut backgroundCut, const TString &splitOptions);
   /// Numbers of each class; a negative number of test events: all others.
   void PrepareTrainingAndTestTree(const TCut &cut, Int_t nTrain, Int_t nTest = -1);
   void PrepareTrainingAndTestTree(const TCut &cut, Int_t nSignalTrain, Int_t nBackgroundTrain, Int_t nSignalTest,
                                   Int_t nBackgroundTest, const TString &otherOptions = "SplitMode=Random:!V");

   // ----

   DataSetInfo &GetDataSetInfo();
   const DataSetInfo &GetDefaultDataSetInfo() { return GetDataSetInfo(); }
   DataSetInfo &AddDataSet(DataSetInfo &info);
   DataSetInfo &AddDataSet(const TString &name);
   DataInputHandler &DataInput() { return *fDataInputHandler; }
   /// Of the training events, in percent; the caller owns it. Null when it was not computed.
   TH2 *GetCorrelationMatrix(const TString &className);
   /// Always fatal: the host does not transform variables here.
   DataLoader *VarTransform(TString definition);

private:
   /// Events of one class given one by one, in a tree with a branch of floats for each declared quantity.
   struct AssignedEvents {
      std::unique_ptr<TTree> training, testing;
   };

   void CheckEventNames();
   std::unique_ptr<TTree> CreateEventAssignTree(const TString &name);
   void SetInputTreesFromEventAssignTrees();
   MsgLogger &Log() const { return fLog; }

   TString fName;
   mutable MsgLogger fLog{"DataLoader", kINFO};            //!
   std::unique_ptr<DataInputHandler> fDataInputHandler;    //!
   std::unique_ptr<DataSetManager> fDataSetManager;        //!
   std::vector<AssignedEvents> fAssigned;                  //! one a class
   Bool_t fAssignedAreInput = kFALSE;                      ///< the trees of fAssigned were given to the input handler
   Int_t fAssignedClass = 0;                               ///< branch "type"
   Float_t fAssignedWeight = 0;                            ///< branch "weight"
   std::vector<Float_t> fAssignedValues;                   //! branches of the quantities

   ClassDefOverride(DataLoader, 0);
};

} // namespace TMVA

#endif
