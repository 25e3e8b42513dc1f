/// \file
/// The order of the input variables by what a method finds important.
#ifndef ROOT_TMVA_Ranking
#define ROOT_TMVA_Ranking

#include <vector>

#include "TString.h"

namespace TMVA {

class Rank {
public:
   Rank(const TString &variable, Double_t rankValue) : fVariable(variable), fRankValue(rankValue) {}

   const TString &GetVariable() const { return fVariable; }
   Double_t GetRankValue() const { return fRankValue; }

private:
   TString fVariable;
   Double_t fRankValue;
};

class Ranking {
public:
   /// \param context  the name of the method
   Ranking(const TString &context, const TString &discriminatorName) : fContext(context), fDiscriminatorName(discriminatorName) {}
   virtual ~Ranking() = default;

   /// Keeps the list sorted, the largest value first.
   virtual void AddRank(const Rank &rank);
   virtual void Print() const;

private:
   std::vector<Rank> fRanks;
   TString fContext;
   TString fDiscriminatorName;
};

} // namespace TMVA

#endif
