/// \file
/// What the TMVA method does without TMVA: reading options, cutting sequences out of events, training, ranking.
#include "check.h"

#include "core/error.h"
#include "tmva/BookingOptions.h"
#include "tmva/DocumentFacts.h"
#include "tmva/EventSequences.h"
#include "core/permutation.h"
#include "tmva/PermutationRanking.h"
#include "tmva/SequenceModel.h"

#include <algorithm>
#include <cmath>
#include <random>

using namespace tmva_lstm_tmva;
using tmva_lstm::Activation;
using tmva_lstm::CellKind;
using tmva_lstm::DropRates;
using tmva_lstm::Initialisation;
using tmva_lstm::Loss;
using tmva_lstm::NetworkShape;
using tmva_lstm::OptimizerKind;
using tmva_lstm::Pooling;

namespace {

constexpr const char *kTutorial = "LearningRate=1e-3,Momentum=0.0,Repetitions=1,ConvergenceSteps=5,BatchSize=100,"
                                  "TestRepetitions=1,WeightDecay=1e-2,Regularization=None,MaxEpochs=20,"
                                  "DropConfig=0.0+0.+0.+0.,Optimizer=ADAM";

BookingStrings strings(const std::string &input, const std::string &layout = "", const std::string &strategy = "")
{
   BookingStrings s;
   s.input_layout = input;
   s.layout = layout;
   s.training_strategy = strategy;
   return s;
}

std::string complaint(const BookingStrings &s, const VariableShape &variables = {15, 0, 0}, Task task = Task::Binary,
                      std::size_t outputs = 2)
{
   try {
      understand(s, variables, task, outputs);
   } catch (const BookingError &error) {
      return error.what();
   }
   return "none";
}

bool has(const std::string &text, const std::string &part)
{
   return text.find(part) != std::string::npos;
}

} // namespace

TEST(losses_of_a_regression)
{
   BookingStrings s = strings("5|3", "LSTM|4");
   s.error_strategy = "HUBER";
   s.huber_delta = 0.5;
   const Booking huber = understand(s, {15, 0, 0}, Task::Regression, 2);
   CHECK(huber.network.loss == Loss::Huber && huber.network.huber_delta == 0.5 && huber.network.K == 2);
   s.error_strategy = "ABSOLUTEERROR";
   CHECK(has(complaint(s, {15, 0, 0}, Task::Regression, 1), "HuberDelta has no effect without ErrorStrategy=HUBER"));
   s.huber_delta = 1;
   CHECK(understand(s, {15, 0, 0}, Task::Regression, 1).network.loss == Loss::MeanAbsoluteError);
   CHECK(has(complaint(s), "ErrorStrategy=ABSOLUTEERROR is for a regression"));
   s.error_strategy = "HUBER";
   s.huber_delta = 0;
   CHECK(has(complaint(s, {15, 0, 0}, Task::Regression, 1), "HuberDelta=0.000000: expected a number above 0"));
}

TEST(the_tutorials_options_are_understood)
{
   const Booking b = understand(strings("10|30", "LSTM|10|30|10|0|1,RESHAPE|FLAT,DENSE|64|TANH,LINEAR", kTutorial),
                                {300, 10, 30}, Task::Binary, 2);
   CHECK(b.T == 10 && b.network.D == 30 && b.network.E == 0 && b.network.H == 10 && b.network.K == 1);
   CHECK(b.network.flat_steps == 10);
   CHECK(b.network.dense.size() == 1 && b.network.dense[0] == tmva_lstm::DenseSpec{64, Activation::Tanh});
   CHECK(b.phases.size() == 1 && b.phases[0].epochs == 20 && b.phases[0].batch_size == 100 && b.phases[0].patience == 5);
   CHECK(b.phases[0].optimizer.learning_rate == 1e-3 && b.phases[0].l1 == 0 && b.phases[0].l2 == 0);
   CHECK(b.validation_fraction == 0.2);
   CHECK(std::count_if(b.notes.begin(), b.notes.end(), [](auto &n) { return has(n, "Repetitions has no effect"); }) == 1);
}

TEST(an_empty_booking_takes_the_documented_defaults)
{
   const Booking arrays = understand(strings(""), {300, 10, 30}, Task::Binary, 2);
   CHECK(arrays.T == 10 && arrays.network.D == 30 && arrays.network.H == 32 && arrays.network.flat_steps == 0);
   CHECK(arrays.phases[0].optimizer.learning_rate == 3e-3 && arrays.phases[0].batch_size == 64);
   CHECK(arrays.phases[0].epochs == 50 && arrays.phases[0].patience == 10 && arrays.phases[0].clip_norm == 1);
   CHECK(arrays.phases[0].batch_size == kDefaultBatchSize);
   const Booking scalars = understand(strings(""), {7, 0, 0}, Task::Multiclass, 3);
   CHECK(scalars.T == 7 && scalars.network.D == 1 && scalars.network.K == 3);
   CHECK(understand(strings("4|3"), {14, 0, 0}, Task::Regression, 2).network.E == 2);
   // a missing key keeps our default, it does not fall back to MethodDL's second set
   CHECK(understand(strings("5|3", "", "BatchSize=10"), {15, 0, 0}, Task::Binary, 2).phases[0].optimizer.learning_rate == 3e-3);
}

TEST(phases_penalties_losses_and_initialisations)
{
   BookingStrings s = strings("5|3", "", "LearningRate=1e-2,Optimizer=SGD,Momentum=0.5,WeightDecay=0.1,Regularization=L1|"
                                         "LearningRate=1e-3,WeightDecay=0.2,Regularization=l2,ADAM_beta1=0.8");
   s.weight_initialization = "gauss";
   s.error_strategy = "CROSSENTROPY";
   s.validation_size = "250";
   const Booking b = understand(s, {15, 0, 0}, Task::Multiclass, 4);
   CHECK(b.phases.size() == 2);
   CHECK(b.phases[0].optimizer.kind == OptimizerKind::Sgd && b.phases[0].optimizer.momentum == 0.5 && b.phases[0].l1 == 0.1);
   CHECK(b.phases[1].l2 == 0.2 && b.phases[1].l1 == 0 && b.phases[1].optimizer.beta1 == 0.8);
   CHECK(b.phases[1].initialisation == Initialisation::Gauss);
   CHECK(b.network.loss == Loss::SigmoidCrossEntropy);
   CHECK(b.validation_events == 250);
   s.error_strategy = "MUTUALEXCLUSIVE";
   CHECK(understand(s, {15, 0, 0}, Task::Multiclass, 4).network.loss == Loss::CrossEntropy);
   s.error_strategy = "SUMOFSQUARES";
   CHECK(understand(s, {15, 0, 0}, Task::Binary, 2).network.loss == Loss::MeanSquaredError);
}

TEST(all_that_is_wrong_is_said_at_once)
{
   BookingStrings s = strings("5|3", "LSTM|0|4|6|1|0,DENSE|TANHH,LINEAR", "LearnRate=1,BatchSize=0,DropConfig=0.5+1,Optimizer=ADAMM");
   s.architecture = "GPU";
   s.validation_size = "120%";
   s.weight_initialization = "XAVIRE";
   s.random_seed = -3;
   const std::string text = complaint(s);
   for (const char *part : {"rememberState=1 is not offered", "'TANHH' is no layer, activation or width; did you mean 'TANH'?",
                            "unknown key 'LearnRate'; did you mean 'LearningRate'?", "BatchSize=0, expected a whole number",
                            "DropConfig=0.5+1: found '1', expected numbers from 0 to less than 1", "did you mean 'ADAM'?", "Architecture=GPU is not offered", "ValidationSize=120%",
                            "did you mean 'XAVIER'?", "RandomSeed=-3"})
      CHECK(has(text, part));
}

TEST(stacked_and_bidirectional_layers)
{
   const Booking two = understand(strings("5|3", "LSTM|8|3|5|0|1,LSTM|6|8|5|0|0,DENSE|4|TANH,LINEAR"), {15, 0, 0}, Task::Binary, 2);
   CHECK(two.network.lower == std::vector<std::size_t>{8} && two.network.H == 6 && !two.network.bidirectional);
   CHECK(two.network.flat_steps == 0 && two.network.dense.size() == 1);
   const Booking both = understand(strings("5|3", "bilstm|8|0|0|0|1,BILSTM|4|16|5|0|1,BILSTM|2|8|5|0|1,RESHAPE|FLAT,LINEAR"),
                                   {15, 0, 0}, Task::Binary, 2);
   CHECK((both.network.lower == std::vector<std::size_t>{8, 4}) && both.network.H == 2 && both.network.bidirectional);
   CHECK(both.network.flat_steps == 5 && both.network.states() == 4);
   const auto complaint_of = [](const std::string &layout) { return complaint(strings("5|3", layout)); };
   CHECK(has(complaint_of("LSTM|8,LSTM|6,LINEAR"), "recurrent layer 2 needs all steps of the one below, which returns its last"));
   CHECK(has(complaint_of("LSTM|8|3|5|0|1,LSTM|6|3,LINEAR"), "recurrent layer 2 has 3 input features, the one below gives 8"));
   CHECK(has(complaint_of("BILSTM|8|3|5|0|1,BILSTM|6|8,LINEAR"), "recurrent layer 2 has 8 input features, the one below gives 16"));
   CHECK(has(complaint_of("LSTM|8|3|5|0|1,LSTM|6|8|4,LINEAR"), "recurrent layer 2 has 4 steps, the one below has 5"));
   CHECK(has(complaint_of("LSTM|8|3|5|0|1,BILSTM|6,LINEAR"),
             "recurrent layer 2 is a BILSTM, the first one a LSTM; all have to be the same"));
   CHECK(has(complaint_of("BILSTM|8|3|5|0|1,LSTM|6,LINEAR"), "recurrent layer 2 is a LSTM, the first one a BILSTM"));
   CHECK(has(complaint_of("LSTM|8,DENSE|4|TANH,LSTM|6,LINEAR"), "LSTM as layer 3 stands behind other layers; recurrent layers come first"));
   CHECK(has(complaint_of("LSTM|8|3|5|0|1,LSTM|6|8|5|0|1,LINEAR"), "returns all steps"));
   CHECK(has(complaint_of("LSTM|8|3|5|0|1,GRU|6,LINEAR"), "recurrent layer 2 is a GRU, the first one a LSTM"));
   CHECK(has(complaint_of("LSTM|8|3|5|0|1,LSTM|0,LINEAR"), "the LSTM needs a state size of at least 1"));
   CHECK(has(complaint_of("BILSTN|8,LINEAR"), "did you mean 'BILSTM'?"));
}

TEST(other_cells_variants_pooling_and_dropout)
{
   const auto network = [](const std::string &layout) {
      return understand(strings("5|3", layout), {15, 0, 0}, Task::Binary, 2).network;
   };
   const NetworkShape gru = network("BIGRU|8|3|5|0|1,BIGRU|6|16|5|0|1|1,POOL|MEAN,LINEAR");
   CHECK(gru.cell.kind == CellKind::Gru && gru.bidirectional && gru.pooling == Pooling::Mean && gru.flat_steps == 0);
   CHECK(gru.lower == std::vector<std::size_t>{8});
   CHECK(network("RNN|8,LINEAR").cell.kind == CellKind::Rnn);
   const NetworkShape lstm = network("LSTM|8|3|5|0|1|Peepholes|COUPLED,LSTM|4|0|0|0|1|LNORM,POOL|ATTENTION,LINEAR");
   CHECK(lstm.cell.peepholes && lstm.cell.coupled && lstm.layer_norm && lstm.pooling == Pooling::Attention);
   const auto complaint_of = [](const std::string &layout) { return complaint(strings("5|3", layout)); };
   CHECK(!gru.cell.reset_before && !network("GRU|8,LINEAR").cell.reset_before);
   CHECK(network("GRU|8|3|5|0|0|0,LINEAR").cell.reset_before);
   CHECK(network("BIGRU|8|3|5|0|1|LNORM,BIGRU|6|16|5|0|0|0,LINEAR").cell.reset_before); // where any layer says
   CHECK(network("GRU|8|3|5|0|1|0,GRU|6,LINEAR").cell.reset_before);
   CHECK(has(complaint_of("GRU|8|3|5|0|1|0,GRU|6|8|5|0|0|1,LINEAR"), "resetGateAfter is 1 in a layer and not in one below it"));
   CHECK(has(complaint_of("GRU|8|3|5|0|0|2,LINEAR"), "resetGateAfter is 2, expected 1 (the reset gate after"));
   CHECK(has(complaint_of("GRU|8|3|5|0|0|0|1,LINEAR"), "has 7 numbers, expected GRU|H|D|T|rememberState|returnSequence|resetGateAfter"));
   CHECK(has(complaint_of("GRU|8|PEEPHOLES,LINEAR"), "PEEPHOLES belongs to an LSTM; a GRU has none"));
   CHECK(has(complaint_of("LSTM|8|3|5|0|1|1,LINEAR"), "has 6 numbers"));
   CHECK(has(complaint_of("LSTM|8,POOL|MAX,LINEAR"), "POOL needs all steps of the LSTM, which returns its last"));
   CHECK(has(complaint_of("LSTM|8|3|5|0|1,POOL|MEEN,LINEAR"), "did you mean 'MEAN'?"));
   CHECK(has(complaint_of("LSTM|8|3|5|0|1,RESHAPE|FLAT,POOL|MAX,LINEAR"), "POOL|MAX stands behind RESHAPE|FLAT"));
   CHECK(has(complaint_of("LSTM|8|3|5|0|1,DENSE|4|TANH,POOL|MAX,LINEAR"), "POOL|MAX stands behind dense layers"));

   const auto drop = [](const std::string &strategy) {
      return understand(strings("5|3", "LSTM|8", strategy), {15, 0, 0}, Task::Binary, 2).phases.at(0).drop;
   };
   const DropRates rates = drop("DropConfig=0.1+0.3+0.3,RecurrentDropout=0.2");
   CHECK(rates.input == 0.1 && rates.output == 0.3 && rates.state == 0.2);
   CHECK(drop("DropConfig=0.1").output == 0 && !drop("DropConfig=0.0+0.0").any());
   CHECK(has(complaint(strings("5|3", "LSTM|8", "DropConfig=0.1+0.3+0.4")), "all recurrent layers drop the same part"));
   CHECK(has(complaint(strings("5|3", "LSTM|8", "RecurrentDropout=1")), "RecurrentDropout=1, expected a number from 0"));
}

TEST(single_complaints)
{
   CHECK(has(complaint(strings("5|4")), "asks for 20 variables, but 15 are declared"));
   CHECK(has(complaint(strings("five|3")), "expected T|D"));
   CHECK(has(complaint(strings("5|3", "CONV|10|3|5|0|1")), "CONV layers are not offered here"));
   CHECK(has(complaint(strings("5|3", "LSTM|10,CONV|3|3|3|1|1|1|1|RELU,LINEAR")), "CONV as layer 2 is not offered"));
   CHECK(has(complaint(strings("5|3", "LSTM|10|3|5|0|1,LINEAR")), "RESHAPE|FLAT has to follow"));
   CHECK(has(complaint(strings("5|3", "LSTM|10|4|6,LINEAR")), "the LSTM has 6 steps, InputLayout has 5"));
   CHECK(has(complaint(strings("5|3", "LSTM|10,DENSE|2|LINEAR")), "the last layer has width 2, expected 1"));
   CHECK(has(complaint(strings("5|3", "LSTM|10,DENSE|1|TANH")), "the last layer is TANH, expected LINEAR"));
   CHECK(has(complaint(strings("5|3", "DENSE|10|TANH,LINEAR")), "expected LSTM|H|D|T|0|1"));
   CHECK(has(complaint(strings("5|3", "", "BatchSize")), "'BatchSize' has no value"));
   CHECK(complaint(strings("5|3", "LSTM|10|3|5|0|0,DENSE|RELU|8,DENSE|1|LINEAR")) == "none");
}

TEST(time_and_what_is_monitored)
{
   BookingStrings s = strings("5|3", "", "Monitor=AUC|Monitor=AUC,LearningRate=1e-4");
   const std::pair<const char *, double> kTimes[] = {{"90", 90}, {"30s", 30}, {"1.5min", 90}, {"2 h", 7200}, {"1d", 86400}};
   for (const auto &[text, seconds] : kTimes) {
      s.max_time = text;
      CHECK(understand(s, {15, 0, 0}, Task::Binary, 2).max_seconds == seconds);
   }
   for (const char *wrong : {"soon", "h", "-1s", "0", "2 hours"}) {
      s.max_time = wrong;
      CHECK(complaint(s).find(std::string("MaxTime=") + wrong + ": expected a time such as 2h or 90min") != std::string::npos);
   }
   s.max_time = "";
   CHECK(understand(s, {15, 0, 0}, Task::Binary, 2).max_seconds == std::numeric_limits<double>::infinity());
   CHECK(complaint(s, {15, 0, 0}, Task::Regression).find("Monitor=AUC is of classes, and a regression has none") != std::string::npos);
   s.validation_size = "0";
   CHECK(complaint(s).find("Monitor=AUC is of validation events, and ValidationSize is 0") != std::string::npos);
   s = strings("5|3", "", "Monitor=AUC|LearningRate=1e-4");
   CHECK(complaint(s).find("phase 2: Monitor=LOSS where the first phase has AUC") != std::string::npos);
}

TEST(sequences_are_cut_out_of_events)
{
   EventLayout layout;
   layout.T = 3;
   layout.D = 2;
   layout.E = 1;
   layout.length = EventLayout::Length::Variable;
   layout.length_index = 6; // before the event feature
   layout.length_name = "n";
   SequenceBuffer buffer(layout);
   buffer.add({1, 2, 3, 4, 5, 6, 2, 9}, 2);
   buffer.add({1, 2, 3, 4, 5, 6, 0, 8}, 0);
   buffer.add({1, 2, 3, 4, 5, 6, 3, 7}, 3);
   CHECK(buffer.offsets() == std::vector<std::int64_t>{0, 2, 2, 5});
   CHECK(buffer.event_values() == std::vector<float>{9, 8, 7});
   CHECK(buffer.values()[4] == 1 && buffer.values().size() == 10);
   for (const auto &[length, shown] : std::vector<std::pair<double, const char *>>{
           {-1, "'n' is -1,"}, {4, "'n' is 4,"}, {1.5, "'n' is 1.5,"}, {std::nan(""), "'n' is nan,"}, {INFINITY, "'n' is inf,"}}) {
      CHECK_THROWS(buffer.add({1, 2, 3, 4, 5, 6, 0, 8}, length), EventError, shown);
      CHECK_THROWS(buffer.add({1, 2, 3, 4, 5, 6, 0, 8}, length), EventError, "expected a whole number from 0 to 3");
   }
   CHECK_THROWS(buffer.add({1, 2, NAN, 4, 5, 6, 0, 8}, 2), EventError, "is nan, expected a finite number");
   CHECK_THROWS(buffer.add({1, 2, 3, 4, 5, 6, 0, -INFINITY}, 2), EventError, "is -inf, expected a finite number");
   CHECK_THROWS(buffer.add({1, 2}, 1), EventError, "2 variables, expected 8");
   try {
      buffer.add({1, 2, NAN, 4, 5, 6, 0, 8}, 2);
   } catch (const EventError &error) {
      CHECK(error.variable() == 2);
   }
   CHECK(buffer.size() == 3 && buffer.values().size() == 10 && buffer.event_values().size() == 3); // nothing was added
   buffer.add({1, 2, NAN, NAN, NAN, NAN, 1, 8}, 1); // what is padding is not looked at
   CHECK(buffer.length(3) == 1);

   EventLayout masked;
   masked.T = 3;
   masked.D = 2;
   masked.has_mask = true;
   masked.mask = -1;
   SequenceBuffer padded(masked);
   padded.add({-1, -1, 3, -1, -1, -1}, 0); // only what is all mask, and at the end
   padded.add({-1, -1, -1, -1, -1, -1}, 0);
   CHECK(padded.offsets() == std::vector<std::int64_t>{0, 2, 2});
   CHECK(padded.sample(1).size() == 1);
}

namespace {

/// Nobody watches.
const TrainingGuide kUnwatched{[] { return true; }, [](const auto &) { return true; }, {}};

/// Class 1 has larger first features; the second one is noise. In a regression the target is 50 + 3 times their sum.
SequenceBuffer toys(const EventLayout &layout, std::size_t events, bool regression, unsigned seed)
{
   std::mt19937 random(seed);
   std::normal_distribution<float> normal;
   SequenceBuffer buffer(layout);
   for (std::size_t n = 0; n < events; ++n) {
      std::vector<float> x(layout.n_variables());
      const int label = static_cast<int>(n % 2);
      const std::size_t length = 1 + n % layout.T;
      float sum = 0;
      for (std::size_t t = 0; t < layout.T; ++t) {
         x[t * layout.D] = normal(random) + (regression ? 0.f : 0.8f * static_cast<float>(label));
         x[t * layout.D + 1] = normal(random);
         if (t < length)
            sum += x[t * layout.D];
      }
      buffer.add(x, static_cast<double>(length));
      if (regression)
         buffer.add_target(50 + 3 * sum);
      else
         buffer.add_label(label);
      buffer.add_weight(n % 10 ? 1. : -0.2);
   }
   return buffer;
}

} // namespace

TEST(a_training_separates_ranks_and_comes_back_from_its_document)
{
   Booking booking = understand(strings("4|2", "LSTM|6|2|4|0|1,RESHAPE|FLAT,DENSE|5|SOFTSIGN,LINEAR", "MaxEpochs=12,LearningRate=1e-2|MaxEpochs=3,LearningRate=1e-3"),
                                {8, 0, 0}, Task::Binary, 2);
   EventLayout layout;
   layout.T = 4;
   layout.D = 2;
   layout.length = EventLayout::Length::Spectator;
   layout.length_name = "length";
   const SequenceBuffer events = toys(layout, 1500, false, 1);
   std::vector<float> first;
   for (std::size_t threads : {1, 3}) {
      TrainingReport report;
      const SequenceModel model = SequenceModel::train(booking, Task::Binary, events, {{"a", "b"}, {}, {"bkg", "sig"}, {}}, threads,
                                                       report, kUnwatched);
      CHECK(report.epochs.size() == 15 && report.epochs.back().epoch == 15);
      CHECK(report.negative_events == 150);
      CHECK(report.training_events + report.validation_events == 1500);
      if (first.empty())
         first = model.document().parameters;
      CHECK(first == model.document().parameters); // for any number of threads
      const std::vector<float> scores = model.scores(events, threads);
      std::size_t right = 0;
      for (std::size_t n = 0; n < events.size(); ++n)
         right += (scores[2 * n + 1] > 0.5f) == (events.labels()[n] == 1);
      CHECK(right > 1050);

      const auto ranking = permutation_importance(model, events, 1000, 5, threads);
      CHECK(ranking.size() == 2 + 4);
      CHECK(ranking[0].name == "a" && ranking[0].value > 5 * std::abs(ranking[1].value));
      CHECK(ranking[2].name == "step 0" && ranking[2].value > ranking[5].value); // all events have a step 0, a quarter a step 3

      // the one definition that Python has as well
      const SequenceBuffer taken = events.sample(1000);
      tmva_lstm::PermutationImportance core(model.network(), taken.view(), 4, {threads});
      for (std::size_t n = 0; n < ranking.size(); ++n)
         CHECK(ranking[n].value == core.increase(n, 4357, 0));

      tmva_lstm::ModelDocument document = model.document();
      write_layout(document, layout);
      write_training(document, report);
      write_provenance(document, "6.40/00", 1, 0.5);
      const SequenceModel again(tmva_lstm::from_node(tmva_lstm::to_node(document)));
      CHECK(again.scores(events, 2) == scores);
      const EventLayout read = read_layout(again.document());
      CHECK(read.T == 4 && read.D == 2 && read.length == EventLayout::Length::Spectator && read.length_name == "length");
   }
}

TEST(a_regression_learns_in_the_units_of_its_target)
{
   Booking booking = understand(strings("4|2", "LSTM|10", "MaxEpochs=60,LearningRate=1e-2"), {8, 0, 0}, Task::Regression, 1);
   EventLayout layout;
   layout.T = 4;
   layout.D = 2;
   layout.length = EventLayout::Length::Spectator;
   SequenceBuffer events = toys(layout, 2000, true, 2);
   TrainingReport report;
   const SequenceModel model = SequenceModel::train(booking, Task::Regression, events, {{"a", "b"}, {}, {}, {"sum"}}, 2, report,
                                                    kUnwatched);
   const std::vector<float> scores = model.scores(events, 2);
   double squares = 0, spread = 0;
   for (std::size_t n = 0; n < events.size(); ++n) {
      squares += std::pow(scores[n] - events.targets()[n], 2);
      spread += std::pow(50 - events.targets()[n], 2);
   }
   CHECK(squares < 0.1 * spread);
   CHECK(model.outputs() == 1);
}

TEST(events_that_cannot_be_trained_with_are_refused)
{
   const Booking booking = understand(strings("4|2", "LSTM|4", "MaxEpochs=1"), {8, 0, 0}, Task::Binary, 2);
   EventLayout layout;
   layout.T = 4;
   layout.D = 2;
   const auto train = [&](const SequenceBuffer &events) {
      TrainingReport report;
      SequenceModel::train(booking, Task::Binary, events, {{"a", "b"}, {}, {"bkg", "sig"}, {}}, 1, report, kUnwatched);
   };
   SequenceBuffer one_class(layout), negative(layout), zero(layout);
   for (int n = 0; n < 40; ++n) {
      const std::vector<float> x(8, static_cast<float>(n));
      one_class.add(x, 0);
      one_class.add_label(0);
      negative.add(x, 0);
      negative.add_label(n % 2);
      negative.add_weight(n % 2 ? 1 : -1);
      zero.add(x, 0);
      zero.add_label(n % 2);
      zero.add_weight(0);
   }
   CHECK_THROWS(train(one_class), tmva_lstm::ArgumentError, "class 'sig' has no event to train on among 40");
   CHECK_THROWS(train(negative), tmva_lstm::ArgumentError, "the weights of class 'bkg' sum to -");
   CHECK_THROWS(train(zero), tmva_lstm::ArgumentError, "there are 0 training events with a weight other than 0");
}

TEST(a_batch_asked_for_is_no_larger_than_the_training_part)
{
   EventLayout layout;
   layout.T = 4;
   layout.D = 2;
   SequenceBuffer events(layout);
   for (int n = 0; n < 40; ++n) {
      events.add(std::vector<float>(8, static_cast<float>(n)), 0);
      events.add_label(n % 2);
   }
   const auto train = [&](const std::string &strategy) {
      const Booking booking = understand(strings("4|2", "LSTM|4", strategy), {8, 0, 0}, Task::Binary, 2);
      TrainingReport report;
      SequenceModel::train(booking, Task::Binary, events, {{"a", "b"}, {}, {"bkg", "sig"}, {}}, 1, report, kUnwatched);
      return report.training_events;
   };
   CHECK_THROWS(train("MaxEpochs=1,BatchSize=33"), tmva_lstm::ArgumentError,
                "TrainingStrategy asks for BatchSize=33, but there are 32 events to train on (8 validate)");
   CHECK(train("MaxEpochs=1,BatchSize=32") == 32);
   CHECK(train("MaxEpochs=1") == 32); // the default of 64 is then all of them
}

TEST(weights_are_drawn_as_asked)
{
   tmva_lstm::NetworkShape shape;
   shape.D = 40;
   shape.H = 60;
   const auto drawn = [&](Initialisation kind) {
      tmva_lstm::TrainingOptions options;
      options.initialisation = kind;
      const tmva_lstm::Trainer<double> trainer(shape, tmva_lstm::Standardisation<double>::identity(40),
                                               tmva_lstm::Standardisation<double>::identity(0), options);
      return std::vector<double>(trainer.parameters().begin(), trainer.parameters().begin() + 4 * 60 * 40); // W: 60 x 40 a gate
   };
   const auto moments = [](const std::vector<double> &x) {
      double sum = 0, squares = 0, largest = 0;
      for (double v : x) {
         sum += v;
         squares += v * v;
         largest = std::max(largest, std::abs(v));
      }
      return std::vector<double>{sum / static_cast<double>(x.size()), std::sqrt(squares / static_cast<double>(x.size())), largest};
   };
   struct Case {
      Initialisation kind;
      double deviation, bound;
   };
   for (const Case &c : {Case{Initialisation::XavierUniform, std::sqrt(2. / 100), std::sqrt(6. / 100)},
                         Case{Initialisation::Xavier, std::sqrt(2. / 100), 1}, Case{Initialisation::Gauss, std::sqrt(2. / 40), 2},
                         Case{Initialisation::Uniform, std::sqrt(2. / 40 / 3), std::sqrt(2. / 40)}}) {
      const auto m = moments(drawn(c.kind));
      CHECK_NEAR(m[0], 0, 5 * c.deviation / std::sqrt(9600.));
      CHECK_NEAR(m[1], c.deviation, 5 * c.deviation / std::sqrt(2 * 9600.));
      CHECK(m[2] <= c.bound);
   }
   const auto identity = drawn(Initialisation::Identity);
   CHECK(identity[0] == 1 && identity[1] == 0 && identity[41] == 1 && identity[60 * 40] == 1);
   CHECK(moments(drawn(Initialisation::Zero))[2] == 0);
}

TEST(penalties_pull_weights_and_leave_biases)
{
   tmva_lstm::NetworkShape shape;
   shape.D = 2;
   shape.H = 3;
   std::vector<double> values{0.5, -1, 2, 0.3, 1, 1}, weights{1, 1, 1};
   std::vector<std::int64_t> offsets{0, 1, 2, 3}, batch{0, 1, 2};
   std::vector<std::int32_t> labels{0, 1, 0};
   tmva_lstm::LabelledView<double> events;
   events.values = values.data();
   events.offsets = offsets.data();
   events.N = 3;
   events.D = 2;
   events.labels = labels.data();
   for (const auto &[l1, l2] : {std::pair{0.3, 0.}, std::pair{0., 0.2}}) {
      tmva_lstm::TrainingOptions options;
      options.optimizer.kind = OptimizerKind::Sgd;
      options.optimizer.momentum = 0;
      options.optimizer.learning_rate = 0.1;
      options.clip_norm = 0;
      const auto identity = tmva_lstm::Standardisation<double>::identity(2);
      tmva_lstm::Trainer<double> plain(shape, identity, {}, options);
      options.l1 = l1;
      options.l2 = l2;
      tmva_lstm::Trainer<double> pulled(shape, identity, {}, options);
      const std::vector<double> before = plain.parameters();
      CHECK(before == pulled.parameters());
      plain.train_batch(events, batch.data(), 3);
      pulled.train_batch(events, batch.data(), 3);
      for (const auto &view : tmva_lstm::parameter_layout(shape))
         for (std::size_t n = view.offset; n < view.offset + view.rows * view.columns; ++n) {
            const double w = before[n], sign = w > 0 ? 1 : w < 0 ? -1 : 0;
            const double pull = view.columns == 1 && view.name.back() == 'b' ? 0 : -0.1 * (l1 * sign + 2 * l2 * w);
            CHECK_NEAR(pulled.parameters()[n] - plain.parameters()[n], pull, 1e-14);
         }
   }
}

TEST(options_that_TMVA_did_not_understand_are_refused_with_the_nearest_name)
{
   CHECK(refused_options("~!V:~Layout=LSTM|4:~InputLayout=3|2").empty());
   CHECK(refused_options("").empty());
   const std::vector<std::string> refused = refused_options("~V:Layuot=LSTM|4::!Rankin:~H");
   CHECK(refused.size() == 2);
   CHECK(refused[0] == "unknown option 'Layuot=LSTM|4'; did you mean 'Layout'?");
   CHECK(refused[1] == "unknown option '!Rankin'; did you mean 'Ranking'?");
   for (const char *text : {"~boost_num=5", "Boost_Num=5:Boost_Type=AdaBoost"}) {
      CHECK(refused_options(text).size() == 1);
      CHECK(refused_options(text)[0].find("Boost_num is not offered") == 0);
   }
}

TEST_MAIN()
