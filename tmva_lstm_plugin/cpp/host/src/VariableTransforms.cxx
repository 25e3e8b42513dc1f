#include "TMVA/VariableTransform.h"

#include <algorithm>
#include <cfloat>
#include <iomanip>
#include <ostream>

#include "TMVA/Tools.h"
#include "TMVA/TransformationHandler.h"
#include "TMVA/VariableIdentityTransform.h"
#include "TMVA/VariableNormalizeTransform.h"

namespace TMVA {

void CreateVariableTransforms(const TString &definition, DataSetInfo &dataInfo, TransformationHandler &handler, MsgLogger &log)
{
   if (definition == "None" || definition == "")
      return;
   TString chain(definition); // commas between transformations become '+', those in a selection stay
   Int_t depth = 0;
   for (Ssiz_t i = 0; i < chain.Length(); ++i) {
      depth += (chain[i] == '(') - (chain[i] == ')');
      if (chain[i] == ',' && depth == 0)
         chain[i] = '+';
   }
   const TString prefix = Form("[%s] : ", dataInfo.GetName());
   for (TString item : gTools().SplitString(chain, '+')) {
      TString selection;
      const Ssiz_t open = item.First('('), close = item.First(')');
      if (open >= 0 && close > open) {
         selection = item(open + 1, close - open - 1);
         item.Remove(open, close - open + 1);
      }
      const Ssiz_t underscore = item.First('_');
      const TString name = underscore < 0 ? item : TString(item(0, underscore));
      const TString reference = underscore < 0 ? TString("AllClasses") : TString(item(underscore + 1, item.Length()));
      if (reference != "AllClasses" && !dataInfo.GetClassInfo(reference))
         log << kFATAL << prefix << "Class " << reference << " not known for variable transformation " << name << ", please check."
            << Endl;

      VariableTransformBase *transformation = nullptr;
      if (name == "I" || name == "Ident" || name == "Identity") {
         transformation = new VariableIdentityTransform(dataInfo);
         selection = selection == "" ? "_V_" : selection;
      } else if (name == "N" || name == "Norm" || name == "Normalise" || name == "Normalize") {
         // The weights file does not say which class a transformation refers to, and a reader takes all of them.
         if (reference != "AllClasses")
            log << kFATAL << prefix << "VarTransform=" << item
               << ": the embedded host normalises to the range of all classes only. Write "
                << name << ", or use a ROOT that comes with TMVA" << Endl;
         transformation = new VariableNormalizeTransform(dataInfo);
      } else {
         log << kFATAL << prefix << "VarTransform=" << definition << ": the embedded host does not have the transformation '" << name
             << "'; it has I (identity) and N (normalisation). Use one of these, or a ROOT that comes with TMVA" << Endl;
         return;
      }
      log << kINFO << prefix << "Create Transformation \"" << name << "\" with events from all classes." << Endl;
      transformation->SelectInput(selection);
      handler.AddTransformation(transformation, -1);
   }
}

VariableTransformBase::VariableTransformBase(DataSetInfo &dsi, Types::EVariableTransform tf, const TString &trfName)
   : fDsi(dsi), fVariableTransform(tf), fTransformName(trfName), fLogger(trfName.Data(), kINFO)
{
}

const VariableInfo &VariableTransformBase::Info(const std::pair<Char_t, UInt_t> &entry) const
{
   return entry.first == 'v'   ? fDsi.GetVariableInfo(entry.second)
          : entry.first == 't' ? fDsi.GetTargetInfo(entry.second)
                               : fDsi.GetSpectatorInfo(entry.second);
}

Bool_t VariableTransformBase::Get(const Event &ev, const std::pair<Char_t, UInt_t> &entry, Float_t &value)
{
   const UInt_t i = entry.second;
   if (i >= (entry.first == 'v' ? ev.GetNVariables() : entry.first == 't' ? ev.GetNTargets() : ev.GetNSpectators()))
      return kFALSE;
   value = entry.first == 'v' ? ev.GetValue(i) : entry.first == 't' ? ev.GetTarget(i) : ev.GetSpectator(i);
   return kTRUE;
}

void VariableTransformBase::Set(Event &ev, const std::pair<Char_t, UInt_t> &entry, Float_t value)
{
   if (entry.first == 'v')
      ev.SetVal(entry.second, value);
   else if (entry.first == 't')
      ev.SetTarget(entry.second, value);
   else
      ev.SetSpectator(entry.second, value);
}

void VariableTransformBase::SelectInput(const TString &inputVariables)
{
   fGet.clear();
   VectorOfCharAndInt everything;
   for (UInt_t i = 0; i < fDsi.GetNVariables(); ++i)
      everything.emplace_back('v', i);
   for (UInt_t i = 0; i < fDsi.GetNTargets(); ++i)
      everything.emplace_back('t', i);
   for (UInt_t i = 0; i < fDsi.GetNSpectators(); ++i)
      everything.emplace_back('s', i);
   for (const TString &word : gTools().SplitString(inputVariables == "" ? "_V_,_T_" : inputVariables, ',')) {
      const bool keyword = word.Length() >= 3 && word.BeginsWith("_") && word.EndsWith("_");
      const TString number = keyword ? TString(word(2, word.Length() - 3)) : TString();
      bool found = keyword && number == ""; // all targets may be none
      for (const auto &entry : everything) {
         const bool wanted = keyword ? word[1] == std::toupper(entry.first) && (number == "" || UInt_t(number.Atoi()) == entry.second)
                                     : Info(entry).GetLabel() == word;
         if (!wanted)
            continue;
         found = true;
         if (std::find(fGet.begin(), fGet.end(), entry) == fGet.end())
            fGet.push_back(entry);
      }
      if (!found) {
         std::vector<TString> labels;
         for (const auto &entry : everything)
            labels.push_back(Info(entry).GetLabel());
         Log() << kFATAL << "The variable transformation asks for '" << word
            << "', which is no variable, target or spectator of the data set."
               << gTools().DidYouMean(word, labels) << Endl;
      }
   }
   std::sort(fGet.begin(), fGet.end(), [&](const auto &a, const auto &b) {
      return std::find(everything.begin(), everything.end(), a) < std::find(everything.begin(), everything.end(), b);
   });
}

Bool_t VariableTransformBase::UsesArrayElements() const
{
   return std::any_of(fGet.begin(), fGet.end(),
      [this](const auto &entry) { return Info(entry).TestBit(DataSetInfo::kIsArrayVariable); });
}

void VariableTransformBase::CountVariableTypes(UInt_t &nvars, UInt_t &ntgts, UInt_t &nspcts) const
{
   const auto count = [this](Char_t type) {
      return std::count_if(fGet.begin(), fGet.end(), [type](const auto &entry) { return entry.first == type; });
   };
   nvars = count('v');
   ntgts = count('t');
   nspcts = count('s');
}

void VariableTransformBase::AttachSelectionXMLTo(void *parent) const
{
   void *selection = gTools().AddChild(parent, "Selection");
   for (const TString kind : {"Input", "Output"}) { // what goes in comes out at the same place
      void *list = gTools().AddChild(selection, kind);
      gTools().AddAttr(list, "N" + kind + "s", fGet.size());
      for (const auto &entry : fGet) {
         void *node = gTools().AddChild(list, kind);
         gTools().AddAttr(node, "Type", entry.first == 'v' ? "Variable" : entry.first == 't' ? "Target" : "Spectator");
         gTools().AddAttr(node, "Label", Info(entry).GetLabel());
         gTools().AddAttr(node, "Expression", Info(entry).GetExpression());
      }
   }
}

void VariableTransformBase::ReadSelectionFromXML(void *selection)
{
   fGet.clear();
   void *list = gTools().GetChild(selection, "Input");
   for (void *node = list ? gTools().GetChild(list) : nullptr; node; node = gTools().GetNextChild(node)) {
      TString type, label, expression;
      gTools().ReadAttr(node, "Type", type);
      gTools().ReadAttr(node, "Label", label);
      gTools().ReadAttr(node, "Expression", expression);
      const Char_t code = type == "Variable" ? 'v' : type == "Target" ? 't' : 's';
      const UInt_t n = code == 'v' ? fDsi.GetNVariables() : code == 't' ? fDsi.GetNTargets() : fDsi.GetNSpectators();
      bool found = false;
      for (UInt_t i = 0; i < n && !found; ++i) {
         const std::pair<Char_t, UInt_t> entry(code, i);
         // the elements of an array share their expression: each one is taken once, in order
         found = (Info(entry).GetLabel() == label || Info(entry).GetExpression() == expression) &&
                 std::find(fGet.begin(), fGet.end(), entry) == fGet.end();
         if (found)
            fGet.push_back(entry);
      }
      if (!found)
         Log() << kFATAL << "The weights file transforms the " << type << " '" << label << "' (" << expression
               << "), which the data set does not have" << Endl;
   }
}

void VariableIdentityTransform::MakeFunction(std::ostream &fout, const TString &fncName, Int_t part, UInt_t trCounter, Int_t)
{
   if (part != 2)
      return;
   fout << "\ninline void " << fncName << "::InitTransform_" << trCounter << "() {}\n";
   fout << "inline void " << fncName << "::Transform_" << trCounter << "( std::vector<double>&, int ) const {}\n";
}

void VariableNormalizeTransform::Initialize()
{
   const size_t n = GetNClasses() > 1 ? GetNClasses() + 1 : 1;
   fMin.assign(n, std::vector<Float_t>(fGet.size(), FLT_MAX));
   fMax.assign(n, std::vector<Float_t>(fGet.size(), -FLT_MAX));
}

UInt_t VariableNormalizeTransform::ClassIndex(Int_t cls) const
{
   return cls < 0 || cls >= Int_t(fMin.size()) ? fMin.size() - 1 : cls;
}

Bool_t VariableNormalizeTransform::PrepareTransformation(const std::vector<Event *> &events)
{
   if (IsCreated())
      return kTRUE;
   if (events.size() <= 1)
      Log() << kFATAL << "Not enough events (found " << events.size() << ") to calculate the normalization" << Endl;
   Log() << kINFO << "Preparing the transformation." << Endl;
   Initialize();
   for (const Event *event : events)
      for (const UInt_t cls : {std::min<UInt_t>(event->GetClass(), fMin.size() - 1), UInt_t(fMin.size() - 1)})
         for (size_t i = 0; i < fGet.size(); ++i) {
            Float_t value = 0;
            if (!Get(*event, fGet[i], value))
               continue;
            fMin[cls][i] = std::min(fMin[cls][i], value);
            fMax[cls][i] = std::max(fMax[cls][i], value);
         }
   SetCreated();
   return kTRUE;
}

const Event *VariableNormalizeTransform::Transform(const Event *const ev, Int_t cls) const
{
   if (!IsCreated())
      Log() << kFATAL << "Transformation not yet created" << Endl;
   const UInt_t c = ClassIndex(cls);
   fTransformedEvent = *ev;
   for (size_t i = 0; i < fGet.size(); ++i) {
      Float_t value = 0;
      if (!Get(*ev, fGet[i], value))
         continue;
      // in this order and precision, so that a real TMVA gets the same bits
      const Float_t min = fMin[c][i], max = fMax[c][i], offset = min, scale = 1.0 / (max - min);
      Set(fTransformedEvent, fGet[i], max > min ? (value - offset) * scale * 2 - 1 : 0);
   }
   return &fTransformedEvent;
}

const Event *VariableNormalizeTransform::InverseTransform(const Event *const ev, Int_t cls) const
{
   if (!IsCreated())
      Log() << kFATAL << "Transformation not yet created" << Endl;
   const UInt_t c = ClassIndex(cls);
   fBackTransformedEvent = *ev;
   for (size_t i = 0; i < fGet.size(); ++i) {
      Float_t value = 0;
      if (!Get(*ev, fGet[i], value))
         continue;
      const Float_t min = fMin[c][i], max = fMax[c][i], offset = min, scale = 1.0 / (max - min);
      Set(fBackTransformedEvent, fGet[i], max > min ? offset + ((value + 1) / (scale * 2)) : min);
   }
   return &fBackTransformedEvent;
}

void VariableNormalizeTransform::AttachXMLTo(void *parent)
{
   void *transform = gTools().AddChild(parent, "Transform");
   gTools().AddAttr(transform, "Name", "Normalize");
   AttachSelectionXMLTo(transform);
   for (size_t cls = 0; cls < fMin.size(); ++cls) {
      void *node = gTools().AddChild(transform, "Class");
      gTools().AddAttr(node, "ClassIndex", cls);
      void *ranges = gTools().AddChild(node, "Ranges");
      for (size_t i = 0; i < fGet.size(); ++i) {
         void *range = gTools().AddChild(ranges, "Range");
         gTools().AddAttr(range, "Index", i);
         gTools().AddAttr(range, "Min", fMin[cls][i]);
         gTools().AddAttr(range, "Max", fMax[cls][i]);
      }
   }
}

void VariableNormalizeTransform::ReadFromXML(void *trfnode)
{
   void *selection = gTools().GetChild(trfnode, "Selection");
   if (!selection)
      Log() << kFATAL << "The normalisation in the weights file has no node <Selection>: files of TMVA before 4.1 are not read" << Endl;
   ReadSelectionFromXML(selection);
   fMin.clear();
   fMax.clear();
   for (void *node = gTools().GetChild(trfnode, "Class"); node; node = gTools().GetNextChild(node, "Class")) {
      fMin.emplace_back(fGet.size());
      fMax.emplace_back(fGet.size());
      void *ranges = gTools().GetChild(node, "Ranges");
      for (void *range = ranges ? gTools().GetChild(ranges) : nullptr; range; range = gTools().GetNextChild(range)) {
         UInt_t index = 0;
         gTools().ReadAttr(range, "Index", index);
         gTools().ReadAttr(range, "Min", fMin.back().at(index));
         gTools().ReadAttr(range, "Max", fMax.back().at(index));
      }
   }
   if (fMin.empty())
      Log() << kFATAL << "The normalisation in the weights file has no ranges" << Endl;
   SetCreated();
}

void VariableNormalizeTransform::MakeFunction(std::ostream &fout, const TString &fncName, Int_t part, UInt_t trCounter, Int_t)
{
   // only inputs: a standalone class knows no targets
   std::vector<size_t> inputs;
   for (size_t i = 0; i < fGet.size(); ++i)
      if (fGet[i].first == 'v')
         inputs.push_back(i);
   const TString n = Form("%zu", std::max<size_t>(inputs.size(), 1)), id = Form("_%u", trCounter);
   if (part == 1)
      fout << "\n   double fMin" << id << "[" << n << "];\n   double fMax" << id << "[" << n << "];\n   int fIndex" << id << "[" << n
         << "];\n";
   if (part != 2)
      return;
   fout << "\ninline void " << fncName << "::InitTransform" << id << "()\n{\n   // normalisation to the range of the training sample\n";
   for (size_t k = 0; k < inputs.size(); ++k)
      fout << "   fIndex" << id << "[" << k << "] = " << fGet[inputs[k]].second << "; fMin" << id << "[" << k
           << "] = " << std::setprecision(12) << fMin.back()[inputs[k]] << "; fMax" << id << "[" << k << "] = "
              << fMax.back()[inputs[k]]
           << ";\n";
   fout << "}\n\ninline void " << fncName << "::Transform" << id << "( std::vector<double>& iv, int ) const\n{\n";
   fout << "   for (int i = 0; i < " << inputs.size() << "; i++) {\n      double range = fMax" << id << "[i] - fMin" << id << "[i];\n";
   fout << "      double &x = iv[fIndex" << id << "[i]];\n      x = range > 0 ? (x - fMin" << id
      << "[i]) / range * 2 - 1 : 0;\n   }\n}\n";
}

} // namespace TMVA
