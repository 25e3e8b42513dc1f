#include "TMVA/Reader.h"

#include "TMVA/ClassifierFactory.h"
#include "TMVA/Config.h"
#include "TMVA/MethodBase.h"
#include "TMVA/Tools.h"

#include "TMath.h"
#include "TSystem.h"

namespace TMVA {

Reader::Reader(const TString &options, Bool_t verbose) : Configurable(options)
{
   SetConfigName("Reader");
   Bool_t silent = kFALSE, color = kFALSE;
   DeclareOptionRef(verbose, "V", "Print more");
   DeclareOptionRef(color, "Color", "Colours in the terminal");
   DeclareOptionRef(silent, "Silent", "Print nothing but errors");
   ParseOptions();
   CheckForUnusedOptions();
   gConfig().SetSilent(silent);
   gTools().TMVAWelcomeMessage();
}

Reader::Reader(std::vector<std::string> &names, const TString &options, Bool_t verbose) : Reader(options, verbose)
{
   for (const std::string &name : names)
      DataInfo().AddVariable(name.c_str());
}

Reader::~Reader() = default;

Float_t *Reader::FloatFor(Int_t *value)
{
   if (!value)
      return nullptr;
   fIntegers.emplace_back(value, 0.f);
   return &fIntegers.back().second;
}

// ---------------------------------------------------------------------------------------- booking

TString Reader::MethodTypeOfFile(const TString &weightFile) const
{
   if (gSystem->AccessPathName(weightFile, kReadPermission))
      Log() << kFATAL << "<BookMVA> fatal error: unable to open input weight file: " << weightFile << Endl;
   XMLDocPointer_t document = gTools().xmlengine().ParseFile(weightFile, gTools().xmlenginebuffersize());
   XMLNodePointer_t root = document ? gTools().xmlengine().DocGetRootElement(document) : nullptr;
   TString name;
   if (root && gTools().HasAttr(root, "Method"))
      gTools().ReadAttr(root, "Method", name);
   if (document)
      gTools().xmlengine().FreeDoc(document);
   const Ssiz_t end = name.Index("::");
   if (end == kNPOS)
      Log() << kFATAL << "<BookMVA> " << weightFile
            << " is not a TMVA weights file, or is damaged: expected <MethodSetup Method=\"type::title\"> at its root" << Endl;
   return name(0, end);
}

MethodBase *Reader::Create(Types::EMVA type, const TString &weightFile)
{
   const TString typeName = Types::Instance().GetMethodName(type);
   std::unique_ptr<IMethod> created(ClassifierFactory::Instance().Create(typeName.Data(), DataInfo(), weightFile));
   auto *method = dynamic_cast<MethodBase *>(created.get());
   if (!method)
      Log() << kFATAL << "Method \"" << typeName << "\" could not be created, or is not a TMVA::MethodBase" << Endl;
   created.release();
   fMethods.emplace_back(method);
   method->SetupMethod();
   return method;
}

IMethod *Reader::BookMVA(const TString &tag, const TString &weightFile)
{
   if (fMethodMap.count(tag))
      Log() << kFATAL << "<BookMVA> method tag \"" << tag << "\" already exists!" << Endl;
   const TString typeName = MethodTypeOfFile(weightFile);
   Log() << kINFO << "Booking \"" << tag << "\" of type \"" << typeName << "\" from " << weightFile << "." << Endl;
   MethodBase *method = Create(Types::Instance().GetMethodType(typeName), weightFile);
   method->ReadStateFromFile();
   method->CheckSetup();
   Log() << kINFO << "Booked classifier \"" << method->GetMethodName() << "\" of type: \"" << typeName << "\"" << Endl;
   return fMethodMap[tag] = method;
}

IMethod *Reader::BookMVA(Types::EMVA type, const char *xml)
{
   MethodBase *method = Create(type, "");
   method->ReadStateFromXMLString(xml);
   method->CheckSetup();
   return method;
}

MethodBase &Reader::Method(const TString &tag) const
{
   const auto found = fMethodMap.find(tag);
   if (found == fMethodMap.end()) {
      std::vector<TString> tags;
      for (const auto &method : fMethodMap)
         tags.push_back(method.first);
      Log() << kFATAL << "Unknown method \"" << tag << "\"; booked are: " << gTools().JoinNames(tags) << "."
            << gTools().DidYouMean(tag, tags) << Endl;
   }
   return *found->second;
}

// ---------------------------------------------------------------------------------------- evaluation

Bool_t Reader::ReadEvent()
{
   for (auto &integer : fIntegers)
      integer.second = static_cast<Float_t>(*integer.first);
   const auto read = [this](const std::vector<VariableInfo> &infos, std::vector<Float_t> &values) {
      values.resize(infos.size());
      for (std::size_t i = 0; i < infos.size(); ++i) {
         if (!infos[i].GetExternalLink())
            Log() << kFATAL << "\"" << infos[i].GetExpression()
                  << "\" was declared without the address of a variable: use AddVariable(name, &variable), or give the values "
                     "as a vector, EvaluateMVA(values, tag)"
                  << Endl;
         values[i] = *infos[i].GetExternalLink();
      }
   };
   read(DataInfo().GetVariableInfos(), fEvent.GetValues());
   read(DataInfo().GetSpectatorInfos(), fEvent.GetSpectators());
   return !HasNaN(fEvent.GetValues());
}

Bool_t Reader::HasNaN(const std::vector<Float_t> &values) const
{
   for (std::size_t i = 0; i < values.size(); ++i)
      if (TMath::IsNaN(values[i])) {
         Log() << kERROR << "Variable " << i << " of the event, " << DataInfo().GetVariableInfos()[i].GetInternalName()
               << ", is NaN: the answer is -999. Leave such events out" << Endl;
         return kTRUE;
      }
   return kFALSE;
}

const std::vector<Float_t> &Reader::NoAnswer(std::size_t n)
{
   fNoAnswer.assign(n, -999);
   return fNoAnswer;
}

Double_t Reader::EvaluateMVA(const std::vector<Float_t> &values, const TString &tag, Double_t)
{
   MethodBase &method = Method(tag);
   if (values.size() != DataInfo().GetNVariables())
      Log() << kFATAL << "EvaluateMVA: " << values.size() << " values for " << DataInfo().GetNVariables()
            << " variables of the Reader" << Endl;
   if (HasNaN(values))
      return -999;
   const Event event(values, 0u);
   return method.GetMvaValue(&event);
}

Double_t Reader::EvaluateMVA(MethodBase *method, Double_t)
{
   return ReadEvent() ? method->GetMvaValue(&fEvent) : -999;
}

const std::vector<Float_t> &Reader::EvaluateRegression(MethodBase *method, Double_t)
{
   return ReadEvent() ? method->GetRegressionValues(&fEvent) : NoAnswer(DataInfo().GetNTargets());
}

const std::vector<Float_t> &Reader::EvaluateMulticlass(MethodBase *method, Double_t)
{
   return ReadEvent() ? method->GetMulticlassValues(&fEvent) : NoAnswer(DataInfo().GetNClasses());
}

} // namespace TMVA
