/// \file
/// One option of a Configurable: a name bound to a variable.
#ifndef ROOT_TMVA_Option
#define ROOT_TMVA_Option

#include <algorithm>
#include <sstream>
#include <type_traits>
#include <vector>

#include "TObject.h"
#include "TString.h"

#include "TMVA/MsgLogger.h"

namespace TMVA {

class OptionBase : public TObject {
public:
   OptionBase(const TString &name, const TString &desc);
   ~OptionBase() override {}

   const char *GetName() const override { return fNameAllLower.Data(); } ///< look-up does not mind case
   virtual const char *TheName() const { return fName.Data(); }
   virtual TString GetValue(Int_t i = -1) const = 0;
   Bool_t IsSet() const { return fIsSet; }
   virtual Bool_t IsArrayOpt() const = 0;
   virtual Bool_t IsBoolOpt() const = 0;
   const TString &Description() const { return fDescription; }
   virtual Bool_t IsPreDefinedVal(const TString &) const = 0;
   virtual Bool_t HasPreDefinedVal() const = 0;
   virtual Int_t GetArraySize() const = 0;
   /// Index -1 sets a whole array. False when the index is out of range.
   virtual Bool_t SetValue(const TString &text, Int_t i = -1);
   using TObject::Print;
   virtual void Print(std::ostream &out, Int_t levelofdetail = 0) const = 0;

protected:
   virtual void SetValueLocal(const TString &text, Int_t i = -1) = 0;
   static MsgLogger &Log();

private:
   friend class Configurable;
   const TString fName;
   TString fNameAllLower;
   const TString fDescription;
   Bool_t fIsSet = kFALSE;
};

template <class T>
class Option : public OptionBase {
public:
   Option(T &ref, const TString &name, const TString &desc) : OptionBase(name, desc), fRefPtr(&ref) {}

   /// Numbers in scientific notation with 6 decimals, booleans as True and False.
   TString GetValue(Int_t i = -1) const override
   {
      if constexpr (std::is_same_v<T, Bool_t>)
         return Value(i) ? "True" : "False";
      std::stringstream str;
      str << std::scientific << Value(i);
      return str.str();
   }
   virtual const T &Value(Int_t = -1) const { return *fRefPtr; }
   Bool_t HasPreDefinedVal() const override { return !fPreDefs.empty(); }
   Bool_t IsPreDefinedVal(const TString &text) const override
   {
      if constexpr (std::is_same_v<T, TString>)
         return FindPreDef(text) != fPreDefs.end();
      T value{};
      std::stringstream str(text.Data());
      str >> value;
      return fPreDefs.empty() || std::find(fPreDefs.begin(), fPreDefs.end(), value) != fPreDefs.end();
   }
   Bool_t IsArrayOpt() const override { return kFALSE; }
   Bool_t IsBoolOpt() const override { return std::is_same_v<T, Bool_t> && !IsArrayOpt(); }
   Int_t GetArraySize() const override { return 0; }
   virtual void AddPreDefVal(const T &value)
   {
      if (std::is_same_v<T, Bool_t> || std::is_floating_point_v<T>)
         Log() << kFATAL << "<AddPreDefVal> Option " << TheName()
            << " is a boolean or a real number; such an option has no list of values"
               << Endl;
      fPreDefs.push_back(value);
   }
   using OptionBase::Print;
   void Print(std::ostream &out, Int_t levelofdetail = 0) const override
   {
      for (Int_t i = 0; i < std::max(1, GetArraySize()); ++i) {
         out << (i ? "\n    " : "") << TheName();
         if (IsArrayOpt())
            out << "[" << i << "]";
         out << ": \"" << GetValue(i) << "\"";
         if (i == 0)
            out << " [" << Description() << "]";
      }
      if (!HasPreDefinedVal() || levelofdetail <= 0)
         return;
      out << "\nPreDefined - possible values are:\n";
      for (const T &value : fPreDefs)
         out << "                         - " << value << "\n";
   }

protected:
   virtual T &Value(Int_t = -1) { return *fRefPtr; }

   void SetValueLocal(const TString &text, Int_t i = -1) override
   {
      if constexpr (std::is_same_v<T, Bool_t>) {
         TString lower(text);
         lower.ToLower();
         const Bool_t yes = lower == "1" || lower == "true" || lower == "ktrue" || lower == "t";
         const Bool_t no = lower == "0" || lower == "false" || lower == "kfalse" || lower == "f";
         if (!yes && !no)
            Log() << kFATAL << "<SetValueLocal> value '" << text << "' of option " << TheName()
                  << " can not be interpreted as boolean: write " << TheName() << " or !" << TheName() << ", True or False" << Endl;
         Value(i) = yes;
      } else if constexpr (std::is_same_v<T, TString>) {
         const auto known = FindPreDef(text);
         std::stringstream str((known != fPreDefs.end() ? *known : text).Data());
         TString firstWord; // a value ends at the first blank
         str >> firstWord;
         Value(i) = firstWord;
      } else {
         std::stringstream str(text.Data());
         T value{};
         // A text that is a number only in part is refused; a real TMVA takes the part, or zero.
         if (!(str >> value) || !(str >> std::ws).eof())
            Log() << kFATAL << "<SetValueLocal> value '" << text << "' of option " << TheName()
                  << " is not a number of the type of this option" << Endl;
         Value(i) = value;
      }
   }

   typename std::vector<T>::const_iterator FindPreDef(const TString &text) const
   {
      return std::find_if(fPreDefs.begin(), fPreDefs.end(), [&](const T &value) {
         if constexpr (std::is_same_v<T, TString>)
            return value.CompareTo(text, TString::kIgnoreCase) == 0;
         return false;
      });
   }

   T *fRefPtr;
   std::vector<T> fPreDefs;
};

/// An array: `Name[2]=x` sets one element, `Name=x` all of them.
template <typename T>
class Option<T *> : public Option<T> {
public:
   Option(T *&ref, Int_t size, const TString &name, const TString &desc)
      : Option<T>(*ref, name, desc), fVRefPtr(&ref), fSize(size)
   {
   }
   const T &Value(Int_t i = -1) const override { return (*fVRefPtr)[std::max(i, 0)]; }
   Bool_t IsArrayOpt() const override { return kTRUE; }
   Int_t GetArraySize() const override { return fSize; }
   Bool_t SetValue(const TString &text, Int_t i = -1) override
   {
      if (i >= fSize)
         return kFALSE;
      for (Int_t k = std::max(i, 0); k < (i < 0 ? fSize : i + 1); ++k)
         OptionBase::SetValue(text, k);
      return kTRUE;
   }

protected:
   T &Value(Int_t i = -1) override { return (*fVRefPtr)[std::max(i, 0)]; }

private:
   T **fVRefPtr;
   Int_t fSize;
};

} // namespace TMVA

#endif
