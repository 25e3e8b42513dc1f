/// \file
/// The chain of transformations of a method's events, the statistics of what comes out, and its plots.
#ifndef ROOT_TMVA_TransformationHandler
#define ROOT_TMVA_TransformationHandler

#include <iosfwd>
#include <vector>

#include "TList.h"
#include "TString.h"

#include "TMVA/DataSetInfo.h"
#include "TMVA/MsgLogger.h"

class TDirectory;

namespace TMVA {

/// The host has the identity and the normalisation, which maps each input and target linearly from its range over the training
/// sample to [-1, 1]; a constant one becomes 0 (a real TMVA makes it not-a-number). An identity leaves no trace in the chain.
class TransformationHandler {
public:
   TransformationHandler(DataSetInfo &dsi, const TString &callerName);
   ~TransformationHandler();

   /// Builds the chain from "None" or I and N, joined by ',' or '+'. Fatal for what the host does not have, and for elements of
   /// arrays.
   void CreateTransformations(const TString &definition);
   const TList &GetTransformationList() const { return fTransformations; }
   TString GetName() const; ///< "Id", "Norm", "Norm_Norm"

   /// Finds the ranges of the chain from the events.
   void CalcTransformations(const std::vector<Event *> &events);
   /// The returned event holds until the next call.
   const Event *Transform(const Event *ev) const;
   /// Without transformed targets the event comes back as it is, unless suppressIfNoTargets is false.
   const Event *InverseTransform(const Event *ev, Bool_t suppressIfNoTargets = true) const;

   void AddXMLTo(void *parent) const;
   void ReadFromXML(void *node);
   /// Part 1: declarations in the class of a .class.C; part 2: definitions.
   void MakeFunction(std::ostream &fout, const TString &className, Int_t part) const;

   /// Mean, RMS and range of all inputs and targets as a table in the log, and histograms `<variable>__<class><suffix>` in the
   /// directory. Nothing is written with more inputs than gConfig allows.
   void PlotVariables(const std::vector<Event *> &events, TDirectory &directory, const TString &suffix);

private:
   TransformationHandler(const TransformationHandler &) = delete;
   TransformationHandler &operator=(const TransformationHandler &) = delete;

   MsgLogger &Log() const { return fLogger; }

   DataSetInfo &fDataSetInfo;
   TList fTransformations; ///< owns them
   mutable MsgLogger fLogger;
};

} // namespace TMVA

#endif
