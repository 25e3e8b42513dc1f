/// \file
/// The interface of a method.
#ifndef ROOT_TMVA_IMethod
#define ROOT_TMVA_IMethod

#include <iosfwd>

#include "TString.h"

#include "TMVA/Types.h"

namespace TMVA {

class Ranking;

class IMethod {
public:
   IMethod() {}
   virtual ~IMethod() {}

   virtual const char *GetName() const = 0;
   virtual Double_t GetMvaValue(Double_t *errLower = nullptr, Double_t *errUpper = nullptr) = 0;
   virtual void Train() = 0;
   virtual void ReadWeightsFromStream(std::istream &) = 0;
   virtual void WriteMonitoringHistosToFile() const = 0;
   virtual void MakeClass(const TString &classFileName = TString("")) const = 0;
   virtual const Ranking *CreateRanking() = 0;
   virtual void PrintHelpMessage() const = 0;
   virtual void Init() = 0;
   virtual void DeclareOptions() = 0;
   virtual void ProcessOptions() = 0;
   virtual Bool_t HasAnalysisType(Types::EAnalysisType type, UInt_t numberClasses, UInt_t numberTargets) = 0;

protected:
   virtual void MakeClassSpecific(std::ostream &, const TString &) const = 0;
   virtual void GetHelpMessage() const = 0;

   ClassDef(IMethod, 0);
};

} // namespace TMVA

#endif
