/// Scores events one by one with TMVA::Reader, as in an event loop, and compares with what the training wrote: run train_lstm.C
/// first, then
///
///    root -l -b -q macros/load_plugin.C macros/apply_lstm.C
///
/// To run it alone, put the line that `tmva-lstm config --load` prints above the first include, such as
/// R__LOAD_LIBRARY($HOME/.cache/tmva_lstm_plugin/current/libTMVALSTM.so)
#include "lstm_macros.h"

#if __has_include("TMVA/Reader.h")

#include <memory>

#include "TBranch.h"
#include "TFile.h"

#include "TMVA/DataLoader.h"
#include "TMVA/Reader.h"

namespace lstm_macros {

int apply(const char *input, const char *weights)
{
   if (!has_lstm())
      return plugin_is_missing("apply_lstm.C");
   std::unique_ptr<TFile> file;
   if (!gSystem->AccessPathName(input) && !gSystem->AccessPathName(weights)) // true means that it cannot be read
      file.reset(TFile::Open(input));
   TTree *tree = file ? dynamic_cast<TTree *>(file->Get("dataset/TestTree")) : nullptr;
   if (!tree) {
      std::cerr << "apply_lstm.C: no " << weights << ", or no dataset/TestTree in " << input << "; run train_lstm.C first"
                << std::endl;
      return 1;
   }

   // the same names in the same order as in the training; every element of an array under the name of the array
   std::vector<float> vars(T * D);
   float length = 0;
   TMVA::Reader reader("!Color:Silent");
   const bool arrays = knows_arrays<TMVA::DataLoader>();
   for (int i = 0; i < T * D; ++i)
      reader.AddVariable(arrays ? "vars" : Form("vars[%d]", i), &vars[i]);
   reader.AddSpectator("length", &length);
   if (!reader.BookMVA("LSTM", weights)) {
      std::cerr << "apply_lstm.C: " << weights << " was not read; why stands in TMVA's log above" << std::endl;
      return 1;
   }

   // TMVA before ROOT 6.22 writes a branch for each element, after classID and className
   float in_training = 0;
   if (TBranch *array = tree->GetBranch("vars"))
      array->SetAddress(vars.data());
   else
      for (int i = 0; i < T * D; ++i)
         static_cast<TBranch *>(tree->GetListOfBranches()->At(2 + i))->SetAddress(&vars[i]);
   tree->SetBranchAddress("length", &length);
   tree->SetBranchAddress("LSTM", &in_training);
   const Long64_t events = tree->GetEntries();
   Long64_t different = 0;
   for (Long64_t event = 0; event < events; ++event) {
      tree->GetEntry(event);
      const float score = reader.EvaluateMVA("LSTM");
      different += score != in_training;
   }
   tree->ResetBranchAddresses();
   std::cout << "apply_lstm.C: " << events << " events, " << different << " with another score than in the training" << std::endl;
   return events > 0 && different == 0 ? 0 : 1;
}

} // namespace lstm_macros

#endif

/// \param input  the output file of train_lstm.C
/// \param weights  the weights file of train_lstm.C
int apply_lstm(const char *input = "train_lstm.root", const char *weights = "dataset/weights/train_lstm_LSTM.weights.xml")
{
   return lstm_macros::run("apply_lstm.C", [&] {
#if __has_include("TMVA/Reader.h")
      return lstm_macros::apply(input, weights);
#else
      return lstm_macros::plugin_is_missing("apply_lstm.C");
#endif
   });
}
