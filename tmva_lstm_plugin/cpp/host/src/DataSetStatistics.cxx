/// \file
/// Ranges and correlations of the variables, over the training events.
#include "TMVA/DataSetFactory.h"

#include "TMVA/Config.h"
#include "TMVA/DataSetInfo.h"
#include "TMVA/Event.h"
#include "TMVA/MsgLogger.h"

#include "TMatrixD.h"

#include <algorithm>
#include <cfloat>
#include <cmath>

namespace TMVA {

namespace {

/// Smallest and largest of a column.
struct Range {
   Float_t minimum = FLT_MAX, maximum = -FLT_MAX;
   void Add(Float_t value)
   {
      minimum = std::min(minimum, value);
      maximum = std::max(maximum, value);
   }
   bool IsConstant() const { return std::abs(maximum - minimum) <= FLT_MIN; }
};

} // namespace

void DataSetFactory::FindRanges(DataSetInfo &info, const std::vector<Event *> &events)
{
   std::vector<Range> variables(info.GetNVariables()), targets(info.GetNTargets()), spectators(info.GetNSpectators());
   for (const Event *event : events) {
      const std::vector<Float_t> &values = event->GetValues();
      for (std::size_t i = 0; i < variables.size(); ++i)
         variables[i].Add(values[i]);
      for (std::size_t i = 0; i < targets.size(); ++i)
         targets[i].Add(event->GetTarget(static_cast<UInt_t>(i)));
      for (std::size_t i = 0; i < spectators.size(); ++i)
         spectators[i].Add(event->GetSpectator(static_cast<UInt_t>(i)));
   }
   const auto store = [](std::vector<VariableInfo> &infos, const std::vector<Range> &ranges) {
      for (std::size_t i = 0; i < ranges.size(); ++i) {
         infos[i].SetMin(ranges[i].minimum);
         infos[i].SetMax(ranges[i].maximum);
      }
   };
   store(info.GetVariableInfos(), variables);
   store(info.GetTargetInfos(), targets);
   store(info.GetSpectatorInfos(), spectators);

   std::size_t constant = 0;
   for (std::size_t i = 0; i < variables.size(); ++i)
      if (variables[i].IsConstant() && ++constant <= 3)
         Log() << kWARNING << Form("Dataset[%s] : ", info.GetName()) << "Variable "
               << info.GetVariableInfo(static_cast<Int_t>(i)).GetInternalName() << " is constant: it carries no information."
               << Endl;
   if (constant > 3)
      Log() << kWARNING << Form("Dataset[%s] : ", info.GetName()) << constant - 3
            << " more variables are constant (padding of an array is, when no event fills it)." << Endl;
   for (std::size_t i = 0; i < targets.size(); ++i)
      if (targets[i].IsConstant())
         Log() << kFATAL << Form("Dataset[%s] : ", info.GetName()) << "Target "
               << info.GetTargetInfo(static_cast<Int_t>(i)).GetExpression() << " is constant: it carries no information."
               << Endl;
}

void DataSetFactory::FindCorrelations(DataSetInfo &info, const std::vector<Event *> &events)
{
   const UInt_t n = info.GetNVariables();
   const bool print =
      fCorrelations &&
      n <= static_cast<UInt_t>(gConfig().GetVariablePlotting().fMaxNumOfAllowedVariablesForScatterPlots);
   if (Double_t(events.size()) * n * n > 2e10)
      Log() << kINFO << Form("Dataset[%s] : ", info.GetName()) << "Computing the correlations of " << n
            << " variables; the option CalcCorrelations=False leaves this out" << Endl;
   for (UInt_t classIndex = 0; classIndex < info.GetNClasses(); ++classIndex) {
      // sums of w, w x_i and w x_i x_j (j >= i), about the first event of the class: differences keep their digits
      Double_t sum = 0;
      std::vector<Double_t> first, x(n), means(n, 0.), products(std::size_t(n) * n, 0.);
      for (const Event *event : events) {
         if (event->GetClass() != classIndex)
            continue;
         const std::vector<Float_t> &values = event->GetValues();
         if (first.empty())
            first.assign(values.begin(), values.begin() + n);
         const Double_t weight = event->GetWeight();
         sum += weight;
         for (UInt_t i = 0; i < n; ++i)
            x[i] = values[i] - first[i];
         for (UInt_t i = 0; i < n; ++i) {
            const Double_t weighted = weight * x[i];
            means[i] += weighted;
            if (weighted == 0)
               continue;
            Double_t *row = &products[std::size_t(i) * n];
            for (UInt_t j = i; j < n; ++j)
               row[j] += weighted * x[j];
         }
      }
      const auto covariance = [&](UInt_t i, UInt_t j) {
         return products[std::size_t(i) * n + j] / sum - means[i] / sum * (means[j] / sum);
      };
      const TString className = info.GetClassInfo(static_cast<Int_t>(classIndex))->GetName();
      auto *matrix = new TMatrixD(n, n);
      UInt_t constant = 0;
      for (UInt_t i = 0; i < n; ++i) {
         (*matrix)(i, i) = 1;
         constant += !(covariance(i, i) > 0);
         for (UInt_t j = i + 1; j < n; ++j) {
            const Double_t variances = covariance(i, i) * covariance(j, j);
            (*matrix)(i, j) = (*matrix)(j, i) = variances > 0 ? covariance(i, j) / std::sqrt(variances) : 0;
         }
      }
      if (constant > 0)
         Log() << kWARNING << Form("Dataset[%s] : ", info.GetName()) << "<GetCorrelationMatrix> Zero variances for " << constant
               << " of " << n << " variables in class " << className << ": their correlations are set to 0" << Endl;
      info.SetCorrelationMatrix(className, matrix);
      if (print)
         info.PrintCorrelationMatrix(className);
   }
   if (fCorrelations && !print)
      Log() << kINFO << Form("Dataset[%s] : ", info.GetName()) << "The correlation matrices of " << n
            << " variables are not printed" << Endl;
}

} // namespace TMVA
