#include "TMVA/TransformationHandler.h"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <iomanip>

#include "TDirectory.h"
#include "TH1F.h"
#include "TH2F.h"
#include "TProfile.h"

#include "TMVA/Config.h"
#include "TMVA/Tools.h"
#include "TMVA/VariableIdentityTransform.h"
#include "TMVA/VariableNormalizeTransform.h"

namespace TMVA {

namespace {
VariableTransformBase &Cast(TObject *transformation)
{
   return *static_cast<VariableTransformBase *>(transformation);
}
} // namespace

TransformationHandler::TransformationHandler(DataSetInfo &dsi, const TString &callerName)
   : fDataSetInfo(dsi), fLogger(TString("TFHandler_" + callerName).Data(), kINFO)
{
   fTransformations.SetOwner();
   fNumC = dsi.GetNClasses() <= 1 ? 1 : dsi.GetNClasses() + 1;
   fCallerName = callerName;
}

TransformationHandler::~TransformationHandler() = default;

void TransformationHandler::SetCallerName(const TString &name)
{
   fCallerName = name;
   fLogger.SetSource(TString("TFHandler_" + name).Data());
}

TString TransformationHandler::GetName() const
{
   TString name;
   for (TObject *object : fTransformations)
      name += (name == "" ? "" : "_") + Cast(object).GetShortName();
   return name == "" ? "Id" : name;
}

const char *TransformationHandler::GetNameOfLastTransform() const
{
   return fTransformations.Last() ? fTransformations.Last()->GetName() : nullptr;
}

TString TransformationHandler::GetVariableAxisTitle(const VariableInfo &info) const
{
   const TString name = GetName();
   return name == "Id" ? TString(info.GetTitle()) : TString(info.GetTitle()) + " (" + name + ")";
}

VariableTransformBase *TransformationHandler::AddTransformation(VariableTransformBase *transformation, Int_t cls)
{
   fTransformations.Add(transformation);
   fReferenceClasses.push_back(cls);
   return transformation;
}

const Event *TransformationHandler::Transform(const Event *ev) const
{
   size_t i = 0;
   for (TObject *object : fTransformations) {
      if (!Cast(object).IsCreated())
         break;
      ev = Cast(object).Transform(ev, fReferenceClasses[i++]);
   }
   return ev;
}

const Event *TransformationHandler::InverseTransform(const Event *ev, Bool_t suppressIfNoTargets) const
{
   TListIter backward(&fTransformations, kIterBackward);
   size_t i = fReferenceClasses.size();
   while (TObject *object = backward()) {
      --i;
      UInt_t nvars = 0, ntgts = 0, nspcts = 0;
      Cast(object).CountVariableTypes(nvars, ntgts, nspcts);
      if (Cast(object).IsCreated() && !(suppressIfNoTargets && ntgts == 0))
         ev = Cast(object).InverseTransform(ev, fReferenceClasses[i]);
   }
   return ev;
}

const std::vector<Event *> *TransformationHandler::CalcTransformations(const std::vector<Event *> &events, Bool_t createNewVector)
{
   if (fTransformations.GetSize() == 0)
      return &events;
   auto *transformed = new std::vector<Event *>;
   for (const Event *event : events)
      transformed->push_back(new Event(*event));
   size_t i = 0;
   for (TObject *object : fTransformations) {
      const Int_t cls = fReferenceClasses[i++];
      if (Cast(object).PrepareTransformation(*transformed))
         for (Event *event : *transformed)
            *event = *Cast(object).Transform(event, cls);
   }
   CalcStats(*transformed);
   PlotVariables(*transformed);
   if (createNewVector)
      return transformed;
   for (Event *event : *transformed)
      delete event;
   delete transformed;
   return nullptr;
}

const VariableInfo &TransformationHandler::Quantity(UInt_t i) const
{
   const UInt_t nvar = fDataSetInfo.GetNVariables();
   return i < nvar ? fDataSetInfo.GetVariableInfo(i) : fDataSetInfo.GetTargetInfo(i - nvar);
}

TransformationHandler::VariableStat TransformationHandler::Stat(Int_t ivar, Int_t cls) const
{
   if (fVariableStats.empty()) {
      const VariableInfo &info = Quantity(ivar);
      return {info.GetMean(), info.GetRMS(), info.GetMin(), info.GetMax()};
   }
   return fVariableStats.at(cls < 0 || cls >= fNumC ? fNumC - 1 : cls).at(ivar);
}

void TransformationHandler::AddStats(Int_t k, UInt_t ivar, Double_t mean, Double_t rms, Double_t min, Double_t max)
{
   if (fVariableStats.empty())
      fVariableStats.assign(fNumC, std::vector<VariableStat>(fDataSetInfo.GetNVariables() + fDataSetInfo.GetNTargets()));
   fVariableStats.at(k).at(ivar) = {mean, rms, min, max};
}

void TransformationHandler::CalcStats(const std::vector<Event *> &events)
{
   if (events.empty())
      Log() << kFATAL << Form("[%s] : ", fDataSetInfo.GetName()) << "No events available to find min, max, mean and rms" << Endl;
   const UInt_t nvar = fDataSetInfo.GetNVariables(), n = nvar + fDataSetInfo.GetNTargets();
   fNumC = fDataSetInfo.GetNClasses() <= 1 ? 1 : fDataSetInfo.GetNClasses() + 1;
   fVariableStats.clear();
   for (Int_t cls = 0; cls < fNumC; ++cls)
      for (UInt_t i = 0; i < n; ++i) {
         Double_t w = 0, wx = 0, wxx = 0, min = DBL_MAX, max = -DBL_MAX;
         for (const Event *event : events) {
            if (cls != fNumC - 1 && Int_t(event->GetClass()) != cls)
               continue;
            const Double_t x = i < nvar ? event->GetValue(i) : event->GetTarget(i - nvar), weight = event->GetWeight();
            w += weight;
            wx += weight * x;
            wxx += weight * x * x;
            min = std::min(min, x);
            max = std::max(max, x);
         }
         const Double_t mean = wx / w;
         AddStats(cls, i, mean, std::sqrt(std::max(0., wxx / w - mean * mean)), min, max);
      }

   int width = 8;
   for (UInt_t i = 0; i < n; ++i)
      width = std::max(width, int(Quantity(i).GetLabel().Length()));
   const std::string line(width + 4 * 14 + 6, '-');
   Log() << kINFO << line << Endl;
   Log() << kINFO << std::setw(width) << "Variable" << std::setw(14) << "Mean" << std::setw(14) << "RMS" << std::setw(17)
      << "[        Min"
         << std::setw(15) << "Max ]" << Endl;
   Log() << kINFO << line << Endl;
   for (UInt_t i = 0; i < n; ++i)
      Log() << kINFO << std::setw(width) << Quantity(i).GetLabel().Data() << ":" << Form("%#13.5g %#13.5g   [%#13.5g %#13.5g ]",
         GetMean(i), GetRMS(i), GetMin(i), GetMax(i))
            << Endl;
   Log() << kINFO << line << Endl;
}

void TransformationHandler::AddXMLTo(void *parent) const
{
   if (!parent)
      return;
   void *node = gTools().AddChild(parent, "Transformations");
   gTools().AddAttr(node, "NTransformations", fTransformations.GetSize());
   for (TObject *object : fTransformations)
      Cast(object).AttachXMLTo(node);
}

void TransformationHandler::ReadFromXML(void *trfsnode)
{
   for (void *node = gTools().GetChild(trfsnode); node; node = gTools().GetNextChild(node)) {
      TString name;
      gTools().ReadAttr(node, "Name", name);
      if (name != "Normalize")
         Log() << kFATAL << "<ReadFromXML> The weights file uses the variable transformation '" << name
               << "'; the embedded host has Normalize only. Read the file with a ROOT that comes with TMVA" << Endl;
      auto *transformation = new VariableNormalizeTransform(fDataSetInfo);
      AddTransformation(transformation, -1);
      transformation->ReadFromXML(node);
   }
}

void TransformationHandler::MakeFunction(std::ostream &fout, const TString &fncName, Int_t part) const
{
   const Int_t n = fTransformations.GetSize();
   for (Int_t i = 0; i < n; ++i) {
      Cast(fTransformations.At(i)).MakeFunction(fout, fncName, part, i + 1, fReferenceClasses[i]);
      if (part == 1)
         fout << "   void InitTransform_" << i + 1 << "();\n   void Transform_" << i + 1
            << "( std::vector<double>& iv, int sigOrBgd ) const;\n";
   }
   if (part != 2)
      return;
   fout << "\ninline void " << fncName << "::InitTransform()\n{\n";
   for (Int_t i = 0; i < n; ++i)
      fout << "   InitTransform_" << i + 1 << "();\n";
   fout << "}\n\ninline void " << fncName << "::Transform( std::vector<double>& iv, int sigOrBgd ) const\n{\n";
   for (Int_t i = 0; i < n; ++i)
      fout << "   Transform_" << i + 1 << "( iv, sigOrBgd );\n";
   fout << "}\n";
}

void TransformationHandler::PrintVariableRanking() const
{
   for (const auto &ranking : fRanking) {
      Log() << kINFO << "Ranking input variables (method unspecific)..." << Endl;
      ranking->Print();
   }
}

TH1 *TransformationHandler::BookVariable(UInt_t i, const TString &name) const
{
   const VariableInfo &info = Quantity(i);
   TH1 *hist = nullptr;
   if (info.GetVarType() == 'I') {
      const Int_t xmin = std::lround(GetMin(i)), xmax = std::lround(GetMax(i) + 1);
      hist = new TH1F(name, info.GetTitle(), xmax - xmin, xmin, xmax);
   } else {
      // outliers are cut off; a value equal to the maximum still falls into the histogram
      const Int_t nbins = gConfig().GetVariablePlotting().fNbins1D;
      const Double_t reach = gConfig().GetVariablePlotting().fTimesRMS * GetRMS(i);
      const Double_t xmin = std::max(GetMin(i), GetMean(i) - reach);
      Double_t xmax = std::min(GetMax(i), GetMean(i) + reach);
      if (xmin >= xmax)
         xmax = xmin * 1.1;
      if (xmin >= xmax)
         xmax = xmin + 1;
      xmax += (xmax - xmin) / nbins;
      hist = new TH1F(name, info.GetTitle(), nbins, xmin, xmax);
   }
   hist->SetDirectory(nullptr);
   hist->GetXaxis()->SetTitle(gTools().GetXTitleWithUnit(GetVariableAxisTitle(info), info.GetUnit()));
   hist->GetYaxis()->SetTitle(gTools().GetYTitleWithUnit(*hist, info.GetUnit(), kFALSE));
   return hist;
}

void TransformationHandler::RankBySeparation(const std::vector<std::vector<std::unique_ptr<TH1>>> &histograms)
{
   const ClassInfo *signal = fDataSetInfo.GetClassInfo("Signal"), *background = fDataSetInfo.GetClassInfo("Background");
   if (fDataSetInfo.GetNClasses() != 2 || !signal || !background || fDataSetInfo.GetNTargets() > 0)
      return;
   fRanking.push_back(std::make_unique<Ranking>(GetName() + "Transformation", "Separation"));
   for (UInt_t i = 0; i < fDataSetInfo.GetNVariables(); ++i)
      fRanking.back()->AddRank(Rank(Quantity(i).GetTitle(), gTools().GetSeparation(histograms[signal->GetNumber()][i].get(),
                                                                                   histograms[background->GetNumber()][i].get())));
}

void TransformationHandler::PlotVariables(const std::vector<Event *> &events, TDirectory *theDirectory)
{
   if (!fRootBaseDir && !theDirectory)
      return;
   const UInt_t nvar = fDataSetInfo.GetNVariables(), n = nvar + fDataSetInfo.GetNTargets(), ncls = fDataSetInfo.GetNClasses();
   if (Int_t(n) > gConfig().GetVariablePlotting().fMaxNumOfAllowedVariables) {
      Log() << kINFO << Form("[%s] : ", fDataSetInfo.GetName()) << n << " inputs and targets are too many to be plotted; the limit is "
            << "gConfig().GetVariablePlotting().fMaxNumOfAllowedVariables = "
            << gConfig().GetVariablePlotting().fMaxNumOfAllowedVariables << Endl;
      return;
   }
   if (theDirectory)
      CalcStats(events);
   const TString suffix = theDirectory ? TString() : "_" + GetName();
   std::vector<std::vector<std::unique_ptr<TH1>>> histograms(ncls);
   for (UInt_t cls = 0; cls < ncls; ++cls)
      for (UInt_t i = 0; i < n; ++i) {
         const TString className = TString(fDataSetInfo.GetClassInfo(cls)->GetName()) + (n - nvar == 1 && i >= nvar ? "_target" : "");
         histograms[cls].emplace_back(BookVariable(i, Quantity(i).GetInternalName() + "__" + className + suffix));
         for (const Event *event : events)
            if (event->GetClass() == cls)
               histograms[cls][i]->Fill(i < nvar ? event->GetValue(i) : event->GetTarget(i - nvar), event->GetWeight());
      }
   RankBySeparation(histograms);

   TDirectory::TContext context;
   TDirectory *directory = theDirectory;
   if (!directory) {
      TString name = "InputVariables_" + GetName();
      for (Int_t counter = 0; fRootBaseDir->FindObject(name); ++counter)
         name = "InputVariables_" + GetName() + Form("_%d", counter);
      directory = fRootBaseDir->mkdir(name);
   }
   for (UInt_t i = 0; i < n; ++i)
      for (UInt_t cls = 0; cls < ncls; ++cls)
         directory->WriteTObject(histograms[cls][i].get());
   if (Int_t(n) <= gConfig().GetVariablePlotting().fMaxNumOfAllowedVariablesForScatterPlots)
      PlotCorrelations(events, directory->mkdir("CorrelationPlots"), suffix);
   else
      Log() << kINFO << Form("[%s] : ", fDataSetInfo.GetName()) << "No scatter plots: more than "
            << gConfig().GetVariablePlotting().fMaxNumOfAllowedVariablesForScatterPlots << " inputs and targets" << Endl;
}

void TransformationHandler::PlotCorrelations(const std::vector<Event *> &events, TDirectory *directory, const TString &suffix) const
{
   const UInt_t nvar = fDataSetInfo.GetNVariables(), n = nvar + fDataSetInfo.GetNTargets();
   const Int_t nbins1D = gConfig().GetVariablePlotting().fNbins1D, nbins2D = gConfig().GetVariablePlotting().fNbins2D;
   const auto title = [this](const VariableInfo &info) {
      return gTools().GetXTitleWithUnit(GetVariableAxisTitle(info), info.GetUnit());
   };
   for (UInt_t i = 0; i < n; ++i)
      for (UInt_t j = i + 1; j < n; ++j)
         for (UInt_t cls = 0; cls < fDataSetInfo.GetNClasses(); ++cls) {
            const VariableInfo &x = Quantity(i), &y = Quantity(j);
            const TString className = TString(fDataSetInfo.GetClassInfo(cls)->GetName()) + (n - nvar == 1 && i >= nvar ? "_target"
               : "");
            const TString stem = y.GetInternalName() + "_vs_" + x.GetInternalName() + "_" + className + suffix;
            const TString text = TString(y.GetTitle()) + " versus " + x.GetTitle() + " (" + className + ")" + suffix;
            TH2F scatter("scat_" + stem, text, nbins2D, GetMin(i), GetMax(i), nbins2D, GetMin(j), GetMax(j));
            TProfile profile("prof_" + stem, "profile " + text, nbins1D, GetMin(i), GetMax(i));
            for (TH1 *hist : {static_cast<TH1 *>(&scatter), static_cast<TH1 *>(&profile)}) {
               hist->SetDirectory(nullptr);
               hist->GetXaxis()->SetTitle(title(x));
               hist->GetYaxis()->SetTitle(title(y));
            }
            for (const Event *event : events) {
               if (event->GetClass() != cls)
                  continue;
               const Double_t vx = i < nvar ? event->GetValue(i) : event->GetTarget(i - nvar);
               const Double_t vy = j < nvar ? event->GetValue(j) : event->GetTarget(j - nvar);
               scatter.Fill(vx, vy, event->GetWeight());
               profile.Fill(vx, vy, event->GetWeight());
            }
            directory->WriteTObject(&scatter);
            directory->WriteTObject(&profile);
         }
}

} // namespace TMVA
