/// \file
/// Builds the training and the test events of a data set: reads the input, splits, mixes and normalises.
#ifndef TMVA_LSTM_HOST_DataSetFactory
#define TMVA_LSTM_HOST_DataSetFactory

#include "TMVA/DataSet.h"
#include "TMVA/DataSetInfo.h"
#include "TMVA/MsgLogger.h"

#include "TString.h"

#include <memory>
#include <vector>

namespace TMVA {

class UniformBits;

/// Events of one class before and after its cut.
struct CutCounts {
   Long64_t before = 0, after = 0;
   Double_t weightBefore = 0, weightAfter = 0;
};

class DataSetFactory {
public:
   explicit DataSetFactory(DataSetInfo &info) : fInfo(info) {}
   ~DataSetFactory();

   std::unique_ptr<DataSet> CreateDataSet();

private:
   /// What the option string of PrepareTrainingAndTestTree asks of one class, and what its input gave.
   struct ClassSample {
      TString name;
      Int_t trainingRequested = 0; ///< events; 0: all, or half
      Int_t testingRequested = 0;
      Float_t trainingFraction = 0; ///< of all events of the class; 0: not used
      CutCounts counts;
      std::vector<Event *> training;
      std::vector<Event *> testing;
      std::vector<Event *> undecided; ///< to be split
   };

   void ReadOptions();
   void ReadEvents();
   void ReportCuts() const;
   void Split(ClassSample &sample, UniformBits &random);
   void ShortenTo(std::vector<Event *> &events, Int_t size, UniformBits &random);
   void Normalise();
   std::vector<Event *> Mix(std::vector<Event *> ClassSample::*part, UniformBits &random);
   void FindRanges(const std::vector<Event *> &events);
   void FindCorrelations(const std::vector<Event *> &events);
   MsgLogger &Log() const { return fLogger; }

   DataSetInfo &fInfo;
   TString fSplitMode = "Random", fMixMode = "SameAsSplitMode", fNormMode = "EqualNumEvents";
   UInt_t fSplitSeed = 100;
   Bool_t fScaleWithPreselEff = kFALSE;
   Bool_t fCorrelations = kTRUE;        ///< print the correlation matrices
   Bool_t fComputeCorrelations = kTRUE; ///< compute them, and the ranges of the variables
   std::vector<ClassSample> fSamples;   ///< one a class
   mutable MsgLogger fLogger{"DataSetFactory"};
};

} // namespace TMVA

#endif
