/// Trains the LSTM beside TMVA's BDT, MLP and own LSTM (MethodDL), as far as the TMVA at hand has them, on the same toy sequences;
/// prints the areas below their ROC curves and draws the curves into one picture:
///
///    root -l -b -q macros/load_plugin.C macros/compare_methods.C
///
/// To run it alone, put the line that `tmva-lstm config --load` prints above the first include, such as
/// R__LOAD_LIBRARY($HOME/.cache/tmva_lstm_plugin/current/libTMVALSTM.so)
#include "lstm_macros.h"

#if __has_include("TMVA/Factory.h")

#include <memory>

#include "TCanvas.h"
#include "TFile.h"
#include "TH1.h"
#include "TLegend.h"

#include "TMVA/DataLoader.h"
#include "TMVA/Factory.h"

namespace lstm_macros {

struct Candidate {
   const char *method, *title, *what;
   TString options;
};

std::vector<Candidate> candidates(int epochs)
{
   // MethodDL takes all that stands in an event for steps, padding included, and does not know the key Length
   TString for_dl = lstm_options(epochs);
   for_dl.ReplaceAll("Length=length:", "");
   return {{"LSTM", "LSTM", "this plugin's LSTM", lstm_options(epochs)},
           {"DL", "DL_LSTM", "TMVA's own LSTM", for_dl + ":Architecture=CPU"},
           {"BDT", "BDTG", "boosted decision trees",
            "!H:!V:NTrees=200:BoostType=Grad:Shrinkage=0.1:nCuts=20:MaxDepth=3:MinNodeSize=2.5%"},
           {"MLP", "MLP", "a perceptron", Form("!H:!V:VarTransform=N:HiddenLayers=20:NCycles=%d:TestRate=5", epochs)}};
}

/// Books what there is; a method that TMVA refuses, for example MethodDL in a TMVA built without it, is left out.
std::vector<Candidate> book(TMVA::Factory &factory, TMVA::DataLoader &loader, int epochs)
{
   std::vector<Candidate> booked;
   for (const Candidate &candidate : candidates(epochs)) {
      const char *why = has_method(candidate.method) ? nullptr : "this TMVA does not have it";
      if (!why) {
         try {
            if (!factory.BookMethod(&loader, candidate.method, candidate.title, candidate.options))
               why = "TMVA did not book it";
         } catch (const std::exception &) {
            if (booked.empty())
               throw; // without the LSTM there is nothing to compare with
            why = "TMVA refused it, see its log above";
         }
      }
      if (why)
         std::cout << "compare_methods.C: no " << candidate.method << ", " << candidate.what << ": " << why << std::endl;
      else
         booked.push_back(candidate);
   }
   return booked;
}

/// Draws the background rejection that TMVA has put into its output file.
bool draw(TFile &file, const std::vector<Candidate> &methods, const char *picture)
{
   TCanvas canvas("roc", "ROC", 800, 700);
   TLegend legend(0.15, 0.15, 0.55, 0.15 + 0.06 * methods.size());
   const int colours[] = {kBlue, kRed, kGreen + 2, kMagenta + 1};
   int n = 0;
   for (const Candidate &method : methods) {
      auto *curve = dynamic_cast<TH1 *>(
         file.Get(Form("dataset/Method_%s/%s/MVA_%s_rejBvsS", method.method, method.title, method.title)));
      if (!curve)
         return false;
      curve->SetDirectory(nullptr); // the file will be closed
      curve->SetStats(false);
      curve->SetTitle("Toy sequences, test events;signal efficiency;background rejection");
      curve->SetMinimum(0);
      curve->SetMaximum(1.05);
      curve->SetLineColor(colours[n % 4]);
      curve->SetLineWidth(2);
      curve->DrawCopy(n == 0 ? "l" : "l same");
      TLegendEntry *entry = legend.AddEntry(method.title, Form("%s, %s", method.title, method.what), "l");
      entry->SetLineColor(colours[n % 4]);
      entry->SetLineWidth(2);
      delete curve;
      ++n;
   }
   legend.Draw();
   gSystem->Unlink(picture);
   canvas.SaveAs(picture);
   return !gSystem->AccessPathName(picture);
}

int compare(const char *output, const char *picture, int events, int epochs)
{
   if (!has_lstm())
      return plugin_is_missing("compare_methods.C");
   std::unique_ptr<TTree> signal(make_toys("signal", true, events, 1));
   std::unique_ptr<TTree> background(make_toys("background", false, events, 2));
   std::unique_ptr<TFile> file(TFile::Open(output, "RECREATE"));
   if (!file || file->IsZombie()) {
      std::cerr << "compare_methods.C: cannot write '" << output << "'" << std::endl;
      return 1;
   }

   std::vector<Candidate> methods;
   std::vector<double> areas;
   {
      TMVA::Factory factory("compare_methods", file.get(), "!V:!Silent:Color:!DrawProgressBar:AnalysisType=Classification");
      TMVA::DataLoader loader("dataset");
      const bool arrays = add_array(loader, "vars", T * D);
      loader.AddSpectator("length");
      loader.AddSignalTree(signal.get(), 1.);
      loader.AddBackgroundTree(background.get(), 1.);
      loader.PrepareTrainingAndTestTree("", split_options(events, arrays));
      methods = book(factory, loader, epochs);
      if (methods.empty()) {
         std::cerr << "compare_methods.C: no method was booked; why stands in TMVA's log above" << std::endl;
         return 1;
      }
      factory.TrainAllMethods();
      factory.TestAllMethods();
      factory.EvaluateAllMethods();
      for (const Candidate &method : methods)
         areas.push_back(factory.GetROCIntegral(&loader, method.title));
   }
   const bool drawn = draw(*file, methods, picture);
   file->Close();

   std::cout << "\ncompare_methods.C: area below the ROC curve, " << 2 * events << " toy sequences\n";
   for (std::size_t n = 0; n < methods.size(); ++n)
      std::cout << Form("   %-8s %.4f   %s\n", methods[n].title, areas[n], methods[n].what);
   if (methods.size() == 1)
      std::cout << "   There is no other method in this TMVA to compare with: the table and the picture show the LSTM alone.\n";
   if (!drawn) {
      std::cerr << "compare_methods.C: the ROC curves could not be drawn into " << picture << std::endl;
      return 1;
   }
   std::cout << "compare_methods.C: ROC curves in " << picture << ", output in " << output << std::endl;
   return 0;
}

} // namespace lstm_macros

#endif

/// \param output  the file with histograms and trees
/// \param picture  the file with the ROC curves
/// \param events  of signal, and as many of background
/// \param epochs  of the training of LSTM, DL and MLP
int compare_methods(const char *output = "compare_methods.root", const char *picture = "compare_methods.png",
                    int events = 2000, int epochs = 20)
{
   return lstm_macros::run("compare_methods.C", [&] {
#if __has_include("TMVA/Factory.h")
      return lstm_macros::compare(output, picture, events, epochs);
#else
      return lstm_macros::plugin_is_missing("compare_methods.C");
#endif
   });
}
