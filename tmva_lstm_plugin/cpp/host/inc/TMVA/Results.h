/// \file
/// What a method answered for the events of a data set, and the histograms made of it.
#ifndef ROOT_TMVA_Results
#define ROOT_TMVA_Results

#include <map>
#include <vector>

#include "TList.h"
#include "TObject.h"

#include "TMVA/DataSetInfo.h"
#include "TMVA/MsgLogger.h"
#include "TMVA/Types.h"

class TGraph;
class TH1;
class TH2;

namespace TMVA {

class DataSet;

class Results : public TObject {
public:
   Results(const DataSetInfo *dsi, TString resultsName);
   ~Results() override;

   /// Takes a histogram or graph over; it is found again under `alias`, its own name by default.
   void Store(TObject *obj, const char *alias = nullptr);
   void SetTreeType(Types::ETreeType type) { fTreeType = type; }
   Types::ETreeType GetTreeType() const { return fTreeType; }
   const DataSetInfo *GetDataSetInfo() const { return fDsi; }
   DataSet *GetDataSet() const { return fDsi->GetDataSet(); }
   TList *GetStorage() const { return fStorage; }
   /// Null when there is no such thing, or it is of another kind.
   TObject *GetObject(const TString &alias) const;
   TH1 *GetHist(const TString &alias) const;
   TH2 *GetHist2D(const TString &alias) const;
   TGraph *GetGraph(const TString &alias) const;
   Bool_t DoesExist(const TString &alias) const { return GetObject(alias) != nullptr; }
   virtual Types::EAnalysisType GetAnalysisType() { return Types::kNoAnalysisType; }
   /// Deletes what is stored.
   void Delete(Option_t *option = "") override;

   /// The answers for one event: one value, one a class, or one a target.
   virtual const std::vector<Float_t> &operator[](Int_t ievt) const = 0;

private:
   Types::ETreeType fTreeType = Types::kTraining;
   const DataSetInfo *fDsi; ///<! not owned
   TList *fStorage;         ///<! owned, with what is in it
   std::map<TString, TObject *> fAliases; //!

protected:
   mutable MsgLogger fLogger; //!
   MsgLogger &Log() const { return fLogger; }

   ClassDefOverride(Results, 0);
};

} // namespace TMVA

#endif
