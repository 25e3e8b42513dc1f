#include "StrategyOptions.h"

#include "BookingOptions.h"
#include "OptionText.h"

#include <algorithm>
#include <functional>

namespace tmva_lstm_tmva {

using tmva_lstm::Monitor;
using tmva_lstm::OptimizerKind;
using tmva_lstm::ScheduleKind;
using tmva_lstm::TrainingOptions;

namespace {

constexpr std::pair<const char *, OptimizerKind> kOptimizers[] = {
   {"ADAM", OptimizerKind::Adam},       {"SGD", OptimizerKind::Sgd},         {"ADAMW", OptimizerKind::AdamW},
   {"RMSPROP", OptimizerKind::RmsProp}, {"ADAGRAD", OptimizerKind::Adagrad}, {"ADADELTA", OptimizerKind::Adadelta}};
constexpr std::pair<const char *, ScheduleKind> kSchedules[] = {
   {"CONSTANT", ScheduleKind::Constant}, {"STEP", ScheduleKind::Step},         {"EXPONENTIAL", ScheduleKind::Exponential},
   {"COSINE", ScheduleKind::Cosine},     {"ONECYCLE", ScheduleKind::OneCycle}, {"PLATEAU", ScheduleKind::Plateau}};

constexpr std::pair<const char *, Monitor> kMonitors[] = {
   {"LOSS", Monitor::Loss}, {"AUC", Monitor::Auc}, {"ACCURACY", Monitor::Accuracy}};

/// The words of a list.
template <class Kind, std::size_t N>
std::vector<std::string> words(const std::pair<const char *, Kind> (&list)[N])
{
   std::vector<std::string> result;
   for (const auto &[word, kind] : list)
      result.emplace_back(word);
   return result;
}

std::string joined_by_or(const std::vector<std::string> &names)
{
   std::string text;
   for (std::size_t n = 0; n < names.size(); ++n)
      text.append(n == 0 ? "" : n + 1 == names.size() ? " or " : ", ").append(names[n]);
   return text;
}

std::string shown(double value)
{
   std::string text = std::to_string(value);
   text.erase(text.find_last_not_of('0') + 1);
   return text.back() == '.' ? text + "0" : text;
}

/// One phase.
class PhaseReader {
public:
   PhaseReader(std::size_t number, std::vector<std::string> &complaints, std::vector<std::string> &notes)
      : fWhere("TrainingStrategy, phase " + std::to_string(number) + ": "), fComplaints(complaints), fNotes(notes)
   {
   }

   TrainingOptions read(const std::string &text, const std::string &defaults)
   {
      split_up(defaults, false);
      split_up(text, true);
      // the two that others depend on
      choose("Optimizer", kOptimizers, fKnowsOptimizer, fOptions.optimizer.kind);
      fOptions.optimizer = tmva_lstm::default_options(fOptions.optimizer.kind);
      choose("Schedule", kSchedules, fKnowsSchedule, fOptions.schedule.kind);
      if (fOptions.schedule.kind == ScheduleKind::Exponential)
         fOptions.schedule.decay_factor = tmva_lstm::kExponentialFactor;
      choose("Monitor", kMonitors, fKnowsMonitor, fOptions.monitor);
      const std::size_t before = fComplaints.size();
      take_common();
      take_optimizer();
      take_schedule();
      take_growth();
      // numbers that could not be read would only be told twice
      if (fComplaints.size() == before)
         compare();
      return fOptions;
   }

private:
   struct Given {
      std::string key, value;
      bool users;
   };

   void complain(const std::string &line) { fComplaints.push_back(fWhere + line); }
   void note(const std::string &line) { fNotes.push_back("TrainingStrategy: " + line); }

   void split_up(const std::string &text, bool users);
   /// The last one given; null if there is none.
   const Given *last(const std::string &key) const
   {
      const auto found = std::find_if(fGiven.rbegin(), fGiven.rend(), [&](const Given &g) { return g.key == key; });
      return found == fGiven.rend() ? nullptr : &*found;
   }
   bool asked(const std::string &key) const
   {
      const Given *given = last(key);
      return given && given->users;
   }

   template <class Kind, std::size_t N>
   void choose(const char *key, const std::pair<const char *, Kind> (&list)[N], bool &known, Kind &target)
   {
      const Given *given = last(key);
      if (!given)
         return;
      const std::string word = upper(given->value);
      known = false;
      for (const auto &[name, kind] : list)
         if (word == name) {
            target = kind;
            known = true;
         }
      if (!known)
         complain(std::string(key) + "=" + given->value + " is unknown; " + near_miss(given->value, words(list)));
   }

   /// Every value given is checked, the last one counts.
   void number(const char *key, double &target, const char *expected, const std::function<bool(double)> &fits)
   {
      for (const Given &given : fGiven) {
         double read = 0;
         if (given.key != key)
            continue;
         if (!read_number(given.value, read) || !fits(read))
            complain(given.key + "=" + given.value + ", expected " + expected);
         else
            target = read;
      }
   }
   void count(const char *key, std::size_t &target, std::size_t least, const char *expected)
   {
      for (const Given &given : fGiven) {
         std::size_t read = 0;
         if (given.key != key)
            continue;
         if (!read_count(given.value, read) || read < least)
            complain(given.key + "=" + given.value + ", expected " + expected);
         else
            target = read;
      }
   }

   void belongs(const char *key, std::initializer_list<OptimizerKind> kinds, bool refused);
   void belongs(const char *key, std::initializer_list<ScheduleKind> kinds);
   void take_common();
   void take_decay();
   void take_dropout();
   void take_optimizer();
   void take_schedule();
   void take_growth();
   void compare();

   std::string fWhere;
   std::vector<std::string> &fComplaints, &fNotes;
   std::vector<Given> fGiven;
   TrainingOptions fOptions;
   bool fKnowsOptimizer = true, fKnowsSchedule = true, fKnowsMonitor = true;
};

void PhaseReader::split_up(const std::string &text, bool users)
{
   static const std::vector<std::string> keys{
      "LearningRate", "Momentum", "ConvergenceSteps", "MaxEpochs", "Optimizer", "BatchSize", "TestRepetitions", "WeightDecay",
      "Regularization", "DropConfig", "RecurrentDropout", "ClipNorm", "ADAM_beta1", "ADAM_beta2", "ADAM_eps", "Repetitions", "Multithreading",
      "ADAGRAD_eps", "RMSPROP_eps", "RMSPROP_rho", "ADADELTA_eps", "ADADELTA_rho", "Nesterov", "ClipValue", "EmaDecay",
      "Schedule", "DecayEpochs", "DecayFactor", "MinLearningRate", "PlateauPatience", "RiseFraction", "StartDivisor",
      "EndDivisor", "WarmupEpochs", "WarmupStart", "BatchGrowth", "BatchGrowthEpochs", "MaxBatchSize", "Monitor"};
   for (const std::string &piece : split(text, ',')) {
      if (piece.empty())
         continue;
      const auto equals = piece.find('=');
      const std::string key = stripped(piece.substr(0, equals));
      const auto known = std::find_if(keys.begin(), keys.end(), [&](const auto &k) { return upper(k) == upper(key); });
      if (known == keys.end())
         complain("unknown key '" + key + "'; " + near_miss(key, keys));
      else if (equals == std::string::npos)
         complain("'" + piece + "' has no value, expected " + *known + "=...");
      else if (users && (*known == "Repetitions" || *known == "Multithreading"))
         note(*known + " has no effect, here as in MethodDL");
      else
         fGiven.push_back({*known, stripped(piece.substr(equals + 1)), users});
   }
}

/// Of a key that belongs to some of the words of a list: which, and the word chosen in their place.
struct OutOfPlace {
   std::string homes, chosen;
};

template <class Kind, std::size_t N>
OutOfPlace out_of_place(const std::pair<const char *, Kind> (&list)[N], std::initializer_list<Kind> kinds, Kind chosen)
{
   std::vector<std::string> homes;
   OutOfPlace result;
   for (const auto &[word, kind] : list) {
      if (std::find(kinds.begin(), kinds.end(), kind) != kinds.end())
         homes.emplace_back(word);
      if (kind == chosen)
         result.chosen = word;
   }
   result.homes = joined_by_or(homes);
   return result;
}

/// Says that a key has no effect on the optimiser chosen: refused, or noted where MethodDL's option strings carry it along.
void PhaseReader::belongs(const char *key, std::initializer_list<OptimizerKind> kinds, bool refused)
{
   const OptimizerKind chosen = fOptions.optimizer.kind;
   if (!asked(key) || !fKnowsOptimizer || std::find(kinds.begin(), kinds.end(), chosen) != kinds.end())
      return;
   const OutOfPlace place = out_of_place(kOptimizers, kinds, chosen);
   const std::string text = std::string(key) + " belongs to Optimizer=" + place.homes;
   if (refused)
      complain(text + ", not to " + place.chosen + "; leave it out");
   else
      note(text + "; " + place.chosen + " goes without it");
}

void PhaseReader::belongs(const char *key, std::initializer_list<ScheduleKind> kinds)
{
   const ScheduleKind chosen = fOptions.schedule.kind;
   if (!asked(key) || !fKnowsSchedule || std::find(kinds.begin(), kinds.end(), chosen) != kinds.end())
      return;
   const OutOfPlace place = out_of_place(kSchedules, kinds, chosen);
   complain(std::string(key) + " belongs to Schedule=" + place.homes + ", not to " + place.chosen + "; leave it out");
}

const auto kAbove0 = [](double v) { return v > 0; };
const auto kAtLeast0 = [](double v) { return v >= 0; };
const auto kAtLeast1 = [](double v) { return v >= 1; };
const auto kPart = [](double v) { return v >= 0 && v < 1; };
const auto kInner = [](double v) { return v > 0 && v < 1; };

void PhaseReader::take_common()
{
   number("LearningRate", fOptions.optimizer.learning_rate, "a number above 0", kAbove0);
   count("ConvergenceSteps", fOptions.patience, 1, "a whole number of epochs, at least 1");
   count("MaxEpochs", fOptions.epochs, 1, "a whole number, at least 1");
   count("BatchSize", fOptions.batch_size, 1, "a whole number, at least 1");
   std::size_t repetitions = 1;
   count("TestRepetitions", repetitions, 1, "a whole number, at least 1");
   if (repetitions > 1)
      fNotes.push_back("TestRepetitions=" + last("TestRepetitions")->value +
                       ": the validation loss is computed after every epoch all the same");
   number("ClipNorm", fOptions.clip_norm, "a number of at least 0, where 0 is no clipping", kAtLeast0);
   number("ClipValue", fOptions.clip_value, "a number of at least 0, where 0 is no clipping", kAtLeast0);
   number("EmaDecay", fOptions.ema_decay, "a number from 0 to less than 1, where 0 is no moving average", kPart);
   take_decay();
   take_dropout();
}

void PhaseReader::take_decay()
{
   double decay = 0;
   number("WeightDecay", decay, "a number of at least 0", kAtLeast0);
   std::string regularization = "NONE";
   if (const Given *given = last("Regularization")) {
      regularization = upper(given->value);
      if (regularization != "NONE" && regularization != "L1" && regularization != "L2")
         complain("Regularization=" + given->value + " is unknown; " + near_miss(given->value, {"None", "L1", "L2"}));
   }
   if (fOptions.optimizer.kind == OptimizerKind::AdamW && fKnowsOptimizer) {
      if (regularization == "L1" || regularization == "L2")
         complain("Regularization=" + regularization + " with Optimizer=ADAMW, whose WeightDecay is a decay of its own; take "
                  "Optimizer=ADAM for a penalty, or Regularization=None");
      else if (asked("WeightDecay"))
         fOptions.optimizer.weight_decay = decay;
      else
         note("ADAMW decays with WeightDecay=" + shown(fOptions.optimizer.weight_decay) + ", for none is given");
   } else if (regularization == "L1") {
      fOptions.l1 = decay;
   } else if (regularization == "L2") {
      fOptions.l2 = decay;
   } else if (decay > 0) {
      note("WeightDecay has no effect with Regularization=None, here as in MethodDL");
   }
}

/// DropConfig=input+layer+layer+...: the part dropped of the features of a step, then of what each layer gives; the recurrent layers
/// have one rate here. RecurrentDropout: of the state on its way to the next step.
void PhaseReader::take_dropout()
{
   number("RecurrentDropout", fOptions.drop.state, "a number from 0 to less than 1", kPart);
   for (const Given &given : fGiven) {
      if (given.key != "DropConfig")
         continue;
      std::vector<double> rates;
      for (const std::string &part : split(given.value, '+')) {
         double rate = 0;
         if (!read_number(part, rate) || rate < 0 || rate >= 1) {
            complain("DropConfig=" + given.value + ": found '" + part + "', expected numbers from 0 to less than 1 joined by +");
            return;
         }
         rates.push_back(rate);
      }
      fOptions.drop.input = rates.empty() ? 0 : rates[0];
      fOptions.drop.output = rates.size() > 1 ? rates[1] : 0;
      for (std::size_t n = 2; n < rates.size(); ++n)
         if (rates[n] != 0 && rates[n] != rates[1])
            complain("DropConfig=" + given.value + ": all recurrent layers drop the same part, and dense layers none; expected "
                     "input+layers, such as DropConfig=0.1+0.3");
   }
}

void PhaseReader::take_optimizer()
{
   using Kind = OptimizerKind;
   tmva_lstm::OptimizerOptions &o = fOptions.optimizer;
   double momentum = o.momentum;
   number("Momentum", momentum, "a number from 0 to less than 1", kPart);
   // the default strategy's is SGD's
   if (o.kind == Kind::Sgd || (o.kind == Kind::RmsProp && asked("Momentum")))
      o.momentum = momentum;
   if (momentum != 0)
      belongs("Momentum", {Kind::Sgd, Kind::RmsProp}, false);
   if (const Given *given = last("Nesterov")) {
      const std::string word = upper(given->value);
      o.nesterov = word == "T" || word == "TRUE" || word == "1";
      if (!o.nesterov && word != "F" && word != "FALSE" && word != "0")
         complain("Nesterov=" + given->value + ", expected T or F");
      if (o.nesterov)
         belongs("Nesterov", {Kind::Sgd}, true);
      if (o.nesterov && o.kind == Kind::Sgd && o.momentum == 0)
         complain("Nesterov=" + given->value + " with Momentum=0, which it is a way to use; raise Momentum, or leave Nesterov out");
   }
   number("ADAM_beta1", o.beta1, "a number from 0 to less than 1", kPart);
   number("ADAM_beta2", o.beta2, "a number from 0 to less than 1", kPart);
   for (const char *key : {"ADAM_beta1", "ADAM_beta2", "ADAM_eps"})
      belongs(key, {Kind::Adam, Kind::AdamW}, false);
   for (const char *key : {"RMSPROP_eps", "RMSPROP_rho"})
      belongs(key, {Kind::RmsProp}, true);
   for (const char *key : {"ADADELTA_eps", "ADADELTA_rho"})
      belongs(key, {Kind::Adadelta}, true);
   belongs("ADAGRAD_eps", {Kind::Adagrad}, true);
   const auto eps_and_rho = [&](const char *eps, const char *rho, bool mine) {
      double other = 0;
      number(eps, mine ? o.epsilon : other, "a number above 0", kAbove0);
      if (rho)
         number(rho, mine ? o.rho : other, "a number from 0 to less than 1", kPart);
   };
   eps_and_rho("ADAM_eps", nullptr, o.kind == Kind::Adam || o.kind == Kind::AdamW);
   eps_and_rho("RMSPROP_eps", "RMSPROP_rho", o.kind == Kind::RmsProp);
   eps_and_rho("ADADELTA_eps", "ADADELTA_rho", o.kind == Kind::Adadelta);
   eps_and_rho("ADAGRAD_eps", nullptr, o.kind == Kind::Adagrad);
}

void PhaseReader::take_schedule()
{
   using Kind = ScheduleKind;
   tmva_lstm::ScheduleOptions &s = fOptions.schedule;
   count("DecayEpochs", s.decay_epochs, 1, "a whole number, at least 1");
   number("DecayFactor", s.decay_factor, "a number between 0 and 1", kInner);
   number("MinLearningRate", s.min_learning_rate, "a number of at least 0", kAtLeast0);
   count("PlateauPatience", s.plateau_patience, 0, "a whole number of epochs");
   number("RiseFraction", s.rise_fraction, "a number between 0 and 1", kInner);
   number("StartDivisor", s.start_divisor, "a number of at least 1", kAtLeast1);
   number("EndDivisor", s.end_divisor, "a number of at least 1", kAtLeast1);
   count("WarmupEpochs", s.warmup_epochs, 0, "a whole number of epochs");
   number("WarmupStart", s.warmup_start, "a number above 0, at most 1", [](double v) { return v > 0 && v <= 1; });
   belongs("DecayEpochs", {Kind::Step});
   belongs("DecayFactor", {Kind::Step, Kind::Exponential, Kind::Plateau});
   belongs("MinLearningRate", {Kind::Cosine, Kind::Plateau});
   belongs("PlateauPatience", {Kind::Plateau});
   for (const char *key : {"RiseFraction", "StartDivisor", "EndDivisor"})
      belongs(key, {Kind::OneCycle});
}

void PhaseReader::take_growth()
{
   number("BatchGrowth", fOptions.growth.factor, "a number of at least 1", kAtLeast1);
   count("BatchGrowthEpochs", fOptions.growth.epochs, 1, "a whole number, at least 1");
   count("MaxBatchSize", fOptions.growth.maximum, 1, "a whole number, at least 1");
}

/// What does not go together though each number by itself is in range.
void PhaseReader::compare()
{
   const tmva_lstm::ScheduleOptions &s = fOptions.schedule;
   const std::size_t epochs = fOptions.epochs;
   const std::string of_epochs = "MaxEpochs=" + std::to_string(epochs);
   const auto is = [](const char *key, std::size_t value) { return std::string(key) + "=" + std::to_string(value); };
   const std::string warmup = is("WarmupEpochs", s.warmup_epochs);
   if (s.warmup_epochs && s.kind == ScheduleKind::OneCycle)
      complain(warmup + " with Schedule=ONECYCLE, which has its own way up, RiseFraction; leave WarmupEpochs out");
   else if (s.warmup_epochs >= epochs)
      complain(warmup + " is as long as the training, " + of_epochs + "; shorten it");
   if (asked("WarmupStart") && s.warmup_epochs == 0)
      complain("WarmupStart is given without a warm-up; set WarmupEpochs, or leave it out");
   const std::size_t left = epochs - std::min(epochs, s.warmup_epochs);
   const std::string of_left = std::to_string(left) + " epochs that the schedule has";
   if (left && s.kind == ScheduleKind::Step && s.decay_epochs >= left)
      complain(is("DecayEpochs", s.decay_epochs) + " never comes in the " + of_left + "; lower it");
   if (s.kind == ScheduleKind::Exponential && left == 1)
      complain("Schedule=EXPONENTIAL decays between epochs, and it has one only; raise MaxEpochs");
   const bool ends = s.kind == ScheduleKind::Cosine || s.kind == ScheduleKind::Plateau;
   if (ends && s.min_learning_rate >= fOptions.optimizer.learning_rate)
      complain("MinLearningRate=" + last("MinLearningRate")->value + " is not below the learning rate; lower it");
   if (left && s.kind == ScheduleKind::Plateau) {
      const std::string plateau = is("PlateauPatience", s.plateau_patience);
      if (s.plateau_patience + 2 >= left)
         complain(plateau + ": the learning rate falls after " + std::to_string(s.plateau_patience + 2) +
                  " epochs at the earliest, of the " + of_left + "; lower it");
      if (fOptions.patience <= s.plateau_patience + 1)
         complain(plateau + " with " + is("ConvergenceSteps", fOptions.patience) + ": the training stops before the learning rate has "
                  "fallen; lower PlateauPatience, or raise ConvergenceSteps");
   }
   const tmva_lstm::BatchGrowth &g = fOptions.growth;
   if (g.factor <= 1) {
      for (const char *key : {"BatchGrowthEpochs", "MaxBatchSize"})
         if (asked(key))
            complain(std::string(key) + " is given, but the batches do not grow; set BatchGrowth above 1, or leave it out");
      return;
   }
   if (g.epochs >= epochs)
      complain(is("BatchGrowthEpochs", g.epochs) + ": the batches never grow in " + of_epochs + "; lower it");
   if (g.maximum == 0)
      complain("BatchGrowth needs MaxBatchSize, where it ends");
   else if (g.maximum <= fOptions.batch_size)
      complain(is("MaxBatchSize", g.maximum) + " is not above " + is("BatchSize", fOptions.batch_size) +
               ", so the batches do not grow; raise it, or leave BatchGrowth out");
}

} // namespace

TrainingOptions read_phase(const std::string &text, std::size_t number, const std::string &defaults,
                           std::vector<std::string> &complaints, std::vector<std::string> &notes)
{
   return PhaseReader(number, complaints, notes).read(text, defaults);
}

} // namespace tmva_lstm_tmva
