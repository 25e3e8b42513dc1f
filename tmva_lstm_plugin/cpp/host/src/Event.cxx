#include "TMVA/Event.h"

#include <iomanip>
#include <ostream>

namespace TMVA {

Bool_t Event::fgIsTraining = kFALSE;
Bool_t Event::fgIgnoreNegWeightsInTraining = kFALSE;

Event::Event(const std::vector<Float_t> &values, const std::vector<Float_t> &targets, const std::vector<Float_t> &spectators,
             UInt_t theClass, Double_t weight, Double_t boostweight)
   : fValues(values), fTargets(targets), fSpectators(spectators), fClass(theClass), fWeight(weight), fBoostWeight(boostweight)
{
}

Event::Event(const std::vector<Float_t> &values, const std::vector<Float_t> &targets, UInt_t theClass, Double_t weight,
             Double_t boostweight)
   : Event(values, targets, {}, theClass, weight, boostweight)
{
}

Event::Event(const std::vector<Float_t> &values, UInt_t theClass, Double_t weight, Double_t boostweight)
   : Event(values, {}, {}, theClass, weight, boostweight)
{
}

Event::Event(const std::vector<Float_t *> *&pointers, const std::vector<char> &spectatorTypes, UInt_t nvar)
   : fValues(nvar),
     fPointers(const_cast<std::vector<Float_t *> *>(pointers)),
     fSpectators(pointers->size() - nvar),
     fSpectatorTypes(spectatorTypes),
     fWeight(0),
     fBoostWeight(0),
     fDynamic(kTRUE)
{
}

Event::Event(const std::vector<Float_t *> *&pointers, UInt_t nvar) : Event(pointers, {}, nvar) {}

Event::Event(const Event &other) : TObject()
{
   *this = other;
}

Event::~Event()
{
   delete fPointers;
}

Event &Event::operator=(const Event &other)
{
   if (this == &other)
      return *this;
   fValues = other.GetValues();
   fTargets = other.fTargets;
   fSpectators.resize(other.fSpectators.size());
   for (UInt_t i = 0; i < fSpectators.size(); ++i)
      fSpectators[i] = other.GetSpectator(i);
   fClass = other.fClass;
   fWeight = other.fWeight;
   fBoostWeight = other.fBoostWeight;
   delete fPointers;
   fPointers = nullptr;
   fDynamic = kFALSE;
   return *this;
}

Double_t Event::GetWeight() const
{
   const Bool_t ignored = fgIgnoreNegWeightsInTraining && fgIsTraining && fWeight < 0;
   return ignored ? 0. : fWeight * fBoostWeight;
}

const std::vector<Float_t> &Event::GetValues() const
{
   if (fDynamic)
      for (UInt_t i = 0; i < fValues.size(); ++i)
         fValues[i] = *(*fPointers)[i];
   return fValues;
}

Float_t Event::GetSpectator(UInt_t ivar) const
{
   if (!fDynamic)
      return fSpectators.at(ivar);
   Float_t *pointer = fPointers->at(fValues.size() + ivar);
   return ivar < fSpectatorTypes.size() && fSpectatorTypes[ivar] == 'I' ? *reinterpret_cast<Int_t *>(pointer) : *pointer;
}

void Event::SetVal(UInt_t ivar, Float_t value)
{
   if (fDynamic) {
      *fPointers->at(ivar) = value;
      return;
   }
   if (fValues.size() <= ivar)
      fValues.resize(ivar + 1);
   fValues[ivar] = value;
}

void Event::SetTarget(UInt_t itgt, Float_t value)
{
   if (fTargets.size() <= itgt)
      fTargets.resize(itgt + 1);
   fTargets[itgt] = value;
}

void Event::SetSpectator(UInt_t ivar, Float_t value)
{
   if (fSpectators.size() <= ivar)
      fSpectators.resize(ivar + 1);
   fSpectators[ivar] = value;
}

void Event::SetIsTraining(Bool_t training)
{
   fgIsTraining = training;
}

void Event::SetIgnoreNegWeightsInTraining(Bool_t ignore)
{
   fgIgnoreNegWeightsInTraining = ignore;
}

void Event::Print(std::ostream &out) const
{
   out << *this << std::endl;
}

std::ostream &operator<<(std::ostream &out, const Event &event)
{
   out << "Variables [" << event.GetNVariables() << "]:";
   for (UInt_t i = 0; i < event.GetNVariables(); ++i)
      out << " " << std::setw(10) << event.GetValue(i);
   out << ", targets [" << event.GetNTargets() << "]:";
   for (UInt_t i = 0; i < event.GetNTargets(); ++i)
      out << " " << std::setw(10) << event.GetTarget(i);
   out << ", spectators [" << event.GetNSpectators() << "]:";
   for (UInt_t i = 0; i < event.GetNSpectators(); ++i)
      out << " " << std::setw(10) << event.GetSpectator(i);
   return out << ", weight: " << event.GetWeight() << ", class: " << event.GetClass();
}

} // namespace TMVA
