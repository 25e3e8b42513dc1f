/// \file
/// One value an event.
#ifndef ROOT_TMVA_ResultsClassification
#define ROOT_TMVA_ResultsClassification

#include <utility>
#include <vector>

#include "TMVA/Results.h"

namespace TMVA {

class ResultsClassification : public Results {
public:
   ResultsClassification(const DataSetInfo *dsi, TString resultsName) : Results(dsi, resultsName), fRet(1) {}

   void SetValue(Float_t value, Int_t ievt, Bool_t isSignal = kFALSE);
   void Resize(Int_t entries)
   {
      fMvaValues.resize(entries);
      fMvaValuesTypes.resize(entries);
   }
   using TObject::Clear;
   void Clear()
   {
      fMvaValues.clear();
      fMvaValuesTypes.clear();
   }
   Long64_t GetSize() const { return fMvaValues.size(); }
   const std::vector<Float_t> &operator[](Int_t ievt) const override
   {
      fRet[0] = fMvaValues.at(ievt);
      return fRet;
   }
   std::vector<Float_t> *GetValueVector() { return &fMvaValues; }
   std::vector<Bool_t> *GetValueVectorTypes() { return &fMvaValuesTypes; } ///< true for signal
   Types::EAnalysisType GetAnalysisType() override { return Types::kClassification; }

private:
   std::vector<Float_t> fMvaValues;
   std::vector<Bool_t> fMvaValuesTypes;
   mutable std::vector<Float_t> fRet; //!

   ClassDefOverride(ResultsClassification, 0);
};

} // namespace TMVA

#endif
