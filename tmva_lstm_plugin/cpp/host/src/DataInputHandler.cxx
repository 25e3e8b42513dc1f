#include "TMVA/DataInputHandler.h"

#include "TMVA/MsgLogger.h"

#include "TDirectory.h"
#include "TSystem.h"

namespace TMVA {

DataInputHandler::DataInputHandler() : fLogger(new MsgLogger("DataInputHandler", kINFO)) {}

DataInputHandler::~DataInputHandler() = default;

const std::vector<TreeInfo> &DataInputHandler::Trees(const TString &className) const
{
   static const std::vector<TreeInfo> none;
   const auto found = fInputTrees.find(className);
   return found == fInputTrees.end() ? none : found->second;
}

void DataInputHandler::AddTree(TTree *tree, const TString &className, Double_t weight, const TCut &cut,
                               Types::ETreeType type)
{
   if (!tree)
      Log() << kFATAL << "Zero pointer for tree of class " << className << Endl;
   if (tree->GetEntries() == 0)
      Log() << kFATAL << "Encountered empty TTree or TChain of class " << className << " (tree \"" << tree->GetName()
            << "\"): check the file and the tree's name" << Endl;
   std::vector<TreeInfo> &trees = fInputTrees[className];
   // once the first tree of a class says what its events are for, all others of the class have to
   if (!trees.empty() && trees.front().GetTreeType() != Types::kMaxTreeType && type == Types::kMaxTreeType)
      Log() << kFATAL << "For the tree " << tree->GetName() << " of class " << className
            << " you did not specify a type (training or test), while you did for the first tree "
            << trees.front().GetTree()->GetName() << " of this class" << Endl;
   if (cut.GetTitle()[0] != '\0') {
      TDirectory::TContext inMemory(nullptr);
      TTree *copy = tree->CopyTree(cut.GetTitle());
      if (!copy || copy->GetEntries() == 0)
         Log() << kFATAL << "No entry of the tree " << tree->GetName() << " of class " << className
               << " passes the cut \"" << cut.GetTitle() << "\"" << Endl;
      fOwnTrees.emplace_back(copy);
      tree = copy;
   }
   trees.emplace_back(tree, className, weight, type);
}

void DataInputHandler::AddTree(const TString &file, const TString &className, Double_t weight, const TCut &cut,
                               Types::ETreeType type)
{
   AddTree(ReadInputTree(file, className), className, weight, cut, type);
}

void DataInputHandler::AddSignalTree(TTree *tree, Double_t weight, Types::ETreeType type)
{
   AddTree(tree, "Signal", weight, "", type);
}

void DataInputHandler::AddBackgroundTree(TTree *tree, Double_t weight, Types::ETreeType type)
{
   AddTree(tree, "Background", weight, "", type);
}

void DataInputHandler::AddSignalTree(const TString &file, Double_t weight, Types::ETreeType type)
{
   AddTree(file, "Signal", weight, "", type);
}

void DataInputHandler::AddBackgroundTree(const TString &file, Double_t weight, Types::ETreeType type)
{
   AddTree(file, "Background", weight, "", type);
}

void DataInputHandler::AddInputTrees(TTree *tree, const TCut &signalCut, const TCut &backgroundCut)
{
   AddTree(tree, "Signal", 1.0, signalCut);
   AddTree(tree, "Background", 1.0, backgroundCut);
}

TTree *DataInputHandler::ReadInputTree(const TString &file, const TString &className)
{
   if (gSystem->AccessPathName(file, kReadPermission))
      Log() << kFATAL << "Could not open the text file \"" << file << "\" with the events of class " << className
            << Endl;
   TDirectory::TContext inMemory(nullptr);
   fOwnTrees.emplace_back(new TTree(TString("Tree") + className, file));
   fOwnTrees.back()->ReadFile(file);
   return fOwnTrees.back().get();
}

std::vector<TString> *DataInputHandler::GetClassList() const
{
   auto *names = new std::vector<TString>;
   for (const auto &trees : fInputTrees)
      names->push_back(trees.first);
   return names;
}

UInt_t DataInputHandler::GetEntries() const
{
   UInt_t entries = 0;
   for (const auto &trees : fInputTrees)
      entries += GetEntries(trees.first);
   return entries;
}

UInt_t DataInputHandler::GetEntries(const TString &className) const
{
   UInt_t entries = 0;
   for (const TreeInfo &tree : Trees(className))
      entries += tree.GetEntries();
   return entries;
}

void DataInputHandler::ClearTreeList(const TString &className)
{
   fInputTrees.erase(className);
}

} // namespace TMVA
