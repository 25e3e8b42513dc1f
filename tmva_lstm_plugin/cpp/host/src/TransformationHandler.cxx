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

/// VarTransform=N. Ranges are taken for each class and for all together, as the weights file wants it; the latter are used.
class Normalisation : public TObject {
public:
   std::vector<std::vector<Float_t>> fMin, fMax; ///< [class, the last one: all][input, then target]; empty before training

   bool IsCreated() const { return !fMin.empty(); }
   /// Where an event has an input or target; null when it has none (targets, when a trained method is applied).
   static Float_t *Place(Event &event, size_t i)
   {
      const size_t nvar = event.GetNVariables();
      return i < nvar ? &event.GetValues()[i] : i - nvar < event.GetNTargets() ? &event.GetTargets()[i - nvar] : nullptr;
   }
   const Event *Apply(const Event &event, bool inverse) const
   {
      fTransformed = event;
      for (size_t i = 0; i < fMin.back().size(); ++i) {
         Float_t *value = Place(fTransformed, i);
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
   for (TString name : gTools().SplitString(TString(definition).ReplaceAll("+", ","), ',')) {
      // the weights file does not say which class a transformation refers to, and a reader takes all of them
      name.ReplaceAll("_AllClasses", "");
      if (name == "I" || name == "Ident" || name == "Identity")
         continue;
      if (name != "N" && name != "Norm" && name != "Normalise" && name != "Normalize")
         Log() << kFATAL << fDataSetInfo.Prefix() << "VarTransform=" << definition << ": the embedded host does not have the "
               << "transformation '" << name << "'; it has I (identity) and N (normalisation of all inputs and targets to their "
               << "range over all classes). Use one of these, or a ROOT that comes with TMVA" << Endl;
      // A TMVA that reads the file finds an input by its expression, which the elements of an array share: it would take the
      // first element for all of them and give other scores without a word.
      for (UInt_t i = 0; i < fDataSetInfo.GetNVariables(); ++i)
         if (fDataSetInfo.IsVariableFromArray(i))
            Log() << kFATAL << fDataSetInfo.Prefix() << "VarTransform=" << definition << ": elements of arrays cannot be "
                  << "transformed, since TMVA's weights files do not tell them apart. Leave VarTransform out and let the method "
                  << "standardise its inputs, or declare the elements by AddVariable" << Endl;
      fTransformations.Add(new Normalisation);
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
      const size_t classes = fDataSetInfo.GetNClasses(), sets = classes > 1 ? classes + 1 : 1;
      const size_t n = fDataSetInfo.GetNVariables() + fDataSetInfo.GetNTargets();
      std::vector<std::vector<Float_t>> min(sets, std::vector<Float_t>(n, FLT_MAX)), max(sets, std::vector<Float_t>(n, -FLT_MAX));
      for (const Event *event : events) {
         Event transformed(*Transform(event)); // by those before this one, which are created already
         for (size_t i = 0; i < n; ++i)
            if (const Float_t *value = Normalisation::Place(transformed, i))
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
      if (transformation.IsCreated() && (fDataSetInfo.GetNTargets() > 0 || !suppressIfNoTargets))
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
         tools.AddAttr(entries, "N" + kind + "s", fDataSetInfo.GetNVariables() + fDataSetInfo.GetNTargets());
         for (const auto *infos : {&fDataSetInfo.GetVariableInfos(), &fDataSetInfo.GetTargetInfos()})
            for (const VariableInfo &info : *infos) {
               void *item = tools.AddChild(entries, kind);
               tools.AddAttr(item, "Type", infos == &fDataSetInfo.GetVariableInfos() ? "Variable" : "Target");
               tools.AddAttr(item, "Label", info.GetLabel());
               tools.AddAttr(item, "Expression", info.GetExpression());
            }
      }
      for (size_t cls = 0; cls < transformation.fMin.size(); ++cls) {
         void *classNode = tools.AddChild(node, "Class");
         tools.AddAttr(classNode, "ClassIndex", cls);
         void *ranges = tools.AddChild(classNode, "Ranges");
         for (size_t i = 0; i < transformation.fMin[cls].size(); ++i) {
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
      TString name, expected, found;
      tools.ReadAttr(node, "Name", name);
      for (const auto *infos : {&fDataSetInfo.GetVariableInfos(), &fDataSetInfo.GetTargetInfos()})
         for (const VariableInfo &info : *infos)
            expected += info.GetExpression() + " ";
      void *selection = tools.GetChild(node, "Selection");
      void *inputs = selection ? tools.GetChild(selection, "Input") : nullptr;
      for (void *item = inputs ? tools.GetChild(inputs) : nullptr; item; item = tools.GetNextChild(item)) {
         TString expression;
         tools.ReadAttr(item, "Expression", expression);
         found += expression + " ";
      }
      if (name != "Normalize" || found != expected)
         Log() << kFATAL << "The weights file transforms " << found << "by '" << name << "'; the embedded host has Normalize "
               << "of all inputs and targets only (" << expected << "). Read the file with a ROOT that comes with TMVA" << Endl;
      auto *transformation = new Normalisation;
      fTransformations.Add(transformation);
      for (void *cls = tools.GetChild(node, "Class"); cls; cls = tools.GetNextChild(cls, "Class")) {
         std::vector<Float_t> min(fDataSetInfo.GetNVariables() + fDataSetInfo.GetNTargets()), max(min);
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
   for (TObject *object : fTransformations)
      for (size_t i = 0; i < fDataSetInfo.GetNVariables(); ++i) // a standalone class knows no targets
         fout << "      { " << i << ", " << std::setprecision(12) << Cast(object).fMin.back()[i] << ", "
              << Cast(object).fMax.back()[i] << " },\n";
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
         const TString className = fDataSetInfo.GetClassInfo(cls)->GetName(), target = n == nvar + 1 && i == nvar ? "_target" : "";
         TH1F hist(info.GetInternalName() + "__" + className + target + suffix, info.GetTitle(), nbins, xmin, xmax);
         hist.SetDirectory(nullptr);
         hist.SetXTitle(info.GetTitle() + (info.GetUnit() == "" ? TString() : "  [" + info.GetUnit() + "]"));
         for (size_t k = 0; k < events.size(); ++k)
            if (events[k]->GetClass() == cls)
               hist.Fill(valueOf(k), events[k]->GetWeight());
         directory.WriteTObject(&hist);
      }
   }
}

} // namespace TMVA
