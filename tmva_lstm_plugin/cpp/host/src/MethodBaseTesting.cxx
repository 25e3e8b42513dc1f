/// \file
/// Figures of merit and the histograms of the output file.
#include "TMVA/MethodBase.h"

#include "TMVA/Config.h"
#include "TMVA/ROCCurve.h"
#include "TMVA/Tools.h"

#include "TDirectory.h"
#include "TGraph.h"
#include "TH1D.h"
#include "TH1F.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace TMVA {

namespace {

constexpr Int_t kFineBins = 10000; ///< of the response, for efficiencies

/// Makes the results own a histogram or graph.
void Store(Results &results, TObject *object)
{
   if (auto *hist = dynamic_cast<TH1 *>(object))
      hist->SetDirectory(nullptr);
   results.plots.Add(object);
}

TH1D &Book(Results &results, const TString &name, const TString &title, Int_t nbins, Double_t xmin, Double_t xmax)
{
   auto *hist = new TH1D(name, title, nbins, xmin, xmax);
   Store(results, hist);
   return *hist;
}

} // namespace

// ---------------------------------------------------------------------------------------- signal and background

void MethodBase::PlotResponse(Types::ETreeType type, const TString &infix, const TString &suffix, Int_t nbins)
{
   const Results &answers = GetResults(type);
   Results &results = GetResults(Types::kTesting); // keeps the plots of both samples
   const TString stem = GetTestvarName() + infix;
   TH1D *hists[2];
   for (const int k : {0, 1}) {
      const TString name = stem + (k == 0 ? "_S" : "_B") + suffix;
      hists[k] = &Book(results, name, name, nbins, fXmin, fXmax + 0.00001);
      hists[k]->Sumw2();
   }
   const std::vector<Event *> &events = Data()->GetEventCollection(type);
   for (size_t i = 0; i < events.size(); ++i)
      hists[DataInfo().IsSignal(events[i]) ? 0 : 1]->Fill(answers.GetValue(i), events[i]->GetWeight());
   for (TH1D *hist : hists)
      gTools().NormHist(hist);
}

void MethodBase::TestClassification()
{
   Results &results = GetResults(Types::kTesting);
   results.plots.Delete();
   // range of the response; what is further out than ten RMS is not plotted
   const std::vector<Event *> &events = Data()->GetEventCollection(Types::kTesting);
   Double_t w[2] = {0, 0}, wx[2] = {0, 0}, wxx[2] = {0, 0}, mean[2], rms[2];
   fXmin = std::numeric_limits<Double_t>::max();
   fXmax = -fXmin;
   for (size_t i = 0; i < events.size(); ++i) {
      const Double_t x = results.GetValue(i), weight = events[i]->GetWeight();
      const int k = DataInfo().IsSignal(events[i]) ? 0 : 1;
      w[k] += weight;
      wx[k] += weight * x;
      wxx[k] += weight * x * x;
      fXmin = std::min(fXmin, x);
      fXmax = std::max(fXmax, x);
   }
   for (const int k : {0, 1}) {
      mean[k] = w[k] != 0 ? wx[k] / w[k] : 0;
      rms[k] = w[k] != 0 ? std::sqrt(std::abs(wxx[k] / w[k] - mean[k] * mean[k])) : 0;
   }
   fXmin = std::max(std::min(mean[0] - 10 * rms[0], mean[1] - 10 * rms[1]), fXmin);
   fXmax = std::min(std::max(mean[0] + 10 * rms[0], mean[1] + 10 * rms[1]), fXmax);
   PlotResponse(Types::kTesting, "", "", gConfig().GetVariablePlotting().fNbinsMVAoutput);
   PlotResponse(Types::kTesting, "", "_high", kFineBins);
   PlotEfficiencies(Types::kTesting);
   PlotResponse(Types::kTraining, "_Train", "", gConfig().GetVariablePlotting().fNbinsMVAoutput);
   PlotEfficiencies(Types::kTraining);
}

void MethodBase::PlotEfficiencies(Types::ETreeType type)
{
   const bool training = type == Types::kTraining;
   const TString name = GetTestvarName(), stem = name + (training ? "_trainingEff" : "_eff");
   Results &results = GetResults(Types::kTesting);
   const Double_t xmin = fXmin, xmax = fXmax + 0.00001;
   TH1D &effS = Book(results, stem + "S", name + " (signal)", kFineBins, xmin, xmax);
   TH1D &effB = Book(results, stem + "B", name + " (background)", kFineBins, xmin, xmax);
   const Results &answers = GetResults(type);
   const std::vector<Event *> &events = Data()->GetEventCollection(type);
   for (size_t i = 0; i < events.size(); ++i) {
      // bin k: what passes a cut at its lower edge. Beyond the histogram nothing passes, below it everything does.
      const Int_t bin = Int_t((answers.GetValue(i) - xmin) / (xmax - xmin) * kFineBins) + 1;
      if (bin <= kFineBins)
         (DataInfo().IsSignal(events[i]) ? effS : effB).AddBinContent(std::max(bin, 1), events[i]->GetWeight());
   }
   for (TH1D *eff : {&effS, &effB}) {
      for (Int_t bin = kFineBins - 1; bin >= 1; --bin)
         eff->AddBinContent(bin, eff->GetBinContent(bin + 1));
      eff->Scale(1. / std::max(std::numeric_limits<double>::epsilon(), eff->GetMaximum()));
   }
   const Int_t nbins = gConfig().GetVariablePlotting().fNbinsXOfROCCurve;
   TH1D &effBvsS = Book(results, stem + "BvsS", name + ";Signal eff;Backgr eff", nbins, 0, 1);
   const TString rejection = name + (training ? "_trainingRejBvsS" : "_rejBvsS");
   TH1D &rejBvsS = Book(results, rejection, name + ";Signal eff;Backgr rejection (1-eff)", nbins, 0, 1);
   TH1D *inverse = training ? nullptr : &Book(results, name + "_invBeffvsSeff", name, nbins, 0, 1);
   const auto curve = MakeROCCurve(type);
   for (Int_t bin = 1; bin <= nbins; ++bin) {
      const Double_t background = curve->GetEffBForEffS(effBvsS.GetBinCenter(bin));
      effBvsS.SetBinContent(bin, background);
      rejBvsS.SetBinContent(bin, 1 - background);
      if (inverse && background > std::numeric_limits<double>::epsilon())
         inverse->SetBinContent(bin, 1 / background);
   }
}

std::unique_ptr<ROCCurve> MethodBase::MakeROCCurve(Types::ETreeType type, UInt_t iClass, Int_t other) const
{
   const Results &results = GetResults(type);
   const std::vector<Event *> &events = Data()->GetEventCollection(type);
   std::vector<Float_t> values, weights;
   std::vector<Bool_t> isSignal;
   for (size_t i = 0; i < events.size(); ++i) {
      const UInt_t cls = events[i]->GetClass();
      if (DoMulticlass() && other >= 0 && cls != iClass && Int_t(cls) != other)
         continue;
      values.push_back(results.GetValue(i, DoMulticlass() ? iClass : 0));
      weights.push_back(static_cast<Float_t>(events[i]->GetWeight()));
      isSignal.push_back(DoMulticlass() ? cls == iClass : DataInfo().IsSignal(events[i]));
   }
   return std::make_unique<ROCCurve>(values, isSignal, weights);
}

// ---------------------------------------------------------------------------------------- several classes

void MethodBase::PlotMulticlass(Types::ETreeType type)
{
   Results &results = GetResults(type);
   results.plots.Delete();
   const TString prefix = GetTestvarName() + (type == Types::kTraining ? "_Train" : "_Test");
   const std::vector<Event *> &events = Data()->GetEventCollection(type);
   for (UInt_t cls = 0; cls < DataInfo().GetNClasses(); ++cls)
      for (UInt_t output = 0; output < DataInfo().GetNClasses(); ++output) {
         const TString name = prefix + "_" + DataInfo().GetClassInfo(output)->GetName() + "_prob_for_" +
                              DataInfo().GetClassInfo(cls)->GetName();
         auto *hist = new TH1F(name, name, gConfig().GetVariablePlotting().fNbinsMVAoutput, Float_t(-0.0002), Float_t(1.0002));
         Store(results, hist);
         for (size_t i = 0; i < events.size(); ++i)
            if (events[i]->GetClass() == cls)
               hist->Fill(results.GetValue(i, output), events[i]->GetWeight());
         gTools().NormHist(hist);
      }
}

void MethodBase::TestMulticlass()
{
   Results &results = GetResults(Types::kTesting);
   const Int_t n = DataInfo().GetNClasses();
   for (Int_t cls = 0; cls < n; ++cls)
      for (Int_t other = -1; other < n; ++other) {
         const TString className = DataInfo().GetClassInfo(cls)->GetName();
         const TString name = GetTestvarName() +
                              (other < 0 ? "_Test_rejBvsS_" + className
                                         : "_Test_1v1rejBvsS_" + className + "_vs_" + DataInfo().GetClassInfo(other)->GetName());
         if (other == cls)
            continue;
         auto *graph = static_cast<TGraph *>(MakeROCCurve(Types::kTesting, cls, other)->GetROCCurve()->Clone(name));
         graph->SetTitle(name + ";Signal eff;Backgr rejection (1-eff)");
         Store(results, graph);
      }
}

// ---------------------------------------------------------------------------------------- regression

void MethodBase::PlotDeviations(Types::ETreeType type)
{
   Results &results = GetResults(type);
   results.plots.Delete();
   const TString prefix = GetTestvarName() + (type == Types::kTraining ? "train" : "test");
   const std::vector<Event *> &events = Data()->GetEventCollection(type);
   for (UInt_t t = 0; t < DataInfo().GetNTargets(); ++t) {
      std::vector<Float_t> deviations;
      for (size_t i = 0; i < events.size(); ++i)
         deviations.push_back(results.GetValue(i, t) - events[i]->GetTarget(t));
      // their squares, of all events and of the best nine tenths
      Double_t largest = 0, probability = 0.9;
      for (const Float_t deviation : deviations)
         largest = std::max<Double_t>(largest, deviation * deviation);
      Double_t limit = largest;
      for (const char *kind : {"_Quadr_Deviation_target_%d_", "_Quadr_Dev_best90perc_target_%d_"}) {
         const TString name = prefix + Form(kind, t);
         Float_t xmax = limit; // rounded as in TMVA, so that binnings are equal
         xmax *= 1.1;
         auto *hist = new TH1F(name, name + ";Quadratic Deviation;Weighted Entries", 500, 0., xmax > 0 ? xmax : 1.);
         Store(results, hist);
         for (size_t i = 0; i < events.size(); ++i)
            if (deviations[i] * deviations[i] <= limit)
               hist->Fill(deviations[i] * deviations[i], events[i]->GetWeight());
         hist->GetQuantiles(1, &limit, &probability);
      }
   }
}

MethodBase::Deviations MethodBase::GetDeviations(Types::ETreeType type) const
{
   const Results &results = GetResults(type);
   const std::vector<Event *> &events = Data()->GetEventCollection(type); // targets in their own units
   const auto moments = [&](Double_t from, Double_t to) {
      Double_t sum = 0, mean = 0, square = 0;
      for (size_t i = 0; i < events.size(); ++i) {
         const Double_t d = results.GetValue(i) - events[i]->GetTarget(0), weight = events[i]->GetWeight();
         if (d < from || d > to)
            continue;
         sum += weight;
         mean += weight * d;
         square += weight * d * d;
      }
      mean /= sum;
      return std::pair<Double_t, Double_t>(mean, std::sqrt(std::max(0., square / sum - mean * mean)));
   };
   const Double_t infinity = std::numeric_limits<Double_t>::infinity();
   const auto [bias, rms] = moments(-infinity, infinity);
   const auto [biasT, rmsT] = moments(bias - 2 * rms, bias + 2 * rms);
   return {bias, biasT, rms, rmsT};
}

// ---------------------------------------------------------------------------------------- output file

void MethodBase::WriteEvaluationHistosToFile(Types::ETreeType treetype)
{
   TDirectory::TContext context(BaseDir());
   GetResults(treetype).plots.Write();
   if (treetype == Types::kTesting)
      fTransformation.PlotVariables(Data()->GetEventCollection(treetype), *BaseDir(), "");
}

} // namespace TMVA
