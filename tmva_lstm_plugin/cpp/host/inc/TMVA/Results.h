/// \file
/// What a method answered for the events of a sample, and the histograms made of it.
#ifndef ROOT_TMVA_Results
#define ROOT_TMVA_Results

#include <map>
#include <vector>

#include "TList.h"
#include "TString.h"

#include "TMVA/Types.h"

class TH1;
class TObject;

namespace TMVA {

/// One class for all kinds of analysis: each event has one answer, or one a class, or one a target.
class Results {
public:
   Results(Types::EAnalysisType analysis, UInt_t width) : fAnalysisType(analysis), fWidth(width) { fStorage.SetOwner(); }

   Types::EAnalysisType GetAnalysisType() const { return fAnalysisType; }
   Long64_t GetSize() const { return fValues.size() / fWidth; }
   UInt_t GetWidth() const { return fWidth; }
   void Clear() { fValues.clear(); }
   void AddValue(Float_t value) { fValues.push_back(value); }
   Float_t GetValue(Long64_t ievt, UInt_t k = 0) const { return fValues.at(ievt * fWidth + k); }
   std::vector<Float_t> GetValues(UInt_t k = 0) const;

   /// Takes a histogram or graph over; it is found again under `alias`, its own name by default.
   void Store(TObject *object, const TString &alias = "");
   TH1 *GetHist(const TString &alias) const; ///< null when there is none
   const TList &GetStorage() const { return fStorage; }
   void DeleteStorage();

private:
   Results(const Results &) = delete;
   Results &operator=(const Results &) = delete;

   Types::EAnalysisType fAnalysisType;
   UInt_t fWidth;
   std::vector<Float_t> fValues; ///< [event][answer]
   TList fStorage;               ///< owns what is in it
   std::map<TString, TObject *> fAliases;
};

} // namespace TMVA

#endif
