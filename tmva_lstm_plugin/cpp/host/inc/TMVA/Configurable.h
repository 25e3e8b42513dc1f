/// \file
/// Base of all classes that read an option string: "Name=value:!Flag".
#ifndef ROOT_TMVA_Configurable
#define ROOT_TMVA_Configurable

#include <deque>
#include <variant>
#include <vector>

#include "TObject.h"
#include "TString.h"

#include "TMVA/MsgLogger.h"

namespace TMVA {

/// A name bound to a variable.
struct Option {
   using Variable = std::variant<Bool_t *, Int_t *, UInt_t *, Float_t *, Double_t *, TString *>;
   Variable variable;
   TString name;
   TString description;
   std::vector<TString> allowed; ///< case aside; empty: any value
   Bool_t isSet = kFALSE;

   Bool_t IsBool() const { return std::holds_alternative<Bool_t *>(variable); }
   /// Numbers in scientific notation with 6 decimals, booleans as True and False.
   TString Value() const;
   /// The allowed value that `text` is, case aside; null when it is none.
   const TString *FindAllowed(const TString &text) const;
};

class Configurable : public TObject {
public:
   Configurable(const TString &theOption = "");

   /// Assigns what the option string says to the variables that were declared. Fatal for a wrong value; a name that is not
   /// known stays, for CheckForUnusedOptions().
   virtual void ParseOptions();
   /// Fatal when something in the option string was not understood; names the nearest option.
   void CheckForUnusedOptions() const;

   const char *GetName() const override { return fConfigName; }
   void SetConfigName(const char *name) { fConfigName = name; }

   /// Binds an option to `variable`, whose value of now is the default. It must live as long as this object.
   template <class T>
   void DeclareOptionRef(T &variable, const TString &name, const TString &description = "")
   {
      fListOfOptions.push_back({&variable, name, description, {}, kFALSE});
   }
   /// Adds an allowed value to the option declared last.
   void AddPreDefVal(const TString &value) { fListOfOptions.back().allowed.push_back(value); }

   /// After parsing every token that was understood begins with '~'.
   const TString &GetOptions() const { return fOptions; }

   void AddOptionsXMLTo(void *parent) const;
   void ReadOptionsFromXML(void *node);

protected:
   MsgLogger &Log() const { return fLogger; }

private:
   Configurable(const Configurable &) = delete;
   Configurable &operator=(const Configurable &) = delete;

   Option *FindOption(const TString &name);
   void SetValue(Option &option, const TString &text);
   Bool_t ParseToken(const TString &token);

   TString fOptions;
   std::deque<Option> fListOfOptions; //!
   TString fConfigName = "Configurable";
   mutable MsgLogger fLogger; //!

   ClassDefOverride(Configurable, 0);
};

} // namespace TMVA

#endif
