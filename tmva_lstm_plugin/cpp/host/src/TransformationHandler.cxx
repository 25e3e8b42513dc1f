#include "TMVA/TransformationHandler.h"

#include "TMVA/Config.h"
#include "TMVA/Tools.h"

#include "TDirectory.h"
#include "TH1F.h"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <iomanip>
#include <memory>
#include <ostream>

namespace TMVA {

namespace {

/// A variable ('v'), target ('t') or spectator ('s') by its number.
using Entry = std::pair<Char_t, UInt_t>;

const VariableInfo &InfoOf(const DataSetInfo &dsi, const Entry &entry)
{
   return entry.first == 'v'   ? dsi.GetVariableInfo(entry.second)
          : entry.first == 't' ? dsi.GetTargetInfo(entry.second)
                               : dsi.GetSpectatorInfo(entry.second);
}

std::vector<Entry> AllEntries(const DataSetInfo &dsi)
{
   std::vector<Entry> entries;
   for (UInt_t i = 0; i < dsi.GetNVariables(); ++i)
      entries.emplace_back('v', i);
   for (UInt_t i = 0; i < dsi.GetNTargets(); ++i)
      entries.emplace_back('t', i);
   for (UInt_t i = 0; i < dsi.GetNSpectators(); ++i)
      entries.emplace_back('s', i);
   return entries;
}

/// What a selection such as "_V_,_T2_,label" names, in the order of the data set.
std::vector<Entry> Select(const DataSetInfo &dsi, const TString &selection, MsgLogger &log)
{
   const std::vector<Entry> everything = AllEntries(dsi);
   std::vector<bool> selected(everything.size());
   for (const TString &word : gTools().SplitString(selection, ',')) {
      const bool keyword = word.Length() >= 3 && word.BeginsWith("_") && word.EndsWith("_");
      const TString number = keyword ? TString(word(2, word.Length() - 3)) : TString();
      bool found = keyword && number == ""; // all targets may be none
      std::vector<TString> labels;
      for (std::size_t i = 0; i < everything.size(); ++i) {
         const auto [kind, index] = everything[i];
         labels.push_back(InfoOf(dsi, everything[i]).GetLabel());
         if (keyword ? word[1] == std::toupper(kind) && (number == "" || UInt_t(number.Atoi()) == index) : labels.back() == word)
            selected[i] = found = true;
      }
      if (!found)
         log << kFATAL << "The variable transformation asks for '" << word << "', which is no variable, target or spectator of the "
             << "data set." << gTools().DidYouMean(word, labels) << Endl;
   }
   std::vector<Entry> entries;
   for (std::size_t i = 0; i < everything.size(); ++i)
      if (selected[i])
         entries.push_back(everything[i]);
   return entries;
}

/// VarTransform=N. Ranges are taken for each class and for all classes together, as the weights file wants it; the latter are used.
class Normalisation : public TObject {
public:
   std::vector<Entry> fEntries;
   std::vector<std::vector<Float_t>> fMin, fMax; ///< [class, the last one: all of them][entry]; empty before the training

   bool IsCreated() const { return !fMin.empty(); }
   bool HasTargets() const
   {
      return std::any_of(fEntries.begin(), fEntries.end(), [](const Entry &entry) { return entry.first == 't'; });
   }
   /// Where an event has an entry; null when it has none (targets, when a trained method is applied).
   static Float_t *Place(Event &event, const Entry &entry)
   {
      std::vector<Float_t> &list = entry.first == 'v'   ? event.GetValues()
                                   : entry.first == 't' ? event.GetTargets()
                                                        : event.GetSpectators();
      return entry.second < list.size() ? &list[entry.second] : nullptr;
   }
   const Event *Apply(const Event &event, bool inverse) const
   {
      fTransformed = event;
      for (size_t i = 0; i < fEntries.size(); ++i) {
         Float_t *value = Place(fTransformed, fEntries[i]);
         if (!value)
            continue;
         // in this order and precision, so that a real TMVA gets the same bits
         const Float_t min = fMin.back()[i], max = fMax.back()[i], offset = min, scale = 1.0 / (max - min);
         if (inverse)
            *value = max > min ? offset + ((*value + 1) / (scale * 2)) : min;
         else
            *value = max > min ? (*value - offset) * scale * 2 - 1 : 0;
      }
      return &fTransformed;
   }

private:
   mutable Event fTransformed;
};

Normalisation &Cast(TObject *transformation)
{
   return *static_cast<Normalisation *>(transformation);
}

} // namespace

TransformationHandler::TransformationHandler(DataSetInfo &dsi, const TString &callerName)
   : fDataSetInfo(dsi), fLogger(TString("TFHandler_" + callerName).Data())
{
   fTransformations.SetOwner();
}

TransformationHandler::~TransformationHandler() = default;

void TransformationHandler::CreateTransformations(const TString &definition)
{
   if (definition == "None")
      return;
   TString chain(definition); // commas between transformations become '+', those in a selection stay
   Int_t depth = 0;
   for (Ssiz_t i = 0; i < chain.Length(); ++i) {
      depth += (chain[i] == '(') - (chain[i] == ')');
      if (chain[i] == ',' && depth == 0)
         chain[i] = '+';
   }
   for (TString item : gTools().SplitString(chain, '+')) {
      TString selection = "_V_,_T_";
      const Ssiz_t open = item.First('('), close = item.First(')');
      if (open >= 0 && close > open) {
         selection = item(open + 1, close - open - 1);
         item.Remove(open, close - open + 1);
      }
      // The weights file does not say which class a transformation refers to, and a reader takes all of them.
      const TString name = item.EndsWith("_AllClasses") ? TString(item(0, item.Length() - 11)) : item;
      if (name == "I" || name == "Ident" || name == "Identity")
         continue;
      if (name != "N" && name != "Norm" && name != "Normalise" && name != "Normalize")
         Log() << kFATAL << fDataSetInfo.Prefix() << "VarTransform=" << definition << ": the embedded host does not have the "
               << "transformation '" << name << "'; it has I (identity) and N (normalisation to the range of all classes). Use one "
               << "of these, or a ROOT that comes with TMVA" << Endl;
      auto *transformation = new Normalisation;
      fTransformations.Add(transformation);
      transformation->fEntries = Select(fDataSetInfo, selection, Log());
      // A TMVA that reads the file finds an input by its expression, which the elements of an array share: it would take the first
      // element for all of them and give other scores without a word.
      for (const Entry &entry : transformation->fEntries)
         if (InfoOf(fDataSetInfo, entry).TestBit(DataSetInfo::kIsArrayVariable))
            Log() << kFATAL << fDataSetInfo.Prefix() << "VarTransform=" << definition << ": elements of arrays (AddVariablesArray) "
                  << "cannot be transformed, since TMVA's weights files do not tell them apart. Leave VarTransform out and let the "
                  << "method standardise its inputs, select other variables as in N(label1,label2), or declare the elements by "
                  << "AddVariable" << Endl;
   }
}

TString TransformationHandler::GetName() const
{
   TString name;
   for (Int_t i = 0; i < fTransformations.GetSize(); ++i)
      name += i ? "_Norm" : "Norm";
   return name == "" ? "Id" : name;
}

void TransformationHandler::CalcTransformations(const std::vector<Event *> &events)
{
   for (TObject *object : fTransformations) {
      Normalisation &transformation = Cast(object);
      const size_t classes = fDataSetInfo.GetNClasses(), sets = classes > 1 ? classes + 1 : 1, n = transformation.fEntries.size();
      std::vector<std::vector<Float_t>> min(sets, std::vector<Float_t>(n, FLT_MAX)), max(sets, std::vector<Float_t>(n, -FLT_MAX));
      for (const Event *event : events) {
         Event transformed(*Transform(event)); // by those before this one, which are created already
         for (size_t i = 0; i < n; ++i)
            if (const Float_t *value = Normalisation::Place(transformed, transformation.fEntries[i]))
               for (const size_t cls : {std::min<size_t>(event->GetClass(), sets - 1), sets - 1}) {
                  min[cls][i] = std::min(min[cls][i], *value);
                  max[cls][i] = std::max(max[cls][i], *value);
               }
      }
      transformation.fMin = min;
      transformation.fMax = max;
   }
}

const Event *TransformationHandler::Transform(const Event *ev) const
{
   for (TObject *object : fTransformations) {
      if (!Cast(object).IsCreated())
         break;
      ev = Cast(object).Apply(*ev, false);
   }
   return ev;
}

const Event *TransformationHandler::InverseTransform(const Event *ev, Bool_t suppressIfNoTargets) const
{
   for (Int_t i = fTransformations.GetSize(); i-- > 0;) {
      const Normalisation &transformation = Cast(fTransformations.At(i));
      if (transformation.IsCreated() && (transformation.HasTargets() || !suppressIfNoTargets))
         ev = transformation.Apply(*ev, true);
   }
   return ev;
}

// ---------------------------------------------------------------------------------------- weights file and class file

void TransformationHandler::AddXMLTo(void *parent) const
{
   Tools &tools = gTools();
   void *list = tools.AddChild(parent, "Transformations");
   tools.AddAttr(list, "NTransformations", fTransformations.GetSize());
   for (TObject *object : fTransformations) {
      const Normalisation &transformation = Cast(object);
      void *node = tools.AddChild(list, "Transform");
      tools.AddAttr(node, "Name", "Normalize");
      void *selection = tools.AddChild(node, "Selection");
      for (const TString kind : {"Input", "Output"}) { // what goes in comes out at the same place
         void *entries = tools.AddChild(selection, kind);
         tools.AddAttr(entries, "N" + kind + "s", transformation.fEntries.size());
         for (const Entry &entry : transformation.fEntries) {
            void *item = tools.AddChild(entries, kind);
            tools.AddAttr(item, "Type", entry.first == 'v' ? "Variable" : entry.first == 't' ? "Target" : "Spectator");
            tools.AddAttr(item, "Label", InfoOf(fDataSetInfo, entry).GetLabel());
            tools.AddAttr(item, "Expression", InfoOf(fDataSetInfo, entry).GetExpression());
         }
      }
      for (size_t cls = 0; cls < transformation.fMin.size(); ++cls) {
         void *classNode = tools.AddChild(node, "Class");
         tools.AddAttr(classNode, "ClassIndex", cls);
         void *ranges = tools.AddChild(classNode, "Ranges");
         for (size_t i = 0; i < transformation.fEntries.size(); ++i) {
            void *range = tools.AddChild(ranges, "Range");
            tools.AddAttr(range, "Index", i);
            tools.AddAttr(range, "Min", transformation.fMin[cls][i]);
            tools.AddAttr(range, "Max", transformation.fMax[cls][i]);
         }
      }
   }
}

void TransformationHandler::ReadFromXML(void *list)
{
   Tools &tools = gTools();
   for (void *node = tools.GetChild(list); node; node = tools.GetNextChild(node)) {
      TString name;
      tools.ReadAttr(node, "Name", name);
      void *selection = tools.GetChild(node, "Selection");
      void *inputs = selection ? tools.GetChild(selection, "Input") : nullptr;
      if (name != "Normalize" || !inputs)
         Log() << kFATAL << "The weights file uses the variable transformation '" << name << "'; the embedded host has Normalize of "
               << "TMVA 4.1 and later only. Read the file with a ROOT that comes with TMVA" << Endl;
      auto *transformation = new Normalisation;
      fTransformations.Add(transformation);
      for (void *item = tools.GetChild(inputs); item; item = tools.GetNextChild(item)) {
         TString type, expression;
         tools.ReadAttr(item, "Type", type);
         tools.ReadAttr(item, "Expression", expression);
         const std::vector<Entry> all = AllEntries(fDataSetInfo);
         const auto found = std::find_if(all.begin(), all.end(), [&](const Entry &entry) {
            return std::toupper(entry.first) == type[0] && InfoOf(fDataSetInfo, entry).GetExpression() == expression;
         });
         if (found == all.end())
            Log() << kFATAL << "The weights file transforms the " << type << " '" << expression << "', which the data set does not have"
                  << Endl;
         transformation->fEntries.push_back(*found);
      }
      for (void *cls = tools.GetChild(node, "Class"); cls; cls = tools.GetNextChild(cls, "Class")) {
         std::vector<Float_t> min(transformation->fEntries.size()), max(min);
         void *ranges = tools.GetChild(cls, "Ranges");
         for (void *range = ranges ? tools.GetChild(ranges) : nullptr; range; range = tools.GetNextChild(range)) {
            UInt_t index = 0;
            tools.ReadAttr(range, "Index", index);
            tools.ReadAttr(range, "Min", min.at(index));
            tools.ReadAttr(range, "Max", max.at(index));
         }
         transformation->fMin.push_back(min);
         transformation->fMax.push_back(max);
      }
      if (!transformation->IsCreated())
         Log() << kFATAL << "The normalisation in the weights file has no ranges" << Endl;
   }
}

void TransformationHandler::MakeFunction(std::ostream &fout, const TString &className, Int_t part) const
{
   if (part == 1)
      fout << "   void Transform( std::vector<double>& iv ) const;\n";
   if (part != 2)
      return;
   fout << "\ninline void " << className << "::Transform( std::vector<double>& iv ) const\n{\n"
        << "   // normalisation to the range of the training sample: input, minimum, maximum\n"
        << "   struct Range { int input; double min, max; };\n   static const Range ranges[] = {\n";
   for (TObject *object : fTransformations) {
      const Normalisation &transformation = Cast(object);
      for (size_t i = 0; i < transformation.fEntries.size(); ++i)
         if (transformation.fEntries[i].first == 'v') // a standalone class knows no targets
            fout << "      { " << transformation.fEntries[i].second << ", " << std::setprecision(12) << transformation.fMin.back()[i]
                 << ", " << transformation.fMax.back()[i] << " },\n";
   }
   fout << "      { -1, 0, 0 } };\n   for (const Range *r = ranges; r->input >= 0; ++r)\n"
        << "      iv[r->input] = r->max > r->min ? (iv[r->input] - r->min) / (r->max - r->min) * 2 - 1 : 0;\n}\n";
}

// ---------------------------------------------------------------------------------------- plots

void TransformationHandler::PlotVariables(const std::vector<Event *> &events, TDirectory &directory, const TString &suffix)
{
   const UInt_t nvar = fDataSetInfo.GetNVariables(), n = nvar + fDataSetInfo.GetNTargets();
   const Config::VariablePlotting &settings = gConfig().GetVariablePlotting();
   if (Int_t(n) > settings.fMaxNumOfAllowedVariables) {
      Log() << kINFO << fDataSetInfo.Prefix() << n << " inputs and targets are too many to be plotted; the limit is "
            << "gConfig().GetVariablePlotting().fMaxNumOfAllowedVariables = " << settings.fMaxNumOfAllowedVariables << Endl;
      return;
   }
   std::vector<Event> transformed;
   if (fTransformations.GetSize() > 0)
      for (const Event *event : events)
         transformed.push_back(*Transform(event));
   Log() << kINFO << Form("%30s%14s%14s   [%13s%14s ]", "Variable", "Mean", "RMS", "Min", "Max") << Endl;
   for (UInt_t i = 0; i < n; ++i) {
      const VariableInfo &info = i < nvar ? fDataSetInfo.GetVariableInfo(i) : fDataSetInfo.GetTargetInfo(i - nvar);
      const auto valueOf = [&](size_t k) -> Double_t {
         const Event &event = transformed.empty() ? *events[k] : transformed[k];
         return i < nvar ? event.GetValue(i) : event.GetTarget(i - nvar);
      };
      Double_t w = 0, wx = 0, wxx = 0, min = DBL_MAX, max = -DBL_MAX;
      for (size_t k = 0; k < events.size(); ++k) {
         const Double_t x = valueOf(k), weight = events[k]->GetWeight();
         w += weight;
         wx += weight * x;
         wxx += weight * x * x;
         min = std::min(min, x);
         max = std::max(max, x);
      }
      const Double_t mean = wx / w, rms = std::sqrt(std::max(0., wxx / w - mean * mean));
      Log() << kINFO << Form("%30s:%#13.5g %#13.5g   [%#13.5g %#13.5g ]", info.GetLabel().Data(), mean, rms, min, max) << Endl;

      Int_t nbins = settings.fNbins1D;
      Double_t xmin = std::max(min, mean - settings.fTimesRMS * rms), xmax = std::min(max, mean + settings.fTimesRMS * rms);
      if (info.GetVarType() == 'I') {
         xmin = std::lround(min);
         xmax = std::lround(max + 1);
         nbins = Int_t(xmax - xmin);
      } else {
         if (xmin >= xmax)
            xmax = xmin * 1.1 > xmin ? xmin * 1.1 : xmin + 1;
         xmax += (xmax - xmin) / nbins; // a value equal to the maximum still falls into the histogram
      }
      for (UInt_t cls = 0; cls < fDataSetInfo.GetNClasses(); ++cls) {
         const TString className = TString(fDataSetInfo.GetClassInfo(cls)->GetName()) + (n - nvar == 1 && i >= nvar ? "_target" : "");
         TH1F hist(info.GetInternalName() + "__" + className + suffix, info.GetTitle(), nbins, xmin, xmax);
         hist.SetDirectory(nullptr);
         hist.SetXTitle(info.GetUnit() == "" ? TString(info.GetTitle()) : TString(info.GetTitle()) + "  [" + info.GetUnit() + "]");
         for (size_t k = 0; k < events.size(); ++k)
            if (events[k]->GetClass() == cls)
               hist.Fill(valueOf(k), events[k]->GetWeight());
         directory.WriteTObject(&hist);
      }
   }
}

} // namespace TMVA
