#include "BookingOptions.h"

#include "OptionText.h"
#include "StrategyOptions.h"

#include "core/error.h"

#include <algorithm>
#include <cmath>
#include <random>

namespace tmva_lstm_tmva {

using tmva_lstm::Initialisation;
using tmva_lstm::Loss;
using tmva_lstm::TrainingOptions;

const char *const kDefaultLayout = "LSTM|32,LINEAR";
const char *const kDefaultStrategy = "LearningRate=3e-3,Momentum=0.9,ConvergenceSteps=10,MaxEpochs=50,Optimizer=ADAM,"
                                     "BatchSize=64,TestRepetitions=1,WeightDecay=0.0,Regularization=None,DropConfig=0.0,"
                                     "ClipNorm=1.0";

BookingError::BookingError(const std::vector<std::string> &lines)
   : std::runtime_error([&lines] {
        std::string text;
        for (const std::string &line : lines)
           text += (text.empty() ? "" : "\n") + line;
        return text;
     }())
{
}

namespace {

using Complaints = std::vector<std::string>;
using tmva_lstm::CellKind;
using tmva_lstm::Pooling;

/// A recurrent layer by its name.
struct RecurrentKind {
   const char *name;
   CellKind cell;
   bool bidirectional;
};

constexpr RecurrentKind kRecurrent[] = {{"LSTM", CellKind::Lstm, false}, {"BILSTM", CellKind::Lstm, true},
                                        {"GRU", CellKind::Gru, false},   {"BIGRU", CellKind::Gru, true},
                                        {"RNN", CellKind::Rnn, false},   {"BIRNN", CellKind::Rnn, true}};

const RecurrentKind *recurrent_kind(const std::string &name)
{
   const auto *found = std::find_if(std::begin(kRecurrent), std::end(kRecurrent), [&](const auto &kind) { return name == kind.name; });
   return found == std::end(kRecurrent) ? nullptr : found;
}

/// Reads one option string after the other; complaints are collected, not thrown.
class Reader {
public:
   Reader(const BookingStrings &strings, const VariableShape &variables, Task task, std::size_t outputs)
      : fStrings(strings), fVariables(variables), fTask(task), fOutputs(outputs)
   {
   }

   Booking read()
   {
      read_input_layout();
      read_layout();
      read_loss();
      read_huber_delta();
      read_validation();
      read_architecture();
      read_strategy();
      read_max_time();
      if (!fComplaints.empty())
         throw BookingError(fComplaints);
      return fBooking;
   }

private:
   void complain(const std::string &line) { fComplaints.push_back(line); }
   void note(const std::string &line) { fBooking.notes.push_back(line); }

   void read_input_layout();
   void read_layout();
   void read_first_recurrent(const std::vector<std::string> &parts, const RecurrentKind &kind);
   void read_recurrent(std::vector<std::string> parts);
   void read_variants(std::vector<std::string> &parts);
   void read_upper_recurrent(const std::vector<std::string> &parts, const RecurrentKind &kind);
   void read_pooling(const std::vector<std::string> &parts, bool right_behind);
   void read_dense(const std::vector<std::string> &parts, bool last);
   void read_loss();
   void read_huber_delta();
   void read_validation();
   void read_architecture();
   void read_strategy();
   void read_max_time();
   TrainingOptions common_options();

   const BookingStrings &fStrings;
   const VariableShape &fVariables;
   const Task fTask;
   const std::size_t fOutputs;
   Booking fBooking;
   Complaints fComplaints;
   std::string fCellName = "LSTM"; ///< of the recurrent layers, as it was given
   bool fReturnsSequence = false, fReshaped = false;
   bool fSaysResetGate = false; ///< a layer had its number
   std::size_t fAskedSteps = 0, fAskedFeatures = 0; ///< as the LSTM token says them, to be compared with InputLayout
};

/// T|D, or 1|T|D as MethodDL also has it; empty: from the arrays the variables are declared as.
void Reader::read_input_layout()
{
   std::size_t T = 0, D = 0;
   if (!fStrings.input_layout.empty()) {
      std::vector<std::string> parts = split(fStrings.input_layout, '|');
      if (parts.size() == 3 && parts[0] == "1")
         parts.erase(parts.begin());
      // three numbers may also be T|1|D, which is how MethodDL stores two
      if (parts.size() == 3 && parts[1] == "1")
         parts.erase(parts.begin() + 1);
      if (parts.size() != 2 || !read_count(parts[0], T) || !read_count(parts[1], D) || T == 0 || D == 0) {
         complain("InputLayout=" + fStrings.input_layout + ": expected T|D, the number of steps and of features of a step");
         return;
      }
      if (T * D > fVariables.n_variables) {
         complain("InputLayout=" + fStrings.input_layout + " asks for " + std::to_string(T * D) + " variables, but " +
                  std::to_string(fVariables.n_variables) + " are declared" +
                  (fVariables.length_name.empty() ? "" : " beside '" + fVariables.length_name + "'") +
                  "; check AddVariable and AddVariablesArray");
         return;
      }
   } else if (fVariables.arrays > 1) {
      T = fVariables.arrays;
      D = fVariables.array_size;
      note("InputLayout not given: found " + std::to_string(T) + " arrays of " + std::to_string(D) +
           " variables, taken as that many steps and features");
   } else {
      T = fVariables.n_variables;
      D = 1;
      note("InputLayout not given: the " + std::to_string(T) + " variables are taken as a sequence of single values; "
           "say InputLayout=T|D if they are T steps of D features");
   }
   fBooking.T = T;
   fBooking.network.D = D;
   fBooking.network.E = fVariables.n_variables - T * D;
   if (fBooking.network.E)
      note("the last " + std::to_string(fBooking.network.E) + " of " + std::to_string(fVariables.n_variables) +
           " variables are beyond the T x D of InputLayout: they are event features, joined after the LSTM");
}

void Reader::read_layout()
{
   const std::string text = fStrings.layout.empty() ? kDefaultLayout : fStrings.layout;
   const std::vector<std::string> layers = split(text, ',');
   std::size_t recurrent = 0; // such layers so far
   for (std::size_t n = 0; n < layers.size(); ++n) {
      const std::vector<std::string> parts = split(layers[n], '|');
      const std::string kind = upper(parts[0]);
      const RecurrentKind *layer = recurrent_kind(kind);
      const bool offered_elsewhere = kind == "CONV" || kind == "MAXPOOL" || kind == "BNORM";
      if (n == 0 && !layer) {
         if (offered_elsewhere)
            complain("Layout: " + kind + " layers are not offered here; the first layer is an LSTM, GRU or RNN");
         else
            complain("Layout: the first layer is '" + layers[0] + "', expected LSTM|H|D|T|0|1; " +
                     near_miss(kind, {"LSTM", "BILSTM", "GRU", "BIGRU", "RNN", "BIRNN"}));
         return;
      }
      if (layer && n == recurrent) {
         ++recurrent;
         if (n == 0)
            read_first_recurrent(parts, *layer);
         else
            read_upper_recurrent(parts, *layer);
      } else if (layer) {
         complain("Layout: " + kind + " as layer " + std::to_string(n + 1) + " stands behind other layers; recurrent layers come first");
      } else if (kind == "RESHAPE") {
         if (parts.size() != 2 || upper(parts[1]) != "FLAT")
            complain("Layout: '" + layers[n] + "' is not offered; the states of all steps are joined by RESHAPE|FLAT");
         else if (n != recurrent)
            complain("Layout: RESHAPE|FLAT stands after layer " + std::to_string(n) + ", expected right after the " + fCellName);
         fReshaped = true;
      } else if (kind == "POOL") {
         read_pooling(parts, n == recurrent);
      } else if (offered_elsewhere) {
         complain("Layout: " + kind + " as layer " + std::to_string(n + 1) + " is not offered here; recurrent and dense layers are");
      } else {
         read_dense(parts, n + 1 == layers.size());
      }
   }
   const bool pools = fBooking.network.pooling != Pooling::Last;
   if (fReturnsSequence && !fReshaped && !pools)
      complain("Layout: the " + fCellName + " returns all steps (its sixth number is 1), so RESHAPE|FLAT has to follow; or let it return "
               "the last step: LSTM|H|D|T|0|0. Outputs for every step are for Python (every_step), for TMVA has one label an event");
   if (!fReturnsSequence && fReshaped)
      note("Layout: the " + fCellName + " returns its last step, so RESHAPE|FLAT changes nothing");
   if (!fReturnsSequence && pools)
      complain("Layout: POOL needs all steps of the " + fCellName + ", which returns its last (its sixth number is 0): " + fCellName +
               "|H|D|T|0|1 before it");
   fBooking.network.flat_steps = fReturnsSequence && fReshaped && !pools ? fBooking.T : 0;
   fBooking.network.K = fTask == Task::Binary ? 1 : fOutputs;
   if (fAskedSteps && fBooking.T && fAskedSteps != fBooking.T)
      complain("Layout: the " + fCellName + " has " + std::to_string(fAskedSteps) + " steps, InputLayout has " + std::to_string(fBooking.T));
   if (fAskedFeatures && fBooking.network.D && fAskedFeatures != fBooking.network.D)
      complain("Layout: the " + fCellName + " has " + std::to_string(fAskedFeatures) + " input features, InputLayout has " +
               std::to_string(fBooking.network.D));
}

void Reader::read_first_recurrent(const std::vector<std::string> &parts, const RecurrentKind &kind)
{
   fCellName = kind.name;
   fBooking.network.bidirectional = kind.bidirectional;
   fBooking.network.cell.kind = kind.cell;
   read_recurrent(parts);
}

/// POOL|MEAN, POOL|MAX or POOL|ATTENTION: one vector out of the states of all steps.
void Reader::read_pooling(const std::vector<std::string> &parts, bool right_behind)
{
   const std::string word = parts.size() == 2 ? upper(parts[1]) : "";
   Pooling &pooling = fBooking.network.pooling;
   if (word != "MEAN" && word != "MAX" && word != "ATTENTION") {
      complain("Layout: POOL has '" + (parts.size() > 1 ? parts[1] : std::string()) + "', expected one of MEAN, MAX, ATTENTION; " +
               near_miss(word, {"MEAN", "MAX", "ATTENTION"}));
      return;
   }
   if (fReshaped || pooling != Pooling::Last)
      complain("Layout: POOL|" + word + " stands behind " + (fReshaped ? "RESHAPE|FLAT" : "another POOL") + "; there are no steps any more");
   else if (!right_behind)
      complain("Layout: POOL|" + word + " stands behind dense layers, expected right after the " + fCellName);
   pooling = word == "MEAN" ? Pooling::Mean : word == "MAX" ? Pooling::Max : Pooling::Attention;
}

/// Takes PEEPHOLES, COUPLED and LNORM out of the parts of a recurrent layer. They hold for all such layers.
void Reader::read_variants(std::vector<std::string> &parts)
{
   tmva_lstm::NetworkShape &network = fBooking.network;
   std::vector<std::string> numbers{parts[0]};
   for (std::size_t n = 1; n < parts.size(); ++n) {
      const std::string word = upper(parts[n]);
      if (word == "LNORM")
         network.layer_norm = true;
      else if ((word == "PEEPHOLES" || word == "COUPLED") && network.cell.kind != CellKind::Lstm)
         complain("Layout: " + word + " belongs to an LSTM; a " + fCellName + " has none");
      else if (word == "PEEPHOLES")
         network.cell.peepholes = true;
      else if (word == "COUPLED")
         network.cell.coupled = true;
      else
         numbers.push_back(parts[n]);
   }
   parts = numbers;
}

/// LSTM|stateSize|inputSize|timeSteps|rememberState|returnSequence; behind them, for a GRU, MethodDL's resetGateAfter, and words. The
/// reset gate is where any layer says, after the product where none does.
void Reader::read_recurrent(std::vector<std::string> parts)
{
   constexpr const char *kWhat[] = {"", "state size", "input size", "time steps", "rememberState", "returnSequence", "resetGateAfter"};
   read_variants(parts);
   const std::string name = upper(parts[0]);
   const std::size_t most = fBooking.network.cell.kind == CellKind::Gru ? 7 : 6;
   std::size_t numbers[7] = {};
   if (parts.size() > most)
      complain("Layout: '" + parts[0] + "' has " + std::to_string(parts.size() - 1) + " numbers, expected " + name +
               "|H|D|T|rememberState|returnSequence" + (most == 7 ? "|resetGateAfter" : ""));
   for (std::size_t n = 1; n < parts.size() && n < most; ++n)
      if (!read_count(parts[n], numbers[n]))
         complain("Layout: the " + name + "'s " + std::string(kWhat[n]) + " is '" + parts[n] + "', expected a whole number");
   if (parts.size() < 2 || (numbers[1] == 0 && fComplaints.empty()))
      complain("Layout: the " + name + " needs a state size of at least 1: " + name + "|H|D|T|0|1");
   fBooking.network.H = numbers[1];
   fAskedFeatures = numbers[2];
   fAskedSteps = numbers[3];
   if (numbers[4])
      complain("Layout: rememberState=1 is not offered: events are independent and drawn in random order, so a state carried "
               "from one to the next has no meaning; set it to 0");
   fReturnsSequence = numbers[5] != 0;
   if (parts.size() != 7)
      return;
   if (numbers[6] > 1)
      complain("Layout: resetGateAfter is " + parts[6] + ", expected 1 (the reset gate after the product with the state) or 0 (before it)");
   else if (fSaysResetGate && fBooking.network.cell.reset_before != (numbers[6] == 0))
      complain("Layout: resetGateAfter is " + parts[6] + " in a layer and not in one below it; all have to be the same");
   fSaysResetGate = true;
   fBooking.network.cell.reset_before = numbers[6] == 0;
}

/// A further recurrent layer: the one read before goes below it.
void Reader::read_upper_recurrent(const std::vector<std::string> &parts, const RecurrentKind &kind)
{
   tmva_lstm::NetworkShape &network = fBooking.network;
   const std::string name = "recurrent layer " + std::to_string(network.lower.size() + 2);
   if (kind.name != fCellName)
      complain("Layout: " + name + " is a " + kind.name + ", the first one a " + fCellName + "; all have to be the same");
   if (!fReturnsSequence)
      complain("Layout: " + name + " needs all steps of the one below, which returns its last (its sixth number is 0): " + fCellName +
               "|H|D|T|0|1 below another");
   const std::size_t below = network.states(), D = fAskedFeatures, T = fAskedSteps;
   network.lower.push_back(network.H);
   read_recurrent(parts);
   if (fAskedFeatures && fAskedFeatures != below)
      complain("Layout: " + name + " has " + std::to_string(fAskedFeatures) + " input features, the one below gives " +
               std::to_string(below));
   if (fAskedSteps && T && fAskedSteps != T)
      complain("Layout: " + name + " has " + std::to_string(fAskedSteps) + " steps, the one below has " + std::to_string(T));
   fAskedFeatures = D;
   fAskedSteps = T ? T : fAskedSteps;
}

/// DENSE|width|ACT with the parts in any order; a layer without a type is dense, too.
void Reader::read_dense(const std::vector<std::string> &parts, bool last)
{
   tmva_lstm::DenseSpec spec;
   bool has_width = false, has_activation = false;
   for (const std::string &part : parts) {
      const std::string word = upper(part);
      const auto &names = tmva_lstm::activation_names();
      if (word.empty() || word == "DENSE")
         continue;
      if (read_count(word, spec.width)) {
         has_width = spec.width != 0;
      } else if (std::find(names.begin(), names.end(), word) != names.end()) {
         spec.activation = tmva_lstm::activation_from_name(word);
         has_activation = true;
      } else {
         std::vector<std::string> known = names;
         known.insert(known.end(), {"DENSE", "LSTM", "BILSTM", "GRU", "BIGRU", "RNN", "BIRNN", "RESHAPE|FLAT", "POOL"});
         complain("Layout: '" + part + "' is no layer, activation or width; " + near_miss(part, known));
         return;
      }
   }
   const std::size_t outputs = fTask == Task::Binary ? 1 : fOutputs;
   if (last) {
      if (has_width && spec.width != outputs)
         complain("Layout: the last layer has width " + std::to_string(spec.width) + ", expected " + std::to_string(outputs) +
                  " for this task");
      if (has_activation && spec.activation != tmva_lstm::Activation::Linear)
         complain(std::string("Layout: the last layer is ") + tmva_lstm::activation_name(spec.activation) +
                  ", expected LINEAR: the loss works on its values, and sigmoid or softmax follow by themselves");
      return;
   }
   if (!has_width)
      complain("Layout: a hidden dense layer has no width, expected DENSE|width|ACTIVATION");
   fBooking.network.dense.push_back(spec);
}

void Reader::read_loss()
{
   const std::string word = upper(fStrings.error_strategy);
   Loss &loss = fBooking.network.loss;
   loss = fTask == Task::Regression ? Loss::MeanSquaredError : Loss::CrossEntropy;
   if (word.empty())
      return;
   const std::vector<std::string> known{"CROSSENTROPY", "SUMOFSQUARES", "MUTUALEXCLUSIVE", "ABSOLUTEERROR", "HUBER"};
   const bool of_regression = word == "ABSOLUTEERROR" || word == "HUBER";
   if (std::find(known.begin(), known.end(), word) == known.end())
      complain("ErrorStrategy=" + fStrings.error_strategy + " is unknown; " + near_miss(word, known));
   else if (of_regression && fTask != Task::Regression)
      complain("ErrorStrategy=" + fStrings.error_strategy + " is for a regression; classes have CROSSENTROPY, MUTUALEXCLUSIVE and "
               "SUMOFSQUARES");
   else if (of_regression)
      loss = word == "HUBER" ? Loss::Huber : Loss::MeanAbsoluteError;
   else if (fTask == Task::Regression && word != "SUMOFSQUARES")
      note("ErrorStrategy=" + word + " is for classes; a regression minimises the mean squared error");
   else if (word == "SUMOFSQUARES")
      loss = Loss::MeanSquaredError;
   else if (word == "CROSSENTROPY" && fTask == Task::Multiclass)
      loss = Loss::SigmoidCrossEntropy;
}

void Reader::read_huber_delta()
{
   if (!(fStrings.huber_delta > 0 && std::isfinite(fStrings.huber_delta)))
      complain("HuberDelta=" + std::to_string(fStrings.huber_delta) + ": expected a number above 0");
   else if (fStrings.huber_delta != 1 && fBooking.network.loss != Loss::Huber)
      complain("HuberDelta has no effect without ErrorStrategy=HUBER; drop it, or book that");
   fBooking.network.huber_delta = fStrings.huber_delta;
}

void Reader::read_validation()
{
   const std::string text = fStrings.validation_size.empty() ? "20%" : fStrings.validation_size;
   double value = 0;
   const bool percent = text.back() == '%';
   if (!read_number(percent ? text.substr(0, text.size() - 1) : text, value) || value < 0 || (percent && value >= 100)) {
      complain("ValidationSize=" + text + ": expected a percentage such as 20%, a fraction such as 0.2, or a number of events");
      return;
   }
   if (percent)
      fBooking.validation_fraction = value / 100;
   else if (value < 1)
      fBooking.validation_fraction = value;
   else
      fBooking.validation_events = static_cast<std::size_t>(value);
}

void Reader::read_architecture()
{
   const std::string word = upper(fStrings.architecture);
   if (word.empty() || word == "CPU")
      return;
   if (word == "STANDARD")
      note("Architecture=STANDARD is taken as CPU");
   else if (word == "GPU" || word == "CUDNN" || word == "OPENCL")
      complain("Architecture=" + fStrings.architecture + " is not offered; this method runs on CPU");
   else
      complain("Architecture=" + fStrings.architecture + " is unknown; " + near_miss(word, {"CPU"}));
}

TrainingOptions Reader::common_options()
{
   TrainingOptions options;
   options.seed = static_cast<std::uint64_t>(fStrings.random_seed);
   if (fStrings.random_seed == 0) {
      options.seed = std::random_device{}();
      note("RandomSeed=0: this training cannot be repeated; the seed drawn is " + std::to_string(options.seed));
   } else if (fStrings.random_seed < 0) {
      complain("RandomSeed=" + std::to_string(fStrings.random_seed) + ": expected a number from 0, where 0 is another seed each time");
   }
   options.forget_bias = fStrings.forget_bias;
   const std::string word = upper(fStrings.weight_initialization);
   constexpr std::pair<const char *, Initialisation> kKinds[] = {
      {"XAVIERUNIFORM", Initialisation::XavierUniform}, {"XAVIER", Initialisation::Xavier},
      {"GAUSS", Initialisation::Gauss},                 {"UNIFORM", Initialisation::Uniform},
      {"IDENTITY", Initialisation::Identity},           {"ZERO", Initialisation::Zero},
      {"ORTHOGONAL", Initialisation::Orthogonal}};
   std::vector<std::string> known;
   bool found = word.empty();
   for (const auto &[name, kind] : kKinds) {
      known.emplace_back(name);
      if (word == name) {
         options.initialisation = kind;
         found = true;
      }
   }
   if (!found)
      complain("WeightInitialization=" + fStrings.weight_initialization + " is unknown; " + near_miss(word, known));
   return options;
}

void Reader::read_strategy()
{
   const TrainingOptions common = common_options();
   const std::vector<std::string> phases = split(fStrings.training_strategy, '|');
   for (std::size_t n = 0; n < phases.size(); ++n) {
      TrainingOptions phase = read_phase(phases[n], n + 1, kDefaultStrategy, fComplaints, fBooking.notes);
      phase.seed = common.seed;
      phase.forget_bias = common.forget_bias;
      phase.initialisation = common.initialisation;
      if (phase.monitor != tmva_lstm::Monitor::Loss) {
         const std::string of = "TrainingStrategy, phase " + std::to_string(n + 1) + ": Monitor=" + upper(tmva_lstm::monitor_name(phase.monitor));
         if (fTask == Task::Regression)
            complain(of + " is of classes, and a regression has none; leave it out");
         if (fBooking.validation_fraction == 0 && fBooking.validation_events == 0)
            complain(of + " is of validation events, and ValidationSize is 0; raise it, or leave Monitor out");
      }
      if (n > 0 && phase.monitor != fBooking.phases.front().monitor)
         complain("TrainingStrategy, phase " + std::to_string(n + 1) + ": Monitor=" + upper(tmva_lstm::monitor_name(phase.monitor)) +
                  " where the first phase has " + upper(tmva_lstm::monitor_name(fBooking.phases.front().monitor)) +
                  "; all phases monitor the same figure");
      fBooking.phases.push_back(phase);
   }
}

/// A number with one of the units s, min, h and d, or seconds.
void Reader::read_max_time()
{
   constexpr std::pair<const char *, double> kUnits[] = {{"MIN", 60}, {"S", 1}, {"H", 3600}, {"D", 86400}};
   std::string text = upper(stripped(fStrings.max_time));
   if (text.empty())
      return;
   double unit = 1, value = 0;
   for (const auto &[name, seconds] : kUnits) {
      const std::string word = name;
      if (text.size() > word.size() && text.compare(text.size() - word.size(), word.size(), word) == 0) {
         unit = seconds;
         text = stripped(text.substr(0, text.size() - word.size()));
         break;
      }
   }
   if (!read_number(text, value) || !(value > 0))
      complain("MaxTime=" + fStrings.max_time + ": expected a time such as 2h or 90min, with one of the units s, min, h and d, or seconds");
   else
      fBooking.max_seconds = value * unit;
}

} // namespace

Booking understand(const BookingStrings &strings, const VariableShape &variables, Task task, std::size_t outputs)
{
   return Reader(strings, variables, task, outputs).read();
}

std::vector<std::string> refused_options(const std::string &parsed)
{
   // the method's own, then every method's
   static const std::vector<std::string> known{
      "InputLayout", "Layout", "TrainingStrategy", "ErrorStrategy", "WeightInitialization", "ValidationSize", "RandomSeed",
      "Architecture", "Length", "MaskValue", "NumThreads", "ForgetBias", "HuberDelta", "Ranking", "MaxTime",
      "CheckpointEpochs", "CheckpointMinutes", "Resume",
      "V", "VerbosityLevel", "VarTransform", "H", "CreateMVAPdfs", "IgnoreNegWeightsInTraining"};
   std::vector<std::string> refused;
   if (upper(parsed).find("BOOST_NUM") != std::string::npos)
      refused.push_back("Boost_num is not offered: an LSTM is not boosted; leave out the options that begin with Boost_");
   for (const std::string &option : split(parsed, ':')) {
      if (option.empty() || option[0] == '~' || upper(option).find("BOOST_") == 0)
         continue;
      const std::size_t name = option[0] == '!' ? 1 : 0;
      refused.push_back("unknown option '" + option + "'; " + near_miss(option.substr(name, option.find('=') - name), known));
   }
   return refused;
}

} // namespace tmva_lstm_tmva
