#include "DataSetFactory.h"

#include "TMVA/Tools.h"

#include "TChain.h"
#include "TFile.h"
#include "TFriendElement.h"
#include "TLeaf.h"
#include "TMath.h"

namespace TMVA {

namespace {

/// Which tree of each chain is open, over a tree and its friends: formulas hold for one such state.
std::vector<Int_t> OpenTrees(TTree &tree)
{
   std::vector<Int_t> numbers{tree.GetTreeNumber()};
   if (TList *friends = tree.GetListOfFriends())
      for (TObject *element : *friends)
         if (TTree *other = static_cast<TFriendElement *>(element)->GetTree())
            numbers.push_back(other->GetTreeNumber());
   return numbers;
}

/// "tree "name" in file path", for messages.
TString NameOf(const TTree &tree)
{
   const TFile *file = tree.GetCurrentFile();
   return TString("tree \"") + tree.GetName() + "\" in " + (file ? TString("file ") + file->GetName() : TString("memory"));
}

/// Value of an instance; a formula with one value gives it to every instance.
Double_t ValueOf(TTreeFormula &formula, Int_t instance)
{
   return formula.EvalInstance(formula.GetNdata() == 1 ? 0 : instance);
}

} // namespace

TreeEventReader::Formula
TreeEventReader::MakeFormula(const TString &name, const TString &expression, const TString &what, TTree &tree)
{
   Formula formula(new TTreeFormula(name, expression, &tree));
   if (formula->GetNdim() <= 0) {
      std::vector<TString> leaves;
      for (TObject *leaf : *tree.GetListOfLeaves())
         leaves.emplace_back(leaf->GetName());
      fLog << kFATAL << "Expression " << expression << " (" << what << ") could not be resolved to a valid formula on "
           << NameOf(tree) << "." << gTools().DidYouMean(expression, leaves) << Endl;
   }
   if (formula->GetNdata() == 0)
      fLog << kWARNING << "Expression: " << expression << " does not provide data for the first entry of " << NameOf(tree)
           << "; entries without data are left out. Alt$(" << expression << ",0) takes 0 where there is no element." << Endl;
   return formula;
}

void TreeEventReader::BuildFormulas(TTree &tree, const ClassInfo &classInfo)
{
   ForgetFormulas(tree);
   tree.SetBranchStatus("*", true);
   Int_t element = 0, size = 0;
   for (UInt_t i = 0; i < fInfo.GetNVariables(); ++i) {
      const VariableInfo &variable = fInfo.GetVariableInfo(i);
      const bool isArray = fInfo.IsVariableFromArray(i);
      if (!isArray || element == size) {
         fVariableFormulas.push_back(
            MakeFormula("Formula" + variable.GetInternalName(), variable.GetExpression(), "input variable", tree));
         element = 0;
         size = isArray ? fInfo.GetVarArraySize(variable.GetExpression()) : 0;
      }
      fColumns.push_back({fVariableFormulas.back().get(), element, size});
      element = isArray ? element + 1 : size;
   }
   for (const VariableInfo &target : fInfo.GetTargetInfos())
      fTargets.push_back(MakeFormula("Formula" + target.GetInternalName(), target.GetExpression(), "target", tree));
   for (const VariableInfo &spectator : fInfo.GetSpectatorInfos())
      fSpectators.push_back(
         MakeFormula("Formula" + spectator.GetInternalName(), spectator.GetExpression(), "spectator", tree));
   const TString className = classInfo.GetName(), cut = classInfo.GetCut().GetTitle(), weight = classInfo.GetWeight();
   if (cut != "")
      fCut = MakeFormula("Cut", cut, "cut of class " + className, tree);
   if (weight != "" && weight != "1")
      fWeight = MakeFormula("FormulaWeight", weight, "weight of class " + className, tree);
}

/// They refer to branches of the tree. Addresses that a user has set may be gone by now, too.
void TreeEventReader::ForgetFormulas(TTree &tree)
{
   fColumns.clear();
   fVariableFormulas.clear();
   fTargets.clear();
   fSpectators.clear();
   fCut.reset();
   fWeight.reset();
   tree.ResetBranchAddresses();
}

Int_t TreeEventReader::CountInstances(const TTree &tree, Long64_t entry)
{
   Int_t instances = 1;
   const Column *longest = nullptr;
   for (const Column &column : fColumns) {
      if (column.element != 0)
         continue;
      const Int_t size = column.formula->GetNdata();
      if (column.arraySize > 0) {
         if (size < column.arraySize)
            fLog << kFATAL << "Array " << column.formula->GetTitle() << " of " << NameOf(tree) << " has " << size
                 << " elements in entry " << entry << ", expected " << column.arraySize
                 << ". Events of a DataLoader have a fixed number of columns: write the array padded to its full length, "
                    "with the true length in a branch of its own."
                 << Endl;
         if (size > column.arraySize && !fWarnedOfLongArray)
            fLog << kWARNING << "Array " << column.formula->GetTitle() << " of " << NameOf(tree) << " has " << size
                 << " elements in entry " << entry << "; those beyond the declared " << column.arraySize
                 << " are not used (said once only)" << Endl;
         fWarnedOfLongArray |= size > column.arraySize;
      } else if (size != 1 && !longest) {
         instances = size;
         longest = &column;
      } else if (size != 1 && size != instances) {
         fLog << kFATAL << "Array variables of different length in entry " << entry << " of " << NameOf(tree) << ": "
              << column.formula->GetTitle() << " has " << size << " elements, " << longest->formula->GetTitle() << " has "
              << instances
              << ". AddVariable makes one event of each element, so all have to agree; for the elements as columns of one "
                 "event use AddVariablesArray."
              << Endl;
      }
   }
   return instances;
}

void TreeEventReader::CheckFiles(TTree &tree, const std::set<Int_t> &read) const
{
   const auto *chain = dynamic_cast<TChain *>(&tree);
   Int_t number = 0;
   if (chain)
      for (TObject *element : *chain->GetListOfFiles()) {
         if (read.count(number++))
            continue;
         // the tree may be empty; but a chain also leaves files out that it cannot read
         const std::unique_ptr<TFile> file(TFile::Open(element->GetTitle()));
         if (!file || file->IsZombie() || !file->Get(element->GetName()))
            fLog << kFATAL << "The chain \"" << chain->GetName() << "\" cannot read its file " << element->GetTitle()
                 << ": is it missing or damaged, or is there no tree \"" << element->GetName() << "\" in it?" << Endl;
      }
}

bool TreeEventReader::IsFinite(Double_t value, const char *what, const TString &expression, Long64_t entry, bool passes)
{
   if (TMath::Finite(value))
      return true;
   const char *kind = TMath::IsNaN(value) ? "NaN" : "+inf or -inf";
   Occurrences &occurrences =
      fNotFinite[TString::Format("Dataset[%s] : %s expression gives %s: ", fInfo.GetName(), what, kind) + expression];
   if (occurrences.count++ == 0)
      occurrences.firstEntry = entry;
   occurrences.passed |= passes;
   return false;
}

void TreeEventReader::ReadGiven(const EventInput &input, const ClassInfo &classInfo, std::vector<Event *> &events,
                                CutCounts &counts)
{
   if (classInfo.GetCut().GetTitle()[0] != '\0')
      fLog << kFATAL << "Class " << classInfo.GetName() << " has the cut \"" << classInfo.GetCut().GetTitle()
           << "\", which does not apply to events added one by one: add only those that pass" << Endl;
   for (std::size_t n = 0; n < input.given.size(); ++n) {
      const Event &event = input.given[n];
      if (event.GetNVariables() != fInfo.GetNVariables() || event.GetNTargets() != fInfo.GetNTargets() ||
          event.GetNSpectators() != fInfo.GetNSpectators())
         fLog << kFATAL << "Event " << n << " of class " << classInfo.GetName() << " was added before all variables, targets and "
              << "spectators were declared" << Endl;
      bool finite = IsFinite(event.GetWeight(), "Weight", "of an added event", n, true);
      for (const auto *values : {&event.GetValues(), &event.GetTargets(), &event.GetSpectators()})
         for (const Float_t value : *values)
            finite &= IsFinite(value, "Value", "of an added event", n, true);
      if (finite)
         events.push_back(new Event(event));
   }
   counts.before += input.given.size();
   counts.after += input.given.size();
}

void TreeEventReader::Read(const EventInput &input, const ClassInfo &classInfo, std::vector<Event *> &events, CutCounts &counts)
{
   if (!input.tree) {
      ReadGiven(input, classInfo, events, counts);
      return;
   }
   TTree &tree = *input.tree;
   std::vector<Float_t> variables(fInfo.GetNVariables()), targets(fInfo.GetNTargets()), spectators(fInfo.GetNSpectators());
   std::vector<Int_t> formulasFor;
   std::set<Int_t> filesRead; // of a chain
   const Long64_t entries = tree.GetEntries();
   for (Long64_t entry = 0; entry < entries; ++entry) {
      if (tree.LoadTree(entry) < 0)
         fLog << kFATAL << "Cannot read entry " << entry << " of " << entries << " of " << NameOf(tree) << ", class "
              << classInfo.GetName() << ": is a file missing or damaged?" << Endl;
      std::vector<Int_t> open = OpenTrees(tree);
      if (open != formulasFor) {
         filesRead.insert(open.front());
         BuildFormulas(tree, classInfo);
         formulasFor = std::move(open);
      }
      const Int_t instances = CountInstances(tree, entry);
      for (Int_t instance = 0; instance < instances; ++instance) {
         bool finite = true;
         const Double_t cut = fCut ? ValueOf(*fCut, instance) : 1;
         const bool passes = !(cut < 0.5);
         const auto check = [&](Double_t value, const char *what, const TTreeFormula &formula) {
            if (!TMath::Finite(value))
               finite = IsFinite(value, what, formula.GetTitle(), entry, passes);
         };
         if (fCut)
            check(cut, "Cut", *fCut);
         for (std::size_t i = 0; i < fColumns.size(); ++i) {
            const Column &column = fColumns[i];
            variables[i] = column.arraySize > 0 ? column.formula->EvalInstance(column.element)
                                                : ValueOf(*column.formula, instance);
            check(variables[i], "Input", *column.formula);
         }
         for (std::size_t i = 0; i < fTargets.size(); ++i) {
            targets[i] = ValueOf(*fTargets[i], instance);
            check(targets[i], "Target", *fTargets[i]);
         }
         for (std::size_t i = 0; i < fSpectators.size(); ++i) {
            spectators[i] = ValueOf(*fSpectators[i], instance);
            check(spectators[i], "Spectator", *fSpectators[i]);
         }
         Float_t weight = input.weight; // single precision as in TMVA, so that both train on the same numbers
         if (fWeight) {
            weight *= ValueOf(*fWeight, instance);
            check(weight, "Weight", *fWeight);
         }
         ++counts.before;
         if (!passes || !finite)
            continue;
         ++counts.after;
         events.push_back(new Event(variables, targets, spectators, classInfo.GetNumber(), weight));
      }
   }
   CheckFiles(tree, filesRead);
   ForgetFormulas(tree);
}

void TreeEventReader::ReportNotFinite() const
{
   TString example; // the first that passes the cuts
   for (const auto &[message, occurrences] : fNotFinite) {
      fLog << kWARNING << message << " (" << occurrences.count << " times, first in entry " << occurrences.firstEntry << ")"
           << (occurrences.passed ? "" : "; the cuts remove them") << Endl;
      if (occurrences.passed && example == "")
         example = Form("entry %lld: %s", occurrences.firstEntry, message.Data());
   }
   if (example != "")
      fLog << kFATAL << "Events with NaN or infinite values cannot be trained on, such as " << example
           << ". Remove them with a cut, for example TMath::Finite(x), or mend the branch." << Endl;
}

} // namespace TMVA
