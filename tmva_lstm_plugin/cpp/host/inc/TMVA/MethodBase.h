/// \file
/// Base of all methods: options, life cycle, weights file, transformed events, figures of merit.
#ifndef ROOT_TMVA_MethodBase
#define ROOT_TMVA_MethodBase

#include <iosfwd>
#include <memory>
#include <vector>

#include "TString.h"

#include "TMVA/Configurable.h"
#include "TMVA/DataSet.h"
#include "TMVA/DataSetInfo.h"
#include "TMVA/Event.h"
#include "TMVA/IMethod.h"
#include "TMVA/TrainingHistory.h"
#include "TMVA/TransformationHandler.h"
#include "TMVA/Types.h"

class TDirectory;
class TFile;

namespace TMVA {

class ROCCurve;
class Ranking;

/// The life of a method, in the order of calls:
///
/// - booked: constructor (job, title, options), HasAnalysisType, SetupMethod [Init, DeclareOptions], ParseOptions, ProcessSetup
///   [ProcessOptions], CheckSetup;
/// - trained: TrainMethod [CalcTransformations, Train, response on the training sample, WriteStateToFile, MakeClass,
///   WriteMonitoringHistosToFile];
/// - made anew from its file, for testing and in the Reader: constructor (weights file), SetupMethod, ReadStateFromFile
///   [ParseOptions on the options of the file, ReadWeightsFromXML last]; ProcessOptions is not called.
class MethodBase : virtual public IMethod, public Configurable {
   friend class Factory;
   friend class Reader;

public:
   MethodBase(const TString &jobName, Types::EMVA methodType, const TString &methodTitle, DataSetInfo &dsi,
              const TString &theOption = "");
   MethodBase(Types::EMVA methodType, DataSetInfo &dsi, const TString &weightFile);
   ~MethodBase() override;

   void SetupMethod();
   void ProcessSetup();
   virtual void CheckSetup() { CheckForUnusedOptions(); }
   void TrainMethod();
   void Train() override = 0;
   void Init() override = 0;
   void DeclareOptions() override = 0;
   void ProcessOptions() override = 0;
   Double_t GetTrainTime() const { return fTrainTime; }

   /// Fills the results of the method on a sample.
   void AddOutput(Types::ETreeType type, Types::EAnalysisType analysisType);

   Double_t GetMvaValue(Double_t *errLower = nullptr, Double_t *errUpper = nullptr) override = 0;
   Double_t GetMvaValue(const TMVA::Event *const ev, Double_t *err = nullptr, Double_t *errUpper = nullptr);

protected:
   /// Sets the errors to -1, "not known".
   void NoErrorCalc(Double_t *const err, Double_t *const errUpper);
   /// Responses on the current sample, events firstEvt up to lastEvt, this one not included; to the end when lastEvt is negative
   /// or beyond it. Element 0 belongs to firstEvt.
   virtual std::vector<Double_t> GetMvaValues(Long64_t firstEvt = 0, Long64_t lastEvt = -1, Bool_t logProgress = false);

public:
   const std::vector<Float_t> &GetRegressionValues(const TMVA::Event *const ev);
   virtual const std::vector<Float_t> &GetRegressionValues() { return fNoValues; }
   const std::vector<Float_t> &GetMulticlassValues(const TMVA::Event *const ev);
   virtual const std::vector<Float_t> &GetMulticlassValues() { return fNoValues; }

   const Ranking *CreateRanking() override = 0;
   /// Writes `<job>_<title>.class.C`: the frame of a class `Read<title>` with GetMvaValue(std::vector<double>). What the method
   /// writes in MakeClassSpecific() has to close the class and to define Initialize, Clear and GetMvaValue__.
   void MakeClass(const TString &classFileName = TString("")) const override;
   void PrintHelpMessage() const override;

   void WriteStateToFile() const;
   void ReadStateFromFile();
   void ReadStateFromXMLString(const char *xmlstr);

protected:
   virtual void AddWeightsXMLTo(void *parent) const = 0;
   virtual void ReadWeightsFromXML(void *wghtnode) = 0;
   void ReadWeightsFromStream(std::istream &) override = 0;
   virtual void ReadWeightsFromStream(TFile &) {}

public:
   void WriteMonitoringHistosToFile() const override {}
   virtual void WriteEvaluationHistosToFile(Types::ETreeType treetype);

   /// Both make the plots of the response; after TestAllMethods.
   virtual void TestClassification();
   virtual void TestMulticlass();

   const TString &GetJobName() const { return fJobName; }
   const TString &GetMethodName() const { return fMethodName; } ///< the title
   TString GetMethodTypeName() const { return Types::Instance().GetMethodName(fMethodType); }
   Types::EMVA GetMethodType() const { return fMethodType; }
   const char *GetName() const override { return fMethodName.Data(); }
   TString GetTestvarName() const { return "MVA_" + fMethodName; }
   TString GetWeightFileName() const;
   UInt_t GetNvar() const { return DataInfo().GetNVariables(); }
   UInt_t GetNVariables() const { return DataInfo().GetNVariables(); }
   UInt_t GetNTargets() const { return DataInfo().GetNTargets(); }

   /// `<file>/<data set>/Method_<type>/<title>`, made at the first call. Fatal without an output file: ask IsSilentFile() first.
   TDirectory *BaseDir() const;
   void SetFile(TFile *file) { fFile = file; }
   void SetSilentFile(Bool_t silent) { fSilentFile = silent; }
   Bool_t IsSilentFile() const { return fSilentFile; }
   void SetModelPersistence(Bool_t persistent) { fModelPersistence = persistent; }

   TransformationHandler &GetTransformationHandler() { return fTransformation; }
   const TransformationHandler &GetTransformationHandler() const { return fTransformation; }
   DataSet *Data() const { return DataInfo().GetDataSet(); }
   DataSetInfo &DataInfo() const { return fDataSetInfo; }
   UInt_t GetNEvents() const { return Data()->GetNEvents(); }
   /// All of these are transformed events.
   const Event *GetEvent() const { return GetEvent(fTmpEvent ? fTmpEvent : Data()->GetEvent()); }
   const Event *GetEvent(const TMVA::Event *ev) const { return fTransformation.Transform(ev); }
   const Event *GetEvent(Long64_t ievt) const { return GetEvent(Data()->GetEvent(ievt)); }
   const Event *GetEvent(Long64_t ievt, Types::ETreeType type) const { return GetEvent(Data()->GetEvent(ievt, type)); }
   const Event *GetTrainingEvent(Long64_t ievt) const { return GetEvent(ievt, Types::kTraining); }
   const Event *GetTestingEvent(Long64_t ievt) const { return GetEvent(ievt, Types::kTesting); }
   const std::vector<TMVA::Event *> &GetEventCollection(Types::ETreeType type);

   TrainingHistory fTrainHistory; ///< saved by the Factory

   virtual void SetAnalysisType(Types::EAnalysisType type) { fAnalysisType = type; }
   Types::EAnalysisType GetAnalysisType() const { return fAnalysisType; }
   Bool_t DoRegression() const { return fAnalysisType == Types::kRegression; }
   Bool_t DoMulticlass() const { return fAnalysisType == Types::kMulticlass; }

protected:
   mutable const Event *fTmpEvent = nullptr; ///<! the event under evaluation, when it is none of the data set

   void SetWeightFileDir(TString fileDir);
   Bool_t Verbose() const { return fVerbose; }
   Bool_t Help() const { return fHelp; }
   void MakeClassSpecific(std::ostream &, const TString & = "") const override {}
   virtual void MakeClassSpecificHeader(std::ostream &, const TString & = "") const {}
   Bool_t IgnoreEventsWithNegWeightsInTraining() const { return fIgnoreNegWeightsInTraining; }

   Types::EAnalysisType fAnalysisType = Types::kNoAnalysisType;
   std::vector<Float_t> *fRegressionReturnVal = nullptr; ///<! made by the method, deleted here
   std::vector<Float_t> *fMulticlassReturnVal = nullptr; ///<! the same

private:
   /// What the Factory prints of a regression: of the first target's deviations mean and RMS, also of those within two RMS (T).
   struct Deviations {
      Double_t bias, biasT, rms, rmsT;
   };

   void DeclareBaseOptions();
   void ProcessBaseOptions();
   TString Prefix() const { return DataInfo().Prefix(); }
   Results &GetResults(Types::ETreeType type) const; ///< fatal when there are none

   void WriteStateToXML(void *parent) const;
   void ReadStateFromXML(void *document);
   void ReadGeneralInfo(void *node);
   void CheckVariablesOfXML(void *node, const char *kind, const std::vector<VariableInfo> &declared) const;

   /// Histograms of the response of signal and background, `<response><infix>_S<suffix>` and `..._B<suffix>`, normalised.
   void PlotResponse(Types::ETreeType type, const TString &infix, const TString &suffix, Int_t nbins);
   /// Histograms of the efficiencies of one sample, and of one against the other.
   void PlotEfficiencies(Types::ETreeType type);
   /// The curve of signal against background; with several classes that of `iClass`, by its own answer, against all others or
   /// only `other`.
   std::unique_ptr<ROCCurve> MakeROCCurve(Types::ETreeType type, UInt_t iClass = 0, Int_t other = -1) const;
   void PlotMulticlass(Types::ETreeType type);
   void PlotDeviations(Types::ETreeType type);
   Deviations GetDeviations(Types::ETreeType type) const;

   const std::vector<Float_t> fNoValues;
   DataSetInfo &fDataSetInfo; //!
   TString fJobName;
   TString fMethodName;
   Types::EMVA fMethodType;
   TFile *fFile = nullptr; ///<! not owned
   Bool_t fSilentFile = kFALSE;
   Bool_t fModelPersistence = kTRUE;
   TString fFileDir = "weights";
   TString fWeightFile;

   Double_t fXmin = 0; ///< range of the response on the test sample
   Double_t fXmax = 0;
   Double_t fTrainTime = -1.;

   TString fVarTransformString = "None";
   TransformationHandler fTransformation; //!
   Bool_t fVerbose = kFALSE;
   TString fVerbosityLevelString = "Default";
   Bool_t fHelp = kFALSE;
   Bool_t fHasMVAPdfs = kFALSE;
   Bool_t fIgnoreNegWeightsInTraining = kFALSE;
   std::vector<std::unique_ptr<Event>> fTransformedEvents[2]; ///<! by sample, when there are transformations
   std::vector<Event *> fEventCollections[2];                 ///<! the same, to be looked at

   ClassDefOverride(MethodBase, 0);
};

} // namespace TMVA

#endif
