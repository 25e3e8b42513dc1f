#include "TreeEventReader.h"

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

TString FileOf(const TTree &tree)
{
   const TFile *file = tree.GetCurrentFile();
   return file ? TString("file ") + file->GetName() : TString("memory");
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
      const TString nearest = gTools().NearestName(expression, leaves);
      fLog << kFATAL << "Expression " << expression << " (" << what << ") could not be resolved to a valid formula on tree \""
           << tree.GetName() << "\" in " << FileOf(tree) << "."
           << (nearest == "" ? TString() : " Did you mean \"" + nearest + "\"?") << Endl;
   }
   if (formula->GetNdata() == 0)
      fLog << kWARNING << "Expression: " << expression << " does not provide data for the first entry of tree \""
           << tree.GetName() << "\"; entries without data are left out. Alt$(" << expression
           << ",0) takes 0 where there is no element." << Endl;
   return formula;
}

void TreeEventReader::BuildFormulas(const TreeInfo &info, UInt_t classIndex)
{
   TTree &tree = *info.GetTree();
   fColumns.clear();
   fVariableFormulas.clear();
   fTargets.clear();
   fSpectators.clear();
   fCut.reset();
   fWeight.reset();
   // addresses that a user has set may be gone by now
   tree.SetBranchStatus("*", true);
   tree.ResetBranchAddresses();

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
   const ClassInfo &classInfo = *fInfo.GetClassInfo(static_cast<Int_t>(classIndex));
   const TString className = classInfo.GetName(), cut = classInfo.GetCut().GetTitle(), weight = classInfo.GetWeight();
   if (cut != "")
      fCut = MakeFormula(TString::Format("CutClass%u", classIndex), cut, "cut of class " + className, tree);
   if (weight != "" && weight != "1")
      fWeight = MakeFormula("FormulaWeight", weight, "weight of class " + className, tree);
}

Int_t TreeEventReader::CountInstances(const TTree &tree, Long64_t entry)
{
   Int_t instances = 1;
   const Column *longest = nullptr;
   for (const Column &column : fColumns) {
      if (column.arraySize > 0)
         continue;
      const Int_t size = column.formula->GetNdata();
      if (size == 1)
         continue;
      if (!longest) {
         instances = size;
         longest = &column;
      } else if (size != instances) {
         fLog << kFATAL << "Array variables of different length in entry " << entry << " of tree \"" << tree.GetName()
              << "\" in " << FileOf(tree) << ": " << column.formula->GetTitle() << " has " << size << " elements, "
              << longest->formula->GetTitle() << " has " << instances
              << ". AddVariable makes one event of each element, so all have to agree; for the elements as columns of one "
                 "event use AddVariablesArray."
              << Endl;
      }
   }
   return instances;
}

void TreeEventReader::CheckArraySizes(const TTree &tree, Long64_t entry)
{
   for (const Column &column : fColumns) {
      if (column.arraySize == 0 || column.element != 0)
         continue;
      const Int_t size = column.formula->GetNdata();
      if (size < column.arraySize)
         fLog << kFATAL << "Array " << column.formula->GetTitle() << " of tree " << tree.GetName()
              << " has " << size << " elements in entry " << entry << ", expected " << column.arraySize << " (" << FileOf(tree)
              << "). Events of a DataLoader have a fixed number of columns: write the array padded to its full length, "
                 "with the true length in a branch of its own."
              << Endl;
      if (size > column.arraySize && !fWarnedOfLongArray) {
         fWarnedOfLongArray = true;
         fLog << kWARNING << "Array " << column.formula->GetTitle() << " of tree " << tree.GetName()
              << " has " << size << " elements in entry " << entry << ", declared are " << column.arraySize << Endl;
         fLog << kWARNING << "Elements beyond the declared size are not used (said once only)" << Endl;
      }
   }
}

void TreeEventReader::CheckFiles(const TreeInfo &info, const std::set<Int_t> &read)
{
   const auto *chain = dynamic_cast<TChain *>(info.GetTree());
   if (!chain)
      return;
   Int_t number = 0;
   for (TObject *element : *chain->GetListOfFiles()) {
      if (read.count(number++))
         continue;
      // the tree may be empty; but a chain also leaves files out that it cannot read
      const std::unique_ptr<TFile> file(TFile::Open(element->GetTitle()));
      if (!file || file->IsZombie() || !file->Get(element->GetName()))
         fLog << kFATAL << "The chain \"" << chain->GetName() << "\" of class " << info.GetClassName() << " cannot read its file "
              << element->GetTitle() << ": is it missing or damaged, or is there no tree \"" << element->GetName()
              << "\" in it?" << Endl;
   }
}

bool TreeEventReader::IsFinite(Double_t value, const char *what, const TTreeFormula &formula, bool passes)
{
   if (TMath::Finite(value))
      return true;
   const char *kind = TMath::IsNaN(value) ? "NaN" : "+inf or -inf";
   Occurrences &occurrences = (passes ? fNotFinite : fNotFiniteCutOut)[TString::Format(
      "Dataset[%s] : %s expression gives %s: %s", fInfo.GetName(), what, kind, formula.GetTitle())];
   if (occurrences.count++ == 0)
      occurrences.firstEntry = fEntry;
   return false;
}

void TreeEventReader::Read(const TreeInfo &info, UInt_t classIndex, std::vector<Event *> &events, Counts &counts)
{
   TTree &tree = *info.GetTree();
   std::vector<Float_t> variables(fInfo.GetNVariables()), targets(fInfo.GetNTargets()), spectators(fInfo.GetNSpectators());
   std::vector<Int_t> formulasFor;
   std::set<Int_t> filesRead; // of a chain
   fLog << kINFO << "Building event vectors for type " << static_cast<Int_t>(info.GetTreeType()) << " "
        << info.GetClassName() << Endl;

   const Long64_t entries = tree.GetEntries();
   events.reserve(events.size() + static_cast<std::size_t>(entries));
   for (Long64_t entry = 0; entry < entries; ++entry) {
      if (tree.LoadTree(entry) < 0)
         fLog << kFATAL << "Cannot read entry " << entry << " of " << entries << " of tree \"" << tree.GetName() << "\" of class "
              << info.GetClassName() << " (" << FileOf(tree) << "): is a file missing or damaged?" << Endl;
      std::vector<Int_t> open = OpenTrees(tree);
      if (open != formulasFor) {
         filesRead.insert(open.front());
         BuildFormulas(info, classIndex);
         formulasFor = std::move(open);
      }
      fEntry = entry;
      const Int_t instances = CountInstances(tree, entry);
      CheckArraySizes(tree, entry);
      for (Int_t instance = 0; instance < instances; ++instance) {
         bool finite = true;
         Double_t cut = 1;
         if (fCut) {
            cut = ValueOf(*fCut, instance);
            finite &= IsFinite(cut, "Cut", *fCut, true);
         }
         const bool passes = !(cut < 0.5);
         for (std::size_t i = 0; i < fColumns.size(); ++i) {
            const Column &column = fColumns[i];
            variables[i] = column.arraySize > 0 ? column.formula->EvalInstance(column.element)
                                                : ValueOf(*column.formula, instance);
            if (!TMath::Finite(variables[i]))
               finite &= IsFinite(variables[i], "Input", *column.formula, passes);
         }
         for (std::size_t i = 0; i < fTargets.size(); ++i) {
            targets[i] = ValueOf(*fTargets[i], instance);
            finite &= IsFinite(targets[i], "Target", *fTargets[i], passes);
         }
         for (std::size_t i = 0; i < fSpectators.size(); ++i) {
            spectators[i] = ValueOf(*fSpectators[i], instance);
            finite &= IsFinite(spectators[i], "Spectator", *fSpectators[i], passes);
         }
         Float_t weight = info.GetWeight(); // single precision as in TMVA, so that both train on the same numbers
         if (fWeight) {
            weight *= ValueOf(*fWeight, instance);
            finite &= IsFinite(weight, "Weight", *fWeight, passes);
         }
         ++counts.eventsBeforeCut;
         if (TMath::Finite(weight))
            counts.weightBeforeCut += weight;
         if (!passes || !finite)
            continue;
         ++counts.eventsAfterCut;
         counts.weightAfterCut += weight;
         events.push_back(new Event(variables, targets, spectators, classIndex, weight));
      }
   }
   CheckFiles(info, filesRead);
   // the formulas refer to branches of the tree
   fColumns.clear();
   fVariableFormulas.clear();
   fTargets.clear();
   fSpectators.clear();
   fCut.reset();
   fWeight.reset();
   tree.ResetBranchAddresses();
}

void TreeEventReader::ReportNotFinite()
{
   const auto list = [this](const std::map<TString, Occurrences> &messages) {
      for (const auto &message : messages) {
         fLog << kWARNING << message.first << " (";
         if (message.second.count > 1)
            fLog << message.second.count << " times, first ";
         fLog << "in entry " << message.second.firstEntry << ")" << Endl;
      }
   };
   if (!fNotFiniteCutOut.empty()) {
      fLog << kWARNING << "Values that are not finite:" << Endl;
      list(fNotFiniteCutOut);
      fLog << kWARNING << "The cuts remove all of them." << Endl;
   }
   if (!fNotFinite.empty()) {
      fLog << kWARNING << "Values that are not finite, in events that pass the cuts:" << Endl;
      list(fNotFinite);
      const auto &first = *fNotFinite.begin();
      fLog << kFATAL << "Events with NaN or infinite values cannot be trained on, such as entry " << first.second.firstEntry << ": "
           << first.first << ". Remove them with a cut, for example TMath::Finite(x), or mend the branch."
           << Endl;
   }
}

} // namespace TMVA
