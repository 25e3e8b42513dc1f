#include "TMVA/ROCCurve.h"

#include "TMVA/MsgLogger.h"

#include "TGraph.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace TMVA {

ROCCurve::ROCCurve(const std::vector<Float_t> &values, const std::vector<Bool_t> &isSignal, const std::vector<Float_t> &weights)
{
   MsgLogger log("ROCCurve");
   if (values.size() != isSignal.size() || values.size() != weights.size())
      log << kFATAL << "There are " << values.size() << " values, but " << isSignal.size() << " signal flags and "
          << weights.size() << " weights" << Endl;
   if (std::any_of(values.begin(), values.end(), [](Float_t value) { return std::isnan(value); })) {
      log << kERROR << "No ROC curve: there are values that are not a number (NaN)" << Endl;
      return;
   }
   std::vector<std::size_t> order(values.size());
   std::iota(order.begin(), order.end(), std::size_t(0));
   std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
   Double_t total[2] = {0, 0}; // background, signal
   for (const std::size_t i : order)
      total[isSignal[i]] += weights[i];
   if (!(total[0] > 0) || !(total[1] > 0)) {
      log << kERROR << "No ROC curve: the weights of signal sum to " << total[1] << ", those of background to " << total[0]
          << ", and both have to be positive" << Endl;
      return;
   }
   fEffS.push_back(1);
   fEffB.push_back(1);
   Double_t below[2] = {0, 0};
   for (std::size_t n = 0; n < order.size(); ++n) {
      below[isSignal[order[n]]] += weights[order[n]];
      const bool last = n + 1 == order.size();
      if (!last && values[order[n + 1]] == values[order[n]])
         continue; // a cut cannot pass between equal values
      fEffS.push_back(last ? 0 : 1 - below[1] / total[1]);
      fEffB.push_back(last ? 0 : 1 - below[0] / total[0]);
   }
}

ROCCurve::~ROCCurve() = default;

namespace {

/// y where x has a value; both fall with the cut. From the hardest cut on: the first point beyond ends the interval.
Double_t Interpolate(const std::vector<Double_t> &x, const std::vector<Double_t> &y, Double_t value)
{
   for (std::size_t i = x.size(); i-- > 1;)
      if (x[i - 1] > value) {
         const Double_t width = x[i - 1] - x[i];
         return width > 0 ? y[i] + (y[i - 1] - y[i]) * (value - x[i]) / width : y[i];
      }
   return y.empty() ? 0 : y.front();
}

} // namespace

Double_t ROCCurve::GetEffSForEffB(Double_t effB, const UInt_t)
{
   return Interpolate(fEffB, fEffS, effB);
}

Double_t ROCCurve::GetEffBForEffS(Double_t effS) const
{
   return Interpolate(fEffS, fEffB, effS);
}

Double_t ROCCurve::GetROCIntegral(const UInt_t)
{
   Double_t integral = 0;
   for (std::size_t i = 1; i < fEffS.size(); ++i)
      integral += (fEffB[i - 1] - fEffB[i]) * 0.5 * (fEffS[i - 1] + fEffS[i]);
   return integral;
}

TGraph *ROCCurve::GetROCCurve(const UInt_t)
{
   std::vector<Double_t> rejection;
   for (const Double_t efficiency : fEffB)
      rejection.push_back(1 - efficiency);
   fGraph.reset(new TGraph(static_cast<Int_t>(fEffS.size()), fEffS.data(), rejection.data()));
   return fGraph.get();
}

} // namespace TMVA
