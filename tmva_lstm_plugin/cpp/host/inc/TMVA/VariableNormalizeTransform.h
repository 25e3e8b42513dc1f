/// \file
/// VarTransform=N: each input and target is mapped linearly from its range over the training sample to [-1, 1].
#ifndef ROOT_TMVA_VariableNormalizeTransform
#define ROOT_TMVA_VariableNormalizeTransform

#include <vector>

#include "TMVA/VariableTransformBase.h"

namespace TMVA {

/// Ranges are taken for each class and for all classes together, as the weights file wants it; the latter are used. A constant
/// input becomes 0 (a real TMVA makes it not-a-number).
class VariableNormalizeTransform : public VariableTransformBase {
public:
   VariableNormalizeTransform(DataSetInfo &dsi) : VariableTransformBase(dsi, Types::kNormalized, "Norm") {}

   void Initialize() override;
   Bool_t PrepareTransformation(const std::vector<Event *> &events) override;
   const Event *Transform(const Event *const ev, Int_t cls) const override;
   const Event *InverseTransform(const Event *const ev, Int_t cls) const override;
   void AttachXMLTo(void *parent) override;
   void ReadFromXML(void *trfnode) override;
   void MakeFunction(std::ostream &fout, const TString &fncName, Int_t part, UInt_t trCounter, Int_t cls) override;

private:
   UInt_t ClassIndex(Int_t cls) const;

   std::vector<std::vector<Float_t>> fMin; ///< [class, the last one: all of them][selected entry]
   std::vector<std::vector<Float_t>> fMax;

   ClassDefOverride(VariableNormalizeTransform, 0);
};

} // namespace TMVA

#endif
