#include "MethodState.h"

#include "BookingOptions.h"
#include "ClassFile.h"
#include "DocumentFacts.h"
#include "EventSequences.h"
#include "OptionText.h"
#include "PermutationRanking.h"
#include "Refusal.h"
#include "SequenceModel.h"
#include "TmvaEvents.h"
#include "TrainingLog.h"
#include "WeightsNode.h"

#include "core/error.h"
#include "TMVA/Configurable.h"
#include "TMVA/DataSet.h"
#include "TMVA/Event.h"
#include "TMVA/MsgLogger.h"
#include "TMVA/Ranking.h"
#include "TMVA/Tools.h"
#include "TMVA/VariableInfo.h"
#include "TROOT.h"

#include <chrono>
#include <cmath>
#include <string>

ClassImp(TMVA::MethodLSTM)

namespace TMVA {

using namespace tmva_lstm_tmva;

MethodLSTM::MethodLSTM(const TString &jobName, const TString &methodTitle, DataSetInfo &data, const TString &option)
   : MethodBase(jobName, static_cast<Types::EMVA>(kTypeValue), methodTitle, data, option),
     fImplementation(new Implementation)
{
}

MethodLSTM::MethodLSTM(DataSetInfo &data, const TString &weightFile)
   : MethodBase(static_cast<Types::EMVA>(kTypeValue), data, weightFile), fImplementation(new Implementation)
{
}

MethodLSTM::MethodLSTM(TString &jobName, TString &methodTitle, DataSetInfo &data, TString &option)
   : MethodBase(jobName, Types::kPlugins, methodTitle, data, option), fImplementation(new Implementation)
{
}

MethodLSTM::MethodLSTM(DataSetInfo &data, TString &weightFile)
   : MethodBase(Types::kPlugins, data, weightFile), fImplementation(new Implementation)
{
}

MethodLSTM::~MethodLSTM() = default;

Bool_t MethodLSTM::HasAnalysisType(Types::EAnalysisType type, UInt_t numberClasses, UInt_t)
{
   return (type == Types::kClassification && numberClasses == 2) || type == Types::kMulticlass || type == Types::kRegression;
}

void MethodLSTM::Init()
{
   fRandomSeed = 1;
   fNumThreads = 0;
   fForgetBias = 1;
   fHuberDelta = 1;
   fCheckpointEpochs = 0;
   fCheckpointMinutes = 0;
   fResume = kFALSE;
   fComputeRanking = kTRUE;
}

void MethodLSTM::DeclareOptions()
{
   DeclareOptionRef(fInputLayout = "", "InputLayout", "T|D: steps and features of a step; variable t*D+d is feature d of step t");
   DeclareOptionRef(fLayout = kDefaultLayout, "Layout",
                    "Layers: LSTM|H|D|T|0|returnSequence (or GRU, RNN, BILSTM, BIGRU, BIRNN; behind them PEEPHOLES, COUPLED, LNORM; a GRU has "
                    "|resetGateAfter before those, 1 if left out, where MethodDL takes 0 on a CPU), after a returned sequence "
                    "RESHAPE|FLAT or POOL|MEAN, MAX, ATTENTION, then DENSE|width|ACTIVATION, LINEAR");
   DeclareOptionRef(fTrainingStrategy = kDefaultStrategy, "TrainingStrategy", "key=value pairs joined by commas, phases by |");
   DeclareOptionRef(fErrorStrategy = "", "ErrorStrategy", "Loss: CROSSENTROPY, MUTUALEXCLUSIVE or SUMOFSQUARES; of a regression SUMOFSQUARES, ABSOLUTEERROR or HUBER; by task if empty");
   DeclareOptionRef(fHuberDelta = 1., "HuberDelta",
                    "HUBER: deviations above this many standard deviations of a target count linearly");
   DeclareOptionRef(fWeightInitialization = "XAVIERUNIFORM", "WeightInitialization",
                    "XAVIERUNIFORM, XAVIER, GAUSS, UNIFORM, IDENTITY or ZERO");
   DeclareOptionRef(fValidationSize = "20%", "ValidationSize", "Validation part of each class: 20%, 0.2, or a number of events");
   DeclareOptionRef(fRandomSeed = 1, "RandomSeed", "Seed of weights, validation part and order of events; 0: another each time");
   DeclareOptionRef(fArchitecture = "CPU", "Architecture", "CPU");
   DeclareOptionRef(fLengthName = "", "Length", "Variable or spectator that holds the number of true steps of an event");
   DeclareOptionRef(fMaskValue = "", "MaskValue", "Steps at the end whose values are all this are padding");
   DeclareOptionRef(fNumThreads = 0, "NumThreads", "Threads; 0: ROOT's implicit multithreading if it is on, else all processors");
   DeclareOptionRef(fForgetBias = 1., "ForgetBias", "Initial bias of the forget gate (MethodDL: 0)");
   DeclareOptionRef(fMaxTime = "", "MaxTime", "Time after which a training ends in good order: 2h, 90min, 30s; empty: no limit");
   DeclareOptionRef(fCheckpointEpochs = 0, "CheckpointEpochs", "Keep the state of the training beside the weights after every so many epochs; 0: not");
   DeclareOptionRef(fCheckpointMinutes = 0., "CheckpointMinutes", "Keep it whenever so many minutes have passed, within an epoch as well; 0: not");
   DeclareOptionRef(fResume = kFALSE, "Resume", "Go on from the state that was kept, if there is one, and end in the same bits as undisturbed");
   DeclareOptionRef(fComputeRanking = kTRUE, "Ranking", "Rank features and steps by permutation, in at most 10 % of the training time");
}

void MethodLSTM::ProcessOptions()
{
   Implementation &my = *fImplementation;
   const Task task = DoRegression() ? Task::Regression : DoMulticlass() ? Task::Multiclass : Task::Binary;
   std::vector<std::string> wrong = refused_options(GetOptions().Data());
   VariableShape variables = shape_of(DataInfo());
   EventLayout layout;
   layout.length_name = fLengthName.Data();
   if (fLengthName != "") {
      std::vector<std::string> known;
      for (UInt_t n = 0; n < DataInfo().GetNVariables(); ++n) {
         const VariableInfo &info = DataInfo().GetVariableInfo(n);
         known.push_back(info.GetExpression().Data());
         if (info.GetExpression() == fLengthName || info.GetLabel() == fLengthName) {
            layout.length = EventLayout::Length::Variable;
            layout.length_index = n;
         }
      }
      for (UInt_t n = 0; n < DataInfo().GetNSpectators(); ++n) {
         const VariableInfo &info = DataInfo().GetSpectatorInfo(n);
         known.push_back(info.GetExpression().Data());
         if (info.GetExpression() == fLengthName || info.GetLabel() == fLengthName) {
            layout.length = EventLayout::Length::Spectator;
            layout.length_index = n;
         }
      }
      if (layout.length == EventLayout::Length::Full)
         wrong.push_back("Length=" + layout.length_name + " is neither a variable nor a spectator; " +
                         near_miss(layout.length_name, known));
      if (layout.length == EventLayout::Length::Variable) {
         --variables.n_variables; // it is no input of the network
         variables.length_name = layout.length_name;
         if (GetTransformationHandler().GetTransformationList().GetSize() > 0)
            wrong.push_back("Length=" + layout.length_name + " is a variable, which VarTransform would change; declare it with "
                            "AddSpectator, or book without VarTransform");
      }
   }
   if (fMaskValue != "") {
      double value = 0;
      if (!read_number(fMaskValue.Data(), value))
         wrong.push_back("MaskValue=" + std::string(fMaskValue.Data()) + ": expected a number");
      layout.has_mask = true;
      layout.mask = static_cast<float>(value);
   }
   if (fCheckpointEpochs < 0 || !(fCheckpointMinutes >= 0))
      wrong.push_back("CheckpointEpochs=" + std::to_string(fCheckpointEpochs) + ", CheckpointMinutes=" + std::to_string(fCheckpointMinutes) +
                      ": expected numbers from 0, where 0 keeps nothing");
   if (fNumThreads < 0)
      wrong.push_back("NumThreads=" + std::to_string(fNumThreads) + ": expected a number from 0, where 0 is all");

   const BookingStrings strings{fInputLayout.Data(),    fLayout.Data(),          fTrainingStrategy.Data(),
                                fErrorStrategy.Data(),  fWeightInitialization.Data(), fValidationSize.Data(),
                                fArchitecture.Data(),   fRandomSeed,             fForgetBias, fMaxTime.Data(), fHuberDelta};
   try {
      my.booking = understand(strings, variables, task, DoRegression() ? DataInfo().GetNTargets() : DataInfo().GetNClasses());
   } catch (const BookingError &error) {
      wrong.push_back(error.what());
   }
   layout.T = my.booking.T;
   layout.D = my.booking.network.D;
   layout.E = my.booking.network.E;
   if (wrong.empty() && layout.length == EventLayout::Length::Variable && layout.length_index < layout.T * layout.D)
      wrong.push_back("Length=" + layout.length_name + " is variable " + std::to_string(layout.length_index) +
                      ", which InputLayout takes as a step; declare it after the steps, or as a spectator");
   if (!wrong.empty())
      refuse(Log(), BookingError(wrong).what());
   my.layout = layout;
   for (const std::string &line : my.booking.notes)
      Log() << kINFO << line << Endl;
}

UInt_t MethodLSTM::Threads() const
{
   return thread_count(fNumThreads);
}

const SequenceModel &MethodLSTM::Model() const
{
   if (!fImplementation->model)
      refuse(Log(), std::string("method '") + GetName() + "' has no network yet: call TrainAllMethods, or read a weights file");
   return *fImplementation->model;
}

std::vector<Float_t> MethodLSTM::ScoresOfEvent()
{
   const Implementation &my = *fImplementation;
   const SequenceModel &model = Model();
   const Event *raw = fTmpEvent ? fTmpEvent : Data()->GetEvent();
   const Event *event = GetEvent();
   const EventInputs inputs = inputs_of(my.layout, *event, *raw);
   SequenceBuffer one(my.layout);
   try {
      one.add(inputs.values, inputs.length);
   } catch (const EventError &error) {
      const std::string problem = "event to be evaluated: " + problem_of(error, DataInfo());
      if (error.variable() == EventError::kNone)
         refuse(Log(), problem);
      Log() << kERROR << problem << "; the answer is " << kNoAnswer << Endl;
      return {};
   }
   return guarded(Log(), "evaluation: ", [&] { return model.scores(one, 1); });
}

Double_t MethodLSTM::GetMvaValue(Double_t *errLower, Double_t *errUpper)
{
   NoErrorCalc(errLower, errUpper);
   // two classes: background and signal; more: TMVA asks for GetMulticlassValues
   const std::vector<Float_t> scores = ScoresOfEvent();
   return scores.empty() ? kNoAnswer : scores.size() == 2 ? scores[1] : scores[0];
}

std::vector<Double_t> MethodLSTM::GetMvaValues(Long64_t firstEvt, Long64_t lastEvt, Bool_t logProgress)
{
   const Implementation &my = *fImplementation;
   const Long64_t n_events = Data()->GetNEvents();
   if (firstEvt < 0)
      firstEvt = 0;
   if (lastEvt < 0 || lastEvt > n_events || firstEvt > lastEvt)
      lastEvt = n_events;
   std::vector<Double_t> values(static_cast<std::size_t>(std::max<Long64_t>(0, lastEvt - firstEvt)), kNoAnswer);
   constexpr Long64_t kBatch = 8192;
   const SequenceModel &model = Model();
   const std::size_t outputs = model.outputs();
   const auto start = std::chrono::steady_clock::now();
   SequenceBuffer events(my.layout);
   std::vector<std::size_t> places; // in `values`
   std::size_t without = 0;         // events without an answer
   std::string first_problem;
   for (Long64_t first = firstEvt; first < lastEvt; first += kBatch) {
      events.clear();
      places.clear();
      for (Long64_t n = first; n < std::min(first + kBatch, lastEvt); ++n) {
         Data()->SetCurrentEvent(n);
         const Event *raw = Data()->GetEvent();
         const Event *event = GetEvent(raw);
         try {
            events.add(event->GetValues(), length_of(my.layout, *event, *raw));
            places.push_back(static_cast<std::size_t>(n - firstEvt));
         } catch (const EventError &error) {
            const std::string problem = "event " + std::to_string(n) + ": " + problem_of(error, DataInfo());
            if (error.variable() == EventError::kNone)
               refuse(Log(), problem);
            if (++without == 1)
               first_problem = problem;
         }
      }
      const std::vector<Float_t> scores = guarded(Log(), "evaluation: ", [&] { return model.scores(events, Threads()); });
      for (std::size_t n = 0; n < places.size(); ++n)
         values[places[n]] = scores[n * outputs + (outputs == 2 ? 1 : 0)];
   }
   if (without)
      Log() << kERROR << without << " event(s) have values that are not finite, the first is " << first_problem << "; their answer is "
            << kNoAnswer << Endl;
   if (logProgress) {
      const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      Log() << kINFO << "Evaluation of " << GetMethodName() << " on " << values.size() << " events took " << seconds << " s" << Endl;
   }
   return values;
}

const std::vector<Float_t> &MethodLSTM::GetMulticlassValues()
{
   if (!fMulticlassReturnVal)
      fMulticlassReturnVal = new std::vector<Float_t>;
   *fMulticlassReturnVal = ScoresOfEvent();
   if (fMulticlassReturnVal->empty())
      fMulticlassReturnVal->assign(Model().outputs(), kNoAnswer);
   return *fMulticlassReturnVal;
}

const std::vector<Float_t> &MethodLSTM::GetRegressionValues()
{
   if (!fRegressionReturnVal)
      fRegressionReturnVal = new std::vector<Float_t>;
   const std::vector<Float_t> scores = ScoresOfEvent();
   if (scores.empty()) {
      fRegressionReturnVal->assign(Model().outputs(), kNoAnswer);
      return *fRegressionReturnVal;
   }
   // a transformation of the targets has to be undone
   Event transformed(*GetEvent());
   for (UInt_t k = 0; k < scores.size(); ++k)
      transformed.SetTarget(k, scores[k]);
   const Event *back = GetTransformationHandler().InverseTransform(&transformed);
   fRegressionReturnVal->clear();
   for (UInt_t k = 0; k < scores.size(); ++k)
      fRegressionReturnVal->push_back(back->GetTarget(k));
   return *fRegressionReturnVal;
}

const Ranking *MethodLSTM::CreateRanking()
{
   Implementation &my = *fImplementation;
   if (!fComputeRanking || !my.model || DoRegression())
      return nullptr;
   SequenceBuffer events(my.layout);
   const UInt_t signal = DoMulticlass() ? 0 : DataInfo().GetSignalClassIndex();
   const Long64_t count = Data()->GetNTrainingEvents();
   const Long64_t stride = std::max<Long64_t>(1, count / 20000);
   const auto start = std::chrono::steady_clock::now();
   for (Long64_t n = 0; n < count; n += stride) {
      const Event *raw = Data()->GetEvent(n, Types::kTraining);
      const Event *event = GetEvent(raw);
      events.add(event->GetValues(), length_of(my.layout, *event, *raw));
      events.add_label(label_of(*event, DoMulticlass(), signal));
      events.add_weight(event->GetWeight());
   }
   const double spent = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
   // aimed at 7 %, for what it will take is guessed from few events, and it is to stay below 10 %
   const double allowed = 0.07 * my.seconds - spent;
   const std::vector<Importance> ranks = permutation_importance(*my.model, events, events.size(), allowed, Threads());
   if (ranks.empty()) {
      Log() << kINFO << "no ranking: the training of " << my.seconds << " s was too short to rank " << my.layout.n_variables()
            << " variables and " << my.layout.T << " steps in a tenth of it" << Endl;
      return nullptr;
   }
   my.ranking.reset(new Ranking(GetName(), "Permutation importance"));
   for (const Importance &each : ranks)
      my.ranking->AddRank(Rank(each.name.c_str(), each.value));
   const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
   Log() << kINFO << "ranking by permutation took " << seconds << " s, the training " << my.seconds
         << " s; book with !Ranking to go without" << Endl;
   return my.ranking.get();
}

void MethodLSTM::WriteMonitoringHistosToFile() const
{
   write_monitoring(fImplementation->report, GetName());
}

void MethodLSTM::AddWeightsXMLTo(void *parent) const
{
   const Implementation &my = *fImplementation;
   void *weights = gTools().AddChild(parent, "Weights");
   if (!my.model)
      return; // booked, never trained
   add_node(weights, tmva_lstm::to_node(my.model->document()));
}

void MethodLSTM::ReadWeightsFromXML(void *weights)
{
   Implementation &my = *fImplementation;
   const std::string where = "weights file '" + std::string(GetWeightFileName().Data()) + "': ";
   guarded(Log(), where, [&] {
      void *model = find_child(weights, "LSTMModel");
      if (!model)
         throw tmva_lstm::ModelError("there is no LSTMModel in <Weights>; the method was written before it was trained, or the file "
                                     "is not one of an LSTM");
      my.model.reset(new SequenceModel(tmva_lstm::from_node(read_node(model))));
      my.layout = read_layout(my.model->document());
   });
   if (my.layout.n_variables() != DataInfo().GetNVariables())
      refuse(Log(), where + "the network is for " + std::to_string(my.layout.n_variables()) + " variables, " +
                       std::to_string(DataInfo().GetNVariables()) + " are declared");
   if (my.layout.length == EventLayout::Length::Spectator && my.layout.length_index >= DataInfo().GetNSpectators())
      refuse(Log(), where + "the number of steps is spectator " + std::to_string(my.layout.length_index) + ", '" +
                       my.layout.length_name + "', and " + std::to_string(DataInfo().GetNSpectators()) +
                       " are declared; declare it with AddSpectator");
}

void MethodLSTM::ReadWeightsFromStream(std::istream &)
{
   refuse(Log(), "weights of an LSTM are read from XML; the text format of before 2010 never had any");
}

void MethodLSTM::MakeClassSpecific(std::ostream &out, const TString &className) const
{
   if (fImplementation->model)
      write_class(out, className.Data(), *fImplementation->model, fImplementation->layout);
}

void MethodLSTM::GetHelpMessage() const
{
   write_help(Log());
}

} // namespace TMVA
