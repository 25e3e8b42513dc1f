#include "TrainingLog.h"

#include "core/kernels.h"
#include "core/thread_pool.h"

#include "TH1.h"
#include "TROOT.h"

#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <string>

namespace tmva_lstm_tmva {

using TMVA::Endl;
using TMVA::kINFO;
using TMVA::kWARNING;

unsigned thread_count(int asked)
{
   if (asked > 0)
      return static_cast<unsigned>(asked);
   if (ROOT::IsImplicitMTEnabled())
      return std::max(1u, static_cast<unsigned>(ROOT::GetThreadPoolSize()));
   return static_cast<unsigned>(tmva_lstm::usable_processors());
}

namespace {

double now()
{
   return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::string formatted(const char *format, double value)
{
   char text[64];
   std::snprintf(text, sizeof text, format, value);
   return text;
}

} // namespace

EpochLog::EpochLog(TMVA::MsgLogger &log, const Booking &booking, std::size_t n_events, unsigned n_threads)
   : fLog(log), fLast(now())
{
   const tmva_lstm::NetworkShape &network = booking.network;
   using tmva_lstm::CellKind;
   const CellKind kind = network.cell.kind;
   std::string layers = kind == CellKind::Gru ? "GRU " : kind == CellKind::Rnn ? "RNN " : "LSTM ";
   layers += network.bidirectional ? "of both directions with " : "with ";
   layers += std::string(network.cell.peepholes ? "peepholes, " : "") + (network.cell.coupled ? "coupled gates, " : "") +
             (network.cell.reset_before ? "reset gates before the product, " : "") +
             (network.layer_norm ? "normalised layers of " : "");
   for (const std::size_t width : network.lower)
      layers += std::to_string(width) + ", ";
   layers += std::to_string(network.H) + " units";
   if (network.flat_steps)
      layers += ", all steps joined";
   if (network.pools())
      layers += std::string(", pooled by ") + tmva_lstm::pooling_name(network.pooling);
   for (const tmva_lstm::DenseSpec &layer : network.dense)
      layers += ", dense " + std::to_string(layer.width) + " " + tmva_lstm::activation_name(layer.activation);
   fLog << kINFO << layers << ": " << network.parameters() << " parameters, " << booking.T << " steps of " << network.D
        << " features; " << n_events << " events, " << n_threads << " thread(s)" << Endl;
   std::string monitored;
   for (const tmva_lstm::TrainingOptions &phase : booking.phases)
      if (monitored.empty() && phase.monitor != tmva_lstm::Monitor::Loss)
         monitored = std::string(" | ") + tmva_lstm::monitor_name(phase.monitor);
   fLog << kINFO << "Epoch | Train err. | Valid. err. | learn. rate | events/s" << monitored << Endl;
   fMonitors = !monitored.empty();
}

void EpochLog::resumed(const Checkpoint &from, const std::string &path)
{
   const std::string here = tmva_lstm::kernels<float>().name;
   fLog << kINFO << "training goes on behind epoch " << from.epochs.size() << ", from the checkpoint '" << path << "'" << Endl;
   if (from.instruction_set != here)
      fLog << kWARNING << "it was made with the instruction set " << from.instruction_set << ", here it is " << here
           << ": the last bits may be others" << Endl;
}

void EpochLog::line(const tmva_lstm::EpochRecord &record)
{
   const double time = now(), seconds = std::max(time - fLast, 1e-9);
   fLast = time;
   fLog << kINFO << formatted("%5.0f", static_cast<double>(record.epoch)) << " | " << formatted("%10.5f", record.loss) << " | "
        << (std::isfinite(record.validation_loss) ? formatted("%11.5f", record.validation_loss) : std::string("          -"))
        << " | " << formatted("%11.3g", record.learning_rate) << " | " << formatted("%8.0f", static_cast<double>(record.events) / seconds)
        << (fMonitors ? " | " + formatted("%8.5f", record.monitored) : std::string()) << (record.best ? " best" : "") << Endl;
}

void EpochLog::finish(const TrainingReport &report, const SignalWatch &watch, double seconds)
{
   if (report.negative_events)
      fLog << kINFO << report.negative_events << " training events have a negative weight, "
           << formatted("%.3g", 100 * report.negative_share) << " % of the sum of |weight|; they are kept with their sign" << Endl;
   if (report.unused_events)
      fLog << kINFO << report.unused_events << " training events have weight 0 and are left out" << Endl;
   if (watch.signalled() && report.epochs.empty())
      fLog << kWARNING << "stopped by " << watch.name() << " in the first epoch; what it has learnt so far is kept" << Endl;
   else if (watch.signalled())
      fLog << kWARNING << "stopped by " << watch.name() << " after " << report.epochs.size() << " epoch(s); the "
           << (report.validation_events ? "best" : "last") << " weights so far are kept" << Endl;
   if (report.out_of_time)
      fLog << kWARNING << "MaxTime is over after " << report.epochs.size() << " complete epoch(s); the "
           << (report.validation_events && !report.epochs.empty() ? "best" : "last") << " weights so far are kept" << Endl;
   fLog << kINFO << report.training_events << " events trained, " << report.validation_events << " validated, "
        << report.epochs.size() << " epochs in " << formatted("%.3g", seconds) << " s" << Endl;
}

namespace {

volatile std::sig_atomic_t gSignalled = 0; ///< the signal's number
constexpr int kSignals[2] = {SIGINT, SIGTERM};
/// Whole, for a handler of Python or ROOT is more than its function.
struct sigaction gBefore[2];
bool gWatched[2];

void restore()
{
   for (int n = 0; n < 2; ++n)
      if (gWatched[n])
         sigaction(kSignals[n], &gBefore[n], nullptr);
}

void note(int number)
{
   gSignalled = number;
   restore();
}

} // namespace

SignalWatch::SignalWatch()
{
   gSignalled = 0;
   struct sigaction action = {};
   action.sa_handler = note;
   action.sa_flags = SA_RESTART;
   sigemptyset(&action.sa_mask);
   for (const int number : kSignals)
      sigaddset(&action.sa_mask, number); // note() is not to be interrupted by the other one
   for (int n = 0; n < 2; ++n)
      gWatched[n] = sigaction(kSignals[n], nullptr, &gBefore[n]) == 0 && gBefore[n].sa_handler != SIG_IGN;
   for (int n = 0; n < 2; ++n)
      gWatched[n] = gWatched[n] && sigaction(kSignals[n], &action, nullptr) == 0;
}

SignalWatch::~SignalWatch()
{
   if (!gSignalled)
      restore();
}

bool SignalWatch::signalled() const
{
   return gSignalled != 0;
}

const char *SignalWatch::name() const
{
   return gSignalled == SIGTERM ? "SIGTERM" : "SIGINT";
}

void write_monitoring(const TrainingReport &report, const TString &title)
{
   const int epochs = static_cast<int>(report.epochs.size());
   if (epochs == 0)
      return;
   TH1D training(title + "_trainingLoss", "Loss on the training events;epoch;loss", epochs, 0.5, epochs + 0.5);
   TH1D validation(title + "_validationLoss", "Loss on the validation events;epoch;loss", epochs, 0.5, epochs + 0.5);
   TH1D rate(title + "_learningRate", "Learning rate of the last batch;epoch;learning rate", epochs, 0.5, epochs + 0.5);
   training.SetDirectory(nullptr);
   validation.SetDirectory(nullptr);
   rate.SetDirectory(nullptr);
   for (int n = 0; n < epochs; ++n) {
      training.SetBinContent(n + 1, report.epochs[static_cast<std::size_t>(n)].loss);
      validation.SetBinContent(n + 1, report.epochs[static_cast<std::size_t>(n)].validation_loss);
      rate.SetBinContent(n + 1, report.epochs[static_cast<std::size_t>(n)].learning_rate);
   }
   training.Write();
   rate.Write();
   if (report.validation_events)
      validation.Write();
}

void write_help(TMVA::MsgLogger &log)
{
   log << Endl << "--- Short description:" << Endl << Endl
       << "An LSTM network for events that are sequences: T steps of D features each. The variables" << Endl
       << "are declared time-major, variable t*D+d is feature d of step t; further ones are event" << Endl
       << "features. Give the number of true steps of an event by Length=<variable or spectator>," << Endl
       << "or pad with one value and say MaskValue=<value>: what is padding is never computed." << Endl << Endl
       << "--- Performance optimisation:" << Endl << Endl
       << "Layout=LSTM|H|D|T|0|0,LINEAR takes the last true step; LSTM|H|D|T|0|1,RESHAPE|FLAT,...," << Endl
       << "joins all steps and suits sequences of equal length. More hidden units H cost time as H^2." << Endl
       << "Inputs are standardised by the method itself." << Endl << Endl
       << "--- Performance tuning via configuration options:" << Endl << Endl
       << "TrainingStrategy: LearningRate (3e-3), BatchSize (64), MaxEpochs (50), ConvergenceSteps (10)," << Endl
       << "Optimizer (ADAM, ADAMW, SGD, RMSPROP, ADAGRAD, ADADELTA, with ADAM_beta1, RMSPROP_rho, ...)," << Endl
       << "Momentum (SGD, RMSPROP), Nesterov, ClipNorm (1), ClipValue, WeightDecay with Regularization=L1|L2" << Endl
       << "or ADAMW, EmaDecay, BatchGrowth with BatchGrowthEpochs (1) and MaxBatchSize, WarmupEpochs, and" << Endl
       << "Schedule: STEP with DecayEpochs (10) and DecayFactor (0.1), EXPONENTIAL with DecayFactor (0.95)," << Endl
       << "COSINE with MinLearningRate (0), ONECYCLE with RiseFraction (0.3), PLATEAU with PlateauPatience (5)." << Endl
       << "Monitor=AUC or ACCURACY decides by that which weights are the best, and about ConvergenceSteps." << Endl
       << "MaxTime (2h, 90min) ends the training in good order when it has taken so long." << Endl
       << "CheckpointMinutes=10 (or CheckpointEpochs) keeps the state of the training beside the weights, and with" << Endl
       << "Resume the same booking goes on from there, and ends in the same bits as if it had never stopped." << Endl
       << "The same RandomSeed gives the same weights for any NumThreads." << Endl;
}

} // namespace tmva_lstm_tmva
