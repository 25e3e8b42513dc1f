/// \file
/// Figures of merit and the histograms of the output file.
#include "TMVA/MethodBase.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "TDirectory.h"
#include "TH1D.h"
#include "TH2F.h"

#include "TMVA/Config.h"
#include "TMVA/ResultsClassification.h"
#include "TMVA/ResultsMulticlass.h"
#include "TMVA/ResultsRegression.h"
#include "TMVA/Tools.h"

namespace TMVA {

namespace {
/// A histogram with errors that the results own.
TH1D *Book(Results &results, const TString &name, const TString &title, Int_t nbins, Double_t xmin, Double_t xmax,
   const char *alias = nullptr)
{
   auto *hist = new TH1D(name, title, nbins, xmin, xmax);
   results.Store(hist, alias);
   return hist;
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

/// "Efficiency:0.1" -> 0.1; false for an empty string.
Bool_t WantedEfficiency(const TString &what, Double_t &value, MsgLogger &log)
{
   const std::vector<TString> words = gTools().SplitString(what, ':');
   if (words.size() < 2)
      return kFALSE;
   if (words.size() > 2 || !words[1].IsFloat())
      log << kFATAL << "<GetEfficiency> Wrong argument: \"" << what << "\" | required format, e.g., Efficiency:0.05, or empty string"
         << Endl;
   value = words[1].Atof();
   return kTRUE;
}
} // namespace

void MethodBase::TestClassification()
{
   Data()->SetCurrentType(Types::kTesting);
   auto *results = dynamic_cast<ResultsClassification *>(Data()->GetResults(GetMethodName(), Types::kTesting, Types::kClassification));
   const std::vector<Event *> &events = Data()->GetEventCollection(Types::kTesting);
   if (!results || results->GetSize() != Long64_t(events.size()))
      Log() << kFATAL << DatasetPrefix() << "<TestClassification> Test variable " << GetTestvarName() << " has not been calculated"
         << Endl;
   results->Delete();
   gTools().ComputeStat(events, results->GetValueVector(), fMeanS, fMeanB, fRmsS, fRmsB, fXmin, fXmax,
      DataInfo().GetSignalClassIndex());
   // responses further out than ten RMS are not plotted
   fXmin = std::max(std::min(fMeanS - 10 * fRmsS, fMeanB - 10 * fRmsB), fXmin);
   fXmax = std::min(std::max(fMeanS + 10 * fRmsS, fMeanB + 10 * fRmsB), fXmax);
   fSignalIsHigh = fMeanS > fMeanB;

   const TString name = (IsSilentFile() ? "[" + TString(DataInfo().GetName()) + "]" : TString()) + GetTestvarName();
   const Double_t end = fXmax + 0.00001;
   TH1D *hists[2][2] = {{Book(*results, name + "_S", name + "_S", fNbinsMVAoutput, fXmin, end, "MVA_S"),
                         Book(*results, name + "_S_high", name + "_S_high", fNbinsH, fXmin, end, "MVA_HIGHBIN_S")},
                        {Book(*results, name + "_B", name + "_B", fNbinsMVAoutput, fXmin, end, "MVA_B"),
                         Book(*results, name + "_B_high", name + "_B_high", fNbinsH, fXmin, end, "MVA_HIGHBIN_B")}};
   for (auto &pair : hists)
      for (TH1D *hist : pair)
         hist->Sumw2();
   Log() << kINFO << DatasetPrefix() << "Loop over test events and fill histograms with classifier response..." << Endl;
   for (size_t i = 0; i < events.size(); ++i)
      for (TH1D *hist : hists[DataInfo().IsSignal(events[i]) ? 0 : 1])
         hist->Fill((*results)[i][0], events[i]->GetWeight());
   for (auto &pair : hists)
      for (TH1D *hist : pair)
         gTools().NormHist(hist);
}

TH1 *MethodBase::MakeEfficiencyCurves(Results &results, const std::vector<Double_t> &values, const TString &stem, Bool_t training)
{
   const TH1 *high = results.GetHist("MVA_HIGHBIN_S");
   if (!high)
      Log() << kFATAL << DatasetPrefix() << "<GetEfficiency> " << GetMethodName()
         << " has not been tested: call TestAllMethods first" << Endl;
   const Double_t xmin = high->GetXaxis()->GetXmin(), xmax = high->GetXaxis()->GetXmax();
   const TString name = GetTestvarName();
   TH1D *effS = Book(results, name + stem + "S", name + " (signal)", fNbinsH, xmin, xmax, training ? "MVA_TRAINEFF_S" : "MVA_EFF_S");
   TH1D *effB = Book(results, name + stem + "B", name + " (background)", fNbinsH, xmin, xmax, training ? "MVA_TRAINEFF_B"
      : "MVA_EFF_B");
   const std::vector<Event *> &events = Data()->GetEventCollection(training ? Types::kTraining : Types::kTesting);
   for (size_t i = 0; i < events.size(); ++i) {
      // bin k: what passes a cut at its lower edge. Beyond the histogram nothing passes, below it everything does.
      const Int_t bin = Int_t((values[i] - xmin) / (xmax - xmin) * fNbinsH) + 1;
      if (fSignalIsHigh ? bin <= fNbinsH : bin >= 1)
         (DataInfo().IsSignal(events[i]) ? effS : effB)->AddBinContent(fSignalIsHigh ? std::max(bin, 1) : std::min(bin + 1,
            fNbinsH + 1), events[i]->GetWeight());
   }
   for (TH1D *eff : {effS, effB}) {
      Double_t sum = 0;
      for (Int_t k = 1; k <= fNbinsH; ++k) {
         const Int_t bin = fSignalIsHigh ? fNbinsH + 1 - k : k;
         sum += eff->GetBinContent(bin);
         eff->SetBinContent(bin, sum);
      }
      eff->SetBinContent(fNbinsH + 1, 0);
      eff->Scale(1. / std::max(std::numeric_limits<double>::epsilon(), eff->GetMaximum()));
   }

   TH1D *effBvsS = Book(results, name + stem + "BvsS", name, fNbins, 0, 1, training ? "EFF_BVSS_TR" : "MVA_EFF_BvsS");
   TH1D *rejBvsS = Book(results, name + (training ? "_trainingRejBvsS" : "_rejBvsS"), name, fNbins, 0, 1, training ? "REJ_BVSS_TR"
      : nullptr);
   TH1D *inverse = training ? nullptr : Book(results, name + "_invBeffvsSeff", name, fNbins, 0, 1);
   const char *const titles[] = {"Backgr eff", "Backgr rejection (1-eff)", "Inverse backgr. eff (1/eff)"};
   TH1D *const curves[] = {effBvsS, rejBvsS, inverse};
   for (Int_t k = 0; k < 3; ++k)
      if (curves[k]) {
         curves[k]->SetXTitle("Signal eff");
         curves[k]->SetYTitle(titles[k]);
      }
   for (Int_t bin = 1; bin <= fNbins; ++bin) {
      const Double_t background = OnPolygon(*effB, WherePolygonIs(*effS, effBvsS->GetBinCenter(bin), fSignalIsHigh));
      effBvsS->SetBinContent(bin, background);
      rejBvsS->SetBinContent(bin, 1 - background);
      if (inverse && background > std::numeric_limits<double>::epsilon())
         inverse->SetBinContent(bin, 1 / background);
   }
   if (!training) {
      // the reference cut: as much signal is kept as background is rejected
      Double_t low = 0, high_ = 1;
      for (Int_t k = 0; k < 50; ++k) {
         const Double_t middle = 0.5 * (low + high_);
         (middle < 1 - OnPolygon(*effBvsS, middle) ? low : high_) = middle;
      }
      SetSignalReferenceCut(WherePolygonIs(*effS, low, fSignalIsHigh));
      SetSignalReferenceCutOrientation(fSignalIsHigh ? 1. : -1.);
   }
   return effBvsS;
}

Double_t MethodBase::SignalEfficiencyAt(const TH1 &effBvsS, Double_t effB) const
{
   const Int_t nsteps = 1000; // the resolution of TMVA's figures
   Double_t before = 0, effSBefore = 0;
   for (Int_t k = 1; k <= nsteps; ++k) {
      const Double_t effS = (k - 0.5) / nsteps, now = OnPolygon(effBvsS, effS);
      if ((now - effB) * (before - effB) <= 0)
         return 0.5 * (effS + effSBefore);
      effSBefore = effS;
      before = now;
   }
   return effSBefore;
}

Double_t MethodBase::GetEfficiency(const TString &what, Types::ETreeType type, Double_t &err)
{
   Data()->SetCurrentType(type);
   auto *results = static_cast<ResultsClassification *>(Data()->GetResults(GetMethodName(), type, Types::kClassification));
   TH1 *curve = results->GetHist("MVA_EFF_BvsS");
   if (!curve) {
      const std::vector<Float_t> &values = *results->GetValueVector();
      curve = MakeEfficiencyCurves(*results, {values.begin(), values.end()}, "_eff", kFALSE);
   }
   Double_t wanted = 0;
   if (!WantedEfficiency(what, wanted, Log())) {
      Double_t area = 0;
      for (Int_t k = 1; k <= 1000; ++k)
         area += 1 - OnPolygon(*curve, (k - 0.5) / 1000);
      return area / 1000;
   }
   Double_t nS = 0;
   for (const Event *event : Data()->GetEventCollection(type))
      nS += DataInfo().IsSignal(event) ? event->GetWeight() : 0;
   const Double_t effS = SignalEfficiencyAt(*curve, wanted);
   err = nS > 0 ? std::sqrt(effS * (1 - effS) / nS) : 0;
   return effS;
}

Double_t MethodBase::GetTrainingEfficiency(const TString &what)
{
   Double_t wanted = 0;
   if (!WantedEfficiency(what, wanted, Log()))
      Log() << kFATAL << DatasetPrefix() << "<GetTrainingEfficiency> Wrong argument: \"" << what
         << "\" | required format, e.g., Efficiency:0.05"
            << Endl;
   Data()->SetCurrentType(Types::kTraining);
   Results *results = Data()->GetResults(GetMethodName(), Types::kTesting, Types::kNoAnalysisType);
   TH1 *curve = results->GetHist("EFF_BVSS_TR");
   if (!curve) {
      const std::vector<Event *> &events = Data()->GetEventCollection(Types::kTraining);
      auto *trained = dynamic_cast<ResultsClassification *>(Data()->GetResults(GetMethodName(), Types::kTraining,
         Types::kMaxAnalysisType));
      std::vector<Double_t> values;
      if (trained && trained->GetSize() == Long64_t(events.size()))
         values.assign(trained->GetValueVector()->begin(), trained->GetValueVector()->end());
      else
         values = GetMvaValues(0, events.size());
      TH1D *hists[2] = {
         Book(*results, GetTestvarName() + "_Train_S", GetTestvarName() + "_Train_S", fNbinsMVAoutput, fXmin, fXmax + 0.00001,
            "MVA_TRAIN_S"),
         Book(*results, GetTestvarName() + "_Train_B", GetTestvarName() + "_Train_B", fNbinsMVAoutput, fXmin, fXmax + 0.00001,
            "MVA_TRAIN_B")};
      for (TH1D *hist : hists)
         hist->Sumw2();
      for (size_t i = 0; i < events.size(); ++i)
         hists[DataInfo().IsSignal(events[i]) ? 0 : 1]->Fill(values[i], events[i]->GetWeight());
      for (TH1D *hist : hists)
         gTools().NormHist(hist);
      curve = MakeEfficiencyCurves(*results, values, "_trainingEff", kTRUE);
   }
   return SignalEfficiencyAt(*curve, wanted);
}

Double_t MethodBase::GetKSTrainingVsTest(Char_t SorB, TString opt)
{
   const Results *results = Data()->GetResults(GetMethodName(), Types::kTesting, Types::kMaxAnalysisType);
   const TString which = SorB == 's' || SorB == 'S' ? "S" : "B";
   const TH1 *test = results ? results->GetHist("MVA_" + which) : nullptr, *train = results ? results->GetHist("MVA_TRAIN_" + which)
      : nullptr;
   return test && train ? test->KolmogorovTest(train, opt) : -1;
}

Double_t MethodBase::GetSignificance() const
{
   const Double_t rms = std::sqrt(fRmsS * fRmsS + fRmsB * fRmsB);
   return rms > 0 ? std::abs(fMeanS - fMeanB) / rms : 0;
}

Double_t MethodBase::GetSeparation(TH1 *histoS, TH1 *histoB) const
{
   return gTools().GetSeparation(histoS, histoB);
}

Double_t MethodBase::GetSeparation(PDF *pdfS, PDF *pdfB) const
{
   if (pdfS || pdfB)
      Log() << kFATAL << DatasetPrefix() << "<GetSeparation> The embedded host has no PDFs; give histograms" << Endl;
   const Results *results = Data()->GetResults(GetMethodName(), Types::kTesting, Types::kMaxAnalysisType);
   TH1 *s = results ? results->GetHist("MVA_S") : nullptr, *b = results ? results->GetHist("MVA_B") : nullptr;
   if (!s || !b) {
      Log() << kWARNING << DatasetPrefix() << "could not calculate the separation, the method has not been tested" << Endl;
      return 0;
   }
   return gTools().GetSeparation(s, b);
}

Double_t MethodBase::GetROCIntegral(TH1D *histS, TH1D *histB) const
{
   if (!histS != !histB || (histS && histS->GetNbinsX() != histB->GetNbinsX()))
      Log() << kFATAL << DatasetPrefix() << "<GetROCIntegral> Give two histograms with the same bins" << Endl;
   if (!histS || histS->GetSumOfWeights() == 0 || histB->GetSumOfWeights() == 0)
      return 0;
   // events of one bin are taken to be spread evenly in it: half of the background of the same bin is below
   Double_t below = 0, integral = 0;
   for (Int_t bin = 1; bin <= histS->GetNbinsX(); ++bin) {
      const Double_t here = histB->GetBinContent(bin);
      integral += histS->GetBinContent(bin) * (below + 0.5 * here);
      below += here;
   }
   return integral / histS->GetSumOfWeights() / histB->GetSumOfWeights();
}

Double_t MethodBase::GetROCIntegral(PDF *pdfS, PDF *pdfB) const
{
   if (pdfS || pdfB)
      Log() << kFATAL << DatasetPrefix() << "<GetROCIntegral> The embedded host has no PDFs; give histograms" << Endl;
   const Results *results = Data()->GetResults(GetMethodName(), Types::kTesting, Types::kMaxAnalysisType);
   return results ? GetROCIntegral(static_cast<TH1D *>(results->GetHist("MVA_HIGHBIN_S")),
      static_cast<TH1D *>(results->GetHist("MVA_HIGHBIN_B"))) : 0.;
}

Double_t MethodBase::GetMaximumSignificance(Double_t signalEvents, Double_t backgroundEvents, Double_t &max_significance_value) const
{
   if (signalEvents <= 0 || backgroundEvents <= 0)
      Log() << kFATAL << DatasetPrefix() << "<GetMaximumSignificance> Number of signal or background events is <= 0: "
         << signalEvents << " and "
            << backgroundEvents << Endl;
   const Results *results = Data()->GetResults(GetMethodName(), Types::kTesting, Types::kMaxAnalysisType);
   const TH1 *effS = results ? results->GetHist("MVA_EFF_S") : nullptr, *effB = results ? results->GetHist("MVA_EFF_B") : nullptr;
   max_significance_value = 0;
   if (!effS || !effB) {
      Log() << kWARNING << DatasetPrefix() << "Efficiency histograms empty ! no maximum cut found, return 0" << Endl;
      return 0;
   }
   Double_t cut = 0;
   for (Int_t bin = 1; bin <= effS->GetNbinsX(); ++bin) {
      const Double_t s = signalEvents * effS->GetBinContent(bin), b = backgroundEvents * effB->GetBinContent(bin);
      const Double_t significance = s + b > 0 ? s / std::sqrt(s + b) : 0;
      if (significance > max_significance_value) {
         max_significance_value = significance;
         cut = effS->GetBinCenter(bin);
      }
   }
   Log() << kINFO << DatasetPrefix() << "Optimal cut at " << cut << ", maximum significance " << max_significance_value << Endl;
   return cut;
}

void MethodBase::TestMulticlass()
{
   auto *results = dynamic_cast<ResultsMulticlass *>(Data()->GetResults(GetMethodName(), Types::kTesting, Types::kMulticlass));
   if (!results)
      Log() << kFATAL << DatasetPrefix() << "<TestMulticlass> " << GetMethodName() << " has no multiclass results" << Endl;
   for (UInt_t cls = 0; cls < DataInfo().GetNClasses(); ++cls)
      results->GetBestMultiClassCuts(cls);
   results->CreateMulticlassPerformanceHistos(GetTestvarName() + "_Test");
}

std::vector<Float_t> MethodBase::GetMulticlassEfficiency(std::vector<std::vector<Float_t>> &purity)
{
   Data()->SetCurrentType(Types::kTesting);
   auto *results = static_cast<ResultsMulticlass *>(Data()->GetResults(GetMethodName(), Types::kTesting, Types::kMulticlass));
   purity.push_back(results->GetAchievablePur());
   return results->GetAchievableEff();
}

std::vector<Float_t> MethodBase::GetMulticlassTrainingEfficiency(std::vector<std::vector<Float_t>> &purity)
{
   Data()->SetCurrentType(Types::kTraining);
   auto *results = static_cast<ResultsMulticlass *>(Data()->GetResults(GetMethodName(), Types::kTraining, Types::kMulticlass));
   for (UInt_t cls = 0; cls < DataInfo().GetNClasses(); ++cls)
      results->GetBestMultiClassCuts(cls);
   purity.push_back(results->GetAchievablePur());
   return results->GetAchievableEff();
}

TMatrixD MethodBase::GetMulticlassConfusionMatrix(Double_t effB, Types::ETreeType type)
{
   Data()->SetCurrentType(type);
   auto *results = static_cast<ResultsMulticlass *>(Data()->GetResults(GetMethodName(), type, Types::kMulticlass));
   const Int_t n = DataInfo().GetNClasses();
   TMatrixD matrix(n, n);
   for (Int_t cls = 0; cls < n; ++cls)
      for (Int_t other = 0; other < n; ++other)
         matrix(cls, other) = cls == other ? -1 : results->EfficiencyAgainst(cls, other, effB);
   return matrix;
}

void MethodBase::TestRegression(Double_t &bias, Double_t &biasT, Double_t &dev, Double_t &devT, Double_t &rms, Double_t &rmsT,
                                Double_t &mInf, Double_t &mInfT, Double_t &corr, Types::ETreeType type)
{
   const Types::ETreeType savedType = Data()->GetCurrentType();
   Data()->SetCurrentType(type);
   const std::vector<Event *> &events = Data()->GetEventCollection(type); // targets in their own units
   auto *results = dynamic_cast<ResultsRegression *>(Data()->GetResults(GetMethodName(), type, Types::kMaxAnalysisType));
   const Bool_t known = results && results->GetSize() == Long64_t(events.size());
   std::vector<Float_t> answers(events.size());
   Float_t xmin = 1e30, xmax = -1e30;
   Double_t w = 0, m1 = 0, m2 = 0, s1 = 0, s2 = 0, s12 = 0;
   for (size_t i = 0; i < events.size(); ++i) {
      Data()->SetCurrentEvent(i);
      answers[i] = known ? (*results)[i][0] : GetRegressionValues().at(0);
      const Double_t r = answers[i], t = events[i]->GetTarget(0), weight = events[i]->GetWeight();
      xmin = std::min({xmin, Float_t(t), Float_t(r)});
      xmax = std::max({xmax, Float_t(t), Float_t(r)});
      w += weight;
      m1 += weight * t;
      m2 += weight * r;
      s1 += weight * t * t;
      s2 += weight * r * r;
      s12 += weight * t * r;
   }
   corr = (s12 / w - m1 / w * m2 / w) / std::sqrt((s1 / w - m1 / w * m1 / w) * (s2 / w - m2 / w * m2 / w));

   const auto deviations = [&](Double_t from, Double_t to, Double_t &mean, Double_t &modulus, Double_t &spread, Double_t &information) {
      TH2F hist("hist", "hist", 150, xmin, xmax, 100, xmin, xmax);
      hist.SetDirectory(nullptr);
      Double_t sum = 0;
      mean = modulus = spread = 0;
      for (size_t i = 0; i < events.size(); ++i) {
         const Double_t d = answers[i] - events[i]->GetTarget(0), weight = events[i]->GetWeight();
         if (d < from || d > to)
            continue;
         sum += weight;
         mean += weight * d;
         modulus += weight * std::abs(d);
         spread += weight * d * d;
         hist.Fill(answers[i], events[i]->GetTarget(0), weight);
      }
      mean /= sum;
      modulus /= sum;
      spread = std::sqrt(std::max(0., spread / sum - mean * mean));
      information = gTools().GetMutualInformation(hist);
   };
   const Double_t infinity = std::numeric_limits<Double_t>::infinity();
   deviations(-infinity, infinity, bias, dev, rms, mInf);
   deviations(bias - 2 * rms, bias + 2 * rms, biasT, devT, rmsT, mInfT);
   Data()->SetCurrentType(savedType);
}

void MethodBase::GetRegressionDeviation(UInt_t tgtNum, Types::ETreeType type, Double_t &stddev, Double_t &stddev90Percent) const
{
   if (!DoRegression())
      Log() << kFATAL << DatasetPrefix() << "Trying to use GetRegressionDeviation() with a classification job" << Endl;
   auto *results = static_cast<ResultsRegression *>(Data()->GetResults(GetMethodName(), type, Types::kRegression));
   Double_t quantile = 0, probability = 0.9;
   const std::unique_ptr<TH1> all(results->QuadraticDeviation(tgtNum));
   all->GetQuantiles(1, &quantile, &probability);
   const std::unique_ptr<TH1> best(results->QuadraticDeviation(tgtNum, true, quantile));
   stddev = std::sqrt(all->GetMean());
   stddev90Percent = std::sqrt(best->GetMean());
}

void MethodBase::WriteEvaluationHistosToFile(Types::ETreeType treetype)
{
   TDirectory::TContext context(BaseDir());
   const Results *results = Data()->GetResults(GetMethodName(), treetype, Types::kMaxAnalysisType);
   if (!results)
      Log() << kFATAL << DatasetPrefix() << "<WriteEvaluationHistosToFile> Unknown result: " << GetMethodName()
            << (treetype == Types::kTraining ? "/kTraining" : "/kTesting") << "/kMaxAnalysisType" << Endl;
   results->GetStorage()->Write();
   if (treetype == Types::kTesting)
      GetTransformationHandler().PlotVariables(GetEventCollection(Types::kTesting), BaseDir());
}

} // namespace TMVA
