/// \file
/// What is known of one class of events.
#ifndef ROOT_TMVA_ClassInfo
#define ROOT_TMVA_ClassInfo

#include <memory>

#include "TCut.h"
#include "TMatrixD.h"
#include "TNamed.h"

namespace TMVA {

class ClassInfo : public TNamed {
public:
   ClassInfo(const TString &name = "default") : TNamed(name.Data(), name.Data()) {}

   void SetWeight(const TString &expression) { fWeight = expression; }
   void SetCut(const TCut &cut) { fCut = cut; }
   void SetNumber(const UInt_t index) { fNumber = index; }
   /// Takes the matrix over.
   void SetCorrelationMatrix(TMatrixD *matrix) { fCorrelations.reset(matrix); }

   const TString &GetWeight() const { return fWeight; }
   const TCut &GetCut() const { return fCut; }
   UInt_t GetNumber() const { return fNumber; }
   const TMatrixD *GetCorrelationMatrix() const { return fCorrelations.get(); }

private:
   TString fWeight = "1";
   TCut fCut = "";
   UInt_t fNumber = 0;
   std::unique_ptr<TMatrixD> fCorrelations; //!

   ClassDefOverride(ClassInfo, 0);
};

} // namespace TMVA

#endif
