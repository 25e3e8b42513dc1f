/// Books, trains and tests an LSTM with TMVA on toy sequences, as one would on one's own trees:
///
///    root -l -b -q macros/load_plugin.C macros/train_lstm.C
///
/// Each event is a sequence of 1 to T steps of D values; the signal drifts upwards, the background downwards. The trees hold one
/// branch a value, padded with zeros, and the number of true steps, which TMVA carries as a spectator.
#include <iostream>

#include "TFile.h"
#include "TRandom3.h"
#include "TString.h"
#include "TTree.h"

#include "TMVA/DataLoader.h"
#include "TMVA/Factory.h"
#include "TMVA/Types.h"

namespace train_lstm_toys {

constexpr int T = 8, D = 2;

TTree *make_tree(const char *name, double drift, int events, TRandom3 &random)
{
   TTree *tree = new TTree(name, name);
   static float values[T * D], length;
   for (int n = 0; n < T * D; ++n)
      tree->Branch(Form("x%d", n), &values[n], Form("x%d/F", n));
   tree->Branch("length", &length, "length/F");
   for (int event = 0; event < events; ++event) {
      length = 1 + random.Integer(T);
      double position[D] = {0, 0};
      for (int t = 0; t < T; ++t)
         for (int d = 0; d < D; ++d)
            values[t * D + d] = t < length ? position[d] += random.Gaus(drift, 1) : 0;
      tree->Fill();
   }
   tree->ResetBranchAddresses();
   return tree;
}

} // namespace train_lstm_toys

int train_lstm(const char *output = "train_lstm.root", int events = 3000, const char *more_options = "")
{
   using namespace train_lstm_toys;
   TFile file(output, "RECREATE");
   TRandom3 random(1);
   TTree *signal = make_tree("signal", 0.3, events, random);
   TTree *background = make_tree("background", -0.3, events, random);

   TMVA::Factory factory("train_lstm", &file, "!V:!Silent:Color:!DrawProgressBar:AnalysisType=Classification");
   TMVA::DataLoader loader("dataset");
   for (int n = 0; n < T * D; ++n)
      loader.AddVariable(Form("x%d", n), 'F');
   loader.AddSpectator("length");
   loader.AddSignalTree(signal, 1.);
   loader.AddBackgroundTree(background, 1.);
   loader.PrepareTrainingAndTestTree("", "SplitMode=Random:NormMode=NumEvents:!V");

   if (!factory.BookMethod(&loader, "LSTM", "LSTM",
                           Form("InputLayout=%d|%d:Length=length:Layout=LSTM|16,LINEAR:"
                                "TrainingStrategy=MaxEpochs=15,BatchSize=64,LearningRate=3e-3%s",
                                T, D, more_options))) {
      std::cerr << "train_lstm.C: the method was not booked\n";
      return 1;
   }
   factory.TrainAllMethods();
   factory.TestAllMethods();
   factory.EvaluateAllMethods();
   const double area = factory.GetROCIntegral(&loader, "LSTM");
   file.Close();
   std::cout << "train_lstm.C: area below the ROC curve " << area << ", weights in dataset/weights, output in " << output << "\n";
   return 0;
}
