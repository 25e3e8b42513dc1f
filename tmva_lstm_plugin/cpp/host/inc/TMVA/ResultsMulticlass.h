/// \file
/// One value a class and event.
#ifndef ROOT_TMVA_ResultsMulticlass
#define ROOT_TMVA_ResultsMulticlass

#include <vector>

#include "TMVA/Results.h"

namespace TMVA {

class ResultsMulticlass : public Results {
public:
   ResultsMulticlass(const DataSetInfo *dsi, TString resultsName);

   void SetValue(std::vector<Float_t> &value, Int_t ievt);
   void Resize(Int_t entries) { fValues.resize(entries); }
   using TObject::Clear;
   void Clear() { fValues.clear(); }
   Long64_t GetSize() const { return fValues.size(); }
   const std::vector<Float_t> &operator[](Int_t ievt) const override { return fValues.at(ievt); }
   std::vector<std::vector<Float_t>> *GetValueVector() { return &fValues; }
   Types::EAnalysisType GetAnalysisType() override { return Types::kMulticlass; }

   /// Signal efficiency and purity of one class at the cut on its own output where their product is largest.
   Float_t GetAchievableEff(UInt_t cls) { return fAchievableEff.at(cls); }
   Float_t GetAchievablePur(UInt_t cls) { return fAchievablePur.at(cls); }
   std::vector<Float_t> &GetAchievableEff() { return fAchievableEff; }
   std::vector<Float_t> &GetAchievablePur() { return fAchievablePur; }
   /// Finds that cut. The others stay open: a real TMVA searches for one cut on each output with a genetic fitter.
   std::vector<Double_t> GetBestMultiClassCuts(UInt_t targetClass);

   /// For each pair of classes the output of one on events of the other, `<prefix>_<output>_prob_for_<class>`.
   void CreateMulticlassHistos(TString prefix, Int_t nbins, Int_t nbins_high);
   /// Background rejection against signal efficiency: `<prefix>_rejBvsS_<class>` of a class against all others and
   /// `<prefix>_1v1rejBvsS_<class>_vs_<other>`.
   void CreateMulticlassPerformanceHistos(TString prefix);
   /// Efficiency on `cls`, by the output of that class, where that on `other` is effB; all other classes with other = -1.
   Double_t EfficiencyAgainst(UInt_t cls, Int_t other, Double_t effB) const;

private:
   /// Efficiencies on `cls` and on `other` for a falling cut on the output of `cls`, from (0, 0) to (1, 1).
   void Curve(UInt_t cls, Int_t other, std::vector<Double_t> &effS, std::vector<Double_t> &effB) const;

   std::vector<std::vector<Float_t>> fValues; ///< [event][class]
   std::vector<Float_t> fAchievableEff;
   std::vector<Float_t> fAchievablePur;

   ClassDefOverride(ResultsMulticlass, 0);
};

} // namespace TMVA

#endif
