/// \file
/// The description of a data set: variables, targets, spectators, and classes with their cuts, weights and input.
#ifndef ROOT_TMVA_DataSetInfo
#define ROOT_TMVA_DataSetInfo

#include <map>
#include <memory>
#include <vector>

#include "TCut.h"
#include "TMatrixD.h"
#include "TNamed.h"
#include "TString.h"

#include "TMVA/Event.h"
#include "TMVA/MsgLogger.h"
#include "TMVA/Types.h"
#include "TMVA/VariableInfo.h"

class TDirectory;
class TH2;
class TTree;

namespace TMVA {

class DataSet;

/// Where events of a class come from: a tree, or the user gave them one by one.
struct EventInput {
   TTree *tree; ///< not owned; null: `given` has the events
   Double_t weight; ///< a factor on the weight of every event of the tree
   Types::ETreeType type; ///< kMaxTreeType: to be split into training and testing
   std::vector<Event> given;
};

/// One class of events.
class ClassInfo : public TNamed {
public:
   ClassInfo(const TString &name = "default", UInt_t number = 0) : TNamed(name, name), fNumber(number) {}

   void SetWeight(const TString &expression) { fWeight = expression; }
   void SetCut(const TCut &cut) { fCut = cut; }
   const TString &GetWeight() const { return fWeight; }
   const TCut &GetCut() const { return fCut; }
   UInt_t GetNumber() const { return fNumber; }

   std::vector<EventInput> fInputs;         //! in the order they were added
   std::unique_ptr<TMatrixD> fCorrelations; //! of the variables, over the training events; null when not calculated

private:
   TString fWeight = "1";
   TCut fCut = "";
   UInt_t fNumber;
};

class DataSetInfo {
public:
   enum { kIsArrayVariable = BIT(15) };

   DataSetInfo(const TString &name = "Default");
   ~DataSetInfo();

   const char *GetName() const { return fName.Data(); }
   TString Prefix() const { return "[" + fName + "] : "; } ///< what log lines begin with

   /// Builds the events at the first call and after every change of the description. Owned by this object.
   DataSet *GetDataSet() const;

   VariableInfo &AddVariable(const TString &expression, const TString &title = "", const TString &unit = "", Double_t min = 0,
                             Double_t max = 0, char type = 'F', Bool_t = kTRUE, void *external = nullptr)
   {
      return Append(fVariables, VariableInfo(expression, title, unit, type, min, max, external));
   }
   /// `size` variables that share the expression. `external`, where given, points to the first of `size` values.
   void AddVariablesArray(const TString &expression, Int_t size, const TString &title = "", const TString &unit = "",
                          Double_t min = 0, Double_t max = 0, char type = 'F', Bool_t = kTRUE, void *external = nullptr);
   VariableInfo &AddTarget(const TString &expression, const TString &title, const TString &unit, Double_t min, Double_t max,
                           Bool_t = kTRUE, void *external = nullptr)
   {
      return Append(fTargets, VariableInfo(expression, title, unit, 'F', min, max, external));
   }
   VariableInfo &AddSpectator(const TString &expression, const TString &title, const TString &unit, Double_t min,
                              Double_t max, char type = 'F', Bool_t = kTRUE, void *external = nullptr)
   {
      return Append(fSpectators, VariableInfo(expression, title, unit, type, min, max, external));
   }
   ClassInfo *AddClass(const TString &className);

   std::vector<VariableInfo> &GetVariableInfos() { return fVariables; }
   const std::vector<VariableInfo> &GetVariableInfos() const { return fVariables; }
   const VariableInfo &GetVariableInfo(Int_t i) const { return fVariables.at(i); }
   /// Length of a declared array, -1 when there is none of that expression.
   Int_t GetVarArraySize(const TString &expression) const;
   Bool_t IsVariableFromArray(Int_t i) const { return GetVariableInfo(i).TestBit(kIsArrayVariable); }
   std::vector<VariableInfo> &GetTargetInfos() { return fTargets; }
   const std::vector<VariableInfo> &GetTargetInfos() const { return fTargets; }
   const VariableInfo &GetTargetInfo(Int_t i) const { return fTargets.at(i); }
   std::vector<VariableInfo> &GetSpectatorInfos() { return fSpectators; }
   const std::vector<VariableInfo> &GetSpectatorInfos() const { return fSpectators; }
   const VariableInfo &GetSpectatorInfo(Int_t i) const { return fSpectators.at(i); }
   UInt_t GetNVariables() const { return fVariables.size(); }
   UInt_t GetNTargets() const { return fTargets.size(); }
   UInt_t GetNSpectators() const { return fSpectators.size(); }

   /// Null when there is no such class.
   ClassInfo *GetClassInfo(Int_t number) const;
   ClassInfo *GetClassInfo(const TString &name) const;
   UInt_t GetNClasses() const { return fClasses.size(); }
   Int_t GetClassNameMaxLength() const;
   Bool_t IsSignal(const Event *ev) const { return ev->GetClass() == fSignalClass; }
   UInt_t GetSignalClassIndex() const { return fSignalClass; }
   /// All inputs of all classes.
   Bool_t HasInput() const;

   /// An empty class name sets all classes.
   void SetWeightExpression(const TString &expression, const TString &className = "");
   void SetCut(const TCut &cut, const TString &className);
   void AddCut(const TCut &cut, const TString &className);

   const TMatrixD *CorrelationMatrix(const TString &className) const; ///< null when it was not calculated
   /// In percent, cut to whole numbers, variable titles at the bins. Null without a matrix.
   TH2 *CreateCorrelationMatrixHist(const TMatrixD *m, const TString &name, const TString &title) const;

   const TString &GetSplitOptions() const { return fSplitOptions; }
   void SetSplitOptions(const TString &options)
   {
      fSplitOptions = options;
      SetChanged();
   }
   /// To be called after a change of what the events are made of.
   void SetChanged() { fNeedsRebuilding = kTRUE; }

private:
   DataSetInfo(const DataSetInfo &) = delete;
   DataSetInfo &operator=(const DataSetInfo &) = delete;

   std::vector<ClassInfo *> Classes(const TString &className); ///< that one, made where there is none; or all
   VariableInfo &Append(std::vector<VariableInfo> &list, const VariableInfo &info);
   MsgLogger &Log() const { return fLogger; }

   TString fName;
   mutable std::unique_ptr<DataSet> fDataSet; //!
   mutable Bool_t fNeedsRebuilding = kTRUE;
   std::vector<VariableInfo> fVariables;
   std::vector<VariableInfo> fTargets;
   std::vector<VariableInfo> fSpectators;
   std::map<TString, Int_t> fVarArrays;              ///< expression -> size
   std::vector<std::unique_ptr<ClassInfo>> fClasses; //!
   UInt_t fSignalClass = 0;
   TString fSplitOptions;
   mutable MsgLogger fLogger{"DataSetInfo"}; //!
};

} // namespace TMVA

#endif
