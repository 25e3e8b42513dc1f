/// \file
/// The trees a DataLoader was given, by class. The trees stay with the user, except those read or copied here.
#ifndef ROOT_TMVA_DataInputHandler
#define ROOT_TMVA_DataInputHandler

#include "TMVA/Types.h"

#include "TCut.h"
#include "TString.h"
#include "TTree.h"

#include <map>
#include <memory>
#include <vector>

namespace TMVA {

class MsgLogger;

/// One tree: its class, its weight (a factor on every event's weight) and what its events are for.
class TreeInfo {
public:
   TreeInfo(TTree *tree, const TString &className, Double_t weight = 1.0, Types::ETreeType type = Types::kMaxTreeType)
      : fTree(tree), fClassName(className), fWeight(weight), fTreeType(type)
   {
   }

   TTree *GetTree() const { return fTree; }
   Double_t GetWeight() const { return fWeight; }
   UInt_t GetEntries() const { return fTree ? static_cast<UInt_t>(fTree->GetEntries()) : 0; }
   /// kTraining, kTesting, or kMaxTreeType: to be split.
   Types::ETreeType GetTreeType() const { return fTreeType; }
   const TString &GetClassName() const { return fClassName; }

private:
   TTree *fTree;
   TString fClassName;
   Double_t fWeight;
   Types::ETreeType fTreeType;
};

/// The trees of all classes, in the order they were added within each class.
class DataInputHandler {
public:
   DataInputHandler();
   ~DataInputHandler();
   DataInputHandler(const DataInputHandler &) = delete;
   DataInputHandler &operator=(const DataInputHandler &) = delete;

   /// \param cut  when not empty, the entries that pass are copied into a tree of their own in memory, at once
   void AddTree(TTree *tree, const TString &className, Double_t weight = 1.0, const TCut &cut = "",
                Types::ETreeType type = Types::kMaxTreeType);
   /// Reads a text file as TTree::ReadFile does: the first line names the columns.
   void AddTree(const TString &file, const TString &className, Double_t weight = 1.0, const TCut &cut = "",
                Types::ETreeType type = Types::kMaxTreeType);

   void AddSignalTree(TTree *tree, Double_t weight = 1.0, Types::ETreeType type = Types::kMaxTreeType);
   void AddBackgroundTree(TTree *tree, Double_t weight = 1.0, Types::ETreeType type = Types::kMaxTreeType);
   void AddSignalTree(const TString &file, Double_t weight = 1.0, Types::ETreeType type = Types::kMaxTreeType);
   void AddBackgroundTree(const TString &file, Double_t weight = 1.0, Types::ETreeType type = Types::kMaxTreeType);
   void AddInputTrees(TTree *tree, const TCut &signalCut, const TCut &backgroundCut);

   /// Names of the classes that have trees, in alphabetical order; the caller owns the vector.
   std::vector<TString> *GetClassList() const;

   UInt_t GetEntries() const;
   UInt_t GetEntries(const TString &className) const;
   UInt_t GetNTrees(const TString &className) const { return static_cast<UInt_t>(Trees(className).size()); }
   UInt_t GetNSignalTrees() const { return GetNTrees("Signal"); }
   UInt_t GetNBackgroundTrees() const { return GetNTrees("Background"); }
   UInt_t GetSignalEntries() const { return GetEntries("Signal"); }
   UInt_t GetBackgroundEntries() const { return GetEntries("Background"); }

   std::vector<TreeInfo>::const_iterator begin(const TString &className) const { return Trees(className).begin(); }
   std::vector<TreeInfo>::const_iterator end(const TString &className) const { return Trees(className).end(); }

   void ClearTreeList(const TString &className);
   void ClearSignalTreeList() { ClearTreeList("Signal"); }
   void ClearBackgroundTreeList() { ClearTreeList("Background"); }

private:
   const std::vector<TreeInfo> &Trees(const TString &className) const;
   TTree *ReadInputTree(const TString &file, const TString &className);
   MsgLogger &Log() const { return *fLogger; }

   std::map<TString, std::vector<TreeInfo>> fInputTrees; //!
   std::vector<std::unique_ptr<TTree>> fOwnTrees; ///<! read from text files, or copied with a cut
   std::unique_ptr<MsgLogger> fLogger;            //!
};

} // namespace TMVA

#endif
