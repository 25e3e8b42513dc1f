#include "TMVA/Tools.h"

#include <algorithm>
#include <cctype>

#include "TH1.h"
#include "TROOT.h"

#include "TMVA/Config.h"
#include "TMVA/Version.h"

namespace TMVA {

namespace {

/// Changes of single characters that turn one name into the other, case aside.
size_t EditDistance(const TString &from, const TString &to)
{
   std::vector<size_t> row(to.Length() + 1);
   for (size_t j = 0; j < row.size(); ++j)
      row[j] = j;
   for (Ssiz_t i = 0; i < from.Length(); ++i) {
      size_t diagonal = row[0];
      row[0] = i + 1;
      for (Ssiz_t j = 0; j < to.Length(); ++j) {
         const size_t replaced = diagonal + (std::tolower(from[i]) != std::tolower(to[j]));
         diagonal = row[j + 1];
         row[j + 1] = std::min({replaced, diagonal + 1, row[j] + 1});
      }
   }
   return row.back();
}

} // namespace

Tools &gTools()
{
   return Tools::Instance();
}

Tools &Tools::Instance()
{
   static Tools *instance = new Tools; // never deleted: see Singletons.cxx
   return *instance;
}

Double_t Tools::NormHist(TH1 *hist, Double_t norm)
{
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

std::vector<TString> Tools::SplitString(const TString &text, const char separator) const
{
   std::vector<TString> parts;
   std::istringstream stream(text.Data());
   for (std::string part; std::getline(stream, part, separator);)
      parts.emplace_back(part.c_str());
   return parts;
}

TString Tools::ReplaceRegularExpressions(const TString &text, const TString &replace) const
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

TString Tools::DidYouMean(const TString &text, const std::vector<TString> &candidates) const
{
   TString nearest;
   size_t best = std::max<size_t>(1, text.Length() / 3) + 1;
   for (const TString &candidate : candidates) {
      const size_t distance = EditDistance(text, candidate);
      if (distance < best) {
         best = distance;
         nearest = candidate;
      }
   }
   return nearest == "" ? nearest : " Did you mean \"" + nearest + "\"?";
}

TString Tools::JoinNames(const std::vector<TString> &names) const
{
   TString joined;
   for (const TString &name : names)
      joined += (joined == "" ? "" : ", ") + name;
   return joined == "" ? "none" : joined;
}

void Tools::TMVAWelcomeMessage(MsgLogger &logger, EWelcomeMessage)
{
   static bool said = false;
   if (!said)
      logger << kHEADER << "ROOT " << gROOT->GetVersion()
             << " comes without TMVA: the embedded host of tmva_lstm_plugin stands in for it (file formats of TMVA "
             << TMVA_RELEASE << ", registered methods only)" << Endl;
   said = true;
}

void Tools::ReadAttr(void *node, const char *name, TString &value)
{
   if (!HasAttr(node, name))
      Log() << kFATAL << "Trying to read non-existing attribute '" << name << "' from xml node '"
            << (node ? GetName(node) : "none") << "'" << Endl;
   value = xmlengine().GetAttr(node, name);
}

void *Tools::AddChild(void *parent, const char *name, const char *content, bool isRootNode)
{
   return isRootNode || parent ? xmlengine().NewChild(parent, nullptr, name, content) : nullptr;
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

} // namespace TMVA
