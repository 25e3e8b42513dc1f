/// \file
/// What a method records while it trains.
#ifndef ROOT_TMVA_TrainingHistory
#define ROOT_TMVA_TrainingHistory

#include <map>
#include <utility>
#include <vector>

#include "TString.h"

namespace TMVA {

class TrainingHistory {
public:
   typedef std::vector<std::pair<Int_t, Double_t>> IterationRecord;

   void AddValue(TString property, Int_t stage, Double_t value) { fHistory[property].emplace_back(stage, value); }
   /// Writes one TH1D for each property, `TrainingHistory_<name>_<property>`, into the current directory: one bin for each
   /// recorded value, centred on its stage (stages are taken to be equally spaced).
   void SaveHistory(TString name);

private:
   std::map<TString, IterationRecord> fHistory;
};

} // namespace TMVA

#endif
