/// \file
/// Books methods and takes them through training, testing and evaluation.
#ifndef ROOT_TMVA_Factory
#define ROOT_TMVA_Factory

#include "TMVA/Configurable.h"
#include "TMVA/Types.h"

#include "TString.h"

#include <map>
#include <memory>
#include <vector>

class TCanvas;
class TFile;
class TGraph;
class TMultiGraph;

namespace TMVA {

class DataLoader;
class DataSetInfo;
class IMethod;
class MethodBase;
class ROCCurve;

class Factory : public Configurable {
public:
   typedef std::vector<IMethod *> MVector;
   std::map<TString, MVector *> fMethodsMap; ///<! the booked methods by the name of their data set; owned

   /// \param job     first part of the names of weights files
   /// \param target  output file, opened for writing, which stays with the caller; null: no histograms and trees are written
   /// \param options V, VerboseLevel, Color, Transformations, ROC, Silent, ModelPersistence, AnalysisType; Correlations and
   ///                DrawProgressBar are taken and without effect
   Factory(TString job, TFile *target, TString options = "");
   Factory(TString job, TString options = "");
   ~Factory() override;

   const char *GetName() const override { return "Factory"; }

   /// \param method  a name registered in ClassifierFactory
   /// \param title   not yet used for this loader; names the branch, the folder and the weights file
   /// \return the method, which belongs to the factory and is replaced by another object in TrainAllMethods; null, after a
   ///         warning, when it does not do this kind of analysis
   MethodBase *BookMethod(DataLoader *loader, TString method, TString title, TString options = "");
   MethodBase *BookMethod(DataLoader *loader, Types::EMVA method, TString title, TString options = "");

   /// Trains what has at least ten training events, ranks, saves histories and, with ModelPersistence, makes every method anew
   /// from its weights file.
   void TrainAllMethods();
   void TestAllMethods();
   /// Prints figures of merit, writes histograms, TestTree and TrainTree.
   void EvaluateAllMethods();
   void DeleteAllMethods();

   /// Null when there is none.
   IMethod *GetMethod(const TString &dataset, const TString &title) const;
   Bool_t HasMethod(const TString &dataset, const TString &title) const { return GetMethod(dataset, title) != nullptr; }
   Bool_t IsSilentFile() const { return fSilentFile; }

   // ---- background rejection against signal efficiency, weighted; after TestAllMethods. For several classes that of class
   //      `iClass` against all others. 0 or null, after an error message, when there is no such thing

   Double_t GetROCIntegral(DataLoader *loader, TString title, UInt_t iClass = 0, Types::ETreeType type = Types::kTesting);
   Double_t GetROCIntegral(TString dataset, TString title, UInt_t iClass = 0, Types::ETreeType type = Types::kTesting);
   /// The caller owns graphs and canvases.
   TGraph *GetROCCurve(DataLoader *loader, TString title, Bool_t setTitles = kTRUE, UInt_t iClass = 0,
                       Types::ETreeType type = Types::kTesting);
   TGraph *GetROCCurve(TString dataset, TString title, Bool_t setTitles = kTRUE, UInt_t iClass = 0,
                       Types::ETreeType type = Types::kTesting);
   TMultiGraph *GetROCCurveAsMultiGraph(DataLoader *loader, UInt_t iClass, Types::ETreeType type = Types::kTesting);
   TMultiGraph *GetROCCurveAsMultiGraph(TString dataset, UInt_t iClass, Types::ETreeType type = Types::kTesting);
   TCanvas *GetROCCurve(DataLoader *loader, UInt_t iClass = 0, Types::ETreeType type = Types::kTesting);
   TCanvas *GetROCCurve(TString dataset, UInt_t iClass = 0, Types::ETreeType type = Types::kTesting);

private:
   void ReadOptions();
   void DecideAnalysisType(const DataSetInfo &info);
   void RefuseBoosting(const TString &options) const;
   TString WeightFileFolder(const TString &dataset) const;
   const char *AnalysisName() const;
   std::vector<MethodBase *> Methods(const MVector &list) const;
   void CheckTrainable(MethodBase &method) const;
   void TrainDataSet(MVector &list);
   MethodBase *MakeAnew(MethodBase *method);
   void WriteDataInformation(DataSetInfo &info);
   void WriteTrees(DataSetInfo &info);
   void EvaluateClassification(const std::vector<MethodBase *> &methods);
   void EvaluateRegression(const std::vector<MethodBase *> &methods);
   void EvaluateMulticlass(const std::vector<MethodBase *> &methods);
   std::unique_ptr<ROCCurve> GetROC(const TString &dataset, const TString &title, UInt_t iClass, Types::ETreeType type);

   TFile *fTargetFile;             ///<! not owned
   TString fJobName;               ///< first part of the names of weights files
   TString fTransformations = "I"; ///< for which variables are plotted
   Bool_t fROC = kTRUE;            ///< print the tables of a classification
   Bool_t fSilentFile;             ///< there is no output file
   Bool_t fModelPersistence = kTRUE;
   Types::EAnalysisType fAnalysisType = Types::kNoAnalysisType;

   ClassDefOverride(Factory, 0);
};

} // namespace TMVA

#endif
