/// \file
/// The weights file, and the frame of the standalone response class.
#include "TMVA/MethodBase.h"

#include "TMVA/Tools.h"
#include "TMVA/Version.h"

#include "RVersion.h"
#include "TDatime.h"
#include "TSystem.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <string>

namespace TMVA {

namespace {

/// A parsed or a new document, freed at the end.
using Document = std::unique_ptr<void, void (*)(void *)>;

Document Own(XMLDocPointer_t document)
{
   return {document, [](void *doc) { gTools().xmlengine().FreeDoc(doc); }};
}

void AddInfo(void *node, const TString &name, const TString &value)
{
   void *info = gTools().AddChild(node, "Info");
   gTools().AddAttr(info, "name", name);
   gTools().AddAttr(info, "value", value);
}

/// An attribute of all children.
std::vector<TString> AttributeOfAll(void *node, const char *attribute)
{
   std::vector<TString> values;
   for (void *child = gTools().GetChild(node); child; child = gTools().GetNextChild(child)) {
      values.emplace_back();
      gTools().ReadAttr(child, attribute, values.back());
   }
   return values;
}

/// <Variables NVar="2"> <Variable VarIndex="0" .../> ...
void AddList(void *parent, const TString &item, const char *countAttr, const char *indexAttr,
             const std::vector<VariableInfo> &infos)
{
   void *list = gTools().AddChild(parent, item + "s");
   gTools().AddAttr(list, countAttr, infos.size());
   for (size_t i = 0; i < infos.size(); ++i) {
      void *node = gTools().AddChild(list, item);
      gTools().AddAttr(node, indexAttr, i);
      infos[i].AddToXML(node);
   }
}

} // namespace

/// Whether a weights file has its end: TXMLEngine says nothing of a full disk.
static bool IsWhole(const TString &name)
{
   std::ifstream file(name, std::ios::binary | std::ios::ate);
   const std::streamoff size = file ? static_cast<std::streamoff>(file.tellg()) : 0;
   file.seekg(std::max<std::streamoff>(0, size - 64));
   const std::string end((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
   return end.find("</MethodSetup>") != std::string::npos;
}

void MethodBase::WriteStateToFile() const
{
   const TString name = GetWeightFileName(), unfinished = name + ".unfinished";
   Log() << kINFO << "Creating xml weight file: " << name << Endl;
   {
      TXMLEngine &xml = gTools().xmlengine();
      const Document doc = Own(xml.NewDoc());
      void *root = gTools().AddChild(nullptr, "MethodSetup", "", true);
      xml.DocSetRootElement(doc.get(), root);
      gTools().AddAttr(root, "Method", GetMethodTypeName() + "::" + GetMethodName());
      WriteStateToXML(root);
      xml.SaveDoc(doc.get(), unfinished);
   }
   // a file that was there before is replaced by a complete one or not at all
   if (!IsWhole(unfinished) || gSystem->Rename(unfinished, name) != 0) {
      gSystem->Unlink(unfinished);
      Log() << kFATAL << Prefix() << "The weights file " << name
            << " cannot be written: is its folder there, and writable, and is there room on the disk?" << Endl;
   }
}

void MethodBase::WriteStateToXML(void *parent) const
{
   const std::unique_ptr<UserGroup_t> user(gSystem->GetUserInfo());
   void *general = gTools().AddChild(parent, "GeneralInfo");
   AddInfo(general, "TMVA Release", TString::Format("%s [%d]", TMVA_RELEASE, TMVA_VERSION_CODE));
   AddInfo(general, "ROOT Release", TString::Format("%d.%02d/%02d [%d]", ROOT_VERSION_MAJOR, ROOT_VERSION_MINOR,
                                                    ROOT_VERSION_PATCH, ROOT_VERSION_CODE));
   AddInfo(general, "Creator", user ? user->fUser : TString("unknown"));
   AddInfo(general, "Date", TDatime().AsString());
   AddInfo(general, "Host", gSystem->GetBuildNode());
   AddInfo(general, "Dir", gSystem->WorkingDirectory());
   AddInfo(general, "Training events", gTools().StringFromInt(Data()->GetNTrainingEvents()));
   AddInfo(general, "TrainingTime", gTools().StringFromDouble(GetTrainTime()));
   AddInfo(general, "AnalysisType", DoRegression() ? "Regression" : DoMulticlass() ? "Multiclass" : "Classification");
   AddOptionsXMLTo(parent);
   AddList(parent, "Variable", "NVar", "VarIndex", DataInfo().GetVariableInfos());
   AddList(parent, "Spectator", "NSpec", "SpecIndex", DataInfo().GetSpectatorInfos());
   void *classes = gTools().AddChild(parent, "Classes");
   gTools().AddAttr(classes, "NClass", DataInfo().GetNClasses());
   for (UInt_t i = 0; i < DataInfo().GetNClasses(); ++i) {
      void *node = gTools().AddChild(classes, "Class");
      gTools().AddAttr(node, "Name", DataInfo().GetClassInfo(i)->GetName());
      gTools().AddAttr(node, "Index", i);
   }
   if (DoRegression())
      AddList(parent, "Target", "NTrgt", "TargetIndex", DataInfo().GetTargetInfos());
   fTransformation.AddXMLTo(parent);
   gTools().AddChild(parent, "MVAPdfs");
   AddWeightsXMLTo(parent);
}

void MethodBase::ReadStateFromFile()
{
   const TString name = GetWeightFileName();
   Log() << kINFO << "Reading weight file: " << name << Endl;
   if (gSystem->AccessPathName(name))
      Log() << kFATAL << Prefix() << "<ReadStateFromFile> Unable to open input weight file: " << name << Endl;
   const Document doc = Own(gTools().xmlengine().ParseFile(name, gTools().xmlenginebuffersize()));
   ReadStateFromXML(doc.get());
}

void MethodBase::ReadStateFromXMLString(const char *xmlstr)
{
   const Document doc = Own(gTools().xmlengine().ParseString(xmlstr));
   ReadStateFromXML(doc.get());
}

void MethodBase::ReadStateFromXML(void *document)
{
   void *methodNode = document ? gTools().xmlengine().DocGetRootElement(document) : nullptr;
   if (!methodNode)
      Log() << kFATAL << Prefix() << "The weights of " << GetMethodName() << " are no complete XML document" << Endl;
   TString method;
   gTools().ReadAttr(methodNode, "Method", method);
   const Ssiz_t colons = method.Index("::");
   fMethodName = colons < 0 ? method : TString(method(colons + 2, method.Length()));
   Log() << kHEADER << Prefix() << "Read method \"" << GetMethodName() << "\" of type \"" << GetMethodTypeName() << "\"" << Endl;
   bool hasWeights = false;
   for (void *node = gTools().GetChild(methodNode); node; node = gTools().GetNextChild(node)) {
      const TString name = gTools().GetName(node);
      if (name == "GeneralInfo") {
         ReadGeneralInfo(node);
      } else if (name == "Options") {
         ReadOptionsFromXML(node);
         ParseOptions();
      } else if (name == "Variables") {
         CheckVariablesOfXML(node, "variable", DataInfo().GetVariableInfos());
      } else if (name == "Spectators") {
         CheckVariablesOfXML(node, "spectator", DataInfo().GetSpectatorInfos());
      } else if (name == "Classes" && DataInfo().GetNClasses() == 0) {
         for (const TString &known : AttributeOfAll(node, "Name"))
            DataInfo().AddClass(known);
      } else if (name == "Targets" && DataInfo().GetNTargets() == 0) {
         for (const TString &known : AttributeOfAll(node, "Expression"))
            DataInfo().AddTarget(known, "", "", 0, 0);
      } else if (name == "Transformations") {
         fTransformation.ReadFromXML(node);
      } else if (name == "Weights") {
         ReadWeightsFromXML(node);
         hasWeights = true;
      } else if (name != "MVAPdfs" && name != "Classes" && name != "Targets") {
         Log() << kWARNING << Prefix() << "Unparsed XML node: '" << name << "'" << Endl;
      }
   }
   if (!hasWeights)
      Log() << kFATAL << Prefix() << "The weights file of " << method << " has no node <Weights>" << Endl;
}

void MethodBase::ReadGeneralInfo(void *node)
{
   for (void *info = gTools().GetChild(node); info; info = gTools().GetNextChild(info)) {
      TString name, value;
      gTools().ReadAttr(info, "name", name);
      if (gTools().HasAttr(info, "value"))
         gTools().ReadAttr(info, "value", value);
      if (name == "TrainingTime")
         fTrainTime = value.Atof();
      else if (name == "AnalysisType")
         SetAnalysisType(value.EqualTo("regression", TString::kIgnoreCase)   ? Types::kRegression
                         : value.EqualTo("multiclass", TString::kIgnoreCase) ? Types::kMulticlass
                                                                             : Types::kClassification);
      else if (name == "TMVA Release" || name == "ROOT Release")
         Log() << kINFO << "MVA method was trained with " << name << ": " << value << Endl;
   }
}

void MethodBase::CheckVariablesOfXML(void *node, const char *kind, const std::vector<VariableInfo> &declared) const
{
   const std::vector<TString> names = AttributeOfAll(node, "Expression");
   for (size_t i = 0; i < std::min(names.size(), declared.size()); ++i)
      if (declared[i].GetExpression() != names[i])
         Log() << kFATAL << Prefix() << "The " << kind << " number " << i << " was declared to the Reader as \""
               << declared[i].GetExpression() << "\" but the weights file has \"" << names[i]
               << "\" there. Declare the same expressions in the same order as in the training" << Endl;
   if (names.size() != declared.size())
      Log() << kFATAL << Prefix() << "You declared " << declared.size() << " " << kind << "s in the Reader while there are "
            << names.size() << " " << kind << "s declared in the file" << Endl;
}

// ---------------------------------------------------------------------------------------- class file

namespace {

/// @ stands for the name of the class, @N for the number of inputs, @INPUTS for their expressions, quoted.
const char *const kClassHead = R"(
#ifndef IClassifierReader__def
#define IClassifierReader__def

class IClassifierReader {

 public:

   IClassifierReader() : fStatusIsClean( true ) {}
   virtual ~IClassifierReader() {}

   // the response; the values stand in the order of the names given to the constructor of the class below
   virtual double GetMvaValue( const std::vector<double>& inputValues ) const = 0;

   // false when the constructor found that something does not fit
   bool IsStatusClean() const { return fStatusIsClean; }

 protected:

   bool fStatusIsClean;
};

#endif

class @ : public IClassifierReader {

 public:

   @( std::vector<std::string>& theInputVars ) : fClassName( "@" ), fNvars( @N )
   {
      const char* inputVars[] = { @INPUTS };
      fStatusIsClean = theInputVars.size() == fNvars;
      for (size_t ivar = 0; fStatusIsClean && ivar < fNvars; ivar++)
         fStatusIsClean = theInputVars[ivar] == inputVars[ivar];
      if (!fStatusIsClean) {
         std::cout << "Problem in class \"" << fClassName << "\": the input variables are, in this order:" << std::endl;
         for (size_t ivar = 0; ivar < fNvars; ivar++)
            std::cout << "   " << inputVars[ivar] << std::endl;
      }
      Initialize();
   }

   virtual ~@() {
      Clear(); // method-specific
   }

   double GetMvaValue( const std::vector<double>& inputValues ) const;

 private:

   // method-specific destructor
   void Clear();

   // common member variables
   const char* fClassName;
   const size_t fNvars;
   size_t GetNvar() const { return fNvars; }

   // initialize internal variables
   void Initialize();
   double GetMvaValue__( const std::vector<double>& inputValues ) const;
)";

/// After what the method writes, which closes the class. @TRANSFORM stands for a transformation of iV.
const char *const kClassTail = R"(
inline double @::GetMvaValue( const std::vector<double>& inputValues ) const
{
   if (!IsStatusClean() || inputValues.size() != fNvars) {
      std::cout << "Problem in class \"" << fClassName << "\": cannot return classifier response, because "
                << (IsStatusClean() ? "the number of input values is wrong" : "status is dirty") << std::endl;
      return 0;
   }
   std::vector<double> iV( inputValues );
   @TRANSFORMreturn GetMvaValue__( iV );
}
)";

} // namespace

void MethodBase::MakeClass(const TString &theClassFileName) const
{
   const TString own = fFileDir + "/" + GetJobName() + "_" + GetMethodName() + ".class.C";
   const TString file = theClassFileName != "" ? theClassFileName : own;
   const TString name = "Read" + GetMethodName();
   const bool transforms = fTransformation.GetTransformationList().GetSize() > 0;
   Log() << kINFO << "Creating standalone class: " << file << Endl;
   std::ofstream fout(file);
   fout << "// Class: " << name << "\n// Automatically generated by MethodBase::MakeClass\n//\n// Method         : "
        << GetMethodTypeName() << "::" << GetMethodName() << "\n// TMVA Release   : " << TMVA_RELEASE << "\n// ROOT Release   : "
        << ROOT_RELEASE << "\n// Date           : " << TDatime().AsString() << "\n\n"
        << "#include <array>\n#include <cmath>\n#include <iostream>\n#include <string>\n#include <vector>\n";
   MakeClassSpecificHeader(fout, name);
   TString inputs;
   for (const VariableInfo &info : DataInfo().GetVariableInfos())
      inputs += (inputs == "" ? "\"" : ", \"") + TString(info.GetExpression()).ReplaceAll("\"", "\\\"") + "\"";
   fout << TString(kClassHead).ReplaceAll("@INPUTS", "\1").ReplaceAll("@N", gTools().StringFromInt(GetNvar()))
              .ReplaceAll("@", name).ReplaceAll("\1", inputs);
   if (transforms)
      fTransformation.MakeFunction(fout, name, 1);
   fout << "\n   // private members (method specific)\n";
   MakeClassSpecific(fout, name);
   fout << TString(kClassTail).ReplaceAll("@TRANSFORM", transforms ? "Transform( iV );\n   " : "").ReplaceAll("@", name);
   if (transforms)
      fTransformation.MakeFunction(fout, name, 2);
   if (!fout.flush()) {
      gSystem->Unlink(file); // no half of it is left
      Log() << kFATAL << "<MakeClass> Unable to write " << file << Endl;
   }
}

} // namespace TMVA
