#include "TMVA/Types.h"

#include "TMVA/MsgLogger.h"
#include "TMVA/Tools.h"

namespace TMVA {

namespace {
Types *gTypes = nullptr;

MsgLogger &Log()
{
   static MsgLogger *logger = new MsgLogger("Types"); // lives until the end: methods may be deleted very late
   return *logger;
}
} // namespace

Types &Types::Instance()
{
   if (!gTypes) {
      gTypes = new Types;
      gTypes->fNumberOfName["Plugins"] = kPlugins;
   }
   return *gTypes;
}

void Types::DestroyInstance()
{
   delete gTypes;
   gTypes = nullptr;
}

Bool_t Types::AddTypeMapping(EMVA method, const TString &methodname)
{
   const auto known = fNumberOfName.find(methodname);
   if (known != fNumberOfName.end())
      Log() << kFATAL << "Cannot add method " << methodname << " to the name->type map because it exists already, with the number "
            << known->second << Endl;
   fNumberOfName[methodname] = method;
   return kTRUE;
}

Types::EMVA Types::GetMethodType(const TString &method) const
{
   const auto known = fNumberOfName.find(method);
   if (known == fNumberOfName.end()) {
      std::vector<TString> names;
      for (const auto &entry : fNumberOfName)
         names.push_back(entry.first);
      Log() << kFATAL << "Unknown method '" << method << "': the embedded host has the methods that registered themselves ("
            << gTools().JoinNames(names) << ") and none of TMVA's own." << gTools().DidYouMean(method, names)
            << " Load the library of the method first, or use a ROOT that comes with TMVA" << Endl;
   }
   return known->second;
}

TString Types::GetMethodName(EMVA method) const
{
   for (const auto &entry : fNumberOfName)
      if (entry.second == method)
         return entry.first;
   Log() << kFATAL << "Unknown method number " << static_cast<Int_t>(method)
         << ": no name was given to it. Load the library of the method first" << Endl;
   return "";
}

} // namespace TMVA
