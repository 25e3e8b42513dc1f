/// \file
/// How the training and the test events of a data set are made.
#ifndef TMVA_LSTM_HOST_DataSetFactory
#define TMVA_LSTM_HOST_DataSetFactory

#include "TMVA/DataSet.h"
#include "TMVA/DataSetInfo.h"
#include "TMVA/MsgLogger.h"

#include "TString.h"
#include "TTreeFormula.h"

#include <map>
#include <memory>
#include <set>
#include <vector>

namespace TMVA {

class UniformBits;

/// Events of one class before and after its cut.
struct CutCounts {
   Long64_t before = 0, after = 0;
};

/// From the entries of a tree to events: evaluates the expressions of a data set with TTreeFormula.
class TreeEventReader {
public:
   TreeEventReader(DataSetInfo &info, MsgLogger &log) : fInfo(info), fLog(log) {}

   /// Appends the events of an input; the caller owns them.
   ///
   /// A branch with n elements given to AddVariable makes n events of one entry (variables with one element are repeated);
   /// one given to AddVariablesArray makes columns of one event.
   void Read(const EventInput &input, const ClassInfo &classInfo, std::vector<Event *> &events, CutCounts &counts);

   /// Says what was not finite; fatal when a cut did not remove it.
   void ReportNotFinite() const;

private:
   using Formula = std::unique_ptr<TTreeFormula>;

   /// Where an input variable comes from: all elements of an array share one formula.
   struct Column {
      TTreeFormula *formula;
      Int_t element;   ///< in the array; 0 for other variables
      Int_t arraySize; ///< 0 for other variables
   };

   void ReadGiven(const EventInput &input, const ClassInfo &classInfo, std::vector<Event *> &events, CutCounts &counts);
   void BuildFormulas(TTree &tree, const ClassInfo &classInfo);
   void ForgetFormulas(TTree &tree);
   Formula MakeFormula(const TString &name, const TString &expression, const TString &what, TTree &tree);
   /// Events this entry makes: 1, or the common length of the array-valued variables.
   Int_t CountInstances(const TTree &tree, Long64_t entry);
   /// Fatal when a file of a chain could not be read. `read`: the numbers of those that were.
   void CheckFiles(TTree &tree, const std::set<Int_t> &read) const;
   bool IsFinite(Double_t value, const char *what, const TString &expression, Long64_t entry, bool passes);

   DataSetInfo &fInfo;
   MsgLogger &fLog;
   std::vector<Formula> fVariableFormulas, fTargets, fSpectators;
   std::vector<Column> fColumns; ///< one a variable
   Formula fCut, fWeight; ///< null when there is none
   bool fWarnedOfLongArray = false;
   struct Occurrences {
      Long64_t count = 0, firstEntry = 0;
      bool passed = false; ///< the cut, at least one of them
   };
   std::map<TString, Occurrences> fNotFinite; ///< by message
};

/// Reads the input of all classes, splits, mixes and normalises.
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
   Bool_t fComputeCorrelations = kTRUE; ///< of the variables, and the ranges of the variables
   std::vector<ClassSample> fSamples;   ///< one a class
   mutable MsgLogger fLogger{"DataSetFactory"};
};

} // namespace TMVA

#endif
