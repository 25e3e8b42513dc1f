/// \file
/// Figures of merit and the histograms of the output file.
#include "TMVA/MethodBase.h"

#include "TMVA/Config.h"
#include "TMVA/ROCCurve.h"
#include "TMVA/Results.h"
#include "TMVA/Tools.h"

#include "TDirectory.h"
#include "TGraph.h"
#include "TH1D.h"
#include "TH1F.h"
#include "TH2F.h"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <limits>

namespace TMVA {

namespace {

constexpr Int_t kFineBins = 10000; ///< of the response, for efficiencies

/// A histogram that the results own.
TH1D &Book(Results &results, const TString &name, const TString &title, Int_t nbins, Double_t xmin, Double_t xmax)
{
   auto *hist = new TH1D(name, title, nbins, xmin, xmax);
   results.Store(hist);
   return *hist;
}

/// On the polygon through the bin centres, prolonged straight at both ends.
Double_t OnPolygon(const TH1 &hist, Double_t x)
{
   const TAxis &axis = *hist.GetXaxis();
   const Int_t left = std::clamp(Int_t(std::floor((x - axis.GetBinCenter(1)) / axis.GetBinWidth(1))) + 1, 1, axis.GetNbins() - 1);
   const Double_t y = hist.GetBinContent(left), slope = (hist.GetBinContent(left + 1) - y) / axis.GetBinWidth(1);
   return y + slope * (x - axis.GetBinCenter(left));
}

/// Where the polygon of a monotonous histogram has the value y.
Double_t WherePolygonIs(const TH1 &hist, Double_t y, Bool_t falling)
{
   Int_t low = 1, high = hist.GetNbinsX();
   while (high - low > 1) {
      const Int_t middle = (low + high) / 2;
      ((hist.GetBinContent(middle) > y) == falling ? low : high) = middle;
   }
   const Double_t a = hist.GetBinContent(low), b = hist.GetBinContent(high);
   const Double_t part = a == b ? 0.5 : std::clamp((y - a) / (b - a), 0., 1.);
   return hist.GetBinCenter(low) + part * (hist.GetBinCenter(high) - hist.GetBinCenter(low));
}

/// What "Efficiency:0.1" asks of the curve of background against signal efficiency; the area above it for an empty string.
Double_t FigureOf(const TH1 &effBvsS, const TString &what, MsgLogger &log)
{
   constexpr Int_t nsteps = 1000; // the resolution of TMVA's figures
   const std::vector<TString> words = gTools().SplitString(what, ':');
   if (words.size() > 2 || (words.size() == 2 && !words[1].IsFloat()))
      log << kFATAL << "<GetEfficiency> Wrong argument: \"" << what << "\" | required format, e.g., Efficiency:0.05, or empty string"
          << Endl;
   const Bool_t wantsArea = words.size() < 2;
   const Double_t effB = wantsArea ? 0 : words[1].Atof();
   Double_t area = 0, before = 0, effSBefore = 0;
   for (Int_t k = 1; k <= nsteps; ++k) {
      const Double_t effS = (k - 0.5) / nsteps, now = OnPolygon(effBvsS, effS);
      area += (1 - now) / nsteps;
      if (!wantsArea && (now - effB) * (before - effB) <= 0)
         return 0.5 * (effS + effSBefore);
      effSBefore = effS;
      before = now;
   }
   return wantsArea ? area : effSBefore;
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
   results.DeleteStorage();
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
   fSignalIsHigh = mean[0] > mean[1];
   PlotResponse(Types::kTesting, "", "", gConfig().GetVariablePlotting().fNbinsMVAoutput);
   PlotResponse(Types::kTesting, "", "_high", kFineBins);
}

const TH1 &MethodBase::MakeEfficiencyCurves(Types::ETreeType type)
{
   const bool training = type == Types::kTraining;
   const TString name = GetTestvarName(), stem = name + (training ? "_trainingEff" : "_eff");
   Results &results = GetResults(Types::kTesting);
   if (const TH1 *known = results.GetHist(stem + "BvsS"))
      return *known;
   if (!results.GetHist(name + "_S"))
      TestClassification();
   if (training)
      PlotResponse(type, "_Train", "", gConfig().GetVariablePlotting().fNbinsMVAoutput);
   const Double_t xmin = fXmin, xmax = fXmax + 0.00001;
   TH1D &effS = Book(results, stem + "S", name + " (signal)", kFineBins, xmin, xmax);
   TH1D &effB = Book(results, stem + "B", name + " (background)", kFineBins, xmin, xmax);
   const Results &answers = GetResults(type);
   const std::vector<Event *> &events = Data()->GetEventCollection(type);
   for (size_t i = 0; i < events.size(); ++i) {
      // bin k: what passes a cut at its lower edge. Beyond the histogram nothing passes, below it everything does.
      const Int_t bin = Int_t((answers.GetValue(i) - xmin) / (xmax - xmin) * kFineBins) + 1;
      TH1D &eff = DataInfo().IsSignal(events[i]) ? effS : effB;
      if (fSignalIsHigh ? bin <= kFineBins : bin >= 1)
         eff.AddBinContent(fSignalIsHigh ? std::max(bin, 1) : std::min(bin + 1, kFineBins + 1), events[i]->GetWeight());
   }
   for (TH1D *eff : {&effS, &effB}) {
      Double_t sum = 0;
      for (Int_t k = 1; k <= kFineBins; ++k) {
         const Int_t bin = fSignalIsHigh ? kFineBins + 1 - k : k;
         sum += eff->GetBinContent(bin);
         eff->SetBinContent(bin, sum);
      }
      eff->SetBinContent(kFineBins + 1, 0);
      eff->Scale(1. / std::max(std::numeric_limits<double>::epsilon(), eff->GetMaximum()));
   }

   const Int_t nbins = gConfig().GetVariablePlotting().fNbinsXOfROCCurve;
   TH1D &effBvsS = Book(results, stem + "BvsS", name, nbins, 0, 1);
   TH1D &rejBvsS = Book(results, name + (training ? "_trainingRejBvsS" : "_rejBvsS"), name, nbins, 0, 1);
   TH1D *inverse = training ? nullptr : &Book(results, name + "_invBeffvsSeff", name, nbins, 0, 1);
   effBvsS.SetTitle(name + ";Signal eff;Backgr eff");
   rejBvsS.SetTitle(name + ";Signal eff;Backgr rejection (1-eff)");
   for (Int_t bin = 1; bin <= nbins; ++bin) {
      const Double_t background = OnPolygon(effB, WherePolygonIs(effS, effBvsS.GetBinCenter(bin), fSignalIsHigh));
      effBvsS.SetBinContent(bin, background);
      rejBvsS.SetBinContent(bin, 1 - background);
      if (inverse && background > std::numeric_limits<double>::epsilon())
         inverse->SetBinContent(bin, 1 / background);
   }
   if (!training) {
      // the reference cut: as much signal is kept as background is rejected
      Double_t low = 0, high = 1;
      for (Int_t k = 0; k < 50; ++k) {
         const Double_t middle = 0.5 * (low + high);
         (middle < 1 - OnPolygon(effBvsS, middle) ? low : high) = middle;
      }
      fSignalReferenceCut = WherePolygonIs(effS, low, fSignalIsHigh);
      fSignalReferenceCutOrientation = fSignalIsHigh ? 1. : -1.;
   }
   return effBvsS;
}

Double_t MethodBase::GetEfficiency(const TString &what, Types::ETreeType type, Double_t &err)
{
   const Double_t effS = FigureOf(MakeEfficiencyCurves(type), what, Log());
   Double_t nS = 0;
   for (const Event *event : Data()->GetEventCollection(type))
      nS += DataInfo().IsSignal(event) ? event->GetWeight() : 0;
   err = nS > 0 ? std::sqrt(effS * (1 - effS) / nS) : 0;
   return effS;
}

Double_t MethodBase::GetTrainingEfficiency(const TString &what)
{
   return FigureOf(MakeEfficiencyCurves(Types::kTraining), what, Log());
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

Double_t MethodBase::GetROCIntegral() const
{
   return MakeROCCurve(Types::kTesting)->GetROCIntegral();
}

// ---------------------------------------------------------------------------------------- several classes

void MethodBase::PlotMulticlass(Types::ETreeType type)
{
   Results &results = GetResults(type);
   results.DeleteStorage();
   const TString prefix = GetTestvarName() + (type == Types::kTraining ? "_Train" : "_Test");
   const std::vector<Event *> &events = Data()->GetEventCollection(type);
   for (UInt_t cls = 0; cls < DataInfo().GetNClasses(); ++cls)
      for (UInt_t output = 0; output < DataInfo().GetNClasses(); ++output) {
         const TString name = prefix + "_" + DataInfo().GetClassInfo(output)->GetName() + "_prob_for_" +
                              DataInfo().GetClassInfo(cls)->GetName();
         auto *hist = new TH1F(name, name, gConfig().GetVariablePlotting().fNbinsMVAoutput, Float_t(-0.0002), Float_t(1.0002));
         results.Store(hist);
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
         results.Store(graph);
      }
}

TMatrixD MethodBase::GetMulticlassConfusionMatrix(Double_t effB, Types::ETreeType type)
{
   const Int_t n = DataInfo().GetNClasses();
   TMatrixD matrix(n, n);
   for (Int_t cls = 0; cls < n; ++cls)
      for (Int_t other = 0; other < n; ++other)
         matrix(cls, other) = cls == other ? -1 : MakeROCCurve(type, cls, other)->GetEffSForEffB(effB);
   return matrix;
}

// ---------------------------------------------------------------------------------------- regression

void MethodBase::PlotDeviations(Types::ETreeType type)
{
   Results &results = GetResults(type);
   results.DeleteStorage();
   const TString prefix = GetTestvarName() + (type == Types::kTraining ? "train" : "test");
   const std::vector<Event *> &events = Data()->GetEventCollection(type);
   const UInt_t nvar = DataInfo().GetNVariables(), ntgt = DataInfo().GetNTargets();
   for (UInt_t t = 0; t < ntgt; ++t) {
      const TString title = DataInfo().GetTargetInfo(t).GetTitle();
      std::vector<Float_t> deviations;
      for (size_t i = 0; i < events.size(); ++i)
         deviations.push_back(results.GetValue(i, t) - events[i]->GetTarget(t));
      // answer - target against every variable and target
      constexpr Int_t nbins = 50;
      const auto widen = [](Float_t low, Float_t high) {
         const Float_t step = std::abs(high - low) / (nbins - 1.f);
         return std::pair<Float_t, Float_t>(low - 1.01 * step, high + 1.01 * step);
      };
      const auto range = std::minmax_element(deviations.begin(), deviations.end());
      const auto [ymin, ymax] = widen(*range.first, *range.second);
      for (UInt_t v = 0; v < nvar + ntgt; ++v) {
         const VariableInfo &info = v < nvar ? DataInfo().GetVariableInfo(v) : DataInfo().GetTargetInfo(v - nvar);
         const auto x = [&](const Event *event) { return v < nvar ? event->GetValue(v) : event->GetTarget(v - nvar); };
         Float_t low = info.GetMin(), high = info.GetMax();
         for (const Event *event : events) {
            low = std::min(low, x(event));
            high = std::max(high, x(event));
         }
         const auto [xmin, xmax] = widen(low, high);
         const TString name = prefix + (v < nvar ? Form("_reg_var%d_rtgt%d", v, t) : Form("_reg_tgt%d_rtgt%d", v - nvar, t));
         auto *hist = new TH2F(name, name, nbins, xmin, xmax, nbins, ymin, ymax);
         hist->GetXaxis()->SetTitle(info.GetTitle());
         hist->GetYaxis()->SetTitle(title + "_{regression} - " + title + "_{true}");
         results.Store(hist);
         for (size_t i = 0; i < events.size(); ++i)
            hist->Fill(x(events[i]), deviations[i]);
      }
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
         results.Store(hist);
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
   GetResults(treetype).GetStorage().Write();
   if (treetype == Types::kTesting)
      fTransformation.PlotVariables(Data()->GetEventCollection(treetype), *BaseDir(), "");
}

} // namespace TMVA
