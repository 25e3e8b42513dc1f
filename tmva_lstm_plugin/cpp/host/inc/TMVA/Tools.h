/// \file
/// Helpers every TMVA class uses: strings, statistics of histograms, and the XML of weights files.
#ifndef ROOT_TMVA_Tools
#define ROOT_TMVA_Tools

#include <memory>
#include <sstream>
#include <vector>

#include "TMatrixDfwd.h"
#include "TString.h"
#include "TXMLEngine.h"

#include "TMVA/MsgLogger.h"
#include "TMVA/Types.h"

class TH1;
class TH2F;
class TList;

namespace TMVA {

class Event;

class Tools {
public:
   static Tools &Instance();
   static void DestroyInstance();
   ~Tools();

   /// Weighted mean, RMS and range of `values` for the events of one class and for all others. Weights may be negative.
   void ComputeStat(const std::vector<Event *> &events, std::vector<Float_t> *values, Double_t &meanS, Double_t &meanB,
                    Double_t &rmsS, Double_t &rmsB, Double_t &xmin, Double_t &xmax, Int_t signalClass, Bool_t norm = kFALSE);
   /// Scales to the integral `norm`, bin width included; returns what it was.
   Double_t NormHist(TH1 *hist, Double_t norm = 1.0);
   Double_t NormVariable(Double_t x, Double_t xmin, Double_t xmax) { return 2 * (x - xmin) / (xmax - xmin) - 1; }
   /// Half the integral of (s - b)^2 / (s + b) of the normalised histograms: 0 for equal, 1 for disjoint ones.
   Double_t GetSeparation(TH1 *signal, TH1 *background) const;
   Double_t GetMutualInformation(const TH2F &hist);
   TList *ParseFormatLine(TString line, const char *sep = ":"); ///< list of TObjString; the caller owns it
   std::vector<TString> SplitString(const TString &text, const char separator) const;
   Bool_t ContainsRegularExpression(const TString &text);
   TString ReplaceRegularExpressions(const TString &text, const TString &replace = "+");
   Bool_t CheckForSilentOption(const TString &options) const;
   Bool_t CheckForVerboseOption(const TString &options) const;
   /// The candidate that differs least from `text`, case aside; empty when none is near. DidYouMean() makes a sentence of it.
   TString NearestName(const TString &text, const std::vector<TString> &candidates) const;
   TString DidYouMean(const TString &text, const std::vector<TString> &candidates) const;
   TString JoinNames(const std::vector<TString> &names) const; ///< joined by ", "
   TString GetXTitleWithUnit(const TString &title, const TString &unit);
   TString GetYTitleWithUnit(const TH1 &hist, const TString &unit, Bool_t normalised);
   /// A square table in the log.
   void FormattedOutput(const TMatrixD &matrix, const std::vector<TString> &names, MsgLogger &logger);

   /// An escape sequence for a terminal, empty when colours are off: "reset", "bold", "red", "lightblue", ...
   const TString &Color(const TString &name);

   enum EWelcomeMessage {
      kStandardWelcomeMsg = 1,
      kIsometricWelcomeMsg,
      kBlockWelcomeMsg,
      kLeanWelcomeMsg,
      kLogoWelcomeMsg,
      kSmall1WelcomeMsg,
      kSmall2WelcomeMsg,
      kOriginalWelcomeMsgColor,
      kOriginalWelcomeMsgBW
   };
   /// One line, once a process, that says that this is the embedded host.
   void TMVAWelcomeMessage();
   void TMVAWelcomeMessage(MsgLogger &logger, EWelcomeMessage message = kStandardWelcomeMsg);
   void TMVAVersionMessage(MsgLogger &logger);
   void ROOTVersionMessage(MsgLogger &logger);

   TString StringFromInt(Long_t i);
   TString StringFromDouble(Double_t d);

   /// XML. ReadAttr is fatal when there is no such attribute; AddAttr writes real numbers with `precision` decimals.
   Bool_t HasAttr(void *node, const char *name);
   void ReadAttr(void *node, const char *name, TString &value);
   template <typename T>
   void ReadAttr(void *node, const char *name, T &value)
   {
      TString text;
      ReadAttr(node, name, text);
      std::stringstream(text.Data()) >> value;
   }
   void AddAttr(void *node, const char *name, const char *value);
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
   Bool_t AddRawLine(void *node, const char *raw);
   Bool_t AddComment(void *node, const char *comment);
   void *GetParent(void *child);
   void *GetChild(void *parent, const char *name = nullptr); ///< the first one, of that name when given
   void *GetNextChild(void *previous, const char *name = nullptr);
   const char *GetContent(void *node);
   const char *GetName(void *node);

   TXMLEngine &xmlengine() { return *fXMLEngine; }
   int xmlenginebuffersize() { return fXMLBufferSize; }
   void SetXMLEngineBufferSize(int size) { fXMLBufferSize = size; }

private:
   Tools();
   MsgLogger &Log() const { return fLogger; }

   std::unique_ptr<TXMLEngine> fXMLEngine;
   int fXMLBufferSize = 10000000;
   mutable MsgLogger fLogger;
};

Tools &gTools();

} // namespace TMVA

#endif
