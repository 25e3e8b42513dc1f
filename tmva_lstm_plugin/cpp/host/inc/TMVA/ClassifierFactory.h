/// \file
/// The table of methods that can be booked. A method enters itself by ClassifierFactory::Register and Types::AddTypeMapping.
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

   /// False, with a line on stderr, when the name is registered already; the first registration stays.
   Bool_t Register(const std::string &name, Creator creator);
   /// Both are fatal for an unknown name, and tell the names there are.
   IMethod *Create(const std::string &name, const TString &job, const TString &title, DataSetInfo &dsi, const TString &option)
   {
      return Find(name)(job, title, dsi, option);
   }
   IMethod *Create(const std::string &name, DataSetInfo &dsi, const TString &file = "") { return Find(name)("", "", dsi, file); }
   const std::vector<std::string> List() const;

private:
   ClassifierFactory();
   Creator Find(const std::string &name) const;

   std::map<std::string, Creator> fCreators;
};

} // namespace TMVA

#endif
