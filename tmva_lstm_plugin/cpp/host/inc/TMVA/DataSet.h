/// \file
/// The events of a data set and the results of the methods on them.
#ifndef ROOT_TMVA_DataSet
#define ROOT_TMVA_DataSet

#include <array>
#include <map>
#include <vector>

#include "TNamed.h"
#include "TString.h"
#include "TTree.h"

#include "TMVA/MsgLogger.h"
#include "TMVA/Types.h"
#include "TMVA/VariableInfo.h"

namespace TMVA {

class DataSetInfo;
class Event;
class Results;

/// Owns its events and results. "Current" type and event are the cursor that MethodBase::GetEvent() reads at.
class DataSet : public TNamed {
public:
   DataSet(const DataSetInfo &dsi);
   ~DataSet() override;

   /// Takes the event over.
   void AddEvent(Event *event, Types::ETreeType type);

   Long64_t GetNEvents(Types::ETreeType type = Types::kMaxTreeType) const { return GetEventCollection(type).size(); }
   Long64_t GetNTrainingEvents() const { return GetNEvents(Types::kTraining); }
   Long64_t GetNTestEvents() const { return GetNEvents(Types::kTesting); }

   /// Events as they were read, without transformations. The getters with an index move the cursor.
   const Event *GetEvent() const;
   const Event *GetEvent(Long64_t ievt) const
   {
      fCurrentEventIdx = ievt;
      return GetEvent();
   }
   const Event *GetEvent(Long64_t ievt, Types::ETreeType type) const
   {
      SetCurrentType(type);
      return GetEvent(ievt);
   }
   const Event *GetTrainingEvent(Long64_t ievt) const { return GetEvent(ievt, Types::kTraining); }
   const Event *GetTestEvent(Long64_t ievt) const { return GetEvent(ievt, Types::kTesting); }

   UInt_t GetNVariables() const;
   UInt_t GetNTargets() const;
   UInt_t GetNSpectators() const;

   void SetCurrentEvent(Long64_t ievt) const { fCurrentEventIdx = ievt; }
   void SetCurrentType(Types::ETreeType type) const { fCurrentTreeIdx = TreeIndex(type); }
   Types::ETreeType GetCurrentType() const;

   /// Takes events and vector over; the events that were there are deleted.
   void SetEventCollection(std::vector<Event *> *events, Types::ETreeType type);
   const std::vector<Event *> &GetEventCollection(Types::ETreeType type = Types::kMaxTreeType) const
   {
      return fEventCollection[TreeIndex(type)];
   }

   Long64_t GetNEvtSigTest() { return NOfClassNamed("Signal", Types::kTesting); }
   Long64_t GetNEvtBkgdTest() { return NOfClassNamed("Background", Types::kTesting); }
   Long64_t GetNEvtSigTrain() { return NOfClassNamed("Signal", Types::kTraining); }
   Long64_t GetNEvtBkgdTrain() { return NOfClassNamed("Background", Types::kTraining); }

   Bool_t HasNegativeEventWeights() const { return fHasNegativeEventWeights; }

   /// The results kept under a name, made at the first call. With kMaxAnalysisType nothing is made: null when there are none.
   Results *GetResults(const TString &name, Types::ETreeType type, Types::EAnalysisType analysistype);
   void DeleteResults(const TString &name, Types::ETreeType type, Types::EAnalysisType analysistype);
   void DeleteAllResults(Types::ETreeType type, Types::EAnalysisType analysistype);

   void SetVerbose(Bool_t) {}

   void IncrementNClassEvents(Int_t type, UInt_t classNumber);
   Long64_t GetNClassEvents(Int_t type, UInt_t classNumber);
   void ClearNClassEvents(Int_t type);

   /// A new tree, TrainTree or TestTree, in the current directory: classID, className, inputs (arrays as one branch),
   /// targets, spectators, weight, and one branch for each set of results. Its branch addresses are gone when it returns:
   /// write it, and read it back from the file.
   TTree *GetTree(Types::ETreeType type);

   UInt_t TreeIndex(Types::ETreeType type) const;

private:
   DataSet(const DataSet &) = delete;
   DataSet &operator=(const DataSet &) = delete;
   void DestroyCollection(UInt_t treeIndex);
   Long64_t NOfClassNamed(const char *className, Types::ETreeType type);

   static constexpr UInt_t kNTrees = 4; ///< training, testing, validation, original training

   const DataSetInfo &fdsi; //!
   std::array<std::vector<Event *>, kNTrees> fEventCollection; //!
   std::array<std::map<TString, Results *>, kNTrees> fResults; //!
   std::array<std::vector<Long64_t>, kNTrees> fClassEvents;    //!
   mutable UInt_t fCurrentTreeIdx = 0;
   mutable Long64_t fCurrentEventIdx = 0;
   Bool_t fHasNegativeEventWeights = kFALSE;
   mutable MsgLogger fLogger; //!
   MsgLogger &Log() const { return fLogger; }

   ClassDefOverride(DataSet, 0);
};

} // namespace TMVA

#endif
