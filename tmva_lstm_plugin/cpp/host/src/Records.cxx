/// \file
/// What a method tells of its training: the ranking of the variables, and the history.
#include "TMVA/MsgLogger.h"
#include "TMVA/Ranking.h"
#include "TMVA/TrainingHistory.h"

#include "TH1D.h"

#include <algorithm>
#include <iomanip>

namespace TMVA {

void Ranking::AddRank(const Rank &rank)
{
   const auto above = [](const Rank &a, const Rank &b) { return a.GetRankValue() > b.GetRankValue(); };
   fRanks.insert(std::upper_bound(fRanks.begin(), fRanks.end(), rank, above), rank);
}

void Ranking::Print() const
{
   MsgLogger log(fContext.Data());
   int width = 8;
   for (const Rank &rank : fRanks)
      width = std::max(width, int(rank.GetVariable().Length()));
   const std::string line(width + 10 + std::max<Ssiz_t>(9, fDiscriminatorName.Length()), '-');
   log << kHEADER << "Ranking result (top variable is best ranked)" << Endl;
   log << kINFO << line << Endl;
   log << kINFO << "Rank : " << std::setw(width) << std::left << "Variable" << " : " << fDiscriminatorName << Endl;
   log << kINFO << line << Endl;
   Int_t number = 0;
   for (const Rank &rank : fRanks)
      log << kINFO << std::setw(4) << std::right << ++number << " : " << std::setw(width) << std::left << rank.GetVariable().Data()
          << " : " << Form("%3.3e", rank.GetRankValue()) << Endl;
   log << kINFO << line << Endl;
}

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
