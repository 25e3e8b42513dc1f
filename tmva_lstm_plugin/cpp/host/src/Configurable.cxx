#include "TMVA/Configurable.h"

#include "TMVA/Tools.h"

#include <algorithm>

namespace TMVA {

TString Option::Value() const
{
   if (const auto flag = std::get_if<Bool_t *>(&variable))
      return **flag ? "True" : "False";
   std::stringstream text;
   text << std::scientific;
   std::visit([&text](const auto *value) { text << *value; }, variable);
   return text.str();
}

const TString *Option::FindAllowed(const TString &text) const
{
   const auto found = std::find_if(allowed.begin(), allowed.end(), [&text](const TString &value) {
      return value.CompareTo(text, TString::kIgnoreCase) == 0;
   });
   return found == allowed.end() ? nullptr : &*found;
}

Configurable::Configurable(const TString &theOption) : fOptions(theOption), fLogger(this) {}

Option *Configurable::FindOption(const TString &name)
{
   for (Option &option : fListOfOptions)
      if (option.name.CompareTo(name, TString::kIgnoreCase) == 0)
         return &option;
   return nullptr;
}

void Configurable::SetValue(Option &option, const TString &text)
{
   const TString *known = option.FindAllowed(text);
   if (!option.allowed.empty() && !known)
      Log() << kFATAL << "Option " << option.name << " does not have predefined value: \"" << text << "\"; it is one of "
            << gTools().JoinNames(option.allowed) << "." << gTools().DidYouMean(text, option.allowed) << Endl;
   option.isSet = kTRUE;
   std::stringstream value((known ? *known : text).Data());
   if (auto string = std::get_if<TString *>(&option.variable)) {
      **string = "";
      value >> **string; // a value ends at the first blank
   } else if (auto flag = std::get_if<Bool_t *>(&option.variable)) {
      TString lower(text);
      lower.ToLower();
      **flag = lower == "1" || lower == "true" || lower == "ktrue" || lower == "t";
      if (!**flag && lower != "0" && lower != "false" && lower != "kfalse" && lower != "f")
         Log() << kFATAL << "value '" << text << "' of option " << option.name << " can not be interpreted as boolean: write "
               << option.name << " or !" << option.name << ", True or False" << Endl;
   } else {
      // A text that is a number only in part is refused; a real TMVA takes the part, or zero.
      std::visit([&value](auto *number) { value >> *number; }, option.variable);
      if (value.fail() || !(value >> std::ws).eof())
         Log() << kFATAL << "value '" << text << "' of option " << option.name << " is not a number of the type of this option"
               << Endl;
   }
}

/// "name=value", "name" or "!name" of a boolean, or a bare value that is an allowed one of some option. False if not understood.
Bool_t Configurable::ParseToken(const TString &token)
{
   const Ssiz_t equals = token.First('=');
   const Bool_t negated = equals < 0 && token.BeginsWith("!");
   const TString name = equals >= 0 ? TString(token(0, equals)) : negated ? TString(token(1, token.Length())) : token;
   Option *option = FindOption(name);
   if (equals >= 0 && option) {
      if (option->isSet)
         Log() << kWARNING << "Value for option " << option->name << " was previously set to " << option->Value() << Endl;
      SetValue(*option, token(equals + 1, token.Length()));
      return kTRUE;
   }
   if (equals < 0 && option && option->IsBool()) {
      SetValue(*option, negated ? "0" : "1");
      return kTRUE;
   }
   if (negated && option)
      Log() << kFATAL << "Negating a non-boolean variable " << name << ", please check the options of " << GetName() << Endl;
   for (Option &other : fListOfOptions)
      if (equals < 0 && other.FindAllowed(name)) {
         SetValue(other, name);
         return kTRUE;
      }
   return kFALSE;
}

void Configurable::ParseOptions()
{
   Log() << kVERBOSE << "Parsing option string: \"" << fOptions << "\"" << Endl;
   TString parsed;
   for (const TString &token : gTools().SplitString(TString(fOptions.Strip(TString::kLeading, ':')), ':')) {
      // a tilde says that an earlier parsing, of another Configurable perhaps, has understood the token
      const TString bare = token.Strip(TString::kLeading, '~');
      const bool understood = ParseToken(bare) || token.BeginsWith("~");
      parsed += (parsed == "" ? "" : ":") + TString(understood ? "~" : "") + bare;
   }
   fOptions = parsed;
   const Option *verbose = FindOption("V");
   if (verbose && verbose->Value() == "True")
      Log().SetMinType(kVERBOSE);
   for (const bool byUser : {true, false}) {
      Log() << kVERBOSE << (byUser ? "The following options are set:\n- By User:" : "- Default:") << Endl;
      for (const Option &option : fListOfOptions)
         if (option.isSet == byUser)
            Log() << kVERBOSE << "    " << option.name << ": \"" << option.Value() << "\" [" << option.description << "]" << Endl;
   }
}

void Configurable::CheckForUnusedOptions() const
{
   TString unused, hints;
   std::vector<TString> names;
   for (const Option &option : fListOfOptions)
      names.push_back(option.name);
   for (TString token : gTools().SplitString(TString(fOptions.Strip(TString::kLeading, ':')), ':')) {
      if (token == "" || token.BeginsWith("~"))
         continue;
      unused += (unused == "" ? "" : ":") + token;
      token = token.Strip(TString::kLeading, '!');
      hints += gTools().DidYouMean(token.Contains("=") ? TString(token(0, token.First('='))) : token, names);
   }
   if (unused != "")
      Log() << kFATAL << "The following options were specified, but could not be interpreted: '" << unused << "', please check!"
            << hints << Endl;
}

void Configurable::AddOptionsXMLTo(void *parent) const
{
   void *options = gTools().AddChild(parent, "Options");
   for (const Option &option : fListOfOptions) {
      void *node = gTools().AddChild(options, "Option", option.Value());
      gTools().AddAttr(node, "name", option.name);
      gTools().AddAttr(node, "modified", option.isSet ? "Yes" : "No");
   }
}

void Configurable::ReadOptionsFromXML(void *node)
{
   fOptions = "";
   for (void *option = gTools().GetChild(node); option; option = gTools().GetNextChild(option)) {
      TString name;
      gTools().ReadAttr(option, "name", name);
      fOptions += (fOptions == "" ? "" : ":") + name + "=" + gTools().GetContent(option);
   }
}

} // namespace TMVA
