#include "TMVA/Reader.h"

#include "TMVA/ClassifierFactory.h"
#include "TMVA/Config.h"
#include "TMVA/DataSet.h"
#include "TMVA/Event.h"
#include "TMVA/IMethod.h"
#include "TMVA/MethodBase.h"
#include "TMVA/MsgLogger.h"
#include "TMVA/Tools.h"

#include "TMath.h"
#include "TSystem.h"

namespace TMVA {

Reader::Reader(const TString &options, Bool_t verbose)
   : Configurable(options), fDataSetManager(fDataInputHandler), fVerbose(verbose)
{
   Init();
}

Reader::Reader(std::vector<std::string> &names, const TString &options, Bool_t verbose) : Reader(options, verbose)
{
   for (const std::string &name : names)
      DataInfo().AddVariable(name.c_str());
}

Reader::Reader(std::vector<TString> &names, const TString &options, Bool_t verbose) : Reader(options, verbose)
{
   for (const TString &name : names)
      DataInfo().AddVariable(name);
}

Reader::Reader(const std::string &names, const TString &options, Bool_t verbose) : Reader(options, verbose)
{
   AddNames(names.c_str());
}

Reader::Reader(const TString &names, const TString &options, Bool_t verbose) : Reader(options, verbose)
{
   AddNames(names);
}

Reader::~Reader() = default;

void Reader::Init()
{
   SetConfigName("Reader");
   fDataSetManager.AddDataSetInfo(fDataSetInfo);
   if (gTools().CheckForSilentOption(GetOptions()))
      MsgLogger::InhibitOutput();
   DeclareOptionRef(fVerbose, "V", "Print more");
   DeclareOptionRef(fColor, "Color", "Colours in the terminal");
   DeclareOptionRef(fSilent, "Silent", "Print nothing but errors");
   DeclareOptionRef(fCalculateError, "Error", "Ask methods for the errors of their answers");
   ParseOptions();
   CheckForUnusedOptions();
   if (fVerbose)
      Log().SetMinType(kVERBOSE);
   gConfig().SetUseColor(fColor);
   gConfig().SetSilent(fSilent);
   gTools().TMVAWelcomeMessage();
}

void Reader::AddNames(const TString &names)
{
   for (TString name : gTools().SplitString(names, ':'))
      DataInfo().AddVariable(name.ReplaceAll("@", ""));
}

void Reader::AddVariable(const TString &expression, Float_t *value)
{
   DataInfo().AddVariable(expression, "", "", 0, 0, 'F', kFALSE, value);
}

void Reader::AddVariable(const TString &expression, Int_t *value)
{
   if (!value)
      Log() << kFATAL << "AddVariable(\"" << expression << "\"): the address is null" << Endl;
   fIntegers.emplace_back(value, 0.f);
   DataInfo().AddVariable(expression, "", "", 0, 0, 'F', kFALSE, &fIntegers.back().second);
}

void Reader::AddSpectator(const TString &expression, Float_t *value)
{
   DataInfo().AddSpectator(expression, "", "", 0, 0, 'F', kFALSE, value);
}

void Reader::AddSpectator(const TString &expression, Int_t *value)
{
   DataInfo().AddSpectator(expression, "", "", 0, 0, 'I', kFALSE, value);
}

// ---------------------------------------------------------------------------------------- booking

TString Reader::MethodTypeOfFile(const TString &weightFile) const
{
   if (gSystem->AccessPathName(weightFile, kReadPermission))
      Log() << kFATAL << "<BookMVA> fatal error: unable to open input weight file: " << weightFile << Endl;
   if (!weightFile.EndsWith(".xml"))
      Log() << kFATAL << "<BookMVA> the weight file " << weightFile
            << " is not an XML file; the text format of before 2010 is not read" << Endl;
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
   method->DeclareCompatibilityOptions(); // options of older files
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
   Log() << kINFO << "Booked classifier \"" << method->GetMethodName() << "\" of type: \"" << method->GetMethodTypeName() << "\""
         << Endl;
   fMethodMap[tag] = method;
   return method;
}

IMethod *Reader::BookMVA(Types::EMVA type, const char *xml)
{
   MethodBase *method = Create(type, "");
   method->ReadStateFromXMLString(xml);
   method->CheckSetup();
   Log() << kINFO << "Booked classifier \"" << method->GetMethodName() << "\" of type: \"" << method->GetMethodTypeName() << "\""
         << Endl;
   return method;
}

IMethod *Reader::FindMVA(const TString &tag)
{
   const auto found = fMethodMap.find(tag);
   if (found != fMethodMap.end())
      return found->second;
   Log() << kERROR << "Method " << tag << " not found!" << Endl;
   return nullptr;
}

MethodBase &Reader::Method(const TString &tag) const
{
   const auto found = fMethodMap.find(tag);
   if (found == fMethodMap.end()) {
      std::vector<TString> tags;
      TString list;
      for (const auto &method : fMethodMap) {
         tags.push_back(method.first);
         list += (list == "" ? "" : ", ") + method.first;
      }
      const TString nearest = gTools().NearestName(tag, tags);
      Log() << kFATAL << "Unknown method \"" << tag << "\"; booked are: " << (list == "" ? TString("none") : list) << "."
            << (nearest == "" ? TString() : " Did you mean \"" + nearest + "\"?") << Endl;
   }
   return dynamic_cast<MethodBase &>(*found->second);
}

// ---------------------------------------------------------------------------------------- evaluation

void Reader::CheckLinks() const
{
   if (fLinksChecked)
      return;
   for (const auto *list : {&DataInfo().GetVariableInfos(), &DataInfo().GetSpectatorInfos()})
      for (const VariableInfo &quantity : *list)
         if (!quantity.GetExternalLink())
            Log() << kFATAL << "\"" << quantity.GetExpression()
                  << "\" was declared without the address of a variable: use AddVariable(name, &variable), or give the values "
                     "as a vector, EvaluateMVA(values, tag)"
                  << Endl;
   fLinksChecked = true;
}

void Reader::CopyIntegers()
{
   for (auto &integer : fIntegers)
      integer.second = static_cast<Float_t>(*integer.first);
}

bool Reader::HasNaN(const std::vector<Float_t> &values) const
{
   for (std::size_t i = 0; i < values.size(); ++i)
      if (TMath::IsNaN(values[i])) {
         Log() << kERROR << "Variable " << i << " of the event, " << DataInfo().GetVariableInfo(static_cast<Int_t>(i)).GetInternalName()
               << ", is NaN: the answer is -999. Leave such events out" << Endl;
         return true;
      }
   return false;
}

bool Reader::IsReady(MethodBase &method)
{
   CheckLinks();
   CopyIntegers();
   return !HasNaN(method.Data()->GetEvent()->GetValues());
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
   return method.GetMvaValue(&event, fCalculateError ? &fMvaEventError : nullptr);
}

Double_t Reader::EvaluateMVA(const std::vector<Double_t> &values, const TString &tag, Double_t aux)
{
   return EvaluateMVA(std::vector<Float_t>(values.begin(), values.end()), tag, aux);
}

Double_t Reader::EvaluateMVA(MethodBase *method, Double_t)
{
   if (!IsReady(*method))
      return -999;
   return method->GetMvaValue(fCalculateError ? &fMvaEventError : nullptr,
                              fCalculateError ? &fMvaEventErrorUpper : nullptr);
}

Double_t Reader::EvaluateMVA(const TString &tag, Double_t aux)
{
   return EvaluateMVA(&Method(tag), aux);
}

const std::vector<Float_t> &Reader::EvaluateRegression(const TString &tag, Double_t aux)
{
   return EvaluateRegression(&Method(tag), aux);
}

const std::vector<Float_t> &Reader::EvaluateRegression(MethodBase *method, Double_t)
{
   return IsReady(*method) ? method->GetRegressionValues() : NoAnswer(DataInfo().GetNTargets());
}

Float_t Reader::EvaluateRegression(UInt_t target, const TString &tag, Double_t aux)
{
   const std::vector<Float_t> &values = EvaluateRegression(tag, aux);
   if (target < values.size())
      return values[target];
   Log() << kWARNING << "Regression could not be evaluated for target-number " << target << Endl;
   return 0;
}

const std::vector<Float_t> &Reader::EvaluateMulticlass(const TString &tag, Double_t aux)
{
   return EvaluateMulticlass(&Method(tag), aux);
}

const std::vector<Float_t> &Reader::EvaluateMulticlass(MethodBase *method, Double_t)
{
   return IsReady(*method) ? method->GetMulticlassValues() : NoAnswer(DataInfo().GetNClasses());
}

Float_t Reader::EvaluateMulticlass(UInt_t classIndex, const TString &tag, Double_t aux)
{
   const std::vector<Float_t> &values = EvaluateMulticlass(tag, aux);
   if (classIndex < values.size())
      return values[classIndex];
   Log() << kWARNING << "Multiclass could not be evaluated for class-number " << classIndex << Endl;
   return 0;
}

Double_t Reader::GetProba(const TString &tag, Double_t ap_sig, Double_t mvaVal)
{
   MethodBase &method = Method(tag);
   if (mvaVal == -9999999)
      mvaVal = EvaluateMVA(&method);
   return mvaVal == -999 ? -999 : method.GetProba(mvaVal, ap_sig);
}

Double_t Reader::GetRarity(const TString &tag, Double_t mvaVal)
{
   MethodBase &method = Method(tag);
   if (mvaVal == -9999999)
      mvaVal = EvaluateMVA(&method);
   return mvaVal == -999 ? -999 : method.GetRarity(mvaVal);
}

} // namespace TMVA
