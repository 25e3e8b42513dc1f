/// \file
/// From the entries of a tree to events: evaluates the expressions of a data set with TTreeFormula.
#ifndef TMVA_LSTM_HOST_TreeEventReader
#define TMVA_LSTM_HOST_TreeEventReader

#include "TMVA/DataInputHandler.h"
#include "TMVA/DataSetInfo.h"
#include "TMVA/Event.h"
#include "TMVA/MsgLogger.h"

#include "TTreeFormula.h"

#include <map>
#include <memory>
#include <set>
#include <vector>

namespace TMVA {

class TreeEventReader {
public:
   /// Events before and after the cut of their class, with the sums of their weights.
   struct Counts {
      Long64_t eventsBeforeCut = 0, eventsAfterCut = 0;
      Double_t weightBeforeCut = 0, weightAfterCut = 0;
   };

   TreeEventReader(DataSetInfo &info, MsgLogger &log) : fInfo(info), fLog(log) {}

   /// Appends the events of a tree; the caller owns them.
   ///
   /// A branch with n elements given to AddVariable makes n events of one entry (variables with one element are repeated);
   /// one given to AddVariablesArray makes columns of one event.
   void Read(const TreeInfo &tree, UInt_t classIndex, std::vector<Event *> &events, Counts &counts);

   /// Says what was not finite; fatal when a cut did not remove it.
   void ReportNotFinite();

private:
   using Formula = std::unique_ptr<TTreeFormula>;

   /// Where an input variable comes from: all elements of an array share one formula.
   struct Column {
      TTreeFormula *formula;
      Int_t element;   ///< in the array; 0 for other variables
      Int_t arraySize; ///< 0 for other variables
   };

   void BuildFormulas(const TreeInfo &tree, UInt_t classIndex);
   Formula MakeFormula(const TString &name, const TString &expression, const TString &what, TTree &tree);
   /// Events this entry makes: 1, or the common length of the array-valued variables.
   Int_t CountInstances(const TTree &tree, Long64_t entry);
   void CheckArraySizes(const TTree &tree, Long64_t entry);
   /// Fatal when a file of a chain could not be read. `read`: the numbers of those that were.
   void CheckFiles(const TreeInfo &info, const std::set<Int_t> &read);
   bool IsFinite(Double_t value, const char *what, const TTreeFormula &formula, bool passes);

   DataSetInfo &fInfo;
   MsgLogger &fLog;
   std::vector<Formula> fVariableFormulas;
   std::vector<Column> fColumns; ///< one a variable
   std::vector<Formula> fTargets, fSpectators;
   Formula fCut, fWeight; ///< null when there is none
   bool fWarnedOfLongArray = false;
   Long64_t fEntry = 0; ///< being read
   struct Occurrences {
      Long64_t count = 0, firstEntry = 0;
   };
   std::map<TString, Occurrences> fNotFiniteCutOut, fNotFinite; ///< by message
};

} // namespace TMVA

#endif
