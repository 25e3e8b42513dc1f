/// \file
/// The second half of the Factory: testing, figures of merit and their tables, the trees of the output file.
#include "TMVA/Factory.h"

#include "TMVA/Config.h"
#include "TMVA/DataLoader.h"
#include "TMVA/DataSetInfo.h"
#include "TMVA/Event.h"
#include "TMVA/IMethod.h"
#include "TMVA/MethodBase.h"
#include "TMVA/MsgLogger.h"
#include "TMVA/ROCCurve.h"
#include "TMVA/ResultsClassification.h"
#include "TMVA/Tools.h"

#include "TDirectory.h"
#include "TFile.h"
#include "TMatrixD.h"
#include "TTree.h"

#include <algorithm>
#include <cmath>

namespace TMVA {

struct Factory::ClassifierFigures {
   TString dataset, title;
   Double_t area = 0; ///< as the 100-bin curve has it: what the table is sorted by
   Double_t roc = 0;  ///< of all events
   Double_t separation = 0, significance = 0;
   Double_t testEff[3] = {0, 0, 0}, trainEff[3] = {0, 0, 0}; ///< signal efficiency at background efficiency 0.01, 0.10, 0.30
};

struct Factory::RegressionFigures {
   /// In the order of MethodBase::TestRegression.
   struct Sample {
      Double_t bias = 0, biasT = 0, dev = 0, devT = 0, rms = 0, rmsT = 0, mutualInf = 0, mutualInfT = 0, correlation = 0;
   };
   TString dataset, title;
   Sample test, train;
};

namespace {

/// A table of numbers with names for its rows and columns.
void PrintTable(const TMatrixD &values, const std::vector<TString> &rows, const std::vector<TString> &columns, MsgLogger &log)
{
   Ssiz_t width = 0;
   for (const TString &row : rows)
      width = std::max(width, row.Length());
   TString header = Form("%*s", width + 1, "");
   for (const TString &column : columns)
      header += Form("%*s", std::max(column.Length(), 6) + 2, column.Data());
   const TString line('-', header.Length());
   log << kINFO << line << Endl;
   log << kINFO << header << Endl;
   for (std::size_t i = 0; i < rows.size(); ++i) {
      TString text = Form("%*s:", width, rows[i].Data());
      for (std::size_t j = 0; j < columns.size(); ++j)
         text += Form("%*s%+1.3f", std::max(columns[j].Length(), 6) - 4, "",
                      values(static_cast<Int_t>(i), static_cast<Int_t>(j)));
      log << kINFO << text << Endl;
   }
   log << kINFO << line << Endl;
}

} // namespace

void Factory::TestAllMethods()
{
   Log() << kHEADER << gTools().Color("bold") << "Test all methods" << gTools().Color("reset") << Endl;
   if (fMethodsMap.empty()) {
      Log() << kINFO << "...nothing found to test" << Endl;
      return;
   }
   for (auto &methods : fMethodsMap)
      for (MethodBase *method : Methods(*methods.second)) {
         Event::SetIsTraining(kFALSE);
         if (!method->Data()->GetResults(method->GetMethodName(), Types::kTraining, Types::kMaxAnalysisType)) {
            Log() << kERROR << "Method " << method->GetMethodName()
                  << " has not been trained and is left out: call TrainAllMethods first" << Endl;
            continue;
         }
         if (method->Data()->GetNTestEvents() < 1)
            Log() << kFATAL << "Data set \"" << methods.first
                  << "\" has no test events: let PrepareTrainingAndTestTree leave some, or add a tree of type \"Test\"" << Endl;
         Log() << kHEADER << "Test method: " << method->GetMethodName() << " for " << AnalysisName() << " performance" << Endl
               << Endl;
         method->AddOutput(Types::kTesting, method->GetAnalysisType());
      }
}

void Factory::EvaluateAllMethods()
{
   Log() << kHEADER << gTools().Color("bold") << "Evaluate all methods" << gTools().Color("reset") << Endl;
   if (fMethodsMap.empty()) {
      Log() << kINFO << "...nothing found to evaluate" << Endl;
      return;
   }
   for (auto &list : fMethodsMap) {
      Event::SetIsTraining(kFALSE);
      std::vector<MethodBase *> methods;
      for (MethodBase *method : Methods(*list.second)) {
         if (method->Data()->GetNTrainingEvents() < 1 ||
             !method->Data()->GetResults(method->GetMethodName(), Types::kTesting, Types::kMaxAnalysisType)) {
            Log() << kERROR << "Method " << method->GetMethodName()
                  << " has not been tested and is left out: call TrainAllMethods and TestAllMethods first" << Endl;
            continue;
         }
         method->SetFile(fTargetFile);
         method->SetSilentFile(IsSilentFile());
         methods.push_back(method);
      }
      if (methods.empty())
         continue;
      if (fAnalysisType == Types::kRegression)
         EvaluateRegression(methods);
      else if (fAnalysisType == Types::kMulticlass)
         EvaluateMulticlass(methods);
      else
         EvaluateClassification(methods);
      if (!IsSilentFile())
         WriteTrees(methods.front()->DataInfo());
   }
}

void Factory::WriteHistograms(MethodBase &method)
{
   if (IsSilentFile())
      return;
   // a second evaluation replaces the plots of the first
   if (method.BaseDir()->GetDirectory("CorrelationPlots"))
      method.BaseDir()->rmdir("CorrelationPlots");
   method.WriteEvaluationHistosToFile(Types::kTesting);
   method.WriteEvaluationHistosToFile(Types::kTraining);
}

void Factory::WriteTrees(DataSetInfo &info)
{
   RootBaseDir()->cd(info.GetName());
   for (const Types::ETreeType type : {Types::kTesting, Types::kTraining}) {
      // read back from the file it is complete; in memory its branches would have no addresses
      const std::unique_ptr<TTree> tree(info.GetDataSet()->GetTree(type));
      if (tree)
         tree->Write("", TObject::kOverwrite);
   }
   RootBaseDir()->cd();
}

// ---------------------------------------------------------------------------------------- signal and background

void Factory::EvaluateClassification(const std::vector<MethodBase *> &methods)
{
   std::vector<ClassifierFigures> figures;
   for (MethodBase *method : methods) {
      Log() << kHEADER << "Evaluate classifier: " << method->GetMethodName() << Endl << Endl;
      method->TestClassification();
      ClassifierFigures figure;
      figure.dataset = method->DataInfo().GetName();
      figure.title = method->GetMethodName();
      figure.significance = method->GetSignificance();
      figure.separation = method->GetSeparation();
      Double_t error = 0;
      const char *points[3] = {"Efficiency:0.01", "Efficiency:0.10", "Efficiency:0.30"};
      for (int i = 0; i < 3; ++i) {
         figure.testEff[i] = method->GetEfficiency(points[i], Types::kTesting, error);
         figure.trainEff[i] = method->GetTrainingEfficiency(points[i]);
      }
      figure.area = method->GetEfficiency("", Types::kTesting, error);
      figure.roc = GetROCIntegral(figure.dataset, figure.title);
      figures.push_back(figure);
      WriteHistograms(*method);
   }
   std::stable_sort(figures.begin(), figures.end(),
                    [](const ClassifierFigures &a, const ClassifierFigures &b) { return a.area > b.area; });
   if (fCorrelations)
      PrintCorrelations(methods);
   if (fROC)
      PrintClassification(figures);
}

void Factory::PrintClassification(const std::vector<ClassifierFigures> &figures)
{
   // these tables come even with the option Silent
   MsgLogger::EnableOutput();
   const Bool_t silent = gConfig().IsSilent();
   gConfig().SetSilent(kFALSE);
   const TString line('-', 115);
   Log() << Endl;
   Log() << kINFO << "Evaluation results ranked by best signal efficiency and purity (area)" << Endl;
   Log() << kINFO << line << Endl;
   Log() << kINFO << "DataSet       MVA                       " << Endl;
   Log() << kINFO << "Name:         Method:          ROC-integ" << Endl;
   for (const ClassifierFigures &figure : figures) {
      Log() << kINFO << Form("%-13s %-15s: %#1.3f", figure.dataset.Data(), figure.title.Data(), figure.roc) << Endl;
      Log() << kDEBUG
            << Form("%-13s %-15s: separation %#1.3f, significance %#1.3f", figure.dataset.Data(), figure.title.Data(),
                    figure.separation, figure.significance)
            << Endl;
   }
   Log() << kINFO << line << Endl;
   Log() << kINFO << Endl;
   Log() << kINFO << "Testing efficiency compared to training efficiency (overtraining check)" << Endl;
   Log() << kINFO << line << Endl;
   Log() << kINFO << "DataSet              MVA              Signal efficiency: from test sample (from training sample) " << Endl;
   Log() << kINFO << "Name:                Method:          @B=0.01             @B=0.10            @B=0.30   " << Endl;
   Log() << kINFO << line << Endl;
   for (const ClassifierFigures &figure : figures)
      Log() << kINFO
            << Form("%-20s %-15s: %#1.3f (%#1.3f)       %#1.3f (%#1.3f)      %#1.3f (%#1.3f)", figure.dataset.Data(),
                    figure.title.Data(), figure.testEff[0], figure.trainEff[0], figure.testEff[1], figure.trainEff[1],
                    figure.testEff[2], figure.trainEff[2])
            << Endl;
   Log() << kINFO << line << Endl;
   Log() << kINFO << Endl;
   gConfig().SetSilent(silent);
   if (gTools().CheckForSilentOption(GetOptions()))
      MsgLogger::InhibitOutput();
}

void Factory::PrintCorrelations(const std::vector<MethodBase *> &methods)
{
   DataSetInfo &info = methods.front()->DataInfo();
   const std::vector<Event *> &events = info.GetDataSet()->GetEventCollection(Types::kTesting);
   const std::size_t nMethods = methods.size(), nVariables = info.GetNVariables(), n = nMethods + nVariables;
   std::vector<ResultsClassification *> results;
   std::vector<TString> titles, variables;
   std::vector<Double_t> cuts;
   for (MethodBase *method : methods) {
      results.push_back(dynamic_cast<ResultsClassification *>(
         method->Data()->GetResults(method->GetMethodName(), Types::kTesting, Types::kMaxAnalysisType)));
      titles.push_back(method->GetMethodName());
      cuts.push_back(method->GetSignalReferenceCut());
   }
   for (std::size_t i = 0; i < nVariables; ++i)
      variables.push_back(info.GetVariableInfo(static_cast<Int_t>(i)).GetInternalName());
   const TString prefix = Form("Dataset[%s] : ", info.GetName());

   TMatrixD overlaps[2] = {TMatrixD(nMethods, nMethods), TMatrixD(nMethods, nMethods)};
   for (const bool isSignal : {true, false}) {
      // unweighted, as TMVA does: responses first, then inputs
      Double_t count = 0;
      std::vector<Double_t> row(n), first, sums(n, 0.), squares(n, 0.);
      TMatrixD products(n, nMethods), &overlap = overlaps[isSignal ? 0 : 1];
      for (std::size_t ievt = 0; ievt < events.size(); ++ievt) {
         const Event &event = *events[ievt];
         if (info.IsSignal(&event) != isSignal)
            continue;
         for (std::size_t i = 0; i < n; ++i)
            row[i] = i < nMethods ? (*results[i])[static_cast<Int_t>(ievt)][0] : event.GetValues()[i - nMethods];
         for (std::size_t i = 0; i < nMethods; ++i)
            for (std::size_t j = 0; j < nMethods; ++j)
               overlap(i, j) += (row[i] - cuts[i]) * (row[j] - cuts[j]) > 0 ? 1 : 0;
         if (first.empty())
            first = row;
         ++count;
         for (std::size_t i = 0; i < n; ++i) {
            row[i] -= first[i];
            sums[i] += row[i];
            squares[i] += row[i] * row[i];
            for (std::size_t j = 0; j < nMethods; ++j)
               products(i, j) += row[i] * row[j];
         }
      }
      if (count < 2)
         continue;
      overlap *= 1 / count;
      const auto variance = [&](std::size_t i) { return squares[i] / count - sums[i] / count * (sums[i] / count); };
      TMatrixD between(nMethods, nMethods), withInputs(nVariables, nMethods);
      for (std::size_t i = 0; i < n; ++i)
         for (std::size_t j = 0; j < nMethods; ++j) {
            const Double_t scale = std::sqrt(std::max(0., variance(i) * variance(j)));
            const Double_t covariance = products(i, j) / count - sums[i] / count * (sums[j] / count);
            (i < nMethods ? between(i, j) : withInputs(i - nMethods, j)) = scale > 0 ? covariance / scale : 0;
         }
      const char *name = isSignal ? "(signal):" : "(background):";
      if (nMethods > 1) {
         Log() << kINFO << prefix << "Inter-MVA correlation matrix " << name << Endl;
         gTools().FormattedOutput(between, titles, Log());
      }
      Log() << kINFO << prefix << "Correlations between input variables and MVA response " << name << Endl;
      PrintTable(withInputs, variables, titles, Log());
   }
   Log() << kINFO << prefix << "Cuts above which an event is taken for signal (signal efficiency = background rejection):" << Endl;
   TMatrixD cutColumn(nMethods, 1, cuts.data());
   PrintTable(cutColumn, titles, {"Cut value"}, Log());
   if (nMethods > 1)
      for (const bool isSignal : {true, false}) {
         Log() << kINFO << prefix << "Fraction of events on which two methods agree " << (isSignal ? "(signal):" : "(background):") << Endl;
         gTools().FormattedOutput(overlaps[isSignal ? 0 : 1], titles, Log());
      }
}

// ---------------------------------------------------------------------------------------- regression

void Factory::EvaluateRegression(const std::vector<MethodBase *> &methods)
{
   std::vector<RegressionFigures> figures;
   for (MethodBase *method : methods) {
      Log() << kINFO << "Evaluate regression method: " << method->GetMethodName() << Endl;
      RegressionFigures figure;
      figure.dataset = method->DataInfo().GetName();
      figure.title = method->GetMethodName();
      for (const Types::ETreeType type : {Types::kTesting, Types::kTraining}) {
         Log() << kINFO << "TestRegression (" << (type == Types::kTesting ? "testing" : "training") << ")" << Endl;
         RegressionFigures::Sample &sample = type == Types::kTesting ? figure.test : figure.train;
         method->TestRegression(sample.bias, sample.biasT, sample.dev, sample.devT, sample.rms, sample.rmsT, sample.mutualInf,
                                sample.mutualInfT, sample.correlation, type);
      }
      figures.push_back(figure);
      WriteHistograms(*method);
   }
   std::stable_sort(figures.begin(), figures.end(),
                    [](const RegressionFigures &a, const RegressionFigures &b) { return a.test.dev < b.test.dev; });
   PrintRegression(figures);
}

void Factory::PrintRegression(const std::vector<RegressionFigures> &figures)
{
   const TString line('-', 98);
   const auto table = [&](RegressionFigures::Sample RegressionFigures::*part) {
      Log() << kINFO << line << Endl;
      Log() << kINFO << "DataSet Name:         MVA Method:        <Bias>   <Bias_T>    RMS    RMS_T  |  MutInf MutInf_T" << Endl;
      Log() << kINFO << line << Endl;
      for (const RegressionFigures &figure : figures) {
         const RegressionFigures::Sample &sample = figure.*part;
         Log() << kINFO
               << Form("%-20s %-15s:%#9.3g%#9.3g%#9.3g%#9.3g  |  %#5.3f  %#5.3f", figure.dataset.Data(), figure.title.Data(),
                       sample.bias, sample.biasT, sample.rms, sample.rmsT, sample.mutualInf, sample.mutualInfT)
               << Endl;
      }
      Log() << kINFO << line << Endl;
      Log() << kINFO << Endl;
   };
   Log() << kINFO << Endl;
   Log() << kINFO << "Evaluation results ranked by smallest RMS on test sample:" << Endl;
   Log() << kINFO << "(Bias: mean of answer - target. MutInf: mutual information of answer and target." << Endl;
   Log() << kINFO << " _T: of the events within 2 sigma of the mean deviation.)" << Endl;
   table(&RegressionFigures::test);
   Log() << kINFO << "Evaluation results ranked by smallest RMS on training sample:" << Endl;
   Log() << kINFO << "(overtraining check)" << Endl;
   table(&RegressionFigures::train);
}

// ---------------------------------------------------------------------------------------- several classes

void Factory::EvaluateMulticlass(const std::vector<MethodBase *> &methods)
{
   for (MethodBase *method : methods) {
      Log() << kINFO << "Evaluate multiclass classification method: " << method->GetMethodName() << Endl;
      method->TestMulticlass();
      WriteHistograms(*method);
   }
   PrintOneAgainstRest(methods);
   const TString line('-', 103);
   Log() << kINFO << Endl;
   Log() << kINFO << "Confusion matrices for all methods" << Endl;
   Log() << kINFO << line << Endl;
   Log() << kINFO << Endl;
   Log() << kINFO << "Two classes at a time: that of the row is signal, that of the column is background." << Endl;
   Log() << kINFO << Endl;
   for (MethodBase *method : methods)
      PrintConfusion(*method);
   Log() << kINFO << line << Endl;
   Log() << kINFO << Endl;
}

void Factory::PrintOneAgainstRest(const std::vector<MethodBase *> &methods)
{
   const TString line('-', 103);
   const char *columns = "%-15s%-15s%-15s%-15s%-15s%-15s";
   Log() << kINFO << Endl;
   Log() << kINFO << "1-vs-rest performance metrics per class" << Endl;
   Log() << kINFO << line << Endl;
   Log() << kINFO << Endl;
   Log() << kINFO << "The class of the row is signal, all others are background; on the test sample (on the training sample)." << Endl;
   Log() << kINFO << Endl;
   Log() << kINFO
         << Form(columns, "Dataset", "MVA Method", "ROC AUC", "Sig eff@B=0.01", "Sig eff@B=0.10", "Sig eff@B=0.30") << Endl;
   const char *cell = "test  (train)";
   Log() << kINFO << Form(columns, "Name:", "/ Class:", cell, cell, cell, cell) << Endl;
   for (MethodBase *method : methods) {
      const TString dataset = method->DataInfo().GetName(), title = method->GetMethodName();
      Log() << kINFO << Endl;
      Log() << kINFO << Form("%-15s%-15s", dataset.Data(), title.Data()) << Endl;
      Log() << kINFO << "------------------------------" << Endl;
      for (UInt_t i = 0; i < method->DataInfo().GetNClasses(); ++i) {
         const auto test = GetROC(dataset, title, i, Types::kTesting), train = GetROC(dataset, title, i, Types::kTraining);
         if (!test || !train)
            continue;
         const auto both = [&](Double_t testValue, Double_t trainValue) -> TString {
            return Form("%5.3f (%5.3f)", testValue, trainValue);
         };
         TString cells[4] = {both(test->GetROCIntegral(), train->GetROCIntegral())};
         const Double_t points[3] = {0.01, 0.10, 0.30};
         for (int k = 0; k < 3; ++k)
            cells[k + 1] = both(test->GetEffSForEffB(points[k]), train->GetEffSForEffB(points[k]));
         Log() << kINFO
               << Form(columns, "", method->DataInfo().GetClassInfo(static_cast<Int_t>(i))->GetName(), cells[0].Data(),
                       cells[1].Data(), cells[2].Data(), cells[3].Data())
               << Endl;
      }
   }
   Log() << kINFO << Endl;
   Log() << kINFO << line << Endl;
}

void Factory::PrintConfusion(MethodBase &method)
{
   const DataSetInfo &info = method.DataInfo();
   const Int_t n = static_cast<Int_t>(info.GetNClasses());
   Log() << kINFO << "=== Showing confusion matrix for method : " << Form("%-15s", method.GetMethodName().Data()) << Endl;
   for (const Double_t effB : {0.01, 0.10, 0.30}) {
      const TMatrixD test = method.GetMulticlassConfusionMatrix(effB, Types::kTesting);
      const TMatrixD train = method.GetMulticlassConfusionMatrix(effB, Types::kTraining);
      Log() << kINFO << Form("(Signal Efficiency for Background Efficiency %4.2f)", effB) << Endl;
      Log() << kINFO << "---------------------------------------------------" << Endl;
      TString names = Form(" %-14s", ""), samples = names;
      for (Int_t i = 0; i < n; ++i) {
         names += Form(" %-14s", info.GetClassInfo(i)->GetName());
         samples += Form(" %-14s", " test (train)");
      }
      Log() << kINFO << names << Endl;
      Log() << kINFO << samples << Endl;
      for (Int_t i = 0; i < n; ++i) {
         TString row = Form(" %-14s", info.GetClassInfo(i)->GetName());
         for (Int_t j = 0; j < n; ++j) {
            const TString cell = i == j ? TString("-") : TString(Form("%-5.3f (%-5.3f)", test(i, j), train(i, j)));
            row += Form(" %-14s", cell.Data());
         }
         Log() << kINFO << row << Endl;
      }
      Log() << kINFO << Endl;
   }
}

} // namespace TMVA
