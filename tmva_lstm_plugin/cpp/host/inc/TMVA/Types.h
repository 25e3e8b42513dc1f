/// \file
/// Enumerations every TMVA class speaks in, and the table that maps method names to numbers.
#ifndef ROOT_TMVA_Types
#define ROOT_TMVA_Types

#include <map>

#include "Rtypes.h"
#include "TString.h"

#include "TMVA/Version.h"

namespace TMVA {

/// Levels of a log message. kHEADER is the highest: a header line is suppressed by gConfig().SetSilent() only.
enum EMsgType { kDEBUG = 1, kVERBOSE, kINFO, kWARNING, kERROR, kFATAL, kSILENT, kHEADER };

class Types {
public:
   /// The built-in methods have their numbers here, so that names and numbers agree with a real TMVA of 6.28 to 6.40;
   /// the host has none of them. A method that registers itself uses any other value up to 63.
   enum EMVA {
      kVariable = 0, kCuts, kLikelihood, kPDERS, kHMatrix, kFisher, kKNN, kCFMlpANN, kTMlpANN, kBDT, kDT, kRuleFit, kSVM,
      kMLP, kBayesClassifier, kFDA, kBoost, kPDEFoam, kLD, kPlugins, kCategory, kDNN, kDL, kPyRandomForest, kPyAdaBoost,
      kPyGTB, kPyKeras, kPyTorch, kC50, kRSNNS, kRSVM, kRXGB, kCrossValidation, kMaxMethod
   };

   enum EAnalysisType { kClassification = 0, kRegression, kMulticlass, kNoAnalysisType, kMaxAnalysisType };

   /// kMaxTreeType means "the current one" in DataSet, and "not yet assigned to training or testing" in the loader.
   enum ETreeType { kTraining = 0, kTesting, kMaxTreeType, kValidation, kTrainingOriginal };

   static Types &Instance();

   /// Number of a method; fatal for an unknown name, with the names that are known and the nearest one.
   EMVA GetMethodType(const TString &method) const;
   /// Name of a number: the alphabetically first one when several names share it. Fatal for an unknown number.
   TString GetMethodName(EMVA method) const;
   /// Makes `methodname` known. Fatal when the name is taken already.
   Bool_t AddTypeMapping(EMVA method, const TString &methodname);

private:
   Types() = default;
   std::map<TString, EMVA> fNumberOfName;
};

} // namespace TMVA

#endif
