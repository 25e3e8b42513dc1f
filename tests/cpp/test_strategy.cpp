/// \file
/// The option TrainingStrategy: optimisers with TMVA's keys, schedules and what goes with them, and everything that is refused.
#include "check.h"

#include "tmva/BookingOptions.h"
#include "tmva/StrategyOptions.h"

#include <string>
#include <vector>

using namespace tmva_lstm_tmva;
using tmva_lstm::OptimizerKind;
using tmva_lstm::ScheduleKind;
using tmva_lstm::TrainingOptions;

namespace {

using Lines = std::vector<std::string>;

std::string joined(const Lines &lines)
{
   std::string text;
   for (const std::string &line : lines)
      text += line + "\n";
   return text;
}

TrainingOptions good(const std::string &text, const std::string &expected_note = "")
{
   Lines complaints, notes;
   const TrainingOptions options = read_phase(text, 1, kDefaultStrategy, complaints, notes);
   if (!complaints.empty())
      check::fail(__FILE__, __LINE__, text + ": " + joined(complaints));
   const std::string found = joined(notes);
   if (expected_note.empty() ? !notes.empty() : found.find(expected_note) == std::string::npos)
      check::fail(__FILE__, __LINE__, text + " is noted: '" + found + "', expected '" + expected_note + "'");
   return options;
}

/// That these lines and no others are complained of; each is looked for as a part of a line.
void bad(const std::string &text, const Lines &expected)
{
   Lines complaints, notes;
   read_phase(text, 2, kDefaultStrategy, complaints, notes);
   bool same = complaints.size() == expected.size();
   for (std::size_t n = 0; same && n < expected.size(); ++n)
      same = complaints[n].find("TrainingStrategy, phase 2: ") == 0 && complaints[n].find(expected[n]) != std::string::npos;
   if (!same)
      check::fail(__FILE__, __LINE__, text + " gives:\n" + joined(complaints) + "expected:\n" + joined(expected));
}

} // namespace

TEST(optimizers_have_pytorchs_defaults_and_tmvas_keys)
{
   TrainingOptions o = good("Optimizer=SGD");
   CHECK(o.optimizer.kind == OptimizerKind::Sgd && o.optimizer.momentum == 0.9 && !o.optimizer.nesterov);
   CHECK(good("Optimizer=SGD,Nesterov=T,Momentum=0.8").optimizer.nesterov);
   o = good("optimizer=RMSprop");
   CHECK(o.optimizer.kind == OptimizerKind::RmsProp && o.optimizer.rho == 0.99 && o.optimizer.epsilon == 1e-8 && o.optimizer.momentum == 0);
   o = good("Optimizer=RMSPROP,RMSPROP_rho=0.9,RMSPROP_eps=1e-7,Momentum=0.5");
   CHECK(o.optimizer.rho == 0.9 && o.optimizer.epsilon == 1e-7 && o.optimizer.momentum == 0.5);
   o = good("Optimizer=ADAGRAD");
   CHECK(o.optimizer.kind == OptimizerKind::Adagrad && o.optimizer.epsilon == 1e-10);
   CHECK(good("Optimizer=ADAGRAD,ADAGRAD_eps=1e-8").optimizer.epsilon == 1e-8);
   o = good("Optimizer=ADADELTA");
   CHECK(o.optimizer.kind == OptimizerKind::Adadelta && o.optimizer.epsilon == 1e-6 && o.optimizer.rho == 0.9);
   o = good("Optimizer=ADADELTA,ADADELTA_rho=0.95,ADADELTA_eps=1e-8");
   CHECK(o.optimizer.rho == 0.95 && o.optimizer.epsilon == 1e-8);
   o = good("Optimizer=ADAMW", "ADAMW decays with WeightDecay=0.01");
   CHECK(o.optimizer.kind == OptimizerKind::AdamW && o.optimizer.weight_decay == 0.01);
   o = good("Optimizer=ADAMW,WeightDecay=0.2,Regularization=None,ADAM_beta1=0.8,ADAM_beta2=0.9,ADAM_eps=1e-5");
   CHECK(o.optimizer.weight_decay == 0.2 && o.l2 == 0 && o.optimizer.beta1 == 0.8 && o.optimizer.beta2 == 0.9 && o.optimizer.epsilon == 1e-5);
   o = good("Optimizer=ADAGRAD,WeightDecay=0.2,Regularization=L2");
   CHECK(o.l2 == 0.2 && o.optimizer.weight_decay == 0);
}

TEST(option_strings_of_methoddl_go_on_working)
{
   CHECK(good("Optimizer=ADAM,Momentum=0.9", "Momentum belongs to Optimizer=SGD or RMSPROP; ADAM goes without it").optimizer.momentum == 0);
   CHECK(good("Optimizer=ADADELTA,Momentum=0.0").optimizer.momentum == 0);
   CHECK(good("Optimizer=SGD,ADAM_beta1=0.8", "ADAM_beta1 belongs to Optimizer=ADAM or ADAMW; SGD goes without it").optimizer.momentum == 0.9);
   good("Repetitions=1,Multithreading=True", "Repetitions has no effect");
   good("WeightDecay=1e-2,Regularization=None", "WeightDecay has no effect with Regularization=None");
   good(kDefaultStrategy, "Momentum belongs to");
}

TEST(schedules_and_what_goes_with_them)
{
   TrainingOptions o = good("Schedule=step,DecayEpochs=7,DecayFactor=0.5,WarmupEpochs=2,WarmupStart=0.3");
   CHECK(o.schedule.kind == ScheduleKind::Step && o.schedule.decay_epochs == 7 && o.schedule.decay_factor == 0.5);
   CHECK(o.schedule.warmup_epochs == 2 && o.schedule.warmup_start == 0.3);
   o = good("Schedule=EXPONENTIAL");
   CHECK(o.schedule.kind == ScheduleKind::Exponential && o.schedule.decay_factor == 0.95);
   CHECK(good("Schedule=COSINE,MinLearningRate=1e-5").schedule.min_learning_rate == 1e-5);
   o = good("Schedule=ONECYCLE,RiseFraction=0.4,StartDivisor=10,EndDivisor=100");
   CHECK(o.schedule.kind == ScheduleKind::OneCycle && o.schedule.rise_fraction == 0.4 && o.schedule.start_divisor == 10 &&
         o.schedule.end_divisor == 100);
   o = good("Schedule=PLATEAU,PlateauPatience=3,DecayFactor=0.2");
   CHECK(o.schedule.kind == ScheduleKind::Plateau && o.schedule.plateau_patience == 3 && o.schedule.decay_factor == 0.2);
   o = good("ClipValue=0.5,EmaDecay=0.99,BatchGrowth=2,BatchGrowthEpochs=5,MaxBatchSize=512");
   CHECK(o.clip_value == 0.5 && o.ema_decay == 0.99 && o.growth.factor == 2 && o.growth.epochs == 5 && o.growth.maximum == 512);
   o = good("");
   CHECK(o.schedule.kind == ScheduleKind::Constant && o.ema_decay == 0 && o.clip_value == 0 && o.growth.factor == 1);
}

TEST(names_have_near_misses_and_numbers_ranges)
{
   bad("Optimizer=ADAMMW", {"Optimizer=ADAMMW is unknown; did you mean 'ADAMW'?"});
   bad("Schedule=COSIN", {"Schedule=COSIN is unknown; did you mean 'COSINE'?"});
   bad("Shedule=COSINE", {"unknown key 'Shedule'; did you mean 'Schedule'?"});
   bad("RMSPROP_roh=0.9", {"did you mean 'RMSPROP_rho'?"});
   bad("LearningRate=0", {"LearningRate=0, expected a number above 0"});
   CHECK(good("Monitor=AUC").monitor == tmva_lstm::Monitor::Auc);
   CHECK(good("monitor=accuracy").monitor == tmva_lstm::Monitor::Accuracy);
   CHECK(good("Monitor=Loss").monitor == tmva_lstm::Monitor::Loss);
   bad("Monitor=ROC", {"Monitor=ROC is unknown"});
   bad("EmaDecay=1", {"EmaDecay=1, expected a number from 0 to less than 1"});
   bad("EmaDecay=-0.1", {"expected a number from 0 to less than 1"});
   bad("ClipValue=-1", {"ClipValue=-1, expected a number of at least 0"});
   bad("BatchGrowth=0.5", {"BatchGrowth=0.5, expected a number of at least 1"});
   bad("WarmupEpochs=-1", {"WarmupEpochs=-1, expected a whole number of epochs"});
   bad("WarmupEpochs=2,WarmupStart=0", {"WarmupStart=0, expected a number above 0, at most 1"});
   bad("Optimizer=SGD,Nesterov=maybe", {"Nesterov=maybe, expected T or F"});
   bad("Optimizer=SGD,Momentum=1", {"Momentum=1, expected a number from 0 to less than 1"});
   bad("Optimizer=RMSPROP,RMSPROP_rho=1", {"RMSPROP_rho=1, expected a number from 0"});
   bad("Optimizer=ADADELTA,ADADELTA_eps=0", {"ADADELTA_eps=0, expected a number above 0"});
   bad("Schedule=STEP,DecayFactor=1", {"DecayFactor=1, expected a number between 0 and 1"});
   bad("Schedule=STEP,DecayEpochs=0", {"DecayEpochs=0, expected a whole number, at least 1"});
   bad("Schedule=ONECYCLE,RiseFraction=0,StartDivisor=0.5,EndDivisor=x",
       {"RiseFraction=0, expected", "StartDivisor=0.5, expected", "EndDivisor=x, expected"});
   bad("Schedule=PLATEAU,PlateauPatience=1.5", {"PlateauPatience=1.5, expected a whole number of epochs"});
   bad("Schedule=COSINE,MinLearningRate=-1", {"MinLearningRate=-1, expected a number of at least 0"});
   bad("BatchGrowth=2,MaxBatchSize=0,BatchGrowthEpochs=0", {"BatchGrowthEpochs=0, expected", "MaxBatchSize=0, expected"});
}

TEST(contradictions_are_refused_all_at_once)
{
   bad("Optimizer=ADAM,Nesterov=T", {"Nesterov belongs to Optimizer=SGD, not to ADAM"});
   bad("Optimizer=SGD,Momentum=0,Nesterov=T", {"Nesterov=T with Momentum=0"});
   bad("Optimizer=SGD,RMSPROP_eps=1e-7,ADAGRAD_eps=1e-7,ADADELTA_rho=0.9",
       {"RMSPROP_eps belongs to Optimizer=RMSPROP, not to SGD", "ADADELTA_rho belongs to Optimizer=ADADELTA", "ADAGRAD_eps belongs to"});
   bad("Optimizer=ADAMW,WeightDecay=0.1,Regularization=L2", {"Regularization=L2 with Optimizer=ADAMW"});
   bad("DecayEpochs=3,RiseFraction=0.2,MinLearningRate=1e-4,PlateauPatience=2",
       {"DecayEpochs belongs to Schedule=STEP, not to CONSTANT", "MinLearningRate belongs to Schedule=COSINE or PLATEAU",
        "PlateauPatience belongs to Schedule=PLATEAU", "RiseFraction belongs to Schedule=ONECYCLE"});
   bad("Schedule=COSINE,DecayFactor=0.5", {"DecayFactor belongs to Schedule=STEP, EXPONENTIAL or PLATEAU, not to COSINE"});
   bad("MaxEpochs=5,WarmupEpochs=5", {"WarmupEpochs=5 is as long as the training, MaxEpochs=5"});
   bad("WarmupStart=0.5", {"WarmupStart is given without a warm-up"});
   bad("Schedule=ONECYCLE,WarmupEpochs=1", {"ONECYCLE, which has its own way up"});
   bad("Schedule=STEP,MaxEpochs=12,WarmupEpochs=2", {"DecayEpochs=10 never comes in the 10 epochs that the schedule has"});
   bad("Schedule=EXPONENTIAL,MaxEpochs=1", {"EXPONENTIAL decays between epochs"});
   bad("Schedule=COSINE,MinLearningRate=0.01", {"MinLearningRate=0.01 is not below the learning rate"});
   bad("Schedule=PLATEAU,MaxEpochs=7", {"PlateauPatience=5: the learning rate falls after 7 epochs at the earliest"});
   bad("Schedule=PLATEAU,ConvergenceSteps=6", {"PlateauPatience=5 with ConvergenceSteps=6"});
   bad("BatchGrowth=2", {"BatchGrowth needs MaxBatchSize"});
   bad("BatchGrowth=2,MaxBatchSize=64", {"MaxBatchSize=64 is not above BatchSize=64"});
   bad("BatchGrowthEpochs=2,MaxBatchSize=128", {"BatchGrowthEpochs is given, but", "MaxBatchSize is given, but"});
   bad("BatchGrowth=2,MaxBatchSize=128,BatchGrowthEpochs=50", {"BatchGrowthEpochs=50: the batches never grow in MaxEpochs=50"});
   bad("Schedule=COSINE,MinLearningRate=1,WarmupEpochs=60,BatchGrowth=2",
       {"WarmupEpochs=60 is as long", "MinLearningRate=1 is not below", "BatchGrowth needs MaxBatchSize"});
}

TEST_MAIN()
