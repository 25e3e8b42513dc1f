#include "TMVA/ResultsRegression.h"

#include <algorithm>
#include <cfloat>
#include <cmath>

#include "TH1F.h"
#include "TH2F.h"

#include "TMVA/DataSet.h"

namespace TMVA {

void ResultsRegression::SetValue(std::vector<Float_t> &value, Int_t ievt)
{
   if (ievt >= Int_t(fValues.size()))
      fValues.resize(ievt + 1);
   fValues[ievt] = value;
}

TH1F *ResultsRegression::QuadraticDeviation(UInt_t tgtNum, Bool_t truncate, Double_t truncvalue)
{
   const std::vector<Event *> &events = GetDataSet()->GetEventCollection(GetTreeType());
   const auto squared = [&](size_t i) {
      const Float_t deviation = fValues.at(i).at(tgtNum) - events[i]->GetTarget(tgtNum);
      return deviation * deviation;
   };
   Float_t xmax = truncvalue; // rounded as in TMVA, so that binnings are equal
   for (size_t i = 0; !truncate && i < events.size(); ++i)
      xmax = std::max(xmax, squared(i));
   xmax *= 1.1;
   const TString name = Form("tgt_%d", tgtNum);
   auto *hist = new TH1F(name, name, 500, 0., xmax > 0 ? xmax : 1.);
   hist->SetDirectory(nullptr);
   hist->GetXaxis()->SetTitle("Quadratic Deviation");
   hist->GetYaxis()->SetTitle("Weighted Entries");
   for (size_t i = 0; i < events.size(); ++i)
      if (!truncate || squared(i) <= truncvalue)
         hist->Fill(squared(i), events[i]->GetWeight());
   return hist;
}

TH2F *ResultsRegression::DeviationAsAFunctionOf(UInt_t varNum, UInt_t tgtNum)
{
   const DataSetInfo &dsi = *GetDataSetInfo();
   const std::vector<Event *> &events = GetDataSet()->GetEventCollection(GetTreeType());
   const Bool_t takeTarget = varNum >= dsi.GetNVariables();
   const UInt_t index = takeTarget ? varNum - dsi.GetNVariables() : varNum;
   const VariableInfo &info = takeTarget ? dsi.GetTargetInfo(index) : dsi.GetVariableInfo(index);
   const auto x = [&](size_t i) { return takeTarget ? events[i]->GetTarget(index) : events[i]->GetValue(index); };
   const auto y = [&](size_t i) { return fValues.at(i).at(tgtNum) - events[i]->GetTarget(tgtNum); };
   Float_t xmin = info.GetMin(), xmax = info.GetMax(), ymin = FLT_MAX, ymax = -FLT_MAX;
   for (size_t i = 0; i < events.size(); ++i) {
      xmin = std::min(xmin, x(i));
      xmax = std::max(xmax, x(i));
      ymin = std::min(ymin, y(i));
      ymax = std::max(ymax, y(i));
   }
   constexpr Int_t nbins = 50;
   const auto widen = [](Float_t &low, Float_t &high) {
      const Float_t step = std::abs(high - low) / (nbins - 1.f);
      low -= 1.01 * step;
      high += 1.01 * step;
   };
   widen(xmin, xmax);
   widen(ymin, ymax);
   const TString name = Form("tgt_%d_var_%d", tgtNum, varNum), target = dsi.GetTargetInfo(tgtNum).GetTitle();
   auto *hist = new TH2F(name, name, nbins, xmin, xmax, nbins, ymin, ymax);
   hist->SetDirectory(nullptr);
   hist->GetXaxis()->SetTitle(info.GetTitle());
   hist->GetYaxis()->SetTitle(target + "_{regression} - " + target + "_{true}");
   for (size_t i = 0; i < events.size(); ++i)
      hist->Fill(x(i), y(i));
   return hist;
}

void ResultsRegression::CreateDeviationHistograms(TString prefix)
{
   Log() << kINFO << Form("[%s] : ", GetDataSetInfo()->GetName()) << "Create variable and target histograms" << Endl;
   const auto store = [this](TH1 *hist, const TString &name) {
      hist->SetNameTitle(name, name);
      Store(hist);
   };
   const UInt_t nvar = GetDataSetInfo()->GetNVariables(), ntgt = GetDataSetInfo()->GetNTargets();
   for (UInt_t i = 0; i < nvar + ntgt; ++i)
      for (UInt_t t = 0; t < ntgt; ++t)
         store(DeviationAsAFunctionOf(i, t), i < nvar ? Form("%s_reg_var%d_rtgt%d", prefix.Data(), i, t)
                                                      : Form("%s_reg_tgt%d_rtgt%d", prefix.Data(), i - nvar, t));
   for (UInt_t t = 0; t < ntgt; ++t) {
      TH1F *all = QuadraticDeviation(t);
      Double_t quantile = 0, probability = 0.9;
      all->GetQuantiles(1, &quantile, &probability);
      store(all, Form("%s_Quadr_Deviation_target_%d_", prefix.Data(), t));
      store(QuadraticDeviation(t, true, quantile), Form("%s_Quadr_Dev_best90perc_target_%d_", prefix.Data(), t));
   }
}

} // namespace TMVA
