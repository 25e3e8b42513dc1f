/// \file
/// What is known of one input, target or spectator.
#ifndef ROOT_TMVA_VariableInfo
#define ROOT_TMVA_VariableInfo

#include "TNamed.h"
#include "TString.h"

namespace TMVA {

/// `expression` may be "label:=formula". The TNamed holds name and title.
class VariableInfo : public TNamed {
public:
   VariableInfo(const TString &expression, const TString &title, const TString &unit, Int_t varCounter, char varType = 'F',
                void *external = nullptr, Double_t min = 0, Double_t max = 0, Bool_t normalized = kTRUE);
   VariableInfo();

   const TString &GetExpression() const { return fExpression; }
   const TString &GetInternalName() const { return fInternalName; } ///< the label with operators spelled out
   const TString &GetLabel() const { return fLabel; }
   const TString &GetUnit() const { return fUnit; }
   char GetVarType() const { return fVarType; } ///< 'F', 'I', or 'C' for a category cut

   /// Range over the training sample; min > max when it is not known.
   Double_t GetMin() const { return fMin; }
   Double_t GetMax() const { return fMax; }
   Double_t GetMean() const { return fMean; }
   Double_t GetRMS() const { return fRms; }
   void SetMin(Double_t value) { fMin = value; }
   void SetMax(Double_t value) { fMax = value; }
   void SetMean(Double_t value) { fMean = value; }
   void SetRMS(Double_t value) { fRms = value; }
   void ResetMinMax()
   {
      fMin = 1e30;
      fMax = -1e30;
   }

   /// Where the Reader finds the value: a Float_t or an Int_t, as GetVarType() says.
   void SetExternalLink(void *link) { fExternalData = link; }
   void *GetExternalLink() const { return fExternalData; }

   void SetInternalName(const TString &name) { fInternalName = name; }

   void ReadFromXML(void *node);
   void AddToXML(void *node) const;
   void WriteToStream(std::ostream &out) const; ///< one line, for the head of a .class.C

private:
   TString fExpression;
   TString fInternalName;
   TString fLabel;
   TString fUnit;
   Char_t fVarType = '\0';
   Double_t fMin = 1e30;
   Double_t fMax = -1e30;
   Double_t fMean = 0;
   Double_t fRms = 0;
   Bool_t fNormalized = kFALSE;
   void *fExternalData = nullptr; ///<! not owned
   Int_t fVarCounter = 0;

   ClassDefOverride(VariableInfo, 1);
};

} // namespace TMVA

#endif
