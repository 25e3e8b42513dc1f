/// \file
/// What the macros here share: whether TMVA and the method are there, how a macro ends, and the toy sequences.
///
/// Included by the macros from beside them; with no TMVA to be found it still compiles, so that a macro can say what is missing.
#ifndef TMVA_LSTM_macros
#define TMVA_LSTM_macros

#include <algorithm>
#include <cmath>
#include <exception>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include "TMath.h"
#include "TROOT.h"
#include "TRandom3.h"
#include "TString.h"
#include "TSystem.h"
#include "TTree.h"

#if __has_include("TMVA/ClassifierFactory.h")
#include "TMVA/ClassifierFactory.h"
#endif

namespace lstm_macros {

/// Does `work`, which returns an exit code. What a macro returns counts for nothing when another one follows, so a failure ends a
/// batch session here; an interactive one goes on.
template <typename Work>
int run(const char *macro, Work work)
{
   int code = 1;
   try {
      code = work();
   } catch (const std::exception &error) {
      std::cerr << macro << ": " << error.what() << std::endl;
   }
   if (code != 0 && gROOT->IsBatch()) {
      std::cout.flush();
      gSystem->Exit(code);
   }
   return code;
}

/// Says which line to run, when TMVA does not know the method.
inline int plugin_is_missing(const char *macro)
{
   std::cerr << macro << ": TMVA does not know the LSTM here, the plugin is not loaded. Run\n"
             << "   root -l -b -q macros/load_plugin.C macros/" << macro << "\n"
             << "or put the line that `tmva-lstm config --load` prints above the first include of this macro, or run\n"
             << "   eval \"$(tmva-lstm config --env)\"\n"
             << "before root; `tmva-lstm build-plugin` builds the plugin first, where there is none yet" << std::endl;
   return 2;
}

#if __has_include("TMVA/ClassifierFactory.h")

/// Can methods of this name be booked?
inline bool has_method(const std::string &name)
{
   const std::vector<std::string> names = TMVA::ClassifierFactory::Instance().List();
   return std::find(names.begin(), names.end(), name) != names.end();
}

/// Is the method there, or can it be loaded by its name (as after `tmva-lstm config --env`)?
inline bool has_lstm()
{
   if (has_method("LSTM"))
      return true;
   TString library = "libTMVALSTM";
   return gSystem->FindDynamicLibrary(library, true) && gSystem->Load("libTMVALSTM") >= 0 && has_method("LSTM");
}

#endif

// ---- declaring an array. TMVA knows AddVariablesArray since ROOT 6.20; before that each element is an expression. The compiler
//      finds out which of the two functions fits.

template <typename Loader>
auto declare_array(Loader &loader, const char *name, int size, int) -> decltype(loader.AddVariablesArray(name, size), true)
{
   loader.AddVariablesArray(name, size);
   return true;
}

template <typename Loader>
bool declare_array(Loader &loader, const char *name, int size, long)
{
   for (int i = 0; i < size; ++i)
      loader.AddVariable(Form("%s[%d]", name, i), 'F');
   return false;
}

/// Declares the array branch `name[size]`.
/// \return whether this TMVA knows arrays
template <typename Loader>
bool add_array(Loader &loader, const char *name, int size)
{
   return declare_array(loader, name, size, 0);
}

template <typename Loader>
auto array_test(int) -> decltype(std::declval<Loader &>().AddVariablesArray("", 1), true)
{
   return true;
}

template <typename Loader>
bool array_test(long)
{
   return false;
}

/// Does this TMVA know arrays?
template <typename Loader>
bool knows_arrays()
{
   return array_test<Loader>(0);
}

// ---- the toys

constexpr int T = 10; ///< steps
constexpr int D = 30; ///< values a step

/// Toy time series in the manner of ROOT's tutorial TMVA_RNN_Classification.C: each step is a histogram of D bins, filled a
/// thousand times from a Gaussian whose mean and width move with time, in one way for signal and in another for background, with
/// noise on every bin. Unlike there, an event has from T / 2 to T true steps, and is padded with zeros.
/// \return a tree in memory with the branches vars[T * D], time after time, and length; it belongs to the caller
inline TTree *make_toys(const char *name, bool signal, int events, unsigned seed)
{
   std::vector<double> expected(T * D);
   for (int t = 0; t < T; ++t) {
      const double phase = TMath::Pi() * t / T;
      const double wave = signal ? std::cos(phase) : std::sin(phase);
      const double mean = 5 + 0.2 * wave, sigma = 4 + 0.3 * wave;
      const auto below = [&](double x) { return TMath::Freq((x - mean) / sigma); };
      for (int d = 0; d < D; ++d)
         expected[t * D + d] = 1000 * (below(10. * (d + 1) / D) - below(10. * d / D)) / (below(10) - below(0));
   }
   TTree *tree = new TTree(name, name);
   tree->SetDirectory(nullptr);
   std::vector<float> vars(T * D);
   float length = 0;
   tree->Branch("vars", vars.data(), Form("vars[%d]/F", T * D));
   tree->Branch("length", &length, "length/F");
   TRandom3 random(seed);
   for (int event = 0; event < events; ++event) {
      const int steps = T / 2 + random.Integer(T - T / 2 + 1);
      length = steps;
      for (int i = 0; i < T * D; ++i)
         vars[i] = i < steps * D ? random.Poisson(expected[i]) + random.Gaus(0, 10) : 0;
      tree->Fill();
   }
   tree->ResetBranchAddresses(); // the arrays above are gone in a moment
   return tree;
}

/// How the toys are split: the same number of each class for training, the others for testing.
inline TString split_options(int events, bool arrays)
{
   const int train = events * 4 / 5;
   TString options = Form("nTrain_Signal=%d:nTrain_Background=%d:SplitMode=Random:NormMode=NumEvents:!V", train, train);
   // correlations of T * D variables take longer than the training; a TMVA without arrays does not know the option
   return arrays ? options + ":!CalcCorrelations" : options;
}

/// Options of the LSTM for the toys: those of ROOT's tutorial, and where to find the true number of steps.
inline TString lstm_options(int epochs)
{
   return Form("!H:!V:ErrorStrategy=CROSSENTROPY:VarTransform=None:WeightInitialization=XAVIERUNIFORM:ValidationSize=0.2:"
               "RandomSeed=1234:InputLayout=%d|%d:Length=length:Layout=LSTM|10|%d|%d|0|1,RESHAPE|FLAT,DENSE|64|TANH,LINEAR:"
               "TrainingStrategy=LearningRate=1e-3,ConvergenceSteps=5,BatchSize=100,TestRepetitions=1,WeightDecay=1e-2,"
               "Regularization=None,MaxEpochs=%d,Optimizer=ADAM",
               T, D, D, T, epochs);
}

} // namespace lstm_macros

#endif
