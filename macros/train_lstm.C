/// Books, trains and tests an LSTM with TMVA on toy sequences, as one would on one's own trees:
///
///    root -l -b -q macros/load_plugin.C macros/train_lstm.C
///    root -l -b -q macros/load_plugin.C 'macros/train_lstm.C("my.root", 5000, 40, "NumThreads=2")'
///
/// To run it alone, put the line that `tmva-lstm config --load` prints above the first include, such as
/// R__LOAD_LIBRARY($HOME/.cache/tmva_lstm_plugin/current/libTMVALSTM.so)
#include "lstm_macros.h"

#if __has_include("TMVA/Factory.h")

#include <memory>

#include "TFile.h"

#include "TMVA/DataLoader.h"
#include "TMVA/Factory.h"

namespace lstm_macros {

int train(const char *output, int events, int epochs, const char *options)
{
   if (!has_lstm())
      return plugin_is_missing("train_lstm.C");
   // what TMVA reads must stay alive until the training
   std::unique_ptr<TTree> signal(make_toys("signal", true, events, 1));
   std::unique_ptr<TTree> background(make_toys("background", false, events, 2));
   std::unique_ptr<TFile> file(TFile::Open(output, "RECREATE"));
   if (!file || file->IsZombie()) {
      std::cerr << "train_lstm.C: cannot write '" << output << "'" << std::endl;
      return 1;
   }

   TMVA::Factory factory("train_lstm", file.get(), "!V:!Silent:Color:!DrawProgressBar:AnalysisType=Classification");
   TMVA::DataLoader loader("dataset");
   const bool arrays = add_array(loader, "vars", T * D);
   loader.AddSpectator("length");
   loader.AddSignalTree(signal.get(), 1.);
   loader.AddBackgroundTree(background.get(), 1.);
   loader.PrepareTrainingAndTestTree("", split_options(events, arrays));

   if (!factory.BookMethod(&loader, "LSTM", "LSTM", lstm_options(epochs) + ":" + options)) {
      std::cerr << "train_lstm.C: the method was not booked; why stands in TMVA's log above" << std::endl;
      return 1;
   }
   factory.TrainAllMethods();
   factory.TestAllMethods();
   factory.EvaluateAllMethods();
   const double area = factory.GetROCIntegral(&loader, "LSTM");
   file->Close();
   std::cout << "train_lstm.C: area below the ROC curve " << area << ", weights in dataset/weights, output in " << output
             << std::endl;
   return 0;
}

} // namespace lstm_macros

#endif

/// \param output  the file with histograms and trees
/// \param events  of signal, and as many of background
/// \param epochs  of the training
/// \param options  more options of the method, with colons between them
int train_lstm(const char *output = "train_lstm.root", int events = 2000, int epochs = 20, const char *options = "")
{
   return lstm_macros::run("train_lstm.C", [&] {
#if __has_include("TMVA/Factory.h")
      return lstm_macros::train(output, events, epochs, options);
#else
      return lstm_macros::plugin_is_missing("train_lstm.C");
#endif
   });
}
