/// \file
/// The weights file: everything of MethodBase that writes or reads XML.
#include "TMVA/MethodBase.h"

#include <algorithm>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>

#include "TDatime.h"
#include "TSystem.h"

#include "TMVA/Tools.h"

namespace TMVA {

namespace {
/// A parsed or a new document, freed at the end.
class Document {
public:
   explicit Document(XMLDocPointer_t doc) : fDoc(doc) {}
   ~Document()
   {
      if (fDoc)
         gTools().xmlengine().FreeDoc(fDoc);
   }
   XMLDocPointer_t Get() const { return fDoc; }
   void *Root() const { return fDoc ? gTools().xmlengine().DocGetRootElement(fDoc) : nullptr; }

private:
   XMLDocPointer_t fDoc;
};

void AddInfo(void *node, const TString &name, const TString &value)
{
   void *info = gTools().AddChild(node, "Info");
   gTools().AddAttr(info, "name", name);
   gTools().AddAttr(info, "value", value);
}

TString UserName()
{
   const std::unique_ptr<UserGroup_t> user(gSystem->GetUserInfo());
   return user ? user->fUser : TString("unknown");
}

/// Whether a weights file has its end: TXMLEngine says nothing of a full disk.
bool IsWhole(const TString &name)
{
   std::ifstream file(name, std::ios::binary | std::ios::ate);
   const std::streamoff size = file ? static_cast<std::streamoff>(file.tellg()) : 0;
   file.seekg(std::max<std::streamoff>(0, size - 64));
   const std::string end((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
   return end.find("</MethodSetup>") != std::string::npos;
}

/// "6.40.00 [403456]" -> 403456
UInt_t VersionCode(const TString &text)
{
   return TString(text(text.Index("[") + 1, text.Length())).Atoi();
}
} // namespace

TString MethodBase::GetTrainingTMVAVersionString() const
{
   return Form("%u.%u.%u", fTMVATrainingVersion >> 16 & 0xff, fTMVATrainingVersion >> 8 & 0xff, fTMVATrainingVersion & 0xff);
}

TString MethodBase::GetTrainingROOTVersionString() const
{
   return Form("%u.%02u/%02u", fROOTTrainingVersion >> 16 & 0xff, fROOTTrainingVersion >> 8 & 0xff, fROOTTrainingVersion & 0xff);
}

void MethodBase::WriteStateToFile() const
{
   const TString name = GetWeightFileName(), unfinished = name + ".unfinished";
   Log() << kINFO << "Creating xml weight file: " << gTools().Color("lightblue") << name << gTools().Color("reset") << Endl;
   {
      TXMLEngine &xml = gTools().xmlengine();
      Document doc(xml.NewDoc());
      void *root = gTools().AddChild(nullptr, "MethodSetup", "", true);
      xml.DocSetRootElement(doc.Get(), root);
      gTools().AddAttr(root, "Method", GetMethodTypeName() + "::" + GetMethodName());
      WriteStateToXML(root);
      xml.SaveDoc(doc.Get(), unfinished);
   }
   // a file that was there before is replaced by a complete one or not at all
   if (!IsWhole(unfinished) || gSystem->Rename(unfinished, name) != 0) {
      gSystem->Unlink(unfinished);
      Log() << kFATAL << DatasetPrefix() << "The weights file " << name
         << " cannot be written: is the directory there, and writable, and is there room on the disk?" << Endl;
   }
}

void MethodBase::WriteStateToXML(void *parent) const
{
   void *general = gTools().AddChild(parent, "GeneralInfo");
   AddInfo(general, "TMVA Release", GetTrainingTMVAVersionString() + " [" + gTools().StringFromInt(fTMVATrainingVersion) + "]");
   AddInfo(general, "ROOT Release", GetTrainingROOTVersionString() + " [" + gTools().StringFromInt(fROOTTrainingVersion) + "]");
   AddInfo(general, "Creator", UserName());
   AddInfo(general, "Date", TDatime().AsString());
   AddInfo(general, "Host", gSystem->GetBuildNode());
   AddInfo(general, "Dir", gSystem->WorkingDirectory());
   AddInfo(general, "Training events", gTools().StringFromInt(Data()->GetNTrainingEvents()));
   AddInfo(general, "TrainingTime", gTools().StringFromDouble(GetTrainTime()));
   AddInfo(general, "AnalysisType", DoRegression() ? "Regression" : DoMulticlass() ? "Multiclass" : "Classification");
   AddOptionsXMLTo(parent);
   AddVarsXMLTo(parent);
   AddSpectatorsXMLTo(parent);
   AddClassesXMLTo(parent);
   if (DoRegression())
      AddTargetsXMLTo(parent);
   GetTransformationHandler(false).AddXMLTo(parent);
   gTools().AddChild(parent, "MVAPdfs");
   AddWeightsXMLTo(parent);
}

void MethodBase::AddVarsXMLTo(void *parent) const
{
   void *list = gTools().AddChild(parent, "Variables");
   gTools().AddAttr(list, "NVar", DataInfo().GetNVariables());
   for (UInt_t i = 0; i < DataInfo().GetNVariables(); ++i) {
      void *node = gTools().AddChild(list, "Variable");
      gTools().AddAttr(node, "VarIndex", i);
      DataInfo().GetVariableInfo(i).AddToXML(node);
   }
}

void MethodBase::AddSpectatorsXMLTo(void *parent) const
{
   void *list = gTools().AddChild(parent, "Spectators");
   UInt_t index = 0;
   for (const VariableInfo &info : DataInfo().GetSpectatorInfos()) {
      if (info.GetVarType() == 'C') // a category cut is no spectator of the method
         continue;
      void *node = gTools().AddChild(list, "Spectator");
      gTools().AddAttr(node, "SpecIndex", index++);
      info.AddToXML(node);
   }
   gTools().AddAttr(list, "NSpec", index);
}

void MethodBase::AddClassesXMLTo(void *parent) const
{
   void *list = gTools().AddChild(parent, "Classes");
   gTools().AddAttr(list, "NClass", DataInfo().GetNClasses());
   for (UInt_t i = 0; i < DataInfo().GetNClasses(); ++i) {
      void *node = gTools().AddChild(list, "Class");
      gTools().AddAttr(node, "Name", DataInfo().GetClassInfo(i)->GetName());
      gTools().AddAttr(node, "Index", DataInfo().GetClassInfo(i)->GetNumber());
   }
}

void MethodBase::AddTargetsXMLTo(void *parent) const
{
   void *list = gTools().AddChild(parent, "Targets");
   gTools().AddAttr(list, "NTrgt", DataInfo().GetNTargets());
   for (UInt_t i = 0; i < DataInfo().GetNTargets(); ++i) {
      void *node = gTools().AddChild(list, "Target");
      gTools().AddAttr(node, "TargetIndex", i);
      DataInfo().GetTargetInfo(i).AddToXML(node);
   }
}

void MethodBase::ReadStateFromFile()
{
   const TString name = GetWeightFileName();
   Log() << kINFO << "Reading weight file: " << gTools().Color("lightblue") << name << gTools().Color("reset") << Endl;
   if (!name.EndsWith(".xml"))
      Log() << kFATAL << DatasetPrefix() << "<ReadStateFromFile> " << name << " is no .xml file; the older text format is not read"
         << Endl;
   if (gSystem->AccessPathName(name))
      Log() << kFATAL << DatasetPrefix() << "<ReadStateFromFile> Unable to open input weight file: " << name << Endl;
   Document doc(gTools().xmlengine().ParseFile(name, gTools().xmlenginebuffersize()));
   if (!doc.Root())
      Log() << kFATAL << DatasetPrefix() << "<ReadStateFromFile> " << name << " is no complete XML file" << Endl;
   ReadStateFromXML(doc.Root());
}

void MethodBase::ReadStateFromXMLString(const char *xmlstr)
{
   Document doc(gTools().xmlengine().ParseString(xmlstr));
   if (!doc.Root())
      Log() << kFATAL << DatasetPrefix() << "<ReadStateFromXMLString> The text is no complete XML" << Endl;
   ReadStateFromXML(doc.Root());
}

void MethodBase::ReadStateFromStream(std::istream &)
{
   Log() << kFATAL << DatasetPrefix()
      << "<ReadStateFromStream> The text format of TMVA 3 is not read: train again, or convert the file with a "
         << "ROOT that comes with TMVA" << Endl;
}

void MethodBase::ReadStateFromStream(TFile &)
{
   Log() << kFATAL << DatasetPrefix() << "<ReadStateFromStream> Weights in a ROOT file, as of TMVA 3, are not read" << Endl;
}

void MethodBase::ReadStateFromXML(void *methodNode)
{
   TString method;
   gTools().ReadAttr(methodNode, "Method", method);
   const Ssiz_t colons = method.Index("::");
   fMethodName = colons < 0 ? method : TString(method(colons + 2, method.Length()));
   SetTestvarName();
   Log() << kHEADER << DatasetPrefix() << "Read method \"" << GetMethodName() << "\" of type \"" << GetMethodTypeName() << "\"" << Endl;

   const std::map<TString, std::function<void(void *)>> readers = {
      {"GeneralInfo", [this](void *node) { ReadGeneralInfo(node); }},
      {"Options",
       [this](void *node) {
          ReadOptionsFromXML(node);
          ParseOptions();
       }},
      {"Variables",
       [this](void *node) {
          CheckVariablesOfXML(node, "variable", "NVar", "VarIndex", DataInfo().GetVariableInfos(), DataInfo().GetNVariables());
       }},
      {"Spectators",
       [this](void *node) {
          CheckVariablesOfXML(node, "spectator", "NSpec", "SpecIndex", DataInfo().GetSpectatorInfos(),
             DataInfo().GetNSpectators(kFALSE));
       }},
      {"Classes", [this](void *node) { ReadClassesFromXML(node); }},
      {"Targets", [this](void *node) { ReadTargetsFromXML(node); }},
      {"Transformations", [this](void *node) { GetTransformationHandler().ReadFromXML(node); }},
      {"MVAPdfs",
       [this](void *node) {
          if (gTools().GetChild(node))
             Log() << kWARNING << DatasetPrefix()
                << "The PDFs of the response in the weights file are not read: GetProba and GetRarity have no answer" << Endl;
          fHasMVAPdfs = kFALSE;
       }},
      {"Weights", [this](void *node) { ReadWeightsFromXML(node); }}};

   bool hasWeights = false;
   for (void *node = gTools().GetChild(methodNode); node; node = gTools().GetNextChild(node)) {
      const TString name = gTools().GetName(node);
      const auto reader = readers.find(name);
      if (reader == readers.end())
         Log() << kWARNING << DatasetPrefix() << "Unparsed XML node: '" << name << "'" << Endl;
      else
         reader->second(node);
      hasWeights = hasWeights || name == "Weights";
   }
   if (!hasWeights)
      Log() << kFATAL << DatasetPrefix() << "The weights file of " << method << " has no node <Weights>" << Endl;
   if (GetTransformationHandler().GetCallerName() == "")
      GetTransformationHandler().SetCallerName(GetName());
}

void MethodBase::ReadGeneralInfo(void *node)
{
   for (void *info = gTools().GetChild(node); info; info = gTools().GetNextChild(info)) {
      TString name, value;
      gTools().ReadAttr(info, "name", name);
      if (!gTools().HasAttr(info, "value"))
         continue;
      gTools().ReadAttr(info, "value", value);
      if (name == "TrainingTime") {
         fTrainTime = value.Atof();
      } else if (name == "AnalysisType") {
         value.ToLower();
         static const std::map<TString, Types::EAnalysisType> types = {
            {"regression", Types::kRegression}, {"classification", Types::kClassification}, {"multiclass", Types::kMulticlass}};
         const auto type = types.find(value);
         if (type == types.end())
            Log() << kFATAL << DatasetPrefix() << "Analysis type " << value << " is not known." << Endl;
         SetAnalysisType(type->second);
      } else if (name == "TMVA Release" || name == "TMVA") {
         fTMVATrainingVersion = VersionCode(value);
         Log() << kINFO << "MVA method was trained with TMVA Version: " << GetTrainingTMVAVersionString() << Endl;
      } else if (name == "ROOT Release" || name == "ROOT") {
         fROOTTrainingVersion = VersionCode(value);
         Log() << kINFO << "MVA method was trained with ROOT Version: " << GetTrainingROOTVersionString() << Endl;
      }
   }
}

void MethodBase::CheckVariablesOfXML(void *node, const char *kind, const char *countAttr, const char *indexAttr,
                                     std::vector<VariableInfo> &declared, UInt_t nDeclared)
{
   UInt_t nRead = 0;
   gTools().ReadAttr(node, countAttr, nRead);
   if (nRead != nDeclared)
      Log() << kFATAL << DatasetPrefix() << "You declared " << nDeclared << " " << kind << "s in the Reader while there are "
         << nRead << " "
            << kind << "s declared in the file" << Endl;
   std::vector<const VariableInfo *> expected;
   for (const VariableInfo &info : declared)
      if (TString(kind) == "variable" || info.GetVarType() != 'C')
         expected.push_back(&info);
   for (void *child = gTools().GetChild(node); child; child = gTools().GetNextChild(child)) {
      UInt_t index = 0;
      TString expression;
      gTools().ReadAttr(child, indexAttr, index);
      gTools().ReadAttr(child, "Expression", expression);
      if (index >= expected.size() || expected[index]->GetExpression() != expression)
         Log() << kFATAL << DatasetPrefix() << "The " << kind << " number " << index << " was declared to the Reader as \""
               << (index < expected.size() ? expected[index]->GetExpression() : TString("none")) << "\" but the weights file has \""
                  << expression
               << "\" there. Declare the same expressions in the same order as in the training" << Endl;
   }
}

void MethodBase::ReadClassesFromXML(void *node)
{
   if (DataInfo().GetNClasses() == 0) {
      UInt_t n = 0;
      gTools().ReadAttr(node, "NClass", n);
      void *child = gTools().GetChild(node);
      for (UInt_t i = 0; !child && i < n; ++i)
         DataInfo().AddClass(Form("class%u", i));
      for (; child; child = gTools().GetNextChild(child)) {
         TString name;
         gTools().ReadAttr(child, "Name", name);
         DataInfo().AddClass(name);
      }
   }
   const ClassInfo *signal = DataInfo().GetClassInfo("Signal"), *background = DataInfo().GetClassInfo("Background");
   fSignalClass = signal ? signal->GetNumber() : 0;
   fBackgroundClass = background ? background->GetNumber() : 1;
}

void MethodBase::ReadTargetsFromXML(void *node)
{
   if (DataInfo().GetNTargets() != 0 || !DoRegression())
      return;
   for (void *child = gTools().GetChild(node); child; child = gTools().GetNextChild(child)) {
      TString expression;
      gTools().ReadAttr(child, "Expression", expression);
      DataInfo().AddTarget(expression, "", "", 0, 0);
   }
}

} // namespace TMVA
