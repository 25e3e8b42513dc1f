#include "TMVA/ClassifierFactory.h"

#include <iostream>

#include "TPluginManager.h"
#include "TROOT.h"

#include "TMVA/DataSetInfo.h"
#include "TMVA/IMethod.h"
#include "TMVA/MsgLogger.h"
#include "TMVA/Tools.h"

namespace TMVA {

namespace {
ClassifierFactory *gFactory = nullptr;

/// The method "Plugins": the class comes from ROOT's plugin manager. A handler of base "TMVA@@MethodBase" is looked up by the title
/// when a method is booked, and when one is read by what stands in the path of the weights file between the character before the
/// first underscore and the last point; TMVA's plugins are registered with patterns made for just that.
IMethod *CreateFromPluginManager(const TString &job, const TString &title, DataSetInfo &dsi, const TString &option)
{
   const Bool_t fromFile = job == "" && title == "";
   TString uri(title);
   if (fromFile) {
      uri = option(0, option.Last('.') < 0 ? option.Length() : option.Last('.'));
      if (uri.First('_') > 1)
         uri.Remove(0, uri.First('_') - 1);
   }
   TPluginHandler *handler = gROOT->GetPluginManager()->FindHandler("TMVA@@MethodBase", uri);
   if (!handler || handler->LoadPlugin() != 0) {
      MsgLogger("ClassifierFactory")
         << kFATAL << "<Plugins> " << (handler ? "The library of the plugin for '"
            : "No plugin handler of base TMVA@@MethodBase matches '")
         << uri << (handler ? "' cannot be loaded" : "'") << " (" << (fromFile ? "weights file " + option : "title " + title)
         << "). Add one with gPluginMgr->AddHandler(\"TMVA@@MethodBase\", pattern, class, library, constructor)" << Endl;
      return nullptr;
   }
   const Longptr_t made = fromFile ? handler->ExecPlugin(2, &dsi, &option) : handler->ExecPlugin(4, &job, &title, &dsi, &option);
   return reinterpret_cast<IMethod *>(made);
}
} // namespace

ClassifierFactory::ClassifierFactory() : fCreators{{"Plugins", CreateFromPluginManager}} {}

ClassifierFactory &ClassifierFactory::Instance()
{
   if (!gFactory)
      gFactory = new ClassifierFactory;
   return *gFactory;
}

void ClassifierFactory::DestroyInstance()
{
   delete gFactory;
   gFactory = nullptr;
}

Bool_t ClassifierFactory::Register(const std::string &name, Creator creator)
{
   const bool isNew = fCreators.emplace(name, creator).second;
   if (!isNew)
      std::cerr << "ClassifierFactory<>::Register - " << name << " already exists" << std::endl;
   return isNew;
}

Bool_t ClassifierFactory::Unregister(const std::string &name)
{
   const bool found = fCreators.erase(name) > 0;
   if (!found)
      std::cerr << "ClassifierFactory<>::Unregister - there is no " << name << std::endl;
   return found;
}

ClassifierFactory::Creator ClassifierFactory::Find(const std::string &name) const
{
   const auto known = fCreators.find(name);
   if (known != fCreators.end())
      return known->second;
   std::vector<TString> names;
   for (const auto &entry : fCreators)
      names.push_back(entry.first.c_str());
   MsgLogger("ClassifierFactory") << kFATAL << "There is no method '" << name << "': the embedded host has "
      << gTools().JoinNames(names)
                                  << "." << gTools().DidYouMean(name.c_str(), names)
                                  << " Load the library of the method first, or use a ROOT that comes with TMVA" << Endl;
   return nullptr;
}

IMethod *ClassifierFactory::Create(const std::string &name, const TString &job, const TString &title, DataSetInfo &dsi,
                                   const TString &option)
{
   return Find(name)(job, title, dsi, option);
}

IMethod *ClassifierFactory::Create(const std::string &name, DataSetInfo &dsi, const TString &weightfile)
{
   return Find(name)("", "", dsi, weightfile);
}

const std::vector<std::string> ClassifierFactory::List() const
{
   std::vector<std::string> names;
   for (const auto &entry : fCreators)
      names.push_back(entry.first);
   return names;
}

void ClassifierFactory::Print() const
{
   std::cout << "Print: ClassifierFactory<> knows about " << fCreators.size() << " objects" << std::endl;
   for (const auto &entry : fCreators)
      std::cout << "Registered object name " << entry.first << std::endl;
}

} // namespace TMVA
