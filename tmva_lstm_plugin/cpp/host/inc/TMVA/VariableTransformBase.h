/// \file
/// Base of what is done to the inputs before a method sees them.
#ifndef ROOT_TMVA_VariableTransformBase
#define ROOT_TMVA_VariableTransformBase

#include <iosfwd>
#include <utility>
#include <vector>

#include "TObject.h"
#include "TString.h"

#include "TMVA/DataSetInfo.h"
#include "TMVA/Event.h"
#include "TMVA/MsgLogger.h"
#include "TMVA/Types.h"

namespace TMVA {

class VariableTransformBase : public TObject {
public:
   typedef std::vector<std::pair<Char_t, UInt_t>> VectorOfCharAndInt;

   VariableTransformBase(DataSetInfo &dsi, Types::EVariableTransform tf, const TString &trfName);

   virtual void Initialize() = 0;
   virtual Bool_t PrepareTransformation(const std::vector<Event *> &events) = 0;
   /// The returned event belongs to the transformation and holds until its next call.
   virtual const Event *Transform(const Event *const ev, Int_t cls) const = 0;
   virtual const Event *InverseTransform(const Event *const ev, Int_t cls) const = 0;
   virtual void AttachXMLTo(void *parent) = 0;
   virtual void ReadFromXML(void *trfnode) = 0;
   /// Part 1: declarations in the class of a .class.C; part 2: definitions.
   virtual void MakeFunction(std::ostream &fout, const TString &fncName, Int_t part, UInt_t trCounter, Int_t cls) = 0;

   /// What is transformed: "_V_" all inputs, "_T_" all targets, "_V2_" one by number, or labels, joined by commas. Variables
   /// come first, then targets, then spectators, each in the order of the data set.
   virtual void SelectInput(const TString &inputVariables);
   void CountVariableTypes(UInt_t &nvars, UInt_t &ntgts, UInt_t &nspcts) const;

   /// Whether elements of an array (DataSetInfo::AddVariablesArray) are among what is selected.
   Bool_t UsesArrayElements() const;

   Bool_t IsCreated() const { return fCreated; }
   const char *GetName() const override { return fTransformName.Data(); }
   TString GetShortName() const { return fTransformName; }
   Types::EVariableTransform GetVariableTransform() const { return fVariableTransform; }

protected:
   void SetCreated(Bool_t created = kTRUE) { fCreated = created; }
   Int_t GetNClasses() const { return fDsi.GetNClasses(); }
   /// Value of a selected entry; false when the event has none (targets, when a trained method is applied).
   static Bool_t Get(const Event &ev, const std::pair<Char_t, UInt_t> &entry, Float_t &value);
   static void Set(Event &ev, const std::pair<Char_t, UInt_t> &entry, Float_t value);
   const VariableInfo &Info(const std::pair<Char_t, UInt_t> &entry) const;
   void AttachSelectionXMLTo(void *parent) const;
   void ReadSelectionFromXML(void *selection);
   MsgLogger &Log() const { return fLogger; }

   DataSetInfo &fDsi; //!
   VectorOfCharAndInt fGet; ///< 'v', 't' or 's' and the index
   mutable Event fTransformedEvent;     //!
   mutable Event fBackTransformedEvent; //!

private:
   Types::EVariableTransform fVariableTransform;
   Bool_t fCreated = kFALSE;
   TString fTransformName;
   mutable MsgLogger fLogger; //!

   ClassDefOverride(VariableTransformBase, 0);
};

} // namespace TMVA

#endif
