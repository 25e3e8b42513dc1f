/// \file
/// What there is one of in a process: settings, log output, the names of methods and the functions that make them.
#include "TMVA/ClassifierFactory.h"
#include "TMVA/Config.h"
#include "TMVA/DataSetInfo.h"
#include "TMVA/IMethod.h"
#include "TMVA/MsgLogger.h"
#include "TMVA/Tools.h"
#include "TMVA/Types.h"

#include "TPluginManager.h"
#include "TROOT.h"

#include <iostream>
#include <stdexcept>

namespace TMVA {

// None of the instances below is deleted: methods, which need them, may be deleted very late.

Config &Config::Instance()
{
   static Config *instance = new Config;
   return *instance;
}

Config &gConfig()
{
   return Config::Instance();
}

// ---------------------------------------------------------------------------------------- log

MsgLogger &MsgLogger::operator<<(const char *text)
{
   static_cast<std::ostringstream &>(*this) << text;
   return *this;
}

void MsgLogger::Send()
{
   static const char *const names[] = {"", "DEBUG", "VERBOSE", "INFO", "WARNING", "ERROR", "FATAL", "SILENT", "HEADER"};
   constexpr std::size_t kSourceSize = 25;
   const EMsgType type = fActiveType;
   const std::string text = str();
   std::istringstream lines(text + "\n");
   str("");
   fActiveType = kINFO; // a message without a level is an information
   if (type == kFATAL || (type >= fMinType && !gConfig().IsSilent())) {
      // only headers name their source; below them it would be the same in every line
      std::string source = type != kHEADER ? "" : fObjSource ? fObjSource->GetName() : fStrSource;
      if (source.size() > kSourceSize)
         source = source.substr(0, kSourceSize - 3) + "...";
      source.resize(kSourceSize, ' ');
      if (type != kINFO)
         source = "<" + std::string(names[type]) + "> " + source;
      for (std::string line; std::getline(lines, line);)
         std::cout << source << ": " << line << std::endl;
   }
   if (type == kFATAL) {
      std::cout << "***> abort program execution" << std::endl;
      throw std::runtime_error("FATAL error: " + text); // TMVA's own says no more than "FATAL error"
   }
}

// ---------------------------------------------------------------------------------------- names of methods

Types &Types::Instance()
{
   static Types *instance = new Types;
   if (instance->fNumberOfName.empty())
      instance->fNumberOfName["Plugins"] = kPlugins;
   return *instance;
}

Bool_t Types::AddTypeMapping(EMVA method, const TString &methodname)
{
   const auto [known, isNew] = fNumberOfName.emplace(methodname, method);
   if (!isNew)
      MsgLogger("Types") << kFATAL << "Cannot add method " << methodname << " to the name->type map because it exists already, "
                         << "with the number " << known->second << Endl;
   return kTRUE;
}

Types::EMVA Types::GetMethodType(const TString &method) const
{
   const auto known = fNumberOfName.find(method);
   if (known == fNumberOfName.end()) {
      std::vector<TString> names;
      for (const auto &entry : fNumberOfName)
         names.push_back(entry.first);
      MsgLogger("Types") << kFATAL << "Unknown method '" << method << "': the embedded host has " << gTools().JoinNames(names)
                         << "." << gTools().DidYouMean(method, names)
                         << " Load the library of the method first, or use a ROOT with TMVA" << Endl;
   }
   return known->second;
}

TString Types::GetMethodName(EMVA method) const
{
   for (const auto &entry : fNumberOfName)
      if (entry.second == method)
         return entry.first;
   MsgLogger("Types") << kFATAL << "Unknown method number " << static_cast<Int_t>(method)
                      << ": no name was given to it. Load the library of the method first" << Endl;
   return "";
}

// ---------------------------------------------------------------------------------------- makers of methods

namespace {

/// The method "Plugins": the class comes from ROOT's plugin manager. A handler of base "TMVA@@MethodBase" is looked up by the
/// title when a method is booked, and when one is read by what stands in the path of the weights file between the character before
/// the first underscore and the last point; TMVA's plugins are registered with patterns made for just that.
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
   if (!handler || handler->LoadPlugin() != 0)
      MsgLogger("ClassifierFactory")
         << kFATAL << "<Plugins> " << (handler ? "The library of the plugin for '" : "No TMVA@@MethodBase handler matches '")
         << uri << (handler ? "' cannot be loaded" : "'") << " (" << (fromFile ? "weights file " + option : "title " + title)
         << "). Add one with gPluginMgr->AddHandler(\"TMVA@@MethodBase\", pattern, class, library, constructor)" << Endl;
   return reinterpret_cast<IMethod *>(fromFile ? handler->ExecPlugin(2, &dsi, &option)
                                               : handler->ExecPlugin(4, &job, &title, &dsi, &option));
}

} // namespace

ClassifierFactory::ClassifierFactory() : fCreators{{"Plugins", CreateFromPluginManager}} {}

ClassifierFactory &ClassifierFactory::Instance()
{
   static ClassifierFactory *instance = new ClassifierFactory;
   return *instance;
}

Bool_t ClassifierFactory::Register(const std::string &name, Creator creator)
{
   const bool isNew = fCreators.emplace(name, creator).second;
   if (!isNew)
      std::cerr << "ClassifierFactory<>::Register - " << name << " already exists" << std::endl;
   return isNew;
}

ClassifierFactory::Creator ClassifierFactory::Find(const std::string &name) const
{
   const auto known = fCreators.find(name);
   if (known == fCreators.end()) {
      std::vector<TString> names;
      for (const auto &entry : fCreators)
         names.push_back(entry.first.c_str());
      MsgLogger("ClassifierFactory") << kFATAL << "There is no method '" << name << "'. This is the embedded host of "
         << "tmva_lstm_plugin, a small stand-in for TMVA in a ROOT without it; it has: " << gTools().JoinNames(names) << "."
         << gTools().DidYouMean(name.c_str(), names)
         << " The other methods of TMVA need a ROOT with TMVA (conda-forge, LCG, root.cern)" << Endl;
   }
   return known->second;
}

const std::vector<std::string> ClassifierFactory::List() const
{
   std::vector<std::string> names;
   for (const auto &entry : fCreators)
      names.push_back(entry.first);
   return names;
}

} // namespace TMVA
