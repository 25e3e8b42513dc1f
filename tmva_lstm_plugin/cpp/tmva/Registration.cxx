/// \file
/// Loading the library makes TMVA know the method, by name and through ROOT's plugin manager.
#include "MethodLSTM.h"

#include "TMVA/ClassifierFactory.h"
#include "TMVA/Types.h"
#include "RVersion.h"
#include "TPluginManager.h"
#include "TROOT.h"

#include <algorithm>
#include <iostream>
#include <string>
#include <vector>

namespace {

/// TMVA's convention: without job and title the last argument is a weights file.
TMVA::IMethod *create(const TString &job, const TString &title, TMVA::DataSetInfo &data, const TString &option)
{
   // const on purpose: it picks the constructors that are not the plugin manager's
   const TString &text = option;
   if (job == "" && title == "")
      return new TMVA::MethodLSTM(data, text);
   return new TMVA::MethodLSTM(job, title, data, text);
}

/// Releases of one ROOT x.y fit each other, x.y and x.z do not: rather not be there than crash later.
bool fits_this_root()
{
   if (gROOT->GetVersionCode() >> 8 == ROOT_VERSION_CODE >> 8)
      return true;
   std::cerr << "libTMVALSTM was compiled for ROOT " ROOT_RELEASE ", this is ROOT " << gROOT->GetVersion()
             << ": the method LSTM is not registered; compile it again with `tmva-lstm build-plugin`" << std::endl;
   return false;
}

struct Registration {
   Registration()
   {
      if (!fits_this_root())
         return;
      // the library may be loaded twice under two names (ACLiC and a built one): registering twice would be fatal
      const std::vector<std::string> known = TMVA::ClassifierFactory::Instance().List();
      if (std::find(known.begin(), known.end(), "LSTM") != known.end())
         return;
      const auto type = static_cast<TMVA::Types::EMVA>(TMVA::MethodLSTM::kTypeValue);
#ifdef TMVA_LSTM_TYPES_IS_NAMESPACE
      TMVA::Types::AddTypeMapping(type, "LSTM");
#else
      TMVA::Types::Instance().AddTypeMapping(type, "LSTM");
#endif
      TMVA::ClassifierFactory::Instance().Register("LSTM", create);
      // in this order: the first pattern that fits is taken. A training is looked up by its title, a weights file by its path,
      // "..._<title>": so a title has LSTM in it and no underscore before that
      gROOT->GetPluginManager()->AddHandler("TMVA@@MethodBase", ".*_.*LSTM.*", "TMVA::MethodLSTM", "TMVALSTM",
                                            "MethodLSTM(TMVA::DataSetInfo&,TString&)");
      gROOT->GetPluginManager()->AddHandler("TMVA@@MethodBase", ".*LSTM.*", "TMVA::MethodLSTM", "TMVALSTM",
                                            "MethodLSTM(TString&,TString&,TMVA::DataSetInfo&,TString&)");
   }
} gRegistration;

} // namespace
