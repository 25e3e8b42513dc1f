/// \file
/// What the method takes from TMVA's events and from what TMVA knows of its variables and classes.
#pragma once

#include "BookingOptions.h"
#include "EventSequences.h"

#include "TMVA/DataSetInfo.h"
#include "TMVA/Event.h"

#include <string>

namespace tmva_lstm_tmva {

/// What TMVA's own Reader answers for an event that has NaN; the method does for every value that is not finite.
constexpr float kNoAnswer = -999;

/// The arrays that the variables begin with, if they are all of one size.
VariableShape shape_of(TMVA::DataSetInfo &data);

/// Number of true steps of an event, as far as its layout has one; spectators are never transformed, so the raw event has them.
double length_of(const EventLayout &layout, const TMVA::Event &event, const TMVA::Event &raw);

/// The class of an event as the core counts: TMVA's own number, or of two classes 1 for the signal.
std::int32_t label_of(const TMVA::Event &event, bool multiclass, UInt_t signal);

/// Name of a class.
std::string class_name(TMVA::DataSetInfo &data, UInt_t n);

/// Name of a variable; "a[3]" of an array declared as a whole, as every TMVA has it.
std::string variable_name(TMVA::DataSetInfo &data, UInt_t n);

/// What is wrong with an event, and with which variable of it.
std::string problem_of(const EventError &error, TMVA::DataSetInfo &data);

} // namespace tmva_lstm_tmva
