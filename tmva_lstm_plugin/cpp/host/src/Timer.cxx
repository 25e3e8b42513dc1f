#include "TMVA/Timer.h"

#include <algorithm>
#include <iostream>

#include <unistd.h>

#include "TMVA/Config.h"
#include "TMVA/Tools.h"

namespace TMVA {

Timer::Timer(Int_t ncounts, const char *prefix, Bool_t)
   : fNcounts(ncounts), fPrefix(prefix && *prefix ? prefix : "Timer"), fLogger(fPrefix.Data())
{
   Reset();
}

void Timer::Init(Int_t ncounts)
{
   fNcounts = ncounts;
   Reset();
}

void Timer::Reset()
{
   TStopwatch::Start(kTRUE);
   fLastPercent = -1;
}

Double_t Timer::ElapsedSeconds()
{
   const Double_t seconds = TStopwatch::RealTime();
   TStopwatch::Start(kFALSE); // reading stops the watch
   return seconds;
}

TString Timer::TimeText(Double_t seconds, Bool_t scientific) const
{
   if (scientific)
      return Form("%.3g sec", seconds);
   if (seconds < 0)
      return "unknown";
   if (seconds <= 300)
      return Form("%i sec", Int_t(seconds));
   const Int_t hours = Int_t(seconds) / 3600, minutes = Int_t(seconds) % 3600 / 60;
   return (hours ? TString(Form("%i hr%s : ", hours, hours > 1 ? "s" : "")) : TString()) +
          Form("%i min%s", minutes, minutes > 1 ? "s" : "");
}

TString Timer::GetElapsedTime(Bool_t scientific)
{
   return TimeText(ElapsedSeconds(), scientific);
}

TString Timer::GetLeftTime(Int_t icounts)
{
   const Bool_t known = icounts > 0 && icounts <= fNcounts;
   return TimeText(known ? Double_t(fNcounts - icounts) / icounts * ElapsedSeconds() : -1, kFALSE);
}

void Timer::DrawProgressBar(Int_t count, const TString &comment)
{
   if (!gConfig().DrawProgressBar() || gConfig().IsSilent() || fNcounts <= 0 || !isatty(STDERR_FILENO))
      return; // a bar that overwrites itself has no place in a log file
   const Int_t percent = Int_t(100. * std::min(count + 1, fNcounts) / fNcounts);
   if (percent == fLastPercent)
      return;
   fLastPercent = percent;
   const Int_t width = 24, done = percent * width / 100;
   std::clog << fLogger.GetPrintedSource() << "[" << std::string(done, '>') << std::string(width - done, '.') << "] (" << percent
             << "%, time left: " << GetLeftTime(count) << ") ";
   if (comment != "")
      std::clog << "[" << comment << "]  ";
   std::clog << "\r" << std::flush;
}

} // namespace TMVA
