/// Scores the events of train_lstm.C with TMVA::Reader and compares with what the training wrote:
///
///    root -l -b -q macros/load_plugin.C macros/apply_lstm.C
#include <cmath>
#include <iostream>

#include "TFile.h"
#include "TString.h"
#include "TTree.h"

#include "TMVA/Reader.h"

int apply_lstm(const char *input = "train_lstm.root", const char *weights = "dataset/weights/train_lstm_LSTM.weights.xml")
{
   constexpr int kValues = 16; // T * D of train_lstm.C
   float values[kValues], length = 0, in_training = 0;
   TMVA::Reader reader("!Color:Silent");
   for (int n = 0; n < kValues; ++n)
      reader.AddVariable(Form("x%d", n), &values[n]);
   reader.AddSpectator("length", &length);
   reader.BookMVA("LSTM", weights);

   TFile file(input);
   TTree *tree = file.Get<TTree>("dataset/TestTree");
   if (!tree) {
      std::cerr << "apply_lstm.C: there is no dataset/TestTree in " << input << "; run train_lstm.C first\n";
      return 1;
   }
   for (int n = 0; n < kValues; ++n)
      tree->SetBranchAddress(Form("x%d", n), &values[n]);
   tree->SetBranchAddress("length", &length);
   tree->SetBranchAddress("LSTM", &in_training);
   double largest = 0;
   for (Long64_t entry = 0; entry < tree->GetEntries(); ++entry) {
      tree->GetEntry(entry);
      largest = std::max(largest, std::fabs(reader.EvaluateMVA("LSTM") - static_cast<double>(in_training)));
   }
   std::cout << "apply_lstm.C: " << tree->GetEntries() << " events, largest difference to the training " << largest << "\n";
   tree->ResetBranchAddresses();
   return largest < 1e-6 ? 0 : 1;
}
