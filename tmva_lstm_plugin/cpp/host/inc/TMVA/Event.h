/// \file
/// One event: inputs, targets, spectators, class and weight.
#ifndef ROOT_TMVA_Event
#define ROOT_TMVA_Event

#include <vector>

#include "Rtypes.h"

namespace TMVA {

class Event {
public:
   Event() = default;
   explicit Event(const std::vector<Float_t> &values, const std::vector<Float_t> &targets,
                  const std::vector<Float_t> &spectators, UInt_t theClass = 0, Double_t weight = 1.0)
      : fValues(values), fTargets(targets), fSpectators(spectators), fClass(theClass), fWeight(weight)
   {
   }
   explicit Event(const std::vector<Float_t> &values, UInt_t theClass = 0, Double_t weight = 1.0)
      : Event(values, {}, {}, theClass, weight)
   {
   }

   /// Zero for a negative weight during training when such weights are ignored.
   Double_t GetWeight() const { return fgIgnoreNegWeightsInTraining && fgIsTraining && fWeight < 0 ? 0. : fWeight; }
   Double_t GetOriginalWeight() const { return fWeight; }
   UInt_t GetClass() const { return fClass; }

   UInt_t GetNVariables() const { return fValues.size(); }
   UInt_t GetNTargets() const { return fTargets.size(); }
   UInt_t GetNSpectators() const { return fSpectators.size(); }

   Float_t GetValue(UInt_t ivar) const { return fValues.at(ivar); }
   Float_t GetTarget(UInt_t itgt) const { return fTargets.at(itgt); }
   Float_t GetSpectator(UInt_t ispec) const { return fSpectators.at(ispec); }
   std::vector<Float_t> &GetValues() { return fValues; }
   const std::vector<Float_t> &GetValues() const { return fValues; }
   std::vector<Float_t> &GetTargets() { return fTargets; }
   const std::vector<Float_t> &GetTargets() const { return fTargets; }
   std::vector<Float_t> &GetSpectators() { return fSpectators; }
   const std::vector<Float_t> &GetSpectators() const { return fSpectators; }

   void SetWeight(Double_t weight) { fWeight = weight; }
   void SetClass(UInt_t theClass) { fClass = theClass; }
   /// Further places are made as needed.
   void SetVal(UInt_t ivar, Float_t value) { Set(fValues, ivar, value); }
   void SetTarget(UInt_t itgt, Float_t value) { Set(fTargets, itgt, value); }
   void SetSpectator(UInt_t ispec, Float_t value) { Set(fSpectators, ispec, value); }

   /// Both hold for the whole process.
   static void SetIsTraining(Bool_t training) { fgIsTraining = training; }
   static void SetIgnoreNegWeightsInTraining(Bool_t ignore) { fgIgnoreNegWeightsInTraining = ignore; }

private:
   static void Set(std::vector<Float_t> &list, UInt_t i, Float_t value)
   {
      if (list.size() <= i)
         list.resize(i + 1);
      list[i] = value;
   }

   static Bool_t fgIsTraining;
   static Bool_t fgIgnoreNegWeightsInTraining;

   std::vector<Float_t> fValues;
   std::vector<Float_t> fTargets;
   std::vector<Float_t> fSpectators;
   UInt_t fClass = 0;
   Double_t fWeight = 1.0;
};

} // namespace TMVA

#endif
