#include "TMVA/VariableInfo.h"

#include <cfloat>
#include <cmath>
#include <iomanip>
#include <ostream>

#include "TMVA/DataSetInfo.h"
#include "TMVA/Tools.h"

namespace TMVA {

VariableInfo::VariableInfo() = default;

VariableInfo::VariableInfo(const TString &expression, const TString &title, const TString &unit, Int_t varCounter, char varType,
                           void *external, Double_t min, Double_t max, Bool_t normalized)
   : fExpression(expression),
     fLabel(expression),
     fUnit(unit),
     fVarType(varType),
     fMin(min),
     fMax(max),
     fNormalized(normalized),
     fExternalData(external),
     fVarCounter(varCounter)
{
   if (std::abs(max - min) <= FLT_MIN) { // not given
      fMin = FLT_MAX;
      fMax = -FLT_MAX;
   }
   const Ssiz_t colon = expression.Index(":=");
   if (colon != kNPOS) {
      fExpression = expression(colon + 2, expression.Length());
      fLabel = expression(0, colon);
      fLabel.ReplaceAll(" ", "");
   }
   SetTitle(title == "" ? fLabel : title);
   fInternalName = gTools().ReplaceRegularExpressions(fLabel, "_");
   SetName(fInternalName);
}

void VariableInfo::AddToXML(void *node) const
{
   const TString type = TString(fVarType) + (TestBit(DataSetInfo::kIsArrayVariable) ? "[]" : "");
   gTools().AddAttr(node, "Expression", fExpression);
   gTools().AddAttr(node, "Label", fLabel);
   gTools().AddAttr(node, "Title", GetTitle());
   gTools().AddAttr(node, "Unit", fUnit);
   gTools().AddAttr(node, "Internal", fInternalName);
   gTools().AddAttr(node, "Type", type);
   gTools().AddAttr(node, "Min", gTools().StringFromDouble(fMin));
   gTools().AddAttr(node, "Max", gTools().StringFromDouble(fMax));
}

void VariableInfo::ReadFromXML(void *node)
{
   TString type, title;
   gTools().ReadAttr(node, "Expression", fExpression);
   gTools().ReadAttr(node, "Label", fLabel);
   gTools().ReadAttr(node, "Title", title);
   gTools().ReadAttr(node, "Unit", fUnit);
   gTools().ReadAttr(node, "Internal", fInternalName);
   gTools().ReadAttr(node, "Type", type);
   gTools().ReadAttr(node, "Min", fMin);
   gTools().ReadAttr(node, "Max", fMax);
   SetTitle(title);
   fVarType = type == "" ? '\0' : type[0];
   SetBit(DataSetInfo::kIsArrayVariable, type.Contains("[]"));
}

void VariableInfo::WriteToStream(std::ostream &out) const
{
   for (const TString &text : {fExpression, fInternalName, fLabel, TString(GetTitle()), fUnit})
      out << std::setw(30) << std::left << (text == fExpression ? text : "'" + text + "'").Data();
   out << "'" << fVarType << "'    [" << std::setprecision(12) << fMin << "," << fMax << "]" << std::endl;
}

} // namespace TMVA
