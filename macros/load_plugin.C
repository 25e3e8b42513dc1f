/// Makes TMVA know the LSTM in a ROOT session or script:
///
///    root -l -b -q macros/load_plugin.C macros/train_lstm.C
///
/// The library is looked for where `tmva-lstm config --libdir` says; TMVA_LSTM_LIBDIR in the environment goes first.
#include <iostream>

#include "TString.h"
#include "TSystem.h"

void load_plugin()
{
   TString folder = gSystem->Getenv("TMVA_LSTM_LIBDIR");
   if (folder == "")
      folder = gSystem->GetFromPipe("tmva-lstm config --libdir 2>/dev/null");
   if (folder == "") {
      std::cerr << "load_plugin.C: there is no plugin library yet; build it with `tmva-lstm build-plugin`, or set "
                   "TMVA_LSTM_LIBDIR to the folder of libTMVALSTM.so\n";
      gSystem->Exit(2);
   }
   gSystem->AddDynamicPath(folder);
   if (gSystem->Load("libTMVALSTM") < 0) {
      std::cerr << "load_plugin.C: libTMVALSTM in " << folder << " cannot be loaded; build it again with "
                   "`tmva-lstm build-plugin --rebuild`\n";
      gSystem->Exit(2);
   }
}
