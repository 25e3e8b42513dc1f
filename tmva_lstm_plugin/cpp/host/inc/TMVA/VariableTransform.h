/// \file
/// From the option VarTransform (or the Factory's Transformations) to transformations.
#ifndef ROOT_TMVA_VariableTransform
#define ROOT_TMVA_VariableTransform

#include "TString.h"

namespace TMVA {

class DataSetInfo;
class MsgLogger;
class TransformationHandler;

/// `definition`: names joined by ',' or '+', each with an optional selection in parentheses, "N(_V_,_T_)", and an optional
/// class, "N_AllClasses". Fatal for what the host does not have: it has I (identity) and N (normalisation, all classes).
void CreateVariableTransforms(const TString &definition, DataSetInfo &dataInfo, TransformationHandler &handler,
                              MsgLogger &log);

} // namespace TMVA

#endif
