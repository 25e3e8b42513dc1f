/// \file
/// One event: inputs, targets, spectators, class and weight.
#ifndef ROOT_TMVA_Event
#define ROOT_TMVA_Event

#include <algorithm>
#include <iosfwd>
#include <utility>
#include <vector>

#include "TObject.h"

#include "TMVA/Types.h"

namespace TMVA {

class Event : public TObject {
public:
   Event() {}
   /// A copy of a dynamic event holds the values of that moment and is not dynamic itself.
   Event(const Event &other);
   Event &operator=(const Event &other);
   explicit Event(const std::vector<Float_t> &values, const std::vector<Float_t> &targets,
                  const std::vector<Float_t> &spectators, UInt_t theClass = 0, Double_t weight = 1.0,
                  Double_t boostweight = 1.0);
   explicit Event(const std::vector<Float_t> &values, const std::vector<Float_t> &targets, UInt_t theClass = 0,
                  Double_t weight = 1.0, Double_t boostweight = 1.0);
   explicit Event(const std::vector<Float_t> &values, UInt_t theClass, Double_t weight = 1.0, Double_t boostweight = 1.0);
   /// A dynamic event (Reader): the first nvar pointers are the inputs, the rest are spectators; each access reads through
   /// them. Takes over the vector of pointers, not what they point to.
   explicit Event(const std::vector<Float_t *> *&pointers, UInt_t nvar);
   /// The same with the type of each spectator: behind a pointer of type 'I' stands an Int_t.
   explicit Event(const std::vector<Float_t *> *&pointers, const std::vector<char> &spectatorTypes, UInt_t nvar);
   ~Event() override;

   Bool_t IsDynamic() const { return fDynamic; }

   /// Zero for a negative weight during training when such weights are ignored.
   Double_t GetWeight() const;
   Double_t GetOriginalWeight() const { return fWeight; }
   Double_t GetBoostWeight() const { return std::max(0.0001, fBoostWeight); }
   UInt_t GetClass() const { return fClass; }

   UInt_t GetNVariables() const { return fValues.size(); }
   UInt_t GetNTargets() const { return fTargets.size(); }
   UInt_t GetNSpectators() const { return fSpectators.size(); }

   Float_t GetValue(UInt_t ivar) const { return fDynamic ? *fPointers->at(ivar) : fValues.at(ivar); }
   const std::vector<Float_t> &GetValues() const;
   std::vector<Float_t> &GetValues() { return const_cast<std::vector<Float_t> &>(std::as_const(*this).GetValues()); }
   Float_t GetTarget(UInt_t itgt) const { return fTargets.at(itgt); }
   std::vector<Float_t> &GetTargets() { return fTargets; }
   const std::vector<Float_t> &GetTargets() const { return fTargets; }
   Float_t GetSpectator(UInt_t ivar) const;
   std::vector<Float_t> &GetSpectators() { return fSpectators; }
   const std::vector<Float_t> &GetSpectators() const { return fSpectators; }

   void SetWeight(Double_t weight) { fWeight = weight; }
   void SetBoostWeight(Double_t weight) const { fBoostWeight = weight; }
   void ScaleBoostWeight(Double_t factor) const { fBoostWeight *= factor; }
   void SetClass(UInt_t theClass) { fClass = theClass; }
   void SetVal(UInt_t ivar, Float_t value);
   void SetTarget(UInt_t itgt, Float_t value);
   void SetSpectator(UInt_t ivar, Float_t value);

   /// Copies values, targets, spectators, class and weights.
   void CopyVarValues(const Event &other) { *this = other; }
   using TObject::Print;
   void Print(std::ostream &out) const;

   /// Both hold for the whole process.
   static void SetIsTraining(Bool_t training);
   static void SetIgnoreNegWeightsInTraining(Bool_t ignore);

private:
   static Bool_t fgIsTraining;
   static Bool_t fgIgnoreNegWeightsInTraining;

   mutable std::vector<Float_t> fValues; ///< of a dynamic event: its size counts, its content is the last one read
   std::vector<Float_t *> *fPointers = nullptr; ///<! owned
   std::vector<Float_t> fTargets;
   mutable std::vector<Float_t> fSpectators;
   std::vector<char> fSpectatorTypes;
   UInt_t fClass = 0;
   Double_t fWeight = 1.0;
   mutable Double_t fBoostWeight = 1.0;
   Bool_t fDynamic = kFALSE;

   ClassDefOverride(Event, 1);
};

std::ostream &operator<<(std::ostream &out, const Event &event);

} // namespace TMVA

#endif
