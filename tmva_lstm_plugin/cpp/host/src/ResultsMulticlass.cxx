#include "TMVA/ResultsMulticlass.h"

#include <algorithm>
#include <numeric>

#include "TGraph.h"
#include "TH1F.h"

#include "TMVA/DataSet.h"
#include "TMVA/Tools.h"

namespace TMVA {

ResultsMulticlass::ResultsMulticlass(const DataSetInfo *dsi, TString resultsName)
   : Results(dsi, resultsName), fAchievableEff(dsi->GetNClasses()), fAchievablePur(dsi->GetNClasses())
{
   fLogger.SetSource(Form("ResultsMultiClass%s", resultsName.Data()));
}

void ResultsMulticlass::SetValue(std::vector<Float_t> &value, Int_t ievt)
{
   if (ievt >= Int_t(fValues.size()))
      fValues.resize(ievt + 1);
   fValues[ievt] = value;
}

void ResultsMulticlass::Curve(UInt_t cls, Int_t other, std::vector<Double_t> &effS, std::vector<Double_t> &effB) const
{
   const std::vector<Event *> &events = GetDataSet()->GetEventCollection(GetTreeType());
   std::vector<size_t> order;
   Double_t sumS = 0, sumB = 0;
   for (size_t i = 0; i < events.size(); ++i) {
      const UInt_t c = events[i]->GetClass();
      if (c != cls && other >= 0 && Int_t(c) != other)
         continue;
      order.push_back(i);
      (c == cls ? sumS : sumB) += events[i]->GetWeight();
   }
   std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return fValues[a][cls] > fValues[b][cls]; });
   effS.assign(1, 0);
   effB.assign(1, 0);
   Double_t s = 0, b = 0;
   for (size_t k = 0; k < order.size(); ++k) {
      const Event *event = events[order[k]];
      (event->GetClass() == cls ? s : b) += event->GetWeight();
      if (k + 1 < order.size() && fValues[order[k]][cls] == fValues[order[k + 1]][cls])
         continue; // a cut cannot pass between equal values
      effS.push_back(sumS != 0 ? s / sumS : 0);
      effB.push_back(sumB != 0 ? b / sumB : 0);
   }
}

Double_t ResultsMulticlass::EfficiencyAgainst(UInt_t cls, Int_t other, Double_t wanted) const
{
   std::vector<Double_t> effS, effB;
   Curve(cls, other, effS, effB);
   for (size_t i = 1; i < effB.size(); ++i)
      if (effB[i] >= wanted) {
         const Double_t step = effB[i] - effB[i - 1];
         return step > 0 ? effS[i - 1] + (wanted - effB[i - 1]) / step * (effS[i] - effS[i - 1]) : effS[i];
      }
   return effS.back();
}

std::vector<Double_t> ResultsMulticlass::GetBestMultiClassCuts(UInt_t targetClass)
{
   const std::vector<Event *> &events = GetDataSet()->GetEventCollection(GetTreeType());
   std::vector<size_t> order(events.size());
   std::iota(order.begin(), order.end(), 0);
   std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return fValues[a][targetClass] > fValues[b][targetClass]; });
   Double_t all = 0;
   for (const Event *event : events)
      all += event->GetClass() == targetClass ? event->GetWeight() : 0;
   std::vector<Double_t> cuts(GetDataSetInfo()->GetNClasses(), 0.);
   Double_t right = 0, wrong = 0, best = -1;
   for (const size_t i : order) {
      (events[i]->GetClass() == targetClass ? right : wrong) += events[i]->GetWeight();
      const Double_t eff = all > 0 ? right / all : 0, pur = right + wrong > 0 ? right / (right + wrong) : 0;
      if (eff * pur <= best)
         continue;
      best = eff * pur;
      fAchievableEff.at(targetClass) = eff;
      fAchievablePur.at(targetClass) = pur;
      cuts[targetClass] = fValues[i][targetClass];
   }
   return cuts;
}

void ResultsMulticlass::CreateMulticlassHistos(TString prefix, Int_t nbins, Int_t)
{
   Log() << kINFO << Form("[%s] : ", GetDataSetInfo()->GetName()) << "Creating multiclass response histograms..." << Endl;
   const UInt_t n = GetDataSetInfo()->GetNClasses();
   const std::vector<Event *> &events = GetDataSet()->GetEventCollection(GetTreeType());
   for (UInt_t cls = 0; cls < n; ++cls)
      for (UInt_t output = 0; output < n; ++output) {
         const TString name = Form("%s_%s_prob_for_%s", prefix.Data(), GetDataSetInfo()->GetClassInfo(output)->GetName(),
                                   GetDataSetInfo()->GetClassInfo(cls)->GetName());
         if (DoesExist(name))
            continue;
         auto *hist = new TH1F(name, name, nbins, Float_t(-0.0002), Float_t(1.0002));
         Store(hist);
         for (size_t i = 0; i < events.size(); ++i)
            if (events[i]->GetClass() == cls)
               hist->Fill(fValues[i][output], events[i]->GetWeight());
         gTools().NormHist(hist);
      }
}

void ResultsMulticlass::CreateMulticlassPerformanceHistos(TString prefix)
{
   Log() << kINFO << Form("[%s] : ", GetDataSetInfo()->GetName()) << "Creating multiclass performance histograms..." << Endl;
   const auto nameOf = [this](Int_t cls) { return GetDataSetInfo()->GetClassInfo(cls)->GetName(); };
   const Int_t n = GetDataSetInfo()->GetNClasses();
   std::vector<Double_t> effS, rejB;
   for (Int_t cls = 0; cls < n; ++cls)
      for (Int_t other = -1; other < n; ++other) {
         const TString name = other < 0 ? Form("%s_rejBvsS_%s", prefix.Data(), nameOf(cls))
                                        : Form("%s_1v1rejBvsS_%s_vs_%s", prefix.Data(), nameOf(cls), nameOf(other));
         if (other == cls || DoesExist(name))
            continue;
         Curve(cls, other, effS, rejB);
         for (Double_t &value : rejB)
            value = 1 - value;
         auto *graph = new TGraph(effS.size(), effS.data(), rejB.data());
         graph->SetNameTitle(name, name);
         graph->GetXaxis()->SetTitle("Signal eff");
         graph->GetYaxis()->SetTitle("Backgr rejection (1-eff)");
         Store(graph);
      }
}

} // namespace TMVA
