#include "TMVA/DataSetInfo.h"

#include <algorithm>

#include "TH2F.h"
#include "TMatrixD.h"

#include "TMVA/DataSet.h"
#include "TMVA/DataSetManager.h"
#include "TMVA/Tools.h"

namespace TMVA {

namespace {
TString WithoutBlanks(TString expression)
{
   return expression.ReplaceAll(" ", "");
}

template <class List, class Length>
Int_t LongestOf(const List &list, Length length)
{
   Int_t longest = 0;
   for (const auto &item : list)
      longest = std::max(longest, Int_t(length(item)));
   return longest;
}
} // namespace

DataSetInfo::DataSetInfo(const TString &name) : fName(name), fLogger("DataSetInfo", kINFO) {}

DataSetInfo::~DataSetInfo()
{
   ClearDataSet();
}

void DataSetInfo::ClearDataSet() const
{
   delete fDataSet;
   fDataSet = nullptr;
}

DataSet *DataSetInfo::GetDataSet() const
{
   if (fDataSet && !fNeedsRebuilding)
      return fDataSet;
   Log() << kINFO << "Rebuilding Dataset " << fName << Endl;
   ClearDataSet();
   if (!fDataSetManager)
      Log() << kFATAL << Form("[%s] : ", fName.Data()) << "No DataSetManager is set: the data set cannot be built from trees or events"
            << Endl;
   fDataSet = fDataSetManager->CreateDataSet(GetName());
   fNeedsRebuilding = kFALSE;
   return fDataSet;
}

void DataSetInfo::SetSplitOptions(const TString &options)
{
   fSplitOptions = options;
   fNeedsRebuilding = kTRUE;
}

VariableInfo &DataSetInfo::Append(std::vector<VariableInfo> &list, const VariableInfo &info)
{
   list.push_back(info);
   fNeedsRebuilding = kTRUE;
   return list.back();
}

VariableInfo &DataSetInfo::AddVariable(const VariableInfo &varInfo)
{
   return Append(fVariables, varInfo);
}

VariableInfo &DataSetInfo::AddTarget(const VariableInfo &varInfo)
{
   return Append(fTargets, varInfo);
}

VariableInfo &DataSetInfo::AddSpectator(const VariableInfo &varInfo)
{
   return Append(fSpectators, varInfo);
}

VariableInfo &DataSetInfo::AddVariable(const TString &expression, const TString &title, const TString &unit, Double_t min,
                                       Double_t max, char varType, Bool_t normalized, void *external)
{
   return AddVariable(VariableInfo(WithoutBlanks(expression), title, unit, fVariables.size() + 1, varType, external, min, max,
                                   normalized));
}

VariableInfo &DataSetInfo::AddTarget(const TString &expression, const TString &title, const TString &unit, Double_t min,
                                     Double_t max, Bool_t normalized, void *external)
{
   return AddTarget(
      VariableInfo(WithoutBlanks(expression), title, unit, fTargets.size() + 1, 'F', external, min, max, normalized));
}

VariableInfo &DataSetInfo::AddSpectator(const TString &expression, const TString &title, const TString &unit, Double_t min,
                                        Double_t max, char type, Bool_t normalized, void *external)
{
   return AddSpectator(
      VariableInfo(WithoutBlanks(expression), title, unit, fSpectators.size() + 1, type, external, min, max, normalized));
}

void DataSetInfo::AddVariablesArray(const TString &expression, Int_t size, const TString &title, const TString &unit,
                                    Double_t min, Double_t max, char type, Bool_t normalized, void *external)
{
   if (size <= 0)
      Log() << kFATAL << Form("[%s] : ", fName.Data()) << "<AddVariablesArray> The array \"" << expression << "\" was declared with "
            << size << " elements; at least one is expected" << Endl;
   const TString formula = WithoutBlanks(expression);
   for (Int_t i = 0; i < size; ++i) {
      void *element = external ? static_cast<Float_t *>(external) + i : nullptr; // an Int_t is as large
      VariableInfo &info =
         AddVariable(VariableInfo(formula, title + Form("[%d]", i), unit, fVariables.size() + 1, type, element, min, max, normalized));
      info.SetBit(kIsArrayVariable);
      info.SetInternalName(info.GetInternalName() + Form("[%d]", i));
   }
   fVarArrays[fVariables.back().GetExpression()] = size;
}

Int_t DataSetInfo::GetVarArraySize(const TString &expression) const
{
   const auto found = fVarArrays.find(expression);
   return found == fVarArrays.end() ? -1 : found->second;
}

UInt_t DataSetInfo::GetNSpectators(bool all) const
{
   return std::count_if(fSpectators.begin(), fSpectators.end(),
                        [all](const VariableInfo &info) { return all || info.GetVarType() != 'C'; });
}

Double_t DataSetInfo::KnownSum(Double_t sum, const char *what) const
{
   if (sum < 0)
      Log() << kFATAL << Form("[%s] : ", fName.Data()) << "The sum of " << what
         << " event weights is not known: the data set has not been built"
            << Endl;
   return sum;
}

ClassInfo *DataSetInfo::AddClass(const TString &className)
{
   if (ClassInfo *known = GetClassInfo(className))
      return known;
   fClasses.push_back(std::make_unique<ClassInfo>(className));
   fClasses.back()->SetNumber(fClasses.size() - 1);
   Log() << kHEADER << Form("[%s] : ", fName.Data()) << "Added class \"" << className << "\"" << Endl;
   if (className == "Signal")
      fSignalClass = fClasses.size() - 1;
   return fClasses.back().get();
}

ClassInfo *DataSetInfo::GetClassInfo(Int_t clNum) const
{
   return clNum >= 0 && size_t(clNum) < fClasses.size() ? fClasses[clNum].get() : nullptr;
}

ClassInfo *DataSetInfo::GetClassInfo(const TString &name) const
{
   for (const auto &info : fClasses)
      if (name == info->GetName())
         return info.get();
   return nullptr;
}

const ClassInfo &DataSetInfo::KnownClass(Int_t i) const
{
   if (!GetClassInfo(i))
      Log() << kFATAL << Form("[%s] : ", fName.Data()) << "There is no class number " << i << "; there are " << GetNClasses() << Endl;
   return *GetClassInfo(i);
}

void DataSetInfo::PrintClasses() const
{
   for (const auto &info : fClasses)
      Log() << kINFO << Form("[%s] : ", fName.Data()) << "Class index : " << info->GetNumber() << "  name : " << info->GetName()
         << Endl;
}

std::vector<Float_t> *DataSetInfo::GetTargetsForMulticlass(const Event *ev)
{
   fTargetsForMulticlass.assign(GetNClasses(), 0);
   fTargetsForMulticlass.at(ev->GetClass()) = 1;
   return &fTargetsForMulticlass;
}

Int_t DataSetInfo::FindVarIndex(const TString &name) const
{
   const std::vector<TString> names = GetListOfVariables();
   const auto found = std::find(names.begin(), names.end(), name);
   if (found == names.end())
      Log() << kFATAL << Form("[%s] : ", fName.Data()) << "<FindVarIndex> Variable '" << name << "' not found among "
            << gTools().JoinNames(names) << "." << gTools().DidYouMean(name, names) << Endl;
   return found - names.begin();
}

std::vector<TString> DataSetInfo::GetListOfVariables() const
{
   std::vector<TString> names;
   for (const VariableInfo &info : fVariables)
      names.push_back(info.GetInternalName());
   return names;
}

Int_t DataSetInfo::GetClassNameMaxLength() const
{
   return LongestOf(fClasses, [](const auto &info) { return TString(info->GetName()).Length(); });
}

Int_t DataSetInfo::GetVariableNameMaxLength() const
{
   return LongestOf(fVariables, [](const auto &info) { return info.GetInternalName().Length(); });
}

Int_t DataSetInfo::GetTargetNameMaxLength() const
{
   return LongestOf(fTargets, [](const auto &info) { return info.GetInternalName().Length(); });
}

void DataSetInfo::SetWeightExpression(const TString &exp, const TString &className)
{
   if (className != "")
      AddClass(className)->SetWeight(exp);
   else if (fClasses.empty())
      Log() << kWARNING << Form("[%s] : ", fName.Data()) << "No classes registered yet, cannot specify weight expression!" << Endl;
   else
      for (const auto &info : fClasses)
         info->SetWeight(exp);
   fNeedsRebuilding = kTRUE;
}

const TCut &DataSetInfo::GetCut(const TString &className) const
{
   const ClassInfo *info = GetClassInfo(className);
   return info ? info->GetCut() : KnownClass(-1).GetCut();
}

void DataSetInfo::SetCut(const TCut &cut, const TString &className)
{
   if (className == "")
      for (const auto &info : fClasses)
         info->SetCut(cut);
   else
      AddClass(className)->SetCut(cut);
   fNeedsRebuilding = kTRUE;
}

void DataSetInfo::AddCut(const TCut &cut, const TString &className)
{
   const auto add = [&cut](ClassInfo &info) { info.SetCut(info.GetCut() && cut); };
   if (className == "")
      for (const auto &info : fClasses)
         add(*info);
   else
      add(*AddClass(className));
   fNeedsRebuilding = kTRUE;
}

Bool_t DataSetInfo::HasCuts() const
{
   return std::any_of(fClasses.begin(), fClasses.end(), [](const auto &info) { return TString(info->GetCut()) != ""; });
}

const TMatrixD *DataSetInfo::CorrelationMatrix(const TString &className) const
{
   const ClassInfo *info = GetClassInfo(className);
   return info ? info->GetCorrelationMatrix() : nullptr;
}

void DataSetInfo::SetCorrelationMatrix(const TString &className, TMatrixD *matrix)
{
   AddClass(className)->SetCorrelationMatrix(matrix);
}

void DataSetInfo::PrintCorrelationMatrix(const TString &className)
{
   const TMatrixD *matrix = CorrelationMatrix(className);
   if (!matrix)
      return;
   Log() << kHEADER << Form("[%s] : ", fName.Data()) << "Correlation matrix (" << className << "):" << Endl;
   gTools().FormattedOutput(*matrix, GetListOfVariables(), Log());
}

TH2 *DataSetInfo::CreateCorrelationMatrixHist(const TMatrixD *m, const TString &hName, const TString &hTitle) const
{
   if (!m)
      return nullptr;
   const Int_t n = GetNVariables();
   auto *hist = new TH2F(hName, hTitle, n, 0, n, n, 0, n);
   for (Int_t i = 0; i < n; ++i) {
      hist->GetXaxis()->SetBinLabel(i + 1, fVariables[i].GetTitle());
      hist->GetYaxis()->SetBinLabel(i + 1, fVariables[i].GetTitle());
      for (Int_t j = 0; j < n; ++j)
         hist->SetBinContent(i + 1, j + 1, Int_t(100. * Float_t((*m)(i, j))));
   }
   hist->SetStats(false);
   hist->GetXaxis()->SetLabelSize(0.055);
   hist->GetYaxis()->SetLabelSize(0.055);
   hist->SetMarkerSize(1.5);
   hist->SetMarkerColor(0);
   hist->LabelsOption("d");
   hist->SetLabelOffset(0.011);
   hist->SetMinimum(-100);
   hist->SetMaximum(+100);
   return hist;
}

} // namespace TMVA
