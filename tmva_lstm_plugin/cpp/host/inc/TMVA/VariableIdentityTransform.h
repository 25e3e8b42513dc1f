/// \file
/// VarTransform=I: nothing is done; it exists so that the inputs are plotted.
#ifndef ROOT_TMVA_VariableIdentityTransform
#define ROOT_TMVA_VariableIdentityTransform

#include "TMVA/VariableTransformBase.h"

namespace TMVA {

class VariableIdentityTransform : public VariableTransformBase {
public:
   VariableIdentityTransform(DataSetInfo &dsi) : VariableTransformBase(dsi, Types::kIdentity, "Id") {}

   void Initialize() override {}
   Bool_t PrepareTransformation(const std::vector<Event *> &) override
   {
      SetCreated();
      return kTRUE;
   }
   const Event *Transform(const Event *const ev, Int_t) const override { return ev; }
   const Event *InverseTransform(const Event *const ev, Int_t) const override { return ev; }
   void AttachXMLTo(void *) override {}
   void ReadFromXML(void *) override {}
   void MakeFunction(std::ostream &fout, const TString &fncName, Int_t part, UInt_t trCounter, Int_t cls) override;

   ClassDefOverride(VariableIdentityTransform, 0);
};

} // namespace TMVA

#endif
