/// \file
/// A chain of transformations, the statistics of what comes out, and its plots.
#ifndef ROOT_TMVA_TransformationHandler
#define ROOT_TMVA_TransformationHandler

#include <memory>
#include <vector>

#include "TList.h"
#include "TString.h"

#include "TMVA/DataSetInfo.h"
#include "TMVA/MsgLogger.h"
#include "TMVA/Ranking.h"

class TDirectory;
class TH1;

namespace TMVA {

class Event;
class VariableTransformBase;

class TransformationHandler {
public:
   struct VariableStat {
      Double_t fMean;
      Double_t fRMS;
      Double_t fMin;
      Double_t fMax;
   };

   TransformationHandler(DataSetInfo &dsi, const TString &callerName);
   ~TransformationHandler();

   TString GetName() const; ///< "Id", "Norm", "Id_Norm", ...
   TString GetVariableAxisTitle(const VariableInfo &info) const;

   const Event *Transform(const Event *ev) const;
   /// Without transformed targets the event comes back as it is, unless suppressIfNoTargets is false.
   const Event *InverseTransform(const Event *ev, Bool_t suppressIfNoTargets = true) const;

   /// Takes the transformation over. `cls` is its reference class, -1 for all.
   VariableTransformBase *AddTransformation(VariableTransformBase *transformation, Int_t cls);
   const TList &GetTransformationList() const { return fTransformations; }
   Int_t GetNumOfTransformations() const { return fTransformations.GetSize(); }

   /// Prepares the chain from the events. Returns the events themselves when the chain is empty, else a new collection that
   /// belongs to the caller, or null when createNewVector is false.
   const std::vector<Event *> *CalcTransformations(const std::vector<Event *> &events, Bool_t createNewVector = kFALSE);

   /// Mean, RMS and range of all inputs and targets, printed as a table.
   void CalcStats(const std::vector<Event *> &events);
   void AddStats(Int_t k, UInt_t ivar, Double_t mean, Double_t rms, Double_t min, Double_t max);
   /// By class; -1 for all of them. Range and mean of the data set's description before CalcStats().
   Double_t GetMean(Int_t ivar, Int_t cls = -1) const { return Stat(ivar, cls).fMean; }
   Double_t GetRMS(Int_t ivar, Int_t cls = -1) const { return Stat(ivar, cls).fRMS; }
   Double_t GetMin(Int_t ivar, Int_t cls = -1) const { return Stat(ivar, cls).fMin; }
   Double_t GetMax(Int_t ivar, Int_t cls = -1) const { return Stat(ivar, cls).fMax; }

   void AddXMLTo(void *parent = nullptr) const;
   void ReadFromXML(void *trfsnode);
   void MakeFunction(std::ostream &fout, const TString &fncName, Int_t part) const;

   void PrintVariableRanking() const;
   const char *GetNameOfLastTransform() const;

   void SetCallerName(const TString &name);
   const TString &GetCallerName() const { return fCallerName; }
   TDirectory *GetRootDir() const { return fRootBaseDir; }
   void SetRootDir(TDirectory *dir) { fRootBaseDir = dir; }

   /// Histograms `<variable>__<class>_<transformations>` in InputVariables_<transformations> of the root directory, or without the
   /// last part in `theDirectory`; scatter plots and profiles in CorrelationPlots below. CalcStats() goes first. Nothing is
   /// written without a directory, or with more inputs than gConfig allows.
   void PlotVariables(const std::vector<Event *> &events, TDirectory *theDirectory = nullptr);

private:
   TransformationHandler(const TransformationHandler &) = delete;
   TransformationHandler &operator=(const TransformationHandler &) = delete;

   VariableStat Stat(Int_t ivar, Int_t cls) const;
   /// Input or, beyond the inputs, target number i.
   const VariableInfo &Quantity(UInt_t i) const;
   TH1 *BookVariable(UInt_t i, const TString &name) const;
   void RankBySeparation(const std::vector<std::vector<std::unique_ptr<TH1>>> &histograms);
   void PlotCorrelations(const std::vector<Event *> &events, TDirectory *directory, const TString &suffix) const;

   DataSetInfo &fDataSetInfo;
   TList fTransformations;                ///< owns them
   std::vector<Int_t> fReferenceClasses;  ///< one for each transformation
   std::vector<std::vector<VariableStat>> fVariableStats; ///< [class, the last one: all][input, then target]
   Int_t fNumC;                           ///< classes, and one more for all when there are several
   std::vector<std::unique_ptr<Ranking>> fRanking;
   TDirectory *fRootBaseDir = nullptr;    ///< not owned
   TString fCallerName;
   mutable MsgLogger fLogger;
   MsgLogger &Log() const { return fLogger; }
};

} // namespace TMVA

#endif
