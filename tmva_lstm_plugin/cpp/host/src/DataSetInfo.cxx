#include "TMVA/DataSetInfo.h"

#include "DataSetFactory.h"

#include "TMVA/DataSet.h"
#include "TMVA/Tools.h"

#include "TH2F.h"

#include <algorithm>
#include <cfloat>
#include <cmath>

namespace TMVA {

VariableInfo::VariableInfo(const TString &expression, const TString &title, const TString &unit, char varType, Double_t min,
                           Double_t max, void *external)
   : fExpression(expression),
     fUnit(unit),
     fVarType(varType),
     fMin(min),
     fMax(max),
     fExternalData(static_cast<const Float_t *>(external))
{
   fExpression.ReplaceAll(" ", "");
   fLabel = fExpression;
   if (std::abs(max - min) <= FLT_MIN) { // not given
      fMin = FLT_MAX;
      fMax = -FLT_MAX;
   }
   const Ssiz_t colon = fExpression.Index(":=");
   if (colon != kNPOS) {
      fLabel = fExpression(0, colon);
      fExpression.Remove(0, colon + 2);
   }
   SetTitle(title == "" ? fLabel : title);
   fInternalName = gTools().ReplaceRegularExpressions(fLabel, "_");
   SetName(fInternalName);
}

void VariableInfo::AddToXML(void *node) const
{
   gTools().AddAttr(node, "Expression", fExpression);
   gTools().AddAttr(node, "Label", fLabel);
   gTools().AddAttr(node, "Title", GetTitle());
   gTools().AddAttr(node, "Unit", fUnit);
   gTools().AddAttr(node, "Internal", fInternalName);
   gTools().AddAttr(node, "Type", TString(fVarType) + (TestBit(DataSetInfo::kIsArrayVariable) ? "[]" : ""));
   gTools().AddAttr(node, "Min", gTools().StringFromDouble(fMin));
   gTools().AddAttr(node, "Max", gTools().StringFromDouble(fMax));
}

DataSetInfo::DataSetInfo(const TString &name) : fName(name) {}

DataSetInfo::~DataSetInfo() = default;

DataSet *DataSetInfo::GetDataSet() const
{
   if (!fDataSet || fNeedsRebuilding) {
      Log() << kINFO << "Rebuilding Dataset " << fName << Endl;
      fDataSet.reset();
      // the description of the variables gets their ranges
      fDataSet = DataSetFactory(const_cast<DataSetInfo &>(*this)).CreateDataSet();
      fNeedsRebuilding = kFALSE;
   }
   return fDataSet.get();
}

// ---------------------------------------------------------------------------------------- variables

VariableInfo &DataSetInfo::Append(std::vector<VariableInfo> &list, const VariableInfo &info)
{
   list.push_back(info);
   SetChanged();
   return list.back();
}

void DataSetInfo::AddVariablesArray(const TString &expression, Int_t size, const TString &title, const TString &unit,
                                    Double_t min, Double_t max, char type, Bool_t, void *external)
{
   if (size < 1)
      Log() << kFATAL << Prefix() << "AddVariablesArray(\"" << expression << "\", " << size << "): the size has to be positive"
            << Endl;
   const TString formula = VariableInfo(expression, "", "").GetExpression();
   if (GetVarArraySize(formula) > 0)
      Log() << kFATAL << Prefix() << "AddVariablesArray(\"" << expression << "\", " << size
            << "): this array has been added already, with size " << GetVarArraySize(formula) << Endl;
   for (Int_t i = 0; i < size; ++i) {
      void *element = external ? static_cast<Float_t *>(external) + i : nullptr; // an Int_t is as large
      VariableInfo &info = AddVariable(expression, title + Form("[%d]", i), unit, min, max, type, kTRUE, element);
      info.SetBit(kIsArrayVariable);
      info.SetInternalName(info.GetInternalName() + Form("[%d]", i));
   }
   fVarArrays[formula] = size;
}

Int_t DataSetInfo::GetVarArraySize(const TString &expression) const
{
   const auto found = fVarArrays.find(expression);
   return found == fVarArrays.end() ? -1 : found->second;
}

// ---------------------------------------------------------------------------------------- classes

ClassInfo *DataSetInfo::AddClass(const TString &className)
{
   if (ClassInfo *known = GetClassInfo(className))
      return known;
   fClasses.push_back(std::make_unique<ClassInfo>(className, fClasses.size()));
   Log() << kHEADER << Prefix() << "Added class \"" << className << "\"" << Endl;
   if (className == "Signal")
      fSignalClass = fClasses.size() - 1;
   return fClasses.back().get();
}

ClassInfo *DataSetInfo::GetClassInfo(Int_t number) const
{
   return number >= 0 && size_t(number) < fClasses.size() ? fClasses[number].get() : nullptr;
}

ClassInfo *DataSetInfo::GetClassInfo(const TString &name) const
{
   for (const auto &info : fClasses)
      if (name == info->GetName())
         return info.get();
   return nullptr;
}

Int_t DataSetInfo::GetClassNameMaxLength() const
{
   Int_t longest = 0;
   for (const auto &info : fClasses)
      longest = std::max(longest, Int_t(std::string(info->GetName()).size()));
   return longest;
}

Bool_t DataSetInfo::HasInput() const
{
   return std::any_of(fClasses.begin(), fClasses.end(), [](const auto &info) { return !info->fInputs.empty(); });
}

std::vector<ClassInfo *> DataSetInfo::Classes(const TString &className)
{
   SetChanged();
   std::vector<ClassInfo *> classes;
   if (className != "")
      classes.push_back(AddClass(className));
   else
      for (const auto &info : fClasses)
         classes.push_back(info.get());
   return classes;
}

void DataSetInfo::SetWeightExpression(const TString &expression, const TString &className)
{
   for (ClassInfo *info : Classes(className))
      info->SetWeight(expression);
}

void DataSetInfo::SetCut(const TCut &cut, const TString &className)
{
   for (ClassInfo *info : Classes(className))
      info->SetCut(cut);
}

void DataSetInfo::AddCut(const TCut &cut, const TString &className)
{
   for (ClassInfo *info : Classes(className))
      info->SetCut(info->GetCut() && cut);
}

// ---------------------------------------------------------------------------------------- correlations

const TMatrixD *DataSetInfo::CorrelationMatrix(const TString &className) const
{
   const ClassInfo *info = GetClassInfo(className);
   return info ? info->fCorrelations.get() : nullptr;
}

TH2 *DataSetInfo::CreateCorrelationMatrixHist(const TMatrixD *m, const TString &name, const TString &title) const
{
   if (!m)
      return nullptr;
   const Int_t n = GetNVariables();
   auto *hist = new TH2F(name, title, n, 0, n, n, 0, n);
   hist->SetDirectory(nullptr);
   for (Int_t i = 0; i < n; ++i) {
      hist->GetXaxis()->SetBinLabel(i + 1, fVariables[i].GetTitle());
      hist->GetYaxis()->SetBinLabel(i + 1, fVariables[i].GetTitle());
      for (Int_t j = 0; j < n; ++j)
         hist->SetBinContent(i + 1, j + 1, Int_t(100. * Float_t((*m)(i, j))));
   }
   hist->SetStats(false);
   hist->SetMarkerSize(1.5);
   hist->SetMinimum(-100);
   hist->SetMaximum(+100);
   return hist;
}

} // namespace TMVA
