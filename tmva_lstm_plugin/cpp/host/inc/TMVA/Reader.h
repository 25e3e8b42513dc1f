/// \file
/// Applies trained methods to events whose values lie in the user's own variables.
#ifndef ROOT_TMVA_Reader
#define ROOT_TMVA_Reader

#include "TMVA/Configurable.h"
#include "TMVA/DataSetInfo.h"
#include "TMVA/MethodBase.h"
#include "TMVA/Types.h"

#include "TString.h"

#include <list>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace TMVA {


/// Variables and spectators are declared in the order of the training, with the same expressions; then methods are booked from
/// their weights files. One Reader belongs to one thread.
class Reader : public Configurable {
public:
   /// Options: V, Color, Silent.
   Reader(const TString &options = "", Bool_t verbose = kFALSE);
   /// With names the values are given to EvaluateMVA as a vector.
   Reader(std::vector<std::string> &names, const TString &options = "", Bool_t verbose = kFALSE);
   ~Reader() override;

   const char *GetName() const override { return "Reader"; }

   /// The elements of an array are declared one by one, all with the name of the array.
   void AddVariable(const TString &name, Float_t *value) { DataInfo().AddVariable(name, "", "", 0, 0, 'F', kFALSE, value); }
   void AddVariable(const TString &name, Int_t *value) { AddVariable(name, FloatFor(value)); }
   void AddSpectator(const TString &name, Float_t *value) { DataInfo().AddSpectator(name, "", "", 0, 0, 'F', kFALSE, value); }
   void AddSpectator(const TString &name, Int_t *value) { AddSpectator(name, FloatFor(value)); }

   /// \param tag  by which the method is called from then on, not yet used
   IMethod *BookMVA(const TString &tag, const TString &weightFile);
   /// From the text of a weights file; the method is not kept under a tag and belongs to the Reader.
   IMethod *BookMVA(Types::EMVA type, const char *xml);
   IMethod *FindMVA(const TString &tag) { return fMethodMap.count(tag) ? fMethodMap[tag] : nullptr; }

   /// The answer for one event; -999, after an error message, when a value is NaN. The vectors hold the variables in the order of
   /// their declaration. `aux` has no meaning here.
   Double_t EvaluateMVA(const std::vector<Float_t> &values, const TString &tag, Double_t aux = 0);
   Double_t EvaluateMVA(const std::vector<Double_t> &values, const TString &tag, Double_t aux = 0)
   {
      return EvaluateMVA(std::vector<Float_t>(values.begin(), values.end()), tag, aux);
   }
   Double_t EvaluateMVA(MethodBase *method, Double_t aux = 0);
   Double_t EvaluateMVA(const TString &tag, Double_t aux = 0) { return EvaluateMVA(&Method(tag), aux); }

   /// One value a target or a class, valid until the next call; -999 each when a value is NaN.
   const std::vector<Float_t> &EvaluateRegression(const TString &tag, Double_t aux = 0)
   {
      return EvaluateRegression(&Method(tag), aux);
   }
   const std::vector<Float_t> &EvaluateRegression(MethodBase *method, Double_t aux = 0);
   Float_t EvaluateRegression(UInt_t target, const TString &tag, Double_t aux = 0)
   {
      return EvaluateRegression(tag, aux).at(target);
   }
   const std::vector<Float_t> &EvaluateMulticlass(const TString &tag, Double_t aux = 0)
   {
      return EvaluateMulticlass(&Method(tag), aux);
   }
   const std::vector<Float_t> &EvaluateMulticlass(MethodBase *method, Double_t aux = 0);
   Float_t EvaluateMulticlass(UInt_t classIndex, const TString &tag, Double_t aux = 0)
   {
      return EvaluateMulticlass(tag, aux).at(classIndex);
   }

   const DataSetInfo &DataInfo() const { return fDataSetInfo; }
   DataSetInfo &DataInfo() { return fDataSetInfo; }

private:
   Float_t *FloatFor(Int_t *value); ///< an entry of fIntegers
   TString MethodTypeOfFile(const TString &weightFile) const;
   MethodBase *Create(Types::EMVA type, const TString &weightFile);
   MethodBase &Method(const TString &tag) const; ///< fatal when there is none
   /// Takes the values of the user's variables into fEvent; false, after an error message, when one of them is NaN.
   Bool_t ReadEvent();
   Bool_t HasNaN(const std::vector<Float_t> &values) const;
   const std::vector<Float_t> &NoAnswer(std::size_t n);

   DataSetInfo fDataSetInfo{"Reader"}; //!
   Event fEvent;             //! under evaluation
   std::map<TString, MethodBase *> fMethodMap;         //! not owned
   std::vector<std::unique_ptr<MethodBase>> fMethods;  //!
   std::list<std::pair<Int_t *, Float_t>> fIntegers;   //! variables of type Int_t and their values as Float_t
   std::vector<Float_t> fNoAnswer;                     //!

   ClassDefOverride(Reader, 0);
};

} // namespace TMVA

#endif
