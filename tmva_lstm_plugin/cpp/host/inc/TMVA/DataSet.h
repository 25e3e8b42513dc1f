/// \file
/// The events of a data set and the results of the methods on them.
#ifndef ROOT_TMVA_DataSet
#define ROOT_TMVA_DataSet

#include <array>
#include <map>
#include <memory>
#include <vector>

#include "TList.h"
#include "TString.h"

#include "TMVA/Event.h"
#include "TMVA/Types.h"

class TTree;

namespace TMVA {

class DataSetInfo;

/// What a method answered for the events of a sample, and the histograms made of it. One class for all kinds of analysis: each
/// event has one answer, or one a class, or one a target.
struct Results {
   Types::EAnalysisType analysis;
   UInt_t width;
   std::vector<Float_t> values; ///< [event][answer]
   TList plots;                 ///< owns them

   Results(Types::EAnalysisType kind, UInt_t answers) : analysis(kind), width(answers) { plots.SetOwner(); }
   Long64_t GetSize() const { return values.size() / width; }
   Float_t GetValue(Long64_t ievt, UInt_t k = 0) const { return values.at(ievt * width + k); }
};

/// Training and test events. "Current" type and event are the cursor that MethodBase::GetEvent() reads at.
class DataSet {
public:
   explicit DataSet(const DataSetInfo &dsi);
   ~DataSet();

   Long64_t GetNEvents(Types::ETreeType type = Types::kMaxTreeType) const { return GetEventCollection(type).size(); }
   Long64_t GetNTrainingEvents() const { return GetNEvents(Types::kTraining); }
   Long64_t GetNTestEvents() const { return GetNEvents(Types::kTesting); }

   /// Events as they were read, without transformations. The getters with an index move the cursor.
   const Event *GetEvent() const { return fEvents[fCurrentType].at(fCurrentEvent); }
   const Event *GetEvent(Long64_t ievt) const
   {
      fCurrentEvent = ievt;
      return GetEvent();
   }
   const Event *GetEvent(Long64_t ievt, Types::ETreeType type) const
   {
      SetCurrentType(type);
      return GetEvent(ievt);
   }
   const Event *GetTrainingEvent(Long64_t ievt) const { return GetEvent(ievt, Types::kTraining); }
   const Event *GetTestEvent(Long64_t ievt) const { return GetEvent(ievt, Types::kTesting); }
   void SetCurrentEvent(Long64_t ievt) const { fCurrentEvent = ievt; }
   void SetCurrentType(Types::ETreeType type) const { fCurrentType = Index(type); }
   Types::ETreeType GetCurrentType() const { return fCurrentType == 0 ? Types::kTraining : Types::kTesting; }

   const std::vector<Event *> &GetEventCollection(Types::ETreeType type = Types::kMaxTreeType) const
   {
      return fEvents[Index(type)];
   }
   /// Takes the events over, in place of those that were there.
   void SetEventCollection(std::vector<Event *> events, Types::ETreeType type);

   /// The results kept under a name, made at the first call. With kMaxAnalysisType nothing is made: null when there are none.
   Results *GetResults(const TString &name, Types::ETreeType type, Types::EAnalysisType analysis);

   /// A new tree, TrainTree or TestTree, in the current directory: classID, className, inputs (arrays as one branch),
   /// targets, spectators, weight, and one branch for each set of results. Its branch addresses are gone when it returns:
   /// write it, and read it back from the file.
   TTree *GetTree(Types::ETreeType type);

private:
   DataSet(const DataSet &) = delete;
   DataSet &operator=(const DataSet &) = delete;
   UInt_t Index(Types::ETreeType type) const { return type > Types::kTesting ? fCurrentType : static_cast<UInt_t>(type); }

   const DataSetInfo &fInfo;
   std::array<std::vector<Event *>, 2> fEvents; ///< training, testing; owned
   std::array<std::map<TString, std::unique_ptr<Results>>, 2> fResults;
   mutable UInt_t fCurrentType = 0;
   mutable Long64_t fCurrentEvent = 0;
};

} // namespace TMVA

#endif
