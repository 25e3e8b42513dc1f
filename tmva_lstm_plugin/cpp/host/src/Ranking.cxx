#include "TMVA/Ranking.h"

#include <algorithm>
#include <iomanip>

namespace TMVA {

Ranking::Ranking(const TString &context, const TString &rankingDiscriminatorName)
   : fContext(context), fDiscriminatorName(rankingDiscriminatorName), fLogger(context.Data(), kINFO)
{
}

void Ranking::SetContext(const TString &context)
{
   fContext = context;
   fLogger.SetSource(context.Data());
}

void Ranking::AddRank(const Rank &rank)
{
   fRanks.insert(std::upper_bound(fRanks.begin(), fRanks.end(), rank, std::greater<Rank>()), rank);
   for (size_t i = 0; i < fRanks.size(); ++i)
      fRanks[i].SetRank(i + 1);
}

void Ranking::Print() const
{
   int width = 8;
   for (const Rank &rank : fRanks)
      width = std::max(width, int(rank.GetVariable().Length()));
   const std::string line(width + 15 + std::max<Ssiz_t>(9, fDiscriminatorName.Length()) - 5, '-');
   Log() << kHEADER << "Ranking result (top variable is best ranked)" << Endl;
   Log() << kINFO << line << Endl;
   Log() << kINFO << "Rank : " << std::setw(width) << std::left << "Variable" << " : " << fDiscriminatorName << Endl;
   Log() << kINFO << line << Endl;
   for (const Rank &rank : fRanks)
      Log() << kINFO << std::setw(4) << std::right << rank.GetRank() << " : " << std::setw(width) << std::left
            << rank.GetVariable().Data() << " : " << Form("%3.3e", rank.GetRankValue()) << Endl;
   Log() << kINFO << line << Endl;
}

} // namespace TMVA
