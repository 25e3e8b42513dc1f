/// \file
/// Base of all methods: options, life cycle, weights file, transformed events, figures of merit.
#ifndef ROOT_TMVA_MethodBase
#define ROOT_TMVA_MethodBase

#include <cassert>
#include <iosfwd>
#include <map>
#include <memory>
#include <vector>

#include "TMatrixD.h"
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
class TH1;
class TH1D;

namespace TMVA {

class PDF;
class Ranking;
class Results;

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
   enum EWeightFileType { kROOT = 0, kTEXT };

   MethodBase(const TString &jobName, Types::EMVA methodType, const TString &methodTitle, DataSetInfo &dsi,
              const TString &theOption = "");
   MethodBase(Types::EMVA methodType, DataSetInfo &dsi, const TString &weightFile);
   ~MethodBase() override;

   void SetupMethod();
   void ProcessSetup();
   virtual void CheckSetup();
   virtual void DeclareCompatibilityOptions();
   virtual void Reset() {}

   void TrainMethod();
   void Train() override = 0;
   void Init() override = 0;
   void DeclareOptions() override = 0;
   void ProcessOptions() override = 0;
   virtual std::map<TString, Double_t> OptimizeTuningParameters(TString fomType = "ROCIntegral", TString fitType = "FitGA");
   virtual void SetTuneParameters(std::map<TString, Double_t>) {}
   void SetTrainTime(Double_t seconds) { fTrainTime = seconds; }
   Double_t GetTrainTime() const { return fTrainTime; }
   void SetTestTime(Double_t seconds) { fTestTime = seconds; }
   Double_t GetTestTime() const { return fTestTime; }

   /// Fills the results of the method on a sample.
   void AddOutput(Types::ETreeType type, Types::EAnalysisType analysisType);
   virtual void TestClassification();
   virtual void TestMulticlass();
   /// Deviation of the first target: mean, mean modulus, RMS and mutual information, each also (T) for the deviations within two
   /// RMS of the mean; and the correlation of answer and target.
   virtual void TestRegression(Double_t &bias, Double_t &biasT, Double_t &dev, Double_t &devT, Double_t &rms, Double_t &rmsT,
                               Double_t &mInf, Double_t &mInfT, Double_t &corr, Types::ETreeType type);
   virtual Double_t GetKSTrainingVsTest(Char_t SorB, TString opt = "X");

   Double_t GetMvaValue(Double_t *errLower = nullptr, Double_t *errUpper = nullptr) override = 0;
   Double_t GetMvaValue(const TMVA::Event *const ev, Double_t *err = nullptr, Double_t *errUpper = nullptr);

protected:
   /// Sets the errors to -1, "not known".
   void NoErrorCalc(Double_t *const err, Double_t *const errUpper);
   /// Responses on the current sample, events firstEvt up to lastEvt, this one not included; to the end when lastEvt is negative
   /// or beyond it. Element 0 belongs to firstEvt.
   virtual std::vector<Double_t> GetMvaValues(Long64_t firstEvt = 0, Long64_t lastEvt = -1, Bool_t logProgress = false);
   virtual std::vector<Double_t> GetDataMvaValues(DataSet *data = nullptr, Long64_t firstEvt = 0, Long64_t lastEvt = -1,
                                                  Bool_t logProgress = false);

public:
   const std::vector<Float_t> &GetRegressionValues(const TMVA::Event *const ev);
   virtual const std::vector<Float_t> &GetRegressionValues();
   const std::vector<Float_t> &GetMulticlassValues(const TMVA::Event *const ev);
   virtual const std::vector<Float_t> &GetMulticlassValues();
   virtual const std::vector<Float_t> &GetTrainingHistory(const char *name);

   /// Both need PDFs of the response, which the host does not make: -1 and 0, with a warning.
   virtual Double_t GetProba(const Event *ev);
   virtual Double_t GetProba(Double_t mvaVal, Double_t ap_sig);
   virtual Double_t GetRarity(Double_t mvaVal, Types::ESBType reftype = Types::kBackground) const;

   const Ranking *CreateRanking() override = 0;
   /// Writes `<job>_<title>.class.C`: the frame of a class `Read<title>` with GetMvaValue(std::vector<double>). What the method
   /// writes in MakeClassSpecific() has to close the class and to define Initialize, Clear and GetMvaValue__.
   void MakeClass(const TString &classFileName = TString("")) const override;
   void PrintHelpMessage() const override;

   void WriteStateToFile() const;
   void ReadStateFromFile();
   void ReadStateFromXMLString(const char *xmlstr);
   /// The text and ROOT formats of before 2010 are refused.
   void ReadStateFromStream(std::istream &in);
   void ReadStateFromStream(TFile &file);

protected:
   virtual void AddWeightsXMLTo(void *parent) const = 0;
   virtual void ReadWeightsFromXML(void *wghtnode) = 0;
   void ReadWeightsFromStream(std::istream &) override = 0;
   virtual void ReadWeightsFromStream(TFile &) {}

public:
   virtual void WriteEvaluationHistosToFile(Types::ETreeType treetype);
   void WriteMonitoringHistosToFile() const override {}

   /// Signal efficiency at a background efficiency, "Efficiency:0.1", with its error; with an empty string the area below
   /// rejection against efficiency. The first call makes the efficiency histograms of the sample.
   virtual Double_t GetEfficiency(const TString &what, Types::ETreeType type, Double_t &err);
   virtual Double_t GetTrainingEfficiency(const TString &what);
   virtual std::vector<Float_t> GetMulticlassEfficiency(std::vector<std::vector<Float_t>> &purity);
   virtual std::vector<Float_t> GetMulticlassTrainingEfficiency(std::vector<std::vector<Float_t>> &purity);
   /// [class][other]: efficiency on the class where a cut on its output leaves effB of the other; -1 on the diagonal.
   virtual TMatrixD GetMulticlassConfusionMatrix(Double_t effB, Types::ETreeType type);
   /// Distance of the mean responses in units of the RMS.
   virtual Double_t GetSignificance() const;
   virtual Double_t GetROCIntegral(TH1D *histS, TH1D *histB) const;
   /// With null pointers of the 10000-bin histograms of the test sample. Given PDFs are refused: the host has none.
   virtual Double_t GetROCIntegral(PDF *pdfS = nullptr, PDF *pdfB = nullptr) const;
   virtual Double_t GetMaximumSignificance(Double_t signalEvents, Double_t backgroundEvents,
                                           Double_t &max_significance_value) const;
   virtual Double_t GetSeparation(TH1 *histoS, TH1 *histoB) const;
   virtual Double_t GetSeparation(PDF *pdfS = nullptr, PDF *pdfB = nullptr) const;
   virtual void GetRegressionDeviation(UInt_t tgtNum, Types::ETreeType type, Double_t &stddev,
                                       Double_t &stddev90Percent) const;

   const TString &GetJobName() const { return fJobName; }
   const TString &GetMethodName() const { return fMethodName; } ///< the title
   TString GetMethodTypeName() const { return Types::Instance().GetMethodName(fMethodType); }
   Types::EMVA GetMethodType() const { return fMethodType; }
   const char *GetName() const override { return fMethodName.Data(); }
   const TString &GetTestvarName() const { return fTestvar; }
   const TString GetProbaName() const { return fTestvar + "_Proba"; }
   void SetTestvarName(const TString &name = "") { fTestvar = name == "" ? "MVA_" + GetMethodName() : name; }
   TString GetWeightFileName() const;

   UInt_t GetNvar() const { return DataInfo().GetNVariables(); }
   UInt_t GetNVariables() const { return DataInfo().GetNVariables(); }
   UInt_t GetNTargets() const { return DataInfo().GetNTargets(); }
   const TString &GetInputVar(Int_t i) const { return DataInfo().GetVariableInfo(i).GetInternalName(); }
   const TString &GetInputLabel(Int_t i) const { return DataInfo().GetVariableInfo(i).GetLabel(); }
   const char *GetInputTitle(Int_t i) const { return DataInfo().GetVariableInfo(i).GetTitle(); }
   Double_t GetMean(Int_t ivar) const { return GetTransformationHandler().GetMean(ivar); }
   Double_t GetRMS(Int_t ivar) const { return GetTransformationHandler().GetRMS(ivar); }
   Double_t GetXmin(Int_t ivar) const { return GetTransformationHandler().GetMin(ivar); }
   Double_t GetXmax(Int_t ivar) const { return GetTransformationHandler().GetMax(ivar); }

   /// The cut that IsSignalLike() applies, and its direction.
   Double_t GetSignalReferenceCut() const { return fSignalReferenceCut; }
   Double_t GetSignalReferenceCutOrientation() const { return fSignalReferenceCutOrientation; }
   void SetSignalReferenceCut(Double_t cut) { fSignalReferenceCut = cut; }
   void SetSignalReferenceCutOrientation(Double_t orientation) { fSignalReferenceCutOrientation = orientation; }
   virtual Bool_t IsSignalLike() { return IsSignalLike(GetMvaValue()); }
   virtual Bool_t IsSignalLike(Double_t mvaVal);

   /// `<file>/<data set>/Method_<type>/<title>`, made at the first call. Fatal without an output file: ask IsSilentFile() first.
   TDirectory *BaseDir() const;
   TDirectory *MethodBaseDir() const;
   TFile *GetFile() const { return fFile; }
   void SetMethodDir(TDirectory *dir) { fBaseDir = fMethodBaseDir = dir; }
   void SetBaseDir(TDirectory *dir) { fBaseDir = dir; }
   void SetMethodBaseDir(TDirectory *dir) { fMethodBaseDir = dir; }
   void SetFile(TFile *file) { fFile = file; }
   void SetSilentFile(Bool_t silent) { fSilentFile = silent; }
   Bool_t IsSilentFile() const { return fSilentFile; }
   void SetModelPersistence(Bool_t persistent) { fModelPersistence = persistent; }
   Bool_t IsModelPersistence() const { return fModelPersistence; }
   void DisableWriting(Bool_t disable) { fModelPersistence = !disable; }

   UInt_t GetTrainingTMVAVersionCode() const { return fTMVATrainingVersion; }
   UInt_t GetTrainingROOTVersionCode() const { return fROOTTrainingVersion; }
   TString GetTrainingTMVAVersionString() const;
   TString GetTrainingROOTVersionString() const;

   TransformationHandler &GetTransformationHandler(Bool_t takeReroutedIfAvailable = true)
   {
      return fTransformationPointer && takeReroutedIfAvailable ? *fTransformationPointer : fTransformation;
   }
   const TransformationHandler &GetTransformationHandler(Bool_t takeReroutedIfAvailable = true) const
   {
      return fTransformationPointer && takeReroutedIfAvailable ? *fTransformationPointer : fTransformation;
   }
   void RerouteTransformationHandler(TransformationHandler *target) { fTransformationPointer = target; }

   DataSet *Data() const { return fTmpData ? fTmpData : DataInfo().GetDataSet(); }
   DataSetInfo &DataInfo() const { return fDataSetInfo; }
   UInt_t GetNEvents() const { return Data()->GetNEvents(); }
   /// All of these are transformed events.
   const Event *GetEvent() const { return GetEvent(fTmpEvent ? fTmpEvent : Data()->GetEvent()); }
   const Event *GetEvent(const TMVA::Event *ev) const { return GetTransformationHandler().Transform(ev); }
   const Event *GetEvent(Long64_t ievt) const
   {
      assert(!fTmpEvent);
      return GetEvent(Data()->GetEvent(ievt));
   }
   const Event *GetEvent(Long64_t ievt, Types::ETreeType type) const
   {
      assert(!fTmpEvent);
      return GetEvent(Data()->GetEvent(ievt, type));
   }
   const Event *GetTrainingEvent(Long64_t ievt) const { return GetEvent(ievt, Types::kTraining); }
   const Event *GetTestingEvent(Long64_t ievt) const { return GetEvent(ievt, Types::kTesting); }
   const std::vector<TMVA::Event *> &GetEventCollection(Types::ETreeType type);

   TrainingHistory fTrainHistory; ///< saved by the Factory
   Bool_t fSetupCompleted = kFALSE;

   Bool_t HasMVAPdfs() const { return fHasMVAPdfs; }
   virtual void SetAnalysisType(Types::EAnalysisType type) { fAnalysisType = type; }
   Types::EAnalysisType GetAnalysisType() const { return fAnalysisType; }
   Bool_t DoRegression() const { return fAnalysisType == Types::kRegression; }
   Bool_t DoMulticlass() const { return fAnalysisType == Types::kMulticlass; }

protected:
   mutable const Event *fTmpEvent = nullptr; ///<! the event under evaluation, when it is none of the data set
   DataSet *fTmpData = nullptr;              ///<! the same for a data set

   void SetWeightFileName(TString name) { fWeightFile = name; }
   const TString &GetWeightFileDir() const { return fFileDir; }
   void SetWeightFileDir(TString fileDir);
   Bool_t IsNormalised() const { return fNormalise; }
   void SetNormalised(Bool_t norm) { fNormalise = norm; }
   Bool_t Verbose() const { return fVerbose; }
   Bool_t Help() const { return fHelp; }
   const TString &GetInternalVarName(Int_t ivar) const { return fInputVars.at(ivar); }
   const TString &GetOriginalVarName(Int_t ivar) const { return DataInfo().GetVariableInfo(ivar).GetExpression(); }
   Bool_t HasTrainingTree() const { return Data()->GetNTrainingEvents() != 0; }
   void MakeClassSpecific(std::ostream &, const TString & = "") const override {}
   virtual void MakeClassSpecificHeader(std::ostream &, const TString & = "") const {}
   Bool_t TxtWeightsOnly() const { return kTRUE; }
   Bool_t IsConstructedFromWeightFile() const { return fConstructedFromWeightFile; }
   Bool_t IgnoreEventsWithNegWeightsInTraining() const { return fIgnoreNegWeightsInTraining; }

   std::vector<TString> fInputVars;
   Int_t fNbins = 0;          ///< of curves
   Int_t fNbinsMVAoutput = 0; ///< of the response, for plots
   Int_t fNbinsH = 0;         ///< of the response, for efficiencies
   Types::EAnalysisType fAnalysisType = Types::kNoAnalysisType;
   std::vector<Float_t> *fRegressionReturnVal = nullptr; ///<! made by the method, deleted here
   std::vector<Float_t> *fMulticlassReturnVal = nullptr; ///<! the same
   UInt_t fSignalClass = 0;
   UInt_t fBackgroundClass = 0;

private:
   void InitBase();
   void DeclareBaseOptions();
   void ProcessBaseOptions();
   TString DatasetPrefix() const; ///< "[name] : ", what log lines begin with

   virtual void AddClassifierOutput(Types::ETreeType type);
   virtual void AddRegressionOutput(Types::ETreeType type);
   virtual void AddMulticlassOutput(Types::ETreeType type);
   void FinishOutput(Types::ETreeType type, Double_t seconds, const TString &elapsed);

   void WriteStateToXML(void *parent) const;
   void ReadStateFromXML(void *parent);
   void ReadGeneralInfo(void *node);
   void AddVarsXMLTo(void *parent) const;
   void AddSpectatorsXMLTo(void *parent) const;
   void AddTargetsXMLTo(void *parent) const;
   void AddClassesXMLTo(void *parent) const;
   void CheckVariablesOfXML(void *node, const char *kind, const char *countAttr, const char *indexAttr,
                            std::vector<VariableInfo> &declared, UInt_t nDeclared);
   void ReadTargetsFromXML(void *node);
   void ReadClassesFromXML(void *node);
   void WriteStateToStream(std::ostream &out) const;

   /// Efficiency histograms of one sample and the curves made of them; the curve of background against signal efficiency.
   TH1 *MakeEfficiencyCurves(Results &results, const std::vector<Double_t> &values, const TString &stem, Bool_t training);
   Double_t SignalEfficiencyAt(const TH1 &effBvsS, Double_t effB) const;

   DataSetInfo &fDataSetInfo; //!
   Double_t fSignalReferenceCut = 0.5;
   Double_t fSignalReferenceCutOrientation = 1.;
   TString fJobName;
   TString fMethodName;
   Types::EMVA fMethodType;
   TString fTestvar;
   UInt_t fTMVATrainingVersion = 0;
   UInt_t fROOTTrainingVersion = 0;
   Bool_t fConstructedFromWeightFile = kFALSE;
   TDirectory *fBaseDir = nullptr;               ///<! not owned
   mutable TDirectory *fMethodBaseDir = nullptr; ///<! not owned
   TFile *fFile = nullptr;                       ///<! not owned
   Bool_t fSilentFile = kFALSE;
   Bool_t fModelPersistence = kTRUE;
   TString fFileDir;
   TString fWeightFile;

   Double_t fMeanS = -1; ///< mean, RMS and range of the response on the test sample
   Double_t fMeanB = -1;
   Double_t fRmsS = -1;
   Double_t fRmsB = -1;
   Double_t fXmin = 0;
   Double_t fXmax = 0;
   Bool_t fSignalIsHigh = kTRUE;

   TString fVarTransformString = "None";
   TransformationHandler *fTransformationPointer = nullptr; ///<! not owned
   TransformationHandler fTransformation;                   //!
   Bool_t fVerbose = kFALSE;
   TString fVerbosityLevelString = "Default";
   Bool_t fHelp = kFALSE;
   Bool_t fHasMVAPdfs = kFALSE;
   Bool_t fIgnoreNegWeightsInTraining = kFALSE;
   Double_t fTrainTime = -1.;
   Double_t fTestTime = -1.;
   std::array<const std::vector<TMVA::Event *> *, 4> fEventCollections{}; ///<! transformed events by sample, owned

   Bool_t fNormalise = kFALSE; ///< options of old files, without effect
   Bool_t fUseDecorr = kFALSE;
   TString fVariableTransformTypeString = "Signal";
   Bool_t fTxtWeightsOnly = kTRUE;
   Int_t fNbinsMVAPdf = 60;
   Int_t fNsmoothMVAPdf = 2;

   ClassDefOverride(MethodBase, 0);
};

} // namespace TMVA

#endif
