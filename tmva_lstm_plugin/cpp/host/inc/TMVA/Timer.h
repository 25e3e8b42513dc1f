/// \file
/// Elapsed time and a progress bar.
#ifndef ROOT_TMVA_Timer
#define ROOT_TMVA_Timer

#include "TStopwatch.h"
#include "TString.h"

#include "TMVA/MsgLogger.h"

namespace TMVA {

class Timer : public TStopwatch {
public:
   Timer(const char *prefix = "", Bool_t colourfulOutput = kTRUE) : Timer(0, prefix, colourfulOutput) {}
   Timer(Int_t ncounts, const char *prefix = "", Bool_t colourfulOutput = kTRUE);

   void Init(Int_t ncounts);
   void Reset();
   void DrawProgressBar(Int_t count, const TString &comment = "");
   Double_t ElapsedSeconds();
   TString GetElapsedTime(Bool_t scientific = kTRUE);
   TString GetLeftTime(Int_t icounts);

private:
   TString TimeText(Double_t seconds, Bool_t scientific) const;

   Int_t fNcounts;
   Int_t fLastPercent = -1;
   TString fPrefix;
   mutable MsgLogger fLogger; //!

   ClassDefOverride(Timer, 0);
};

} // namespace TMVA

#endif
