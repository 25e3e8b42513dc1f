/// \file
/// What is known of one input, target or spectator.
#ifndef ROOT_TMVA_VariableInfo
#define ROOT_TMVA_VariableInfo

#include "TNamed.h"
#include "TString.h"

namespace TMVA {

/// The TNamed holds name and title.
class VariableInfo : public TNamed {
public:
   VariableInfo() = default;
   /// \param expression  may be "label:=formula"
   /// \param external    where the Reader finds the value
   VariableInfo(const TString &expression, const TString &title, const TString &unit, char varType = 'F', Double_t min = 0,
                Double_t max = 0, void *external = nullptr);

   const TString &GetExpression() const { return fExpression; }
   const TString &GetInternalName() const { return fInternalName; } ///< the label with operators spelled out
   const TString &GetLabel() const { return fLabel; }
   const TString &GetUnit() const { return fUnit; }
   char GetVarType() const { return fVarType; } ///< 'F' or 'I'

   /// Range over the training sample; min > max when it is not known.
   Double_t GetMin() const { return fMin; }
   Double_t GetMax() const { return fMax; }
   void SetMin(Double_t value) { fMin = value; }
   void SetMax(Double_t value) { fMax = value; }
   const Float_t *GetExternalLink() const { return fExternalData; }
   void SetInternalName(const TString &name) { fInternalName = name; }

   void AddToXML(void *node) const;

private:
   TString fExpression;
   TString fInternalName;
   TString fLabel;
   TString fUnit;
   Char_t fVarType = '\0';
   Double_t fMin = 1e30;
   Double_t fMax = -1e30;
   const Float_t *fExternalData = nullptr; ///<! not owned
};

} // namespace TMVA

#endif
