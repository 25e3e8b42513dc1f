/// \file
/// What a user sees of a training, and the signals that end it in good order.
#pragma once

#include "SequenceModel.h"

#include "TMVA/MsgLogger.h"
#include "TString.h"

namespace tmva_lstm_tmva {

/// Threads to use: `asked`, or with 0 ROOT's pool if implicit multithreading is on, else all processors.
unsigned thread_count(int asked);

/// While it lives, the first SIGINT or SIGTERM is only noted, so that a training can end at the next batch and keep what was
/// learnt; the second one acts as it did before. A signal that was ignored stays so. Afterwards all is as it was.
class SignalWatch {
public:
   SignalWatch();
   ~SignalWatch();
   SignalWatch(const SignalWatch &) = delete;
   SignalWatch &operator=(const SignalWatch &) = delete;
   bool signalled() const;
   /// Of the signal that came.
   const char *name() const;
};

/// One line an epoch.
class EpochLog {
public:
   EpochLog(TMVA::MsgLogger &log, const Booking &booking, std::size_t n_events, unsigned n_threads);
   /// It goes on from a checkpoint.
   void resumed(const Checkpoint &from, const std::string &path);
   void line(const tmva_lstm::EpochRecord &record);
   void finish(const TrainingReport &report, const SignalWatch &watch, double seconds);

private:
   TMVA::MsgLogger &fLog;
   bool fMonitors = false; ///< something else than the loss
   double fLast;
};

/// Histograms of the losses over the epochs into the current directory.
void write_monitoring(const TrainingReport &report, const TString &title);

/// The help text of the method.
void write_help(TMVA::MsgLogger &log);

} // namespace tmva_lstm_tmva
