#include "TMVA/TrainingHistory.h"

#include "TH1D.h"

namespace TMVA {

void TrainingHistory::AddValue(TString property, Int_t stage, Double_t value)
{
   fHistory[property].emplace_back(stage, value);
}

void TrainingHistory::SaveHistory(TString name)
{
   for (const auto &[property, record] : fHistory) {
      const Int_t n = record.size();
      const Double_t first = record.front().first, last = record.back().first;
      const Double_t width = n > 1 ? (last - first) / (n - 1) : 1.;
      const TString title = "TrainingHistory_" + name + "_" + property;
      TH1D hist(title, title, n, first - 0.5 * width, last + 0.5 * width);
      for (Int_t i = 0; i < n; ++i)
         hist.AddBinContent(i + 1, record[i].second);
      hist.Write();
   }
}

} // namespace TMVA
