/// \file
/// The booking options in MethodDL's grammar, read into what the core needs. Plain C++: it knows neither ROOT nor TMVA.
#pragma once

#include "core/trainer.h"

#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

namespace tmva_lstm_tmva {

/// What is learnt.
enum class Task { Binary, Multiclass, Regression };

/// The option strings as they were booked, before anything is understood.
struct BookingStrings {
   std::string input_layout;          ///< `T|D`; empty: found from the variables
   std::string layout;                ///< `LSTM|H|D|T|0|1,RESHAPE|FLAT,DENSE|64|TANH,LINEAR`
   std::string training_strategy;     ///< `LearningRate=1e-3,...`, phases separated by `|`
   std::string error_strategy;        ///< CROSSENTROPY, MUTUALEXCLUSIVE, SUMOFSQUARES; empty: by task
   std::string weight_initialization; ///< XAVIER, ...
   std::string validation_size;       ///< `20%`, `0.2`, or a count
   std::string architecture;          ///< CPU
   int random_seed = 1;               ///< 0: another one each time
   double forget_bias = 1;
   std::string max_time{};            ///< `2h`, `90min`, `30s`, or seconds; empty: no limit
};

/// What the variables look like, as far as the layout can be found from them.
struct VariableShape {
   std::size_t n_variables = 0; ///< without the one that holds the number of steps
   std::size_t arrays = 0;     ///< arrays of equal size the variables begin with; 0: they are scalars
   std::size_t array_size = 0; ///< their size
   std::string length_name{};  ///< the variable that holds the number of steps, if a variable does
};

/// A booking, understood.
struct Booking {
   std::size_t T = 0;         ///< steps
   tmva_lstm::NetworkShape network;
   /// One entry a phase. Learning rates, epochs, batch sizes and penalties differ; the rest is the same.
   std::vector<tmva_lstm::TrainingOptions> phases;
   double validation_fraction = 0; ///< of the training events, or
   std::size_t validation_events = 0;
   double max_seconds = std::numeric_limits<double>::infinity(); ///< for all phases together
   std::vector<std::string> notes; ///< one line each, to be logged once
};

/// All that is wrong with a booking, one line each.
class BookingError : public std::runtime_error {
public:
   explicit BookingError(const std::vector<std::string> &lines);
};

/// Reads the options for `variables` input variables and `outputs` classes (2: binary) or targets. Throws BookingError with
/// everything that is wrong at once; unknown keys come with the nearest known one.
Booking understand(const BookingStrings &strings, const VariableShape &variables, Task task, std::size_t outputs);

/// What is wrong with an option string as TMVA keeps it once it has parsed it, each option that it understood marked with '~': options
/// that are none of the method's, and those of TMVA's method "Boost", which hands its own on to what it boosts. Asked here, since
/// TMVA itself ends the process over an unknown option before ROOT 6.08, and later does not say which one was meant.
std::vector<std::string> refused_options(const std::string &parsed);

/// The name of `known` nearest to `name` as a clause ("did you mean 'x'?"), or the list of all.
std::string near_miss(const std::string &name, const std::vector<std::string> &known);

/// Of the default strategy. One asked for must not be larger than the training part; the default may, and is then all of it.
constexpr std::size_t kDefaultBatchSize = 64;

/// The defaults, as they stand in the help text.
extern const char *const kDefaultLayout;
extern const char *const kDefaultStrategy;

} // namespace tmva_lstm_tmva
