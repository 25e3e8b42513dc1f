#include "TMVA/Tools.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <iomanip>
#include <limits>
#include <map>

#include "RVersion.h"
#include "TH1.h"
#include "TH2.h"
#include "TList.h"
#include "TMatrixD.h"
#include "TObjString.h"
#include "TROOT.h"

#include "TMVA/Config.h"
#include "TMVA/Event.h"
#include "TMVA/Version.h"

namespace TMVA {

namespace {
Tools *gInstance = nullptr;

/// Changes of single characters that turn one name into the other, case aside.
size_t EditDistance(const std::string &from, const std::string &to)
{
   std::vector<size_t> row(to.size() + 1);
   for (size_t j = 0; j <= to.size(); ++j)
      row[j] = j;
   for (size_t i = 0; i < from.size(); ++i) {
      size_t diagonal = row[0];
      row[0] = i + 1;
      for (size_t j = 0; j < to.size(); ++j) {
         const bool same = std::tolower((unsigned char)from[i]) == std::tolower((unsigned char)to[j]);
         const size_t replaced = diagonal + !same;
         diagonal = row[j + 1];
         row[j + 1] = std::min({replaced, diagonal + 1, row[j] + 1});
      }
   }
   return row.back();
}

/// Sums of one class of events.
struct Moments {
   Double_t w = 0, wx = 0, wxx = 0;
   void Add(Double_t x, Double_t weight)
   {
      w += weight;
      wx += weight * x;
      wxx += weight * x * x;
   }
   Double_t Mean() const { return w != 0 ? wx / w : 0; }
   Double_t Rms() const { return w != 0 ? std::sqrt(std::abs(wxx / w - Mean() * Mean())) : 0; }
};
} // namespace

Tools &gTools()
{
   return Tools::Instance();
}

Tools &Tools::Instance()
{
   if (!gInstance)
      gInstance = new Tools;
   return *gInstance;
}

void Tools::DestroyInstance()
{
   delete gInstance;
   gInstance = nullptr;
}

Tools::Tools() : fXMLEngine(new TXMLEngine), fLogger("Tools") {}
Tools::~Tools() = default;

void Tools::ComputeStat(const std::vector<Event *> &events, std::vector<Float_t> *values, Double_t &meanS, Double_t &meanB,
                        Double_t &rmsS, Double_t &rmsB, Double_t &xmin, Double_t &xmax, Int_t signalClass, Bool_t norm)
{
   if (!values || events.size() != values->size())
      Log() << kFATAL << "<ComputeStat> " << events.size() << " events, but " << (values ? values->size() : 0) << " values" << Endl;
   xmin = std::numeric_limits<Double_t>::max();
   xmax = -xmin;
   Double_t low = 0, high = 0;
   if (norm && !values->empty()) {
      const auto range = std::minmax_element(values->begin(), values->end());
      low = *range.first;
      high = *range.second;
   }
   Moments signal, background;
   for (size_t i = 0; i < events.size(); ++i) {
      const Double_t x = norm ? NormVariable((*values)[i], low, high) : (*values)[i];
      (Int_t(events[i]->GetClass()) == signalClass ? signal : background).Add(x, events[i]->GetWeight());
      xmin = std::min(xmin, x);
      xmax = std::max(xmax, x);
   }
   meanS = signal.Mean();
   meanB = background.Mean();
   rmsS = signal.Rms();
   rmsB = background.Rms();
}

Double_t Tools::NormHist(TH1 *hist, Double_t norm)
{
   if (!hist)
      return 0;
   if (hist->GetSumw2N() == 0)
      hist->Sumw2();
   if (hist->GetSumOfWeights() == 0)
      return 1;
   const TAxis *axis = hist->GetXaxis();
   const Double_t integral = hist->GetSumOfWeights() * (axis->GetXmax() - axis->GetXmin()) / hist->GetNbinsX();
   if (integral > 0)
      hist->Scale(norm / integral);
   return integral;
}

Double_t Tools::GetSeparation(TH1 *signal, TH1 *background) const
{
   const TAxis *s = signal->GetXaxis(), *b = background->GetXaxis();
   if (s->GetNbins() != b->GetNbins() || s->GetXmin() != b->GetXmin() || s->GetXmax() != b->GetXmax())
      Log() << kFATAL << "<GetSeparation> signal and background histograms have different binnings: " << s->GetNbins() << " in ["
            << s->GetXmin() << ", " << s->GetXmax() << "] and " << b->GetNbins() << " in [" << b->GetXmin() << ", " << b->GetXmax()
            << "]" << Endl;
   const Double_t nS = signal->GetSumOfWeights(), nB = background->GetSumOfWeights();
   if (nS <= 0 || nB <= 0) {
      Log() << kWARNING << "<GetSeparation> histograms with zero entries: " << nS << " : " << nB << " cannot compute separation"
         << Endl;
      return 0;
   }
   Double_t separation = 0;
   for (Int_t bin = 1; bin <= s->GetNbins(); ++bin) {
      const Double_t fS = signal->GetBinContent(bin) / nS, fB = background->GetBinContent(bin) / nB;
      if (fS + fB > 0)
         separation += 0.5 * (fS - fB) * (fS - fB) / (fS + fB);
   }
   return separation;
}

Double_t Tools::GetMutualInformation(const TH2F &hist)
{
   const Double_t all = hist.Integral();
   if (all == 0)
      return -1;
   TH2F h(hist); // two bins become one, for statistics
   h.SetDirectory(nullptr);
   h.RebinX(2);
   h.RebinY(2);
   Double_t information = 0;
   for (Int_t x = 1; x <= h.GetNbinsX(); ++x)
      for (Int_t y = 1; y <= h.GetNbinsY(); ++y) {
         const Double_t pxy = h.GetBinContent(x, y) / all;
         const Double_t px = h.Integral(x, x, 1, h.GetNbinsY()) / all, py = h.Integral(1, h.GetNbinsX(), y, y) / all;
         if (pxy > 0 && px > 0 && py > 0)
            information += pxy * std::log(pxy / (px * py));
      }
   return information;
}

std::vector<TString> Tools::SplitString(const TString &text, const char separator) const
{
   std::vector<TString> parts;
   std::istringstream stream(text.Data());
   for (std::string part; std::getline(stream, part, separator);)
      parts.emplace_back(part.c_str());
   return parts;
}

TList *Tools::ParseFormatLine(TString line, const char *sep)
{
   auto *list = new TList;
   list->SetOwner();
   for (const TString &part : SplitString(line, sep[0]))
      if (part != "")
         list->Add(new TObjString(part));
   return list;
}

Bool_t Tools::ContainsRegularExpression(const TString &text)
{
   return ReplaceRegularExpressions(text, "") != text;
}

TString Tools::ReplaceRegularExpressions(const TString &text, const TString &replace)
{
   // the first lot is replaced by `replace`, what is left by names of operators
   TString out(text);
   for (const char c : std::string("$&|!%^()'<>?= "))
      out.ReplaceAll(TString(c), replace);
   out.ReplaceAll("::", replace);
   for (const auto &[op, name] : std::vector<std::pair<const char *, const char *>>{
           {"*", "_T_"}, {"/", "_D_"}, {"+", "_P_"}, {"-", "_M_"}, {"[", "_"}, {"]", "_"}})
      out.ReplaceAll(op, name);
   return out;
}

Bool_t Tools::CheckForSilentOption(const TString &options) const
{
   TString s(options);
   s.ToLower();
   s.ReplaceAll(" ", "");
   return s.Contains("silent") && !s.Contains("silent=f") && (!s.Contains("!silent") || s.Contains("silent=t"));
}

Bool_t Tools::CheckForVerboseOption(const TString &options) const
{
   TString s(options);
   s.ToLower();
   s.ReplaceAll(" ", "");
   for (const TString &token : SplitString(s, ':'))
      if (token == "v" || token == "verbose")
         return kTRUE;
   return kFALSE;
}

TString Tools::NearestName(const TString &text, const std::vector<TString> &candidates) const
{
   TString nearest;
   size_t best = std::max<size_t>(1, text.Length() / 3) + 1;
   for (const TString &candidate : candidates) {
      const size_t distance = EditDistance(text.Data(), candidate.Data());
      if (distance < best) {
         best = distance;
         nearest = candidate;
      }
   }
   return nearest;
}

TString Tools::DidYouMean(const TString &text, const std::vector<TString> &candidates) const
{
   const TString nearest = NearestName(text, candidates);
   return nearest == "" ? nearest : " Did you mean \"" + nearest + "\"?";
}

TString Tools::JoinNames(const std::vector<TString> &names) const
{
   TString joined;
   for (const TString &name : names)
      joined += (joined == "" ? "" : ", ") + name;
   return joined == "" ? "none" : joined;
}

TString Tools::GetXTitleWithUnit(const TString &title, const TString &unit)
{
   return unit == "" ? title : title + "  [" + unit + "]";
}

TString Tools::GetYTitleWithUnit(const TH1 &hist, const TString &unit, Bool_t normalised)
{
   return TString(normalised ? "(1/N) " : "") + Form("dN_{ }/^{ }%.3g %s", hist.GetXaxis()->GetBinWidth(1), unit.Data());
}

void Tools::FormattedOutput(const TMatrixD &matrix, const std::vector<TString> &names, MsgLogger &logger)
{
   int width = 7;
   for (const TString &name : names)
      width = std::max(width, int(name.Length()));
   const std::string line(size_t(width + 1) * (names.size() + 1), '-');
   logger << kINFO << line << Endl;
   logger << kINFO << std::setw(width + 1) << " ";
   for (const TString &name : names)
      logger << std::setw(width + 1) << name.Data();
   logger << Endl;
   for (size_t row = 0; row < names.size(); ++row) {
      logger << kINFO << std::setw(width) << names[row].Data() << ":";
      for (size_t column = 0; column < names.size(); ++column)
         logger << std::setw(width + 1) << Form("%+1.3f", matrix(row, column));
      logger << Endl;
   }
   logger << kINFO << line << Endl;
}

const TString &Tools::Color(const TString &name)
{
   static const std::map<TString, TString> sequences = {
      {"white", "\033[1;37m"},          {"black", "\033[30m"},       {"lightgray", "\033[0;37m"},     {"gray", "\033[1;30m"},
      {"blue", "\033[34m"},             {"lightblue", "\033[1;34m"}, {"yellow", "\033[1;33m"},        {"dyellow", "\033[0;33m"},
      {"purple", "\033[0;35m"},         {"lpurple", "\033[1;35m"},   {"green", "\033[32m"},           {"lgreen", "\033[1;32m"},
      {"dgreen", "\033[0;32m"},         {"red", "\033[31m"},         {"lightred", "\033[1;31m"},      {"bold", "\033[1m"},
      {"bgreen", "\033[1;42m"},         {"reset", "\033[0m"},        {"white_on_red", "\033[41;37m"}, {"white_on_green", "\033[42;37m"},
      {"black_on_green", "\033[42;30m"}};
   static const TString none;
   const auto found = sequences.find(name);
   return gConfig().UseColor() && found != sequences.end() ? found->second : none;
}

void Tools::TMVAWelcomeMessage()
{
   TMVAWelcomeMessage(fLogger);
}

void Tools::TMVAWelcomeMessage(MsgLogger &logger, EWelcomeMessage)
{
   static bool said = false;
   if (!said)
      logger << kHEADER << "ROOT " << gROOT->GetVersion()
             << " comes without TMVA: the embedded host of tmva_lstm_plugin stands in for it (file formats of TMVA " << TMVA_RELEASE
             << ", registered methods only)" << Endl;
   said = true;
}

void Tools::TMVAVersionMessage(MsgLogger &logger)
{
   logger << kINFO << "Embedded host of tmva_lstm_plugin, file formats of TMVA " << TMVA_RELEASE << ", " << TMVA_RELEASE_DATE << Endl;
}

void Tools::ROOTVersionMessage(MsgLogger &logger)
{
   logger << kINFO << "You are running ROOT Version: " << gROOT->GetVersion() << Endl;
}

TString Tools::StringFromInt(Long_t i)
{
   return Form("%ld", i);
}

TString Tools::StringFromDouble(Double_t d)
{
   return Form("%5.10e", d);
}

Bool_t Tools::HasAttr(void *node, const char *name)
{
   return node && xmlengine().HasAttr(node, name);
}

void Tools::ReadAttr(void *node, const char *name, TString &value)
{
   if (!HasAttr(node, name))
      Log() << kFATAL << "Trying to read non-existing attribute '" << name << "' from xml node '" << (node ? GetName(node) : "none")
            << "'" << Endl;
   value = xmlengine().GetAttr(node, name);
}

void Tools::AddAttr(void *node, const char *name, const char *value)
{
   if (node)
      xmlengine().NewAttr(node, nullptr, name, value);
}

void *Tools::AddChild(void *parent, const char *name, const char *content, bool isRootNode)
{
   return isRootNode || parent ? xmlengine().NewChild(parent, nullptr, name, content) : nullptr;
}

Bool_t Tools::AddRawLine(void *node, const char *raw)
{
   return xmlengine().AddRawLine(node, raw);
}

Bool_t Tools::AddComment(void *node, const char *comment)
{
   return node && xmlengine().AddComment(node, comment);
}

void *Tools::GetParent(void *child)
{
   return xmlengine().GetParent(child);
}

void *Tools::GetChild(void *parent, const char *name)
{
   void *child = xmlengine().GetChild(parent);
   return !child || !name || TString(GetName(child)) == name ? child : GetNextChild(child, name);
}

void *Tools::GetNextChild(void *previous, const char *name)
{
   void *child = xmlengine().GetNext(previous);
   while (child && name && TString(GetName(child)) != name)
      child = xmlengine().GetNext(child);
   return child;
}

const char *Tools::GetContent(void *node)
{
   return xmlengine().GetNodeContent(node);
}

const char *Tools::GetName(void *node)
{
   return xmlengine().GetNodeName(node);
}

} // namespace TMVA
