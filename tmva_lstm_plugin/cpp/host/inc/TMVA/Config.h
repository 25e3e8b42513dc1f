/// \file
/// Settings of the whole process.
#ifndef ROOT_TMVA_Config
#define ROOT_TMVA_Config

#include "Rtypes.h"
#include "TString.h"

namespace TMVA {

class Config {
public:
   static Config &Instance();

   Bool_t IsSilent() const { return fSilent; }
   void SetSilent(Bool_t silent) { fSilent = silent; }

   class VariablePlotting {
   public:
      Float_t fTimesRMS = 8.0;                           ///< half width of a variable's histogram, in RMS
      Int_t fNbins1D = 40;
      Int_t fMaxNumOfAllowedVariables = 200;             ///< with more inputs than this none is plotted
      Int_t fMaxNumOfAllowedVariablesForScatterPlots = 20; ///< without effect: there are no scatter plots
      Int_t fNbinsMVAoutput = 40;
      Int_t fNbinsXOfROCCurve = 100;
   } fVariablePlotting;

   class IONames {
   public:
      TString fWeightFileDirPrefix;                      ///< goes before the name of the data set
      TString fWeightFileDir = "weights";
      TString fWeightFileExtension = "weights";
   } fIONames;

   VariablePlotting &GetVariablePlotting() { return fVariablePlotting; }
   IONames &GetIONames() { return fIONames; }

private:
   Config() = default;

   Bool_t fSilent = kFALSE;
};

Config &gConfig();

} // namespace TMVA

#endif
