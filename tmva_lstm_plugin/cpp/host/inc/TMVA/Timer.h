/// \file
/// Elapsed time.
#ifndef ROOT_TMVA_Timer
#define ROOT_TMVA_Timer

#include "TStopwatch.h"
#include "TString.h"

namespace TMVA {

/// Runs from its construction on. A bar that shows progress is not drawn: a training prints a line an epoch.
class Timer : public TStopwatch {
public:
   Timer(const char * = "", Bool_t = kTRUE) {}
   Timer(Int_t, const char * = "", Bool_t = kTRUE) {}

   Double_t ElapsedSeconds()
   {
      const Double_t seconds = RealTime();
      Start(kFALSE); // reading stops the watch
      return seconds;
   }
   TString GetElapsedTime(Bool_t = kTRUE) { return TString::Format("%.3g sec", ElapsedSeconds()); }
   void DrawProgressBar(Int_t, const TString & = "") {}
};

} // namespace TMVA

#endif
