#include "TMVA/Results.h"

#include "TGraph.h"
#include "TH1.h"
#include "TH2.h"

#include "TMVA/ResultsClassification.h"

namespace TMVA {

Results::Results(const DataSetInfo *dsi, TString resultsName)
   : fDsi(dsi), fStorage(new TList), fLogger(Form("Results%s", resultsName.Data()), kINFO)
{
   fStorage->SetOwner();
}

Results::~Results()
{
   delete fStorage;
}

void Results::Store(TObject *obj, const char *alias)
{
   const TString name = alias ? alias : obj->GetName();
   if (fStorage->FindObject(obj) == obj || !fAliases.emplace(name, obj).second)
      Log() << kFATAL << "The histogram " << obj->GetName() << ", or another one as " << name << ", already exists in results storage"
            << Endl;
   if (auto *hist = dynamic_cast<TH1 *>(obj))
      hist->SetDirectory(nullptr);
   fStorage->Add(obj);
}

TObject *Results::GetObject(const TString &alias) const
{
   const auto found = fAliases.find(alias);
   return found == fAliases.end() ? nullptr : found->second;
}

TH1 *Results::GetHist(const TString &alias) const
{
   return dynamic_cast<TH1 *>(GetObject(alias));
}

TH2 *Results::GetHist2D(const TString &alias) const
{
   return dynamic_cast<TH2 *>(GetObject(alias));
}

TGraph *Results::GetGraph(const TString &alias) const
{
   return dynamic_cast<TGraph *>(GetObject(alias));
}

void Results::Delete(Option_t *)
{
   fAliases.clear();
   fStorage->Delete();
}

void ResultsClassification::SetValue(Float_t value, Int_t ievt, Bool_t isSignal)
{
   if (ievt >= Int_t(fMvaValues.size()))
      Resize(ievt + 1);
   fMvaValues[ievt] = value;
   fMvaValuesTypes[ievt] = isSignal;
}

} // namespace TMVA
