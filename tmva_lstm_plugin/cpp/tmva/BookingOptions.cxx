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
      if (!fComplaints.empty())
         throw BookingError(fComplaints);
      return fBooking;
   }

private:
   void complain(const std::string &line) { fComplaints.push_back(line); }
   void note(const std::string &line) { fBooking.notes.push_back(line); }

   void read_input_layout();
   void read_layout();
   void read_recurrent(const std::vector<std::string> &parts);
   void read_upper_recurrent(const std::vector<std::string> &parts, bool bidirectional);
   void read_dense(const std::vector<std::string> &parts, bool last);
   void read_loss();
   void read_huber_delta();
   void read_validation();
   void read_architecture();
   void read_strategy();
   TrainingOptions common_options();

   const BookingStrings &fStrings;
   const VariableShape &fVariables;
   const Task fTask;
   const std::size_t fOutputs;
   Booking fBooking;
   Complaints fComplaints;
   bool fReturnsSequence = false;
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
   bool reshaped = false;
   std::size_t recurrent = 1; // LSTM layers so far
   for (std::size_t n = 0; n < layers.size(); ++n) {
      const std::vector<std::string> parts = split(layers[n], '|');
      const std::string kind = upper(parts[0]);
      if (n == 0) {
         if (kind != "LSTM" && kind != "BILSTM") {
            if (kind == "RNN" || kind == "GRU" || kind == "CONV" || kind == "MAXPOOL" || kind == "BNORM")
               complain("Layout: " + kind + " layers are not offered here; the first layer is an LSTM");
            else
               complain("Layout: the first layer is '" + layers[0] + "', expected LSTM|H|D|T|0|1; " +
                        near_miss(kind, {"LSTM", "BILSTM"}));
            return;
         }
         fBooking.network.bidirectional = kind == "BILSTM";
         read_recurrent(parts);
      } else if (n == recurrent && (kind == "LSTM" || kind == "BILSTM")) {
         ++recurrent;
         read_upper_recurrent(parts, kind == "BILSTM");
      } else if (kind == "RESHAPE") {
         if (parts.size() != 2 || upper(parts[1]) != "FLAT")
            complain("Layout: '" + layers[n] + "' is not offered; the states of all steps are joined by RESHAPE|FLAT");
         else if (n != recurrent)
            complain("Layout: RESHAPE|FLAT stands after layer " + std::to_string(n) + ", expected right after the LSTM");
         reshaped = true;
      } else if (kind == "LSTM" || kind == "BILSTM") {
         complain("Layout: " + kind + " as layer " + std::to_string(n + 1) + " stands behind other layers; LSTM layers come first");
      } else if (kind == "RNN" || kind == "GRU" || kind == "CONV" || kind == "MAXPOOL" || kind == "BNORM") {
         complain("Layout: " + kind + " as layer " + std::to_string(n + 1) + " is not offered here; LSTM and dense layers are");
      } else {
         read_dense(parts, n + 1 == layers.size());
      }
   }
   if (fReturnsSequence && !reshaped)
      complain("Layout: the LSTM returns all steps (its sixth number is 1), so RESHAPE|FLAT has to follow; or let it return "
               "the last step: LSTM|H|D|T|0|0");
   if (!fReturnsSequence && reshaped)
      note("Layout: the LSTM returns its last step, so RESHAPE|FLAT changes nothing");
   fBooking.network.flat_steps = fReturnsSequence ? fBooking.T : 0;
   fBooking.network.K = fTask == Task::Binary ? 1 : fOutputs;
   if (fAskedSteps && fBooking.T && fAskedSteps != fBooking.T)
      complain("Layout: the LSTM has " + std::to_string(fAskedSteps) + " steps, InputLayout has " + std::to_string(fBooking.T));
   if (fAskedFeatures && fBooking.network.D && fAskedFeatures != fBooking.network.D)
      complain("Layout: the LSTM has " + std::to_string(fAskedFeatures) + " input features, InputLayout has " +
               std::to_string(fBooking.network.D));
}

/// LSTM|stateSize|inputSize|timeSteps|rememberState|returnSequence
void Reader::read_recurrent(const std::vector<std::string> &parts)
{
   constexpr const char *kWhat[] = {"", "state size", "input size", "time steps", "rememberState", "returnSequence"};
   std::size_t numbers[6] = {};
   if (parts.size() > 6)
      complain("Layout: '" + parts[0] + "' has " + std::to_string(parts.size() - 1) +
               " numbers, expected LSTM|H|D|T|rememberState|returnSequence");
   for (std::size_t n = 1; n < parts.size() && n < 6; ++n)
      if (!read_count(parts[n], numbers[n]))
         complain("Layout: the LSTM's " + std::string(kWhat[n]) + " is '" + parts[n] + "', expected a whole number");
   if (parts.size() < 2 || (numbers[1] == 0 && fComplaints.empty()))
      complain("Layout: the LSTM needs a state size of at least 1: LSTM|H|D|T|0|1");
   fBooking.network.H = numbers[1];
   fAskedFeatures = numbers[2];
   fAskedSteps = numbers[3];
   if (numbers[4])
      complain("Layout: rememberState=1 is not offered: events are independent and drawn in random order, so a state carried "
               "from one to the next has no meaning; set it to 0");
   fReturnsSequence = numbers[5] != 0;
}

/// A further LSTM layer: the one read before goes below it.
void Reader::read_upper_recurrent(const std::vector<std::string> &parts, bool bidirectional)
{
   tmva_lstm::NetworkShape &network = fBooking.network;
   const std::string name = "LSTM layer " + std::to_string(network.lower.size() + 2);
   if (bidirectional != network.bidirectional)
      complain("Layout: " + name + " goes through time in " + (bidirectional ? "both directions" : "one direction") +
               ", the first one in " + (bidirectional ? "one" : "both") + "; all are LSTM or all are BILSTM");
   if (!fReturnsSequence)
      complain("Layout: " + name + " needs all steps of the one below, which returns its last (its sixth number is 0): "
               "LSTM|H|D|T|0|1 below another");
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
         known.insert(known.end(), {"DENSE", "LSTM", "BILSTM", "RESHAPE|FLAT"});
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
      {"IDENTITY", Initialisation::Identity},           {"ZERO", Initialisation::Zero}};
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
      fBooking.phases.push_back(phase);
   }
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
      "Architecture", "Length", "MaskValue", "NumThreads", "ForgetBias", "Ranking",
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
