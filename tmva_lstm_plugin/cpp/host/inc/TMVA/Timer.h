/// \file
/// Elapsed time.
#ifndef ROOT_TMVA_Timer
#define ROOT_TMVA_Timer

#include "TStopwatch.h"
#include "TString.h"

namespace TMVA {

/// Runs from its construction on.
class Timer : public TStopwatch {
public:
   Double_t ElapsedSeconds()
   {
      const Double_t seconds = RealTime();
      Start(kFALSE); // reading stops the watch
      return seconds;
   }
   TString GetElapsedTime(Bool_t = kTRUE) { return TString::Format("%.3g sec", ElapsedSeconds()); }
};

} // namespace TMVA

#endif
