/// \file
/// Helpers every TMVA class uses: strings, tables, and the XML of weights files.
#ifndef ROOT_TMVA_Tools
#define ROOT_TMVA_Tools

#include <memory>
#include <sstream>
#include <vector>

#include "TString.h"
#include "TXMLEngine.h"

#include "TMVA/MsgLogger.h"

class TH1;

namespace TMVA {

class Tools {
public:
   static Tools &Instance();

   /// Scales to the integral `norm`, bin width included; returns what it was.
   Double_t NormHist(TH1 *hist, Double_t norm = 1.0);
   std::vector<TString> SplitString(const TString &text, const char separator) const;
   TString ReplaceRegularExpressions(const TString &text, const TString &replace = "+") const;
   /// " Did you mean ...?" with the candidate that differs least from `text`, case aside; empty when none is near.
   TString DidYouMean(const TString &text, const std::vector<TString> &candidates) const;
   TString JoinNames(const std::vector<TString> &names) const; ///< joined by ", "

   enum EWelcomeMessage { kStandardWelcomeMsg = 1 };
   /// One line, once a process, that says that this is the embedded host.
   void TMVAWelcomeMessage() { TMVAWelcomeMessage(fLogger); }
   void TMVAWelcomeMessage(MsgLogger &logger, EWelcomeMessage message = kStandardWelcomeMsg);

   TString StringFromInt(Long_t i) { return TString::Format("%ld", i); }
   TString StringFromDouble(Double_t d) { return TString::Format("%5.10e", d); }

   /// XML. ReadAttr is fatal when there is no such attribute; AddAttr writes real numbers with `precision` decimals.
   Bool_t HasAttr(void *node, const char *name) { return node && xmlengine().HasAttr(node, name); }
   void ReadAttr(void *node, const char *name, TString &value);
   template <typename T>
   void ReadAttr(void *node, const char *name, T &value)
   {
      TString text;
      ReadAttr(node, name, text);
      std::stringstream(text.Data()) >> value;
   }
   void AddAttr(void *node, const char *name, const char *value) { xmlengine().NewAttr(node, nullptr, name, value); }
   template <typename T>
   void AddAttr(void *node, const char *name, const T &value, Int_t precision = 16)
   {
      std::stringstream s;
      s.precision(precision);
      s << std::scientific << value;
      AddAttr(node, name, s.str().c_str());
   }
   /// A null parent gives null, unless it is the root node.
   void *AddChild(void *parent, const char *name, const char *content = nullptr, bool isRootNode = false);
   void *GetChild(void *parent, const char *name = nullptr); ///< the first one, of that name when given
   void *GetNextChild(void *previous, const char *name = nullptr);
   const char *GetContent(void *node) { return xmlengine().GetNodeContent(node); }
   const char *GetName(void *node) { return xmlengine().GetNodeName(node); }

   TXMLEngine &xmlengine() { return fXMLEngine; }
   int xmlenginebuffersize() const { return 10000000; }

private:
   MsgLogger &Log() const { return fLogger; }

   TXMLEngine fXMLEngine;
   mutable MsgLogger fLogger{"Tools"};
};

Tools &gTools();

} // namespace TMVA

#endif
