/// \file
/// From the entries of a tree to events: evaluates the expressions of a data set with TTreeFormula.
#ifndef TMVA_LSTM_HOST_TreeEventReader
#define TMVA_LSTM_HOST_TreeEventReader

#include "DataSetFactory.h"

#include "TTreeFormula.h"

#include <map>
#include <memory>
#include <set>
#include <vector>

namespace TMVA {

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

} // namespace TMVA

#endif
