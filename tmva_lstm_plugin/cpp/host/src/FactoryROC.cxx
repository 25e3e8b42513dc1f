/// \file
/// The Factory's ROC curves.
#include "TMVA/Factory.h"

#include "TMVA/DataLoader.h"
#include "TMVA/DataSetInfo.h"
#include "TMVA/Event.h"
#include "TMVA/IMethod.h"
#include "TMVA/MethodBase.h"
#include "TMVA/MsgLogger.h"
#include "TMVA/ROCCurve.h"
#include "TMVA/ResultsClassification.h"
#include "TMVA/ResultsMulticlass.h"
#include "TMVA/Tools.h"

#include "TAxis.h"
#include "TCanvas.h"
#include "TGraph.h"
#include "TH1.h"
#include "TMultiGraph.h"

namespace TMVA {

std::unique_ptr<ROCCurve>
Factory::GetROC(const TString &dataset, const TString &title, UInt_t iClass, Types::ETreeType type)
{
   const auto found = fMethodsMap.find(dataset);
   if (found == fMethodsMap.end()) {
      Log() << kERROR << "DataSet = " << dataset << " not found in methods map." << Endl;
      return nullptr;
   }
   auto *method = dynamic_cast<MethodBase *>(GetMethod(dataset, title));
   if (!method) {
      std::vector<TString> titles;
      for (const IMethod *booked : *found->second)
         titles.emplace_back(booked->GetName());
      const TString nearest = gTools().NearestName(title, titles);
      Log() << kERROR << "Method = " << title << " not found with Dataset = " << dataset << "."
            << (nearest == "" ? TString() : " Did you mean \"" + nearest + "\"?") << Endl;
      return nullptr;
   }
   if (fAnalysisType != Types::kClassification && fAnalysisType != Types::kMulticlass) {
      Log() << kERROR << "Can only generate ROC curves for analysis type kClassification and kMulticlass." << Endl;
      return nullptr;
   }
   if (fAnalysisType == Types::kMulticlass && iClass >= method->DataInfo().GetNClasses()) {
      Log() << kERROR
            << Form("Given class number (iClass = %u) does not exist. There are %u classes in dataset.", iClass,
                    method->DataInfo().GetNClasses())
            << Endl;
      return nullptr;
   }
   const std::vector<Event *> &events = method->Data()->GetEventCollection(type);
   Results *results = method->Data()->GetResults(title, type, Types::kMaxAnalysisType);
   auto *binary = dynamic_cast<ResultsClassification *>(results);
   auto *multiclass = dynamic_cast<ResultsMulticlass *>(results);
   const std::size_t answers = binary       ? static_cast<std::size_t>(binary->GetSize())
                               : multiclass ? static_cast<std::size_t>(multiclass->GetSize())
                                            : 0;
   if (answers == 0 || answers != events.size()) {
      Log() << kERROR << "Method " << title << " has answers for " << answers << " of " << events.size()
            << (type == Types::kTraining ? " training" : " test")
            << " events: call TrainAllMethods and TestAllMethods before asking for the ROC curve" << Endl;
      return nullptr;
   }
   std::vector<Float_t> values(events.size()), weights(events.size());
   std::vector<Bool_t> isSignal(events.size());
   for (std::size_t i = 0; i < events.size(); ++i) {
      values[i] = binary ? (*binary->GetValueVector())[i] : (*multiclass->GetValueVector())[i].at(iClass);
      isSignal[i] = binary ? method->DataInfo().IsSignal(events[i]) : events[i]->GetClass() == iClass;
      weights[i] = static_cast<Float_t>(events[i]->GetWeight());
   }
   return std::make_unique<ROCCurve>(values, isSignal, weights);
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
   if (setTitles) {
      graph->SetTitle(Form("Signal efficiency vs. Background rejection (%s)", title.Data()));
      graph->GetXaxis()->SetTitle("Signal efficiency (Sensitivity)");
      graph->GetYaxis()->SetTitle("Background rejection (Specificity)");
   }
   return graph;
}

TMultiGraph *Factory::GetROCCurveAsMultiGraph(DataLoader *loader, UInt_t iClass, Types::ETreeType type)
{
   return GetROCCurveAsMultiGraph(TString(loader->GetName()), iClass, type);
}

TMultiGraph *Factory::GetROCCurveAsMultiGraph(TString dataset, UInt_t iClass, Types::ETreeType type)
{
   const auto found = fMethodsMap.find(dataset);
   if (found == fMethodsMap.end()) {
      Log() << kERROR << "DataSet = " << dataset << " not found in methods map." << Endl;
      return nullptr;
   }
   std::unique_ptr<TMultiGraph> graphs(new TMultiGraph);
   Short_t color = 1;
   for (const IMethod *method : *found->second)
      if (TGraph *graph = GetROCCurve(dataset, method->GetName(), kFALSE, iClass, type)) {
         graph->SetTitle(method->GetName());
         graph->SetLineWidth(2);
         graph->SetLineColor(color++);
         graph->SetFillColor(10);
         graphs->Add(graph);
      }
   if (!graphs->GetListOfGraphs()) {
      Log() << kERROR << "No method has a ROC curve for class " << iClass << Endl;
      return nullptr;
   }
   return graphs.release();
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
   graphs->SetBit(kCanDelete); // with the canvas
   graphs->Draw("AL");
   graphs->GetXaxis()->SetTitle("Signal efficiency (Sensitivity)");
   graphs->GetYaxis()->SetTitle("Background rejection (Specificity)");
   TString title("Signal efficiency vs. Background rejection");
   if (fAnalysisType == Types::kMulticlass)
      title += Form(" (Class=%u)", iClass);
   graphs->SetTitle(title);
   graphs->GetHistogram()->SetTitle(title);
   canvas->BuildLegend(0.15, 0.15, 0.35, 0.3, "MVA Method");
   return canvas;
}

} // namespace TMVA
