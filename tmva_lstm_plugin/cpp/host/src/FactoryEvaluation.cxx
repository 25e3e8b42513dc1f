/// \file
/// The second half of the Factory: testing, figures of merit and their tables, curves, the trees of the output file.
#include "TMVA/Factory.h"

#include "TMVA/Config.h"
#include "TMVA/DataLoader.h"
#include "TMVA/MethodBase.h"
#include "TMVA/ROCCurve.h"
#include "TMVA/Tools.h"

#include "TAxis.h"
#include "TCanvas.h"
#include "TFile.h"
#include "TGraph.h"
#include "TH1.h"
#include "TMultiGraph.h"
#include "TTree.h"

#include <algorithm>

namespace TMVA {

namespace {

/// Background efficiencies of the tables.
constexpr Double_t kPoints[3] = {0.01, 0.10, 0.30};

} // namespace

void Factory::TestAllMethods()
{
   Log() << kHEADER << "Test all methods" << Endl;
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
   Log() << kHEADER << "Evaluate all methods" << Endl;
   for (auto &list : fMethodsMap) {
      Event::SetIsTraining(kFALSE);
      std::vector<MethodBase *> methods;
      for (MethodBase *method : Methods(*list.second))
         if (method->Data()->GetResults(method->GetMethodName(), Types::kTesting, Types::kMaxAnalysisType))
            methods.push_back(method);
         else
            Log() << kERROR << "Method " << method->GetMethodName()
                  << " has not been tested and is left out: call TrainAllMethods and TestAllMethods first" << Endl;
      if (methods.empty())
         continue;
      if (fAnalysisType == Types::kRegression)
         EvaluateRegression(methods);
      else if (fAnalysisType == Types::kMulticlass)
         EvaluateMulticlass(methods);
      else
         EvaluateClassification(methods);
      if (IsSilentFile())
         continue;
      for (MethodBase *method : methods) {
         method->WriteEvaluationHistosToFile(Types::kTesting);
         method->WriteEvaluationHistosToFile(Types::kTraining);
      }
      WriteTrees(methods.front()->DataInfo());
   }
}

void Factory::WriteTrees(DataSetInfo &info)
{
   fTargetFile->cd(info.GetName());
   for (const Types::ETreeType type : {Types::kTesting, Types::kTraining}) {
      // read back from the file it is complete; in memory its branches would have no addresses
      const std::unique_ptr<TTree> tree(info.GetDataSet()->GetTree(type));
      tree->Write("", TObject::kOverwrite);
   }
   fTargetFile->cd();
}

void Factory::EvaluateClassification(const std::vector<MethodBase *> &methods)
{
   std::vector<std::pair<Double_t, TString>> areas, efficiencies; // by the area below the curve, one line each
   for (MethodBase *method : methods) {
      Log() << kHEADER << "Evaluate classifier: " << method->GetMethodName() << Endl << Endl;
      method->TestClassification();
      const TString dataset = method->DataInfo().GetName(), title = method->GetMethodName();
      const auto test = method->MakeROCCurve(Types::kTesting), train = method->MakeROCCurve(Types::kTraining);
      const Double_t area = test->GetROCIntegral();
      areas.emplace_back(-area, Form("%-13s %-15s: %#1.3f", dataset.Data(), title.Data(), area));
      TString line = Form("%-20s %-15s:", dataset.Data(), title.Data());
      for (const Double_t point : kPoints)
         line += Form(" %#1.3f (%#1.3f)      ", test->GetEffSForEffB(point), train->GetEffSForEffB(point));
      efficiencies.emplace_back(-area, line);
   }
   if (!fROC)
      return;
   std::stable_sort(areas.begin(), areas.end());
   std::stable_sort(efficiencies.begin(), efficiencies.end());
   // these tables come even with the option Silent
   const Bool_t silent = gConfig().IsSilent();
   gConfig().SetSilent(kFALSE);
   const TString line('-', 115);
   Log() << kINFO << "Evaluation results ranked by best signal efficiency and purity (area)" << Endl;
   Log() << kINFO << line << Endl;
   Log() << kINFO << "DataSet       MVA                       " << Endl;
   Log() << kINFO << "Name:         Method:          ROC-integ" << Endl;
   for (const auto &row : areas)
      Log() << kINFO << row.second << Endl;
   Log() << kINFO << line << Endl;
   Log() << kINFO << Endl;
   Log() << kINFO << "Testing efficiency compared to training efficiency (overtraining check)" << Endl;
   Log() << kINFO << line << Endl;
   Log() << kINFO << "DataSet              MVA              Signal efficiency: from test sample (from training sample) " << Endl;
   Log() << kINFO << "Name:                Method:          @B=0.01             @B=0.10            @B=0.30   " << Endl;
   Log() << kINFO << line << Endl;
   for (const auto &row : efficiencies)
      Log() << kINFO << row.second << Endl;
   Log() << kINFO << line << Endl;
   Log() << kINFO << Endl;
   gConfig().SetSilent(silent);
}

void Factory::EvaluateRegression(const std::vector<MethodBase *> &methods)
{
   const TString line('-', 98);
   for (const Types::ETreeType type : {Types::kTesting, Types::kTraining}) {
      Log() << kINFO << "Evaluation results on the " << (type == Types::kTesting ? "test" : "training") << " sample" << Endl;
      Log() << kINFO << "(Bias: mean of answer - target; _T: of the events within 2 RMS of it; of the first target)" << Endl;
      Log() << kINFO << line << Endl;
      Log() << kINFO << "DataSet Name:         MVA Method:        <Bias>   <Bias_T>    RMS    RMS_T" << Endl;
      Log() << kINFO << line << Endl;
      for (MethodBase *method : methods) {
         const MethodBase::Deviations found = method->GetDeviations(type);
         Log() << kINFO
               << Form("%-20s %-15s:%#9.3g%#9.3g%#9.3g%#9.3g", method->DataInfo().GetName(), method->GetName(), found.bias,
                       found.biasT, found.rms, found.rmsT)
               << Endl;
      }
      Log() << kINFO << line << Endl;
      Log() << kINFO << Endl;
   }
}

void Factory::EvaluateMulticlass(const std::vector<MethodBase *> &methods)
{
   const TString line('-', 103);
   const char *columns = "%-15s%-15s%-15s%-15s%-15s%-15s", *cell = "test  (train)";
   Log() << kINFO << "1-vs-rest performance metrics per class" << Endl;
   Log() << kINFO << line << Endl;
   Log() << kINFO << "The class of the row is signal, all others are background; test sample (training sample)." << Endl;
   Log() << kINFO << Form(columns, "Dataset", "MVA Method", "ROC AUC", "Sig eff@B=0.01", "@B=0.10", "@B=0.30") << Endl;
   Log() << kINFO << Form(columns, "Name:", "/ Class:", cell, cell, cell, cell) << Endl;
   for (MethodBase *method : methods) {
      method->TestMulticlass();
      Log() << kINFO << Form("%-15s%-15s", method->DataInfo().GetName(), method->GetName()) << Endl;
      Log() << kINFO << "------------------------------" << Endl;
      for (UInt_t i = 0; i < method->DataInfo().GetNClasses(); ++i) {
         const auto test = method->MakeROCCurve(Types::kTesting, i), train = method->MakeROCCurve(Types::kTraining, i);
         TString row = Form("%-15s%-15s%5.3f (%5.3f)  ", "", method->DataInfo().GetClassInfo(static_cast<Int_t>(i))->GetName(),
                            test->GetROCIntegral(), train->GetROCIntegral());
         for (const Double_t point : kPoints)
            row += Form("%5.3f (%5.3f)  ", test->GetEffSForEffB(point), train->GetEffSForEffB(point));
         Log() << kINFO << row << Endl;
      }
   }
   Log() << kINFO << line << Endl;
}

// ---------------------------------------------------------------------------------------- ROC curves

std::unique_ptr<ROCCurve>
Factory::GetROC(const TString &dataset, const TString &title, UInt_t iClass, Types::ETreeType type)
{
   auto *method = dynamic_cast<MethodBase *>(GetMethod(dataset, title));
   const Results *results = method ? method->Data()->GetResults(title, type, Types::kMaxAnalysisType) : nullptr;
   if (!results || fAnalysisType == Types::kRegression || iClass >= method->DataInfo().GetNClasses()) {
      std::vector<TString> titles;
      const auto found = fMethodsMap.find(dataset);
      if (found != fMethodsMap.end())
         for (const MethodBase *booked : Methods(*found->second))
            titles.push_back(booked->GetMethodName());
      Log() << kERROR << "No ROC curve of method " << title << " for class " << iClass << " of data set " << dataset
            << (!method                                ? ": it is not booked. Booked are: " + gTools().JoinNames(titles)
                : fAnalysisType == Types::kRegression  ? TString(": it is a regression")
                : !results                             ? TString(": call TrainAllMethods and TestAllMethods first")
                                                       : TString(": there is no such class"))
            << Endl;
      return nullptr;
   }
   return method->MakeROCCurve(type, iClass);
}

Double_t Factory::GetROCIntegral(DataLoader *loader, TString title, UInt_t iClass, Types::ETreeType type)
{
   return GetROCIntegral(TString(loader->GetName()), title, iClass, type);
}

Double_t Factory::GetROCIntegral(TString dataset, TString title, UInt_t iClass, Types::ETreeType type)
{
   const auto curve = GetROC(dataset, title, iClass, type);
   return curve ? curve->GetROCIntegral() : 0;
}

TGraph *Factory::GetROCCurve(DataLoader *loader, TString title, Bool_t setTitles, UInt_t iClass, Types::ETreeType type)
{
   return GetROCCurve(TString(loader->GetName()), title, setTitles, iClass, type);
}

TGraph *Factory::GetROCCurve(TString dataset, TString title, Bool_t setTitles, UInt_t iClass, Types::ETreeType type)
{
   const auto curve = GetROC(dataset, title, iClass, type);
   if (!curve)
      return nullptr;
   auto *graph = static_cast<TGraph *>(curve->GetROCCurve()->Clone());
   if (setTitles)
      graph->SetTitle("Signal efficiency vs. Background rejection (" + title +
                      ");Signal efficiency (Sensitivity);Background rejection (Specificity)");
   return graph;
}

TMultiGraph *Factory::GetROCCurveAsMultiGraph(DataLoader *loader, UInt_t iClass, Types::ETreeType type)
{
   return GetROCCurveAsMultiGraph(TString(loader->GetName()), iClass, type);
}

TMultiGraph *Factory::GetROCCurveAsMultiGraph(TString dataset, UInt_t iClass, Types::ETreeType type)
{
   std::unique_ptr<TMultiGraph> graphs(new TMultiGraph);
   const auto found = fMethodsMap.find(dataset);
   if (found != fMethodsMap.end())
      for (const MethodBase *method : Methods(*found->second))
         if (TGraph *graph = GetROCCurve(dataset, method->GetName(), kFALSE, iClass, type)) {
            graph->SetTitle(method->GetName());
            graph->SetLineWidth(2);
            graph->SetLineColor(graphs->GetListOfGraphs() ? graphs->GetListOfGraphs()->GetSize() + 1 : 1);
            graph->SetFillColor(10);
            graphs->Add(graph);
         }
   return graphs->GetListOfGraphs() ? graphs.release() : nullptr;
}

TCanvas *Factory::GetROCCurve(DataLoader *loader, UInt_t iClass, Types::ETreeType type)
{
   return GetROCCurve(TString(loader->GetName()), iClass, type);
}

TCanvas *Factory::GetROCCurve(TString dataset, UInt_t iClass, Types::ETreeType type)
{
   TMultiGraph *graphs = GetROCCurveAsMultiGraph(dataset, iClass, type);
   if (!graphs)
      return nullptr;
   auto *canvas = new TCanvas(Form("ROCCurve %s class %u", dataset.Data(), iClass), "ROC Curve", 200, 10, 700, 500);
   canvas->SetGrid();
   TString title("Signal efficiency vs. Background rejection");
   if (fAnalysisType == Types::kMulticlass)
      title += Form(" (Class=%u)", iClass);
   graphs->SetTitle(title + ";Signal efficiency (Sensitivity);Background rejection (Specificity)");
   graphs->SetBit(kCanDelete); // with the canvas
   graphs->Draw("AL");
   canvas->BuildLegend(0.15, 0.15, 0.35, 0.3, "MVA Method");
   return canvas;
}

} // namespace TMVA
