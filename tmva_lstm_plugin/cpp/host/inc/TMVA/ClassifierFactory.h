/// \file
/// The table of methods that can be booked.
#ifndef ROOT_TMVA_ClassifierFactory
#define ROOT_TMVA_ClassifierFactory

#include <map>
#include <string>
#include <vector>

#include "TString.h"

#include "TMVA/Types.h"

namespace TMVA {

class DataSetInfo;
class IMethod;

class ClassifierFactory {
public:
   /// Makes a method. Empty job and title mean "from a weights file", and `option` then is the path of that file.
   typedef IMethod *(*Creator)(const TString &job, const TString &title, DataSetInfo &dsi, const TString &option);

   static ClassifierFactory &Instance();
   static void DestroyInstance();

   /// False, with a line on stderr, when the name is registered already; the first registration stays.
   Bool_t Register(const std::string &name, Creator creator);
   Bool_t Unregister(const std::string &name);
   /// Both are fatal for an unknown name, and tell the names there are.
   IMethod *Create(const std::string &name, const TString &job, const TString &title, DataSetInfo &dsi,
                   const TString &option);
   IMethod *Create(const std::string &name, DataSetInfo &dsi, const TString &weightfile = "");
   const std::vector<std::string> List() const;
   void Print() const;

private:
   ClassifierFactory();
   ClassifierFactory(const ClassifierFactory &) = delete;
   ClassifierFactory &operator=(const ClassifierFactory &) = delete;
   Creator Find(const std::string &name) const;

   std::map<std::string, Creator> fCreators;
};

} // namespace TMVA

/// Registers TMVA::Method##CLASS under the name CLASS. It needs an enumerator Types::k##CLASS, as in a real TMVA; a method
/// without one calls ClassifierFactory::Register and Types::AddTypeMapping itself.
#define REGISTER_METHOD(CLASS)                                                                                              \
   namespace {                                                                                                              \
   struct RegisterTMVAMethod {                                                                                              \
      static TMVA::IMethod *CreateMethod##CLASS(const TString &job, const TString &title, TMVA::DataSetInfo &dsi,           \
                                                const TString &option)                                                      \
      {                                                                                                                     \
         if (job == "" && title == "")                                                                                      \
            return new TMVA::Method##CLASS(dsi, option);                                                                    \
         return new TMVA::Method##CLASS(job, title, dsi, option);                                                           \
      }                                                                                                                     \
      RegisterTMVAMethod()                                                                                                  \
      {                                                                                                                     \
         TMVA::ClassifierFactory::Instance().Register(#CLASS, CreateMethod##CLASS);                                         \
         TMVA::Types::Instance().AddTypeMapping(TMVA::Types::k##CLASS, #CLASS);                                             \
      }                                                                                                                     \
   };                                                                                                                       \
   static RegisterTMVAMethod RegisterTMVAMethod_instance;                                                                   \
   }

#endif
