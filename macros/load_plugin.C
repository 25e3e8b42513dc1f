/// Makes TMVA know the LSTM in a ROOT session or script:
///
///    root -l -b -q macros/load_plugin.C macros/train_lstm.C
///
/// The library is looked for where `tmva-lstm config --libdir` says, which builds it when there is none yet for this ROOT;
/// TMVA_LSTM_LIBDIR in the environment goes first.
#include <iostream>

#include "TROOT.h"
#include "TString.h"
#include "TSystem.h"

int load_plugin()
{
   // what a macro returns counts for nothing when another one follows, as here: a failure ends a batch session at once
   const auto failed = [](const TString &why) {
      std::cerr << "load_plugin.C: " << why << std::endl;
      if (gROOT->IsBatch())
         gSystem->Exit(2);
      return 2;
   };
   TString folder = gSystem->Getenv("TMVA_LSTM_LIBDIR");
   if (folder == "") {
      const TString command = TString("tmva-lstm config --libdir --root '") + gROOT->GetRootSys() + "'";
      folder = gSystem->GetFromPipe("command -v tmva-lstm >/dev/null && " + command);
      if (folder == "")
         return failed("there is no library of the plugin, or no tmva-lstm on the PATH: put the folder of tmva-lstm on the PATH "
                       "(activate its virtual environment), run `tmva-lstm build-plugin`, or set TMVA_LSTM_LIBDIR to the "
                       "folder of libTMVALSTM.so");
   }
   // first on the path, so that ROOT finds the rootmap there, and this library and no other of the same name
   gSystem->SetDynamicPath(folder + ":" + gSystem->GetDynamicPath());
   if (gSystem->Load(folder + "/libTMVALSTM.so") < 0) // 0: loaded, 1: it was loaded already
      return failed("libTMVALSTM in '" + folder + "' cannot be loaded; build it again with `tmva-lstm build-plugin --force`");
   return 0;
}
