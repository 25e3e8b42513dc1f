#include "TMVA/Configurable.h"

#include <fstream>

#include "TSystem.h"

#include "TMVA/Config.h"
#include "TMVA/Tools.h"

namespace TMVA {

OptionBase::OptionBase(const TString &name, const TString &desc) : fName(name), fNameAllLower(name), fDescription(desc)
{
   fNameAllLower.ToLower();
}

Bool_t OptionBase::SetValue(const TString &text, Int_t i)
{
   fIsSet = kTRUE;
   SetValueLocal(text, i);
   return kTRUE;
}

MsgLogger &OptionBase::Log()
{
   static MsgLogger *logger = new MsgLogger("Option");
   return *logger;
}

Configurable::Configurable(const TString &theOption) : fOptions(theOption), fLogger(this)
{
   fListOfOptions.SetOwner();
   if (gTools().CheckForVerboseOption(theOption))
      Log().SetMinType(kVERBOSE);
}

Configurable::~Configurable() = default;

OptionBase *Configurable::Declare(OptionBase *option)
{
   fListOfOptions.Add(option);
   return fLastDeclaredOption = option;
}

OptionBase *Configurable::FindOption(TString name) const
{
   name.ToLower();
   return static_cast<OptionBase *>(fListOfOptions.FindObject(name));
}

void Configurable::ResetSetFlag()
{
   for (TObject *option : fListOfOptions)
      static_cast<OptionBase *>(option)->fIsSet = kFALSE;
}

/// "name=value" or "name[index]=value". False when there is no such option.
Bool_t Configurable::ParseAssignment(const TString &token)
{
   TString name = token(0, token.First('='));
   const TString value = token(token.First('=') + 1, token.Length());
   Int_t index = -1;
   OptionBase *option = FindOption(name);
   if (!option && name.Contains('[')) {
      index = TString(name(name.First('[') + 1, name.Length())).Atoi();
      name.Remove(name.First('['));
      option = FindOption(name);
   }
   if (!option)
      return kFALSE;
   if (option->IsSet() && index == -1)
      Log() << kWARNING << "Value for option " << option->GetName() << " was previously set to " << option->GetValue() << Endl;
   if (option->HasPreDefinedVal() && !option->IsPreDefinedVal(value)) {
      std::ostringstream known;
      option->Print(known, 1);
      Log() << kFATAL << "Option " << option->TheName() << " does not have predefined value: \"" << value << "\"\n" << known.str()
         << Endl;
   }
   if (!option->IsArrayOpt() && index != -1)
      Log() << kFATAL << "Option " << option->TheName() << " is not an array, but you specified an index" << Endl;
   if (!option->SetValue(value, index))
      Log() << kFATAL << "Index " << index << " too large for option " << option->TheName() << ", allowed range is [0,"
            << option->GetArraySize() - 1 << "]" << Endl;
   return kTRUE;
}

/// "name" or "!name" of a boolean. False when there is no such boolean.
Bool_t Configurable::ParseFlag(const TString &name, Bool_t value, Bool_t negated)
{
   OptionBase *option = FindOption(name);
   if (option && option->IsBoolOpt())
      return option->SetValue(value ? "1" : "0");
   if (option && negated)
      Log() << kFATAL << "Negating a non-boolean variable " << name << ", please check the options for method: " << GetName() << Endl;
   return kFALSE;
}

void Configurable::ParseOptions()
{
   Log() << kVERBOSE << "Parsing option string: \"" << fOptions << "\"" << Endl;
   const std::vector<TString> tokens = gTools().SplitString(TString(fOptions.Strip(TString::kLeading, ':')), ':');
   TString parsed;
   for (size_t i = 0; i < tokens.size(); ++i) {
      TString token = tokens[i];
      // a tilde says that an earlier parsing, of another Configurable perhaps, has understood the token
      bool understood = token.BeginsWith("~");
      token = token.Strip(TString::kLeading, '~');
      bool now = token.Contains('=') && ParseAssignment(token);
      const bool negated = !now && token.BeginsWith("!");
      if (negated)
         token.Remove(0, 1);
      now = now || ParseFlag(token, !negated, negated);
      if (!now && LooseOptionCheckingEnabled())
         for (TObject *object : fListOfOptions) {
            auto *option = static_cast<OptionBase *>(object);
            if (option->HasPreDefinedVal() && option->IsPreDefinedVal(token)) {
               now = option->SetValue(token);
               break;
            }
         }
      understood = understood || now;
      parsed += TString(i ? ":" : "") + (understood ? "~" : "") + (negated ? "!" : "") + token;
   }
   fOptions = parsed;
   PrintOptions();
   if (gConfig().WriteOptionsReference())
      WriteOptionsReferenceToFile();
}

void Configurable::CheckForUnusedOptions() const
{
   TString unused, hints;
   std::vector<TString> names;
   for (TObject *option : fListOfOptions)
      names.push_back(static_cast<OptionBase *>(option)->TheName());
   for (TString token : gTools().SplitString(TString(fOptions.Strip(TString::kLeading, ':')), ':')) {
      if (token == "" || token.BeginsWith("~"))
         continue;
      unused += (unused == "" ? "" : ":") + token;
      token = token.Strip(TString::kLeading, '!');
      hints += gTools().DidYouMean(token.Contains("=") ? TString(token(0, token.First('='))) : token, names);
   }
   if (unused != "")
      Log() << kFATAL << "The following options were specified, but could not be interpreted: '" << unused << "', please check!"
         << hints
            << Endl;
}

void Configurable::PrintOptions() const
{
   for (const bool byUser : {true, false}) {
      Log() << kVERBOSE << (byUser ? "The following options are set:\n- By User:" : "- Default:") << Endl;
      bool any = false;
      for (TObject *object : fListOfOptions) {
         auto *option = static_cast<OptionBase *>(object);
         if (option->IsSet() != byUser)
            continue;
         Log() << kVERBOSE << "    ";
         option->Print(Log());
         Log() << Endl;
         any = true;
      }
      if (!any)
         Log() << kVERBOSE << "    <none>" << Endl;
   }
}

void Configurable::WriteOptionsToStream(std::ostream &out, const TString &prefix) const
{
   for (const bool byUser : {true, false}) {
      out << prefix << (byUser ? "# Set by User:" : "# Default:") << std::endl;
      for (TObject *object : fListOfOptions) {
         auto *option = static_cast<OptionBase *>(object);
         if (option->IsSet() != byUser)
            continue;
         out << prefix;
         option->Print(out);
         out << std::endl;
      }
   }
   out << prefix << "##" << std::endl;
}

/// Lines `Name: "value" [description]` up to one that begins with ##.
void Configurable::ReadOptionsFromStream(std::istream &in)
{
   ResetSetFlag();
   fOptions = "";
   for (std::string line; std::getline(in, line) && line.compare(0, 2, "##") != 0;) {
      std::istringstream words(line);
      std::string name, value;
      if (!(words >> name >> value) || name[0] == '#')
         continue;
      TString option = (name + value).c_str();
      option.ReplaceAll(":", "=").ReplaceAll("\"", "");
      fOptions += (fOptions == "" ? "" : ":") + option;
   }
}

void Configurable::AddOptionsXMLTo(void *parent) const
{
   if (!parent)
      return;
   void *options = gTools().AddChild(parent, "Options");
   for (TObject *object : fListOfOptions) {
      auto *option = static_cast<OptionBase *>(object);
      TString value = option->IsArrayOpt() ? TString() : option->GetValue();
      for (Int_t i = 0; i < option->GetArraySize(); ++i)
         value += (i ? " " : "") + option->GetValue(i);
      void *node = gTools().AddChild(options, "Option", value);
      gTools().AddAttr(node, "name", option->TheName());
      if (option->IsArrayOpt())
         gTools().AddAttr(node, "size", option->GetArraySize());
      gTools().AddAttr(node, "modified", option->IsSet() ? "Yes" : "No");
   }
}

void Configurable::ReadOptionsFromXML(void *node)
{
   fOptions = "";
   for (void *option = gTools().GetChild(node); option; option = gTools().GetNextChild(option)) {
      TString name;
      gTools().ReadAttr(option, "name", name);
      const TString value(gTools().GetContent(option));
      fOptions += fOptions == "" ? "" : ":";
      if (!gTools().HasAttr(option, "size")) {
         fOptions += name + "=" + value;
         continue;
      }
      const std::vector<TString> values = gTools().SplitString(value, ' ');
      for (size_t i = 0; i < values.size(); ++i)
         fOptions += (i ? ":" : "") + name + Form("[%zu]=", i) + values[i];
   }
}

void Configurable::WriteOptionsReferenceToFile()
{
   const TString dir = gConfig().GetIONames().fOptionsReferenceFileDir;
   gSystem->MakeDirectory(dir);
   fReferenceFile = dir + "/" + GetConfigName() + "_optionsRef.txt";
   std::ofstream out(fReferenceFile);
   if (!out.good())
      Log() << kFATAL << "<WriteOptionsReferenceToFile> Unable to open output file: " << fReferenceFile << Endl;
   out << "# List of options:\n# Configurable: " << GetConfigName() << "\n# Description: " << GetConfigDescription() << "\n";
   for (TObject *option : fListOfOptions) {
      static_cast<OptionBase *>(option)->Print(out, 1);
      out << "\n# ------------------------------------------------\n";
   }
}

} // namespace TMVA
