#include "TMVA/ROCCurve.h"

#include "TMVA/MsgLogger.h"

#include "TGraph.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace TMVA {

namespace {

using Events = std::vector<std::tuple<Float_t, Float_t, Bool_t>>;

void CheckSizes(std::size_t values, std::size_t others, const char *what)
{
   if (values == others)
      return;
   MsgLogger log(std::string("ROCCurve"));
   log << kFATAL << "There are " << values << " values, but " << others << " " << what << Endl;
}

Events Label(const std::vector<Float_t> &values, const std::vector<Float_t> *weights, Bool_t isSignal)
{
   if (weights)
      CheckSizes(values.size(), weights->size(), "weights");
   Events events;
   for (std::size_t i = 0; i < values.size(); ++i)
      events.emplace_back(values[i], weights ? (*weights)[i] : 1, isSignal);
   return events;
}

Events Label(const std::vector<Float_t> &values, const std::vector<Bool_t> &isSignal, const std::vector<Float_t> *weights)
{
   CheckSizes(values.size(), isSignal.size(), "signal flags");
   Events events = Label(values, weights, kTRUE);
   for (std::size_t i = 0; i < values.size(); ++i)
      std::get<2>(events[i]) = isSignal[i];
   return events;
}

Events Join(Events events, const Events &more)
{
   events.insert(events.end(), more.begin(), more.end());
   return events;
}

} // namespace

ROCCurve::ROCCurve(const Events &events)
{
   Build(events);
}

ROCCurve::ROCCurve(const std::vector<Float_t> &values, const std::vector<Bool_t> &isSignal,
                   const std::vector<Float_t> &weights)
{
   Build(Label(values, isSignal, &weights));
}

ROCCurve::ROCCurve(const std::vector<Float_t> &values, const std::vector<Bool_t> &isSignal)
{
   Build(Label(values, isSignal, nullptr));
}

ROCCurve::ROCCurve(const std::vector<Float_t> &signal, const std::vector<Float_t> &background)
{
   Build(Join(Label(signal, nullptr, kTRUE), Label(background, nullptr, kFALSE)));
}

ROCCurve::ROCCurve(const std::vector<Float_t> &signal, const std::vector<Float_t> &background,
                   const std::vector<Float_t> &signalWeights, const std::vector<Float_t> &backgroundWeights)
{
   Build(Join(Label(signal, &signalWeights, kTRUE), Label(background, &backgroundWeights, kFALSE)));
}

ROCCurve::~ROCCurve() = default;

void ROCCurve::Build(Events events)
{
   const auto undefined =
      std::count_if(events.begin(), events.end(), [](const auto &event) { return std::isnan(std::get<0>(event)); });
   if (undefined > 0) {
      MsgLogger log(std::string("ROCCurve"));
      log << kERROR << "No ROC curve: " << undefined << " of " << events.size() << " values are not a number (NaN)" << Endl;
      return;
   }
   std::sort(events.begin(), events.end(),
             [](const auto &a, const auto &b) { return std::get<0>(a) < std::get<0>(b); });
   Double_t total[2] = {0, 0}; // background, signal
   for (const auto &event : events)
      total[std::get<2>(event)] += std::get<1>(event);
   if (!(total[0] > 0) || !(total[1] > 0)) {
      MsgLogger log(std::string("ROCCurve"));
      log << kERROR << "No ROC curve: the weights of signal sum to " << total[1] << ", those of background to " << total[0]
          << ", and both have to be positive" << Endl;
      return;
   }
   fEffS.push_back(1);
   fEffB.push_back(1);
   Double_t below[2] = {0, 0};
   for (std::size_t i = 0; i < events.size(); ++i) {
      below[std::get<2>(events[i])] += std::get<1>(events[i]);
      const bool last = i + 1 == events.size();
      if (!last && std::get<0>(events[i + 1]) == std::get<0>(events[i]))
         continue;
      fEffS.push_back(last ? 0 : 1 - below[1] / total[1]);
      fEffB.push_back(last ? 0 : 1 - below[0] / total[0]);
   }
}

Double_t ROCCurve::GetEffSForEffB(Double_t effB, const UInt_t)
{
   // from the hardest cut on: the first point beyond effB ends the interval
   for (std::size_t i = fEffB.size(); i-- > 1;)
      if (fEffB[i - 1] > effB) {
         const Double_t width = fEffB[i - 1] - fEffB[i];
         return width > 0 ? fEffS[i] + (fEffS[i - 1] - fEffS[i]) * (effB - fEffB[i]) / width : fEffS[i];
      }
   return fEffS.empty() ? 0 : fEffS.front();
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
