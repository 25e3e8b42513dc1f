/// \file
/// The description of a data set: variables, targets, spectators, classes, cuts, weights.
#ifndef ROOT_TMVA_DataSetInfo
#define ROOT_TMVA_DataSetInfo

#include <map>
#include <memory>
#include <vector>

#include "TCut.h"
#include "TMatrixDfwd.h"
#include "TObject.h"
#include "TString.h"
#include "TTree.h"

#include "TMVA/ClassInfo.h"
#include "TMVA/Event.h"
#include "TMVA/MsgLogger.h"
#include "TMVA/Types.h"
#include "TMVA/VariableInfo.h"

class TDirectory;
class TH2;

namespace TMVA {

class DataSet;
class DataSetManager;

class DataSetInfo : public TObject {
public:
   enum { kIsArrayVariable = BIT(15) };

   DataSetInfo(const TString &name = "Default");
   ~DataSetInfo() override;

   const char *GetName() const override { return fName.Data(); }

   /// Builds the data set at the first call and after every change of the description, through
   /// DataSetManager::CreateDataSet(name). Owned by this object.
   DataSet *GetDataSet() const;
   void ClearDataSet() const;

   VariableInfo &AddVariable(const TString &expression, const TString &title = "", const TString &unit = "",
                             Double_t min = 0, Double_t max = 0, char varType = 'F', Bool_t normalized = kTRUE,
                             void *external = nullptr);
   VariableInfo &AddVariable(const VariableInfo &varInfo);
   /// `size` variables that share the expression. `external`, where given, points to the first of `size` values.
   void AddVariablesArray(const TString &expression, Int_t size, const TString &title = "", const TString &unit = "",
                          Double_t min = 0, Double_t max = 0, char type = 'F', Bool_t normalized = kTRUE,
                          void *external = nullptr);
   VariableInfo &AddTarget(const TString &expression, const TString &title, const TString &unit, Double_t min, Double_t max,
                           Bool_t normalized = kTRUE, void *external = nullptr);
   VariableInfo &AddTarget(const VariableInfo &varInfo);
   VariableInfo &AddSpectator(const TString &expression, const TString &title, const TString &unit, Double_t min,
                              Double_t max, char type = 'F', Bool_t normalized = kTRUE, void *external = nullptr);
   VariableInfo &AddSpectator(const VariableInfo &varInfo);
   ClassInfo *AddClass(const TString &className);

   std::vector<VariableInfo> &GetVariableInfos() { return fVariables; }
   const std::vector<VariableInfo> &GetVariableInfos() const { return fVariables; }
   VariableInfo &GetVariableInfo(Int_t i) { return fVariables.at(i); }
   const VariableInfo &GetVariableInfo(Int_t i) const { return fVariables.at(i); }
   /// Length of a declared array, -1 when there is none of that expression.
   Int_t GetVarArraySize(const TString &expression) const;
   Bool_t IsVariableFromArray(Int_t i) const { return GetVariableInfo(i).TestBit(kIsArrayVariable); }
   std::vector<VariableInfo> &GetTargetInfos() { return fTargets; }
   const std::vector<VariableInfo> &GetTargetInfos() const { return fTargets; }
   VariableInfo &GetTargetInfo(Int_t i) { return fTargets.at(i); }
   const VariableInfo &GetTargetInfo(Int_t i) const { return fTargets.at(i); }
   std::vector<VariableInfo> &GetSpectatorInfos() { return fSpectators; }
   const std::vector<VariableInfo> &GetSpectatorInfos() const { return fSpectators; }
   VariableInfo &GetSpectatorInfo(Int_t i) { return fSpectators.at(i); }
   const VariableInfo &GetSpectatorInfo(Int_t i) const { return fSpectators.at(i); }

   UInt_t GetNVariables() const { return fVariables.size(); }
   UInt_t GetNTargets() const { return fTargets.size(); }
   UInt_t GetNSpectators(bool all = kTRUE) const; ///< all = false leaves category cuts (type 'C') out

   const TString &GetNormalization() const { return fNormalization; }
   void SetNormalization(const TString &norm) { fNormalization = norm; }

   void SetTrainingSumSignalWeights(Double_t sum) { fTrainingSumSignalWeights = sum; }
   void SetTrainingSumBackgrWeights(Double_t sum) { fTrainingSumBackgrWeights = sum; }
   void SetTestingSumSignalWeights(Double_t sum) { fTestingSumSignalWeights = sum; }
   void SetTestingSumBackgrWeights(Double_t sum) { fTestingSumBackgrWeights = sum; }
   /// Fatal before they have been set.
   Double_t GetTrainingSumSignalWeights() { return KnownSum(fTrainingSumSignalWeights, "training signal"); }
   Double_t GetTrainingSumBackgrWeights() { return KnownSum(fTrainingSumBackgrWeights, "training background"); }
   Double_t GetTestingSumSignalWeights() { return KnownSum(fTestingSumSignalWeights, "test signal"); }
   Double_t GetTestingSumBackgrWeights() { return KnownSum(fTestingSumBackgrWeights, "test background"); }

   Int_t GetClassNameMaxLength() const;
   Int_t GetVariableNameMaxLength() const;
   Int_t GetTargetNameMaxLength() const;
   /// Null when there is no such class.
   ClassInfo *GetClassInfo(Int_t clNum) const;
   ClassInfo *GetClassInfo(const TString &name) const;
   void PrintClasses() const;
   UInt_t GetNClasses() const { return fClasses.size(); }
   Bool_t IsSignal(const Event *ev) const { return ev->GetClass() == fSignalClass; }
   /// One value a class: 1 for that of the event, 0 for the others. Valid until the next call.
   std::vector<Float_t> *GetTargetsForMulticlass(const Event *ev);
   UInt_t GetSignalClassIndex() { return fSignalClass; }

   /// By internal name; fatal when there is none, with the names there are.
   Int_t FindVarIndex(const TString &name) const;

   /// The const getters are fatal for a class that does not exist. An empty class name sets all classes.
   const TString GetWeightExpression(Int_t i) const { return KnownClass(i).GetWeight(); }
   void SetWeightExpression(const TString &exp, const TString &className = "");
   const TCut &GetCut(Int_t i) const { return KnownClass(i).GetCut(); }
   const TCut &GetCut(const TString &className) const;
   void SetCut(const TCut &cut, const TString &className);
   void AddCut(const TCut &cut, const TString &className);
   Bool_t HasCuts() const;

   std::vector<TString> GetListOfVariables() const; ///< internal names

   const TMatrixD *CorrelationMatrix(const TString &className) const; ///< null when it was not calculated
   void SetCorrelationMatrix(const TString &className, TMatrixD *matrix);
   void PrintCorrelationMatrix(const TString &className);
   /// In percent, cut to whole numbers, variable titles at the bins.
   TH2 *CreateCorrelationMatrixHist(const TMatrixD *m, const TString &hName, const TString &hTitle) const;

   void SetSplitOptions(const TString &options);
   const TString &GetSplitOptions() const { return fSplitOptions; }

   void SetRootDir(TDirectory *dir) { fOwnRootDir = dir; }
   TDirectory *GetRootDir() const { return fOwnRootDir; }
   void SetMsgType(EMsgType type) const { fLogger.SetMinType(type); }
   DataSetManager *GetDataSetManager() { return fDataSetManager; }

private:
   friend class DataSetManager;
   void SetDataSetManager(DataSetManager *manager) { fDataSetManager = manager; }

   DataSetInfo(const DataSetInfo &) = delete;
   DataSetInfo &operator=(const DataSetInfo &) = delete;

   Double_t KnownSum(Double_t sum, const char *what) const;
   const ClassInfo &KnownClass(Int_t i) const;
   VariableInfo &Append(std::vector<VariableInfo> &list, const VariableInfo &info);

   TString fName;
   DataSetManager *fDataSetManager = nullptr; ///<! not owned
   mutable DataSet *fDataSet = nullptr;       ///<! owned
   mutable Bool_t fNeedsRebuilding = kTRUE;

   std::vector<VariableInfo> fVariables;
   std::vector<VariableInfo> fTargets;
   std::vector<VariableInfo> fSpectators;
   std::map<TString, Int_t> fVarArrays; ///< expression -> size
   std::vector<std::unique_ptr<ClassInfo>> fClasses; //!

   TString fNormalization = "NONE";
   TString fSplitOptions;
   Double_t fTrainingSumSignalWeights = -1;
   Double_t fTrainingSumBackgrWeights = -1;
   Double_t fTestingSumSignalWeights = -1;
   Double_t fTestingSumBackgrWeights = -1;
   TDirectory *fOwnRootDir = nullptr; ///<! not owned
   UInt_t fSignalClass = 0;
   std::vector<Float_t> fTargetsForMulticlass;
   mutable MsgLogger fLogger; //!
   MsgLogger &Log() const { return fLogger; }

   ClassDefOverride(DataSetInfo, 0);
};

} // namespace TMVA

#endif
