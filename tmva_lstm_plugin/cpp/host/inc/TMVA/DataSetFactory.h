/// \file
/// Builds the training and the testing events of a data set: reads the trees, splits, mixes and normalises.
#ifndef ROOT_TMVA_DataSetFactory
#define ROOT_TMVA_DataSetFactory

#include "TString.h"
#include "TMVA/Types.h"

#include <memory>
#include <vector>

namespace TMVA {

class DataInputHandler;
class DataSet;
class DataSetInfo;
class Event;
class MsgLogger;
class UniformBits;

class DataSetFactory {
public:
   DataSetFactory();
   ~DataSetFactory();

   /// Without any tree the data set is that of a Reader: one event that reads the user's own variables.
   /// The caller owns what is returned.
   DataSet *CreateDataSet(DataSetInfo &info, DataInputHandler &input);

private:
   /// What the option string of PrepareTrainingAndTestTree asks of one class, and what its trees gave.
   struct ClassSample {
      Int_t trainingRequested = 0; ///< events; 0: all, or half
      Int_t testingRequested = 0;
      Float_t trainingFraction = 0; ///< of all events of the class; 0: not used
      Long64_t eventsBeforeCut = 0;
      Long64_t eventsAfterCut = 0;
      Double_t weightBeforeCut = 0;
      Double_t weightAfterCut = 0;
      std::vector<Event *> training;
      std::vector<Event *> testing;
      std::vector<Event *> undecided; ///< to be split
      Double_t PassedFraction() const;
   };

   DataSet *BuildDynamicDataSet(DataSetInfo &info);
   void ReadOptions(DataSetInfo &info);
   void ReadEvents(DataSetInfo &info, DataInputHandler &input);
   void ReportCuts(const DataSetInfo &info);
   void Split(ClassSample &sample, const DataSetInfo &info, const TString &className, UniformBits &random);
   void ShortenTo(std::vector<Event *> &events, Int_t size, const TString &what, UniformBits &random);
   void Normalise(DataSetInfo &info);
   std::vector<Event *> Mix(std::vector<Event *> ClassSample::*part, const TString &what);
   void FindRanges(DataSetInfo &info, const std::vector<Event *> &events);
   void FindCorrelations(DataSetInfo &info, const std::vector<Event *> &events);
   MsgLogger &Log() const { return *fLogger; }

   TString fSplitMode, fMixMode, fNormMode; ///< in capital letters
   UInt_t fSplitSeed = 100;
   Bool_t fVerbose = kFALSE;
   Bool_t fScaleWithPreselEff = kFALSE;
   Bool_t fCorrelations = kTRUE;        ///< print the correlation matrices
   Bool_t fComputeCorrelations = kTRUE; ///< compute them, and the ranges of the variables
   std::vector<ClassSample> fSamples;   ///<! one a class
   std::unique_ptr<MsgLogger> fLogger;  //!
};

} // namespace TMVA

#endif
