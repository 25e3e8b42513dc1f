/// \file
/// One value a target and event.
#ifndef ROOT_TMVA_ResultsRegression
#define ROOT_TMVA_ResultsRegression

#include <vector>

#include "TMVA/Results.h"

class TH1F;
class TH2F;

namespace TMVA {

class ResultsRegression : public Results {
public:
   ResultsRegression(const DataSetInfo *dsi, TString resultsName) : Results(dsi, resultsName) {}

   void SetValue(std::vector<Float_t> &value, Int_t ievt);
   void Resize(Int_t entries) { fValues.resize(entries); }
   using TObject::Clear;
   void Clear() { fValues.clear(); }
   Long64_t GetSize() const { return fValues.size(); }
   const std::vector<Float_t> &operator[](Int_t ievt) const override { return fValues.at(ievt); }
   std::vector<std::vector<Float_t>> *GetValueVector() { return &fValues; }
   Types::EAnalysisType GetAnalysisType() override { return Types::kRegression; }

   /// Answer minus target against a variable, or against a target when varNum counts beyond the variables.
   TH2F *DeviationAsAFunctionOf(UInt_t varNum, UInt_t tgtNum);
   /// (answer - target)^2; deviations beyond truncvalue are left out when `truncate`.
   TH1F *QuadraticDeviation(UInt_t tgtNum, Bool_t truncate = false, Double_t truncvalue = 0.);
   void CreateDeviationHistograms(TString prefix);

private:
   std::vector<std::vector<Float_t>> fValues; ///< [event][target]

   ClassDefOverride(ResultsRegression, 0);
};

} // namespace TMVA

#endif
