/// \file
/// The order of the input variables by what a method finds important.
#ifndef ROOT_TMVA_Ranking
#define ROOT_TMVA_Ranking

#include <vector>

#include "TString.h"

#include "TMVA/MsgLogger.h"

namespace TMVA {

class Rank {
public:
   Rank(const TString &variable, Double_t rankValue) : fVariable(variable), fRankValue(rankValue) {}

   const TString &GetVariable() const { return fVariable; }
   Double_t GetRankValue() const { return fRankValue; }
   Int_t GetRank() const { return fRank; } ///< 1 for the most important; -1 before it is in a Ranking
   void SetRank(Int_t rank) { fRank = rank; }
   Bool_t operator<(const Rank &other) const { return fRankValue < other.fRankValue; }
   Bool_t operator>(const Rank &other) const { return fRankValue > other.fRankValue; }

private:
   TString fVariable;
   Double_t fRankValue;
   Int_t fRank = -1;
};

class Ranking {
public:
   Ranking() : Ranking("", "") {}
   Ranking(const TString &context, const TString &rankingDiscriminatorName);
   virtual ~Ranking() = default;

   /// Keeps the list sorted, the largest value first.
   virtual void AddRank(const Rank &rank);
   virtual void Print() const;
   void SetContext(const TString &context);
   void SetDiscrName(const TString &name) { fDiscriminatorName = name; }

private:
   std::vector<Rank> fRanks;
   TString fContext;
   TString fDiscriminatorName;
   mutable MsgLogger fLogger; //!
   MsgLogger &Log() const { return fLogger; }
};

} // namespace TMVA

#endif
