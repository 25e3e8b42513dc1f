/// \file
/// TMVA::MethodLSTM, an LSTM network as a TMVA method: binary and multiclass classification, and regression.
///
/// One source for every TMVA: what an older or newer one lacks is found by the compiler, never by version number.
#ifndef TMVA_LSTM_MethodLSTM
#define TMVA_LSTM_MethodLSTM

#include <memory>
#include <ostream>
#include <vector>

#include "TString.h"

#include "TMVA/DataSetInfo.h"
#include "TMVA/MethodBase.h"
#include "TMVA/Types.h"

namespace tmva_lstm_tmva {
class Checkpoints;
class SequenceBuffer;
class SequenceModel;
class SignalWatch;
struct ModelNames;
} // namespace tmva_lstm_tmva

namespace TMVA {

class Ranking;

class MethodLSTM : public MethodBase {
public:
   /// The method's own type. TMVA's enumeration has no name for it; the largest value it has one for is below this.
   static constexpr int kTypeValue = 60;

   /// Booked by name ("LSTM") for training, and made from a weights file.
   MethodLSTM(const TString &jobName, const TString &methodTitle, DataSetInfo &data, const TString &option = "");
   MethodLSTM(DataSetInfo &data, const TString &weightFile);
   /// The same by way of ROOT's plugin manager (Types::kPlugins), whose constructors take what they are given by reference: the
   /// files of such a method say "Plugins".
   MethodLSTM(TString &jobName, TString &methodTitle, DataSetInfo &data, TString &option);
   MethodLSTM(DataSetInfo &data, TString &weightFile);
   virtual ~MethodLSTM();

   virtual Bool_t HasAnalysisType(Types::EAnalysisType type, UInt_t numberClasses, UInt_t numberTargets);
   virtual void Init();
   virtual void DeclareOptions();
   virtual void ProcessOptions();
   virtual void Train();

   using MethodBase::GetMvaValue;
   virtual Double_t GetMvaValue(Double_t *errLower = nullptr, Double_t *errUpper = nullptr);
   using MethodBase::GetRegressionValues;
   virtual const std::vector<Float_t> &GetRegressionValues();
   using MethodBase::GetMulticlassValues;
   virtual const std::vector<Float_t> &GetMulticlassValues();

   virtual const Ranking *CreateRanking();
   virtual void WriteMonitoringHistosToFile() const;

protected:
   virtual std::vector<Double_t> GetMvaValues(Long64_t firstEvt = 0, Long64_t lastEvt = -1, Bool_t logProgress = false);
   virtual void AddWeightsXMLTo(void *parent) const;
   virtual void ReadWeightsFromXML(void *weights);
   using MethodBase::ReadWeightsFromStream;
   virtual void ReadWeightsFromStream(std::istream &);
   virtual void MakeClassSpecific(std::ostream &out, const TString &className) const;
   virtual void GetHelpMessage() const;

private:
   struct Implementation;

   UInt_t Threads() const;
   /// The training events as sequences. Throws std::runtime_error for one that cannot be used, by its number.
   tmva_lstm_tmva::SequenceBuffer TrainingEvents();
   /// Where the state of a training is kept: beside the weights.
   tmva_lstm_tmva::Checkpoints KeptState(const tmva_lstm_tmva::SequenceBuffer &events, const tmva_lstm_tmva::ModelNames &names) const;
   void TrainGuarded(const tmva_lstm_tmva::SignalWatch &watch);
   /// The network. Throws std::runtime_error where there is none yet.
   const tmva_lstm_tmva::SequenceModel &Model() const;
   /// Scores of the event under evaluation; their number is that of classes or targets. Empty, with a line in the log, where a value
   /// is not finite. Throws std::runtime_error for a number of steps out of range.
   std::vector<Float_t> ScoresOfEvent();

   TString fInputLayout;
   TString fLayout;
   TString fTrainingStrategy;
   TString fErrorStrategy;
   TString fWeightInitialization;
   TString fValidationSize;
   TString fArchitecture;
   TString fLengthName;
   TString fMaskValue;
   TString fMaxTime;
   Int_t fRandomSeed;
   Int_t fNumThreads;
   Double_t fForgetBias;
   Double_t fHuberDelta;
   Int_t fCheckpointEpochs;
   Double_t fCheckpointMinutes;
   Bool_t fResume;
   Bool_t fComputeRanking;
   std::unique_ptr<Implementation> fImplementation; //!

   ClassDef(MethodLSTM, 0)
};

} // namespace TMVA

#endif
