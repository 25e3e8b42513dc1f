/// \file
/// Base of all classes that read an option string: "Name=value:!Flag:Array[1]=value".
#ifndef ROOT_TMVA_Configurable
#define ROOT_TMVA_Configurable

#include <iosfwd>

#include "TList.h"
#include "TObject.h"
#include "TString.h"

#include "TMVA/MsgLogger.h"
#include "TMVA/Option.h"

namespace TMVA {

class Configurable : public TObject {
public:
   Configurable(const TString &theOption = "");
   ~Configurable() override;

   /// Assigns what the option string says to the variables that were declared. Fatal for a wrong value; a name that is not
   /// known stays, for CheckForUnusedOptions().
   virtual void ParseOptions();
   void PrintOptions() const;

   const char *GetName() const override { return GetConfigName(); }
   const char *GetConfigName() const { return fConfigName; }
   const char *GetConfigDescription() const { return fConfigDescription; }
   void SetConfigName(const char *name) { fConfigName = name; }
   void SetConfigDescription(const char *description) { fConfigDescription = description; }

   /// Binds an option to `ref`, whose value of now is the default. `ref` must live as long as this object.
   template <class T>
   OptionBase *DeclareOptionRef(T &ref, const TString &name, const TString &desc = "")
   {
      return Declare(new Option<T>(ref, name, desc));
   }
   template <class T>
   OptionBase *DeclareOptionRef(T *&ref, Int_t size, const TString &name, const TString &desc = "")
   {
      return Declare(new Option<T *>(ref, size, name, desc));
   }
   /// Adds an allowed value to the option declared last, or to the one named.
   template <class T>
   void AddPreDefVal(const T &value)
   {
      if (auto *option = dynamic_cast<Option<T> *>(fLastDeclaredOption))
         option->AddPreDefVal(value);
   }
   template <class T>
   void AddPreDefVal(const TString &name, const T &value)
   {
      auto *option = dynamic_cast<Option<T> *>(FindOption(name));
      if (!option)
         Log() << kFATAL << "<AddPreDefVal> Option \"" << name << "\" is not declared, or not with the type of this value" << Endl;
      option->AddPreDefVal(value);
   }

   /// Fatal when something in the option string was not understood; names the nearest option.
   void CheckForUnusedOptions() const;

   /// After parsing every token that was understood begins with '~'.
   const TString &GetOptions() const { return fOptions; }
   void SetOptions(const TString &options) { fOptions = options; }

   void WriteOptionsToStream(std::ostream &out, const TString &prefix) const;
   void ReadOptionsFromStream(std::istream &in);
   void AddOptionsXMLTo(void *parent) const;
   void ReadOptionsFromXML(void *node);

   void SetMsgType(EMsgType type) { fLogger.SetMinType(type); }

protected:
   /// Loose: a bare value that belongs to the allowed values of some option sets that option.
   Bool_t LooseOptionCheckingEnabled() const { return fLooseOptionCheckingEnabled; }
   void EnableLooseOptions(Bool_t b = kTRUE) { fLooseOptionCheckingEnabled = b; }

   void WriteOptionsReferenceToFile();
   void ResetSetFlag();
   const TString &GetReferenceFile() const { return fReferenceFile; }
   MsgLogger &Log() const { return fLogger; }

private:
   Configurable(const Configurable &) = delete;
   Configurable &operator=(const Configurable &) = delete;

   OptionBase *Declare(OptionBase *option);
   OptionBase *FindOption(TString name) const;
   Bool_t ParseAssignment(const TString &token);
   Bool_t ParseFlag(const TString &name, Bool_t value, Bool_t negated);

   TString fOptions;
   Bool_t fLooseOptionCheckingEnabled = kTRUE;
   OptionBase *fLastDeclaredOption = nullptr; ///<! owned by the list
   TList fListOfOptions;                      ///<! owns the options
   TString fConfigName = "Configurable";
   TString fConfigDescription = "No description";
   TString fReferenceFile = "None";
   mutable MsgLogger fLogger; //!

   ClassDefOverride(Configurable, 0);
};

} // namespace TMVA

#endif
