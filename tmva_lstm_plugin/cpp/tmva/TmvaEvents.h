/// \file
/// What the method takes from TMVA's events and from what TMVA knows of its variables and classes.
#pragma once

#include "BookingOptions.h"
#include "EventSequences.h"

#include "TMVA/DataSetInfo.h"
#include "TMVA/Event.h"

#include <string>
#include <vector>

namespace tmva_lstm_tmva {

/// What TMVA's own Reader answers for an event that has NaN; the method does for every value that is not finite.
constexpr float kNoAnswer = -999;

/// The arrays that the variables begin with, if they are all of one size.
VariableShape shape_of(TMVA::DataSetInfo &data);

/// Number of true steps of an event, as far as its layout has one; spectators are never transformed, so the raw event has them.
double length_of(const EventLayout &layout, const TMVA::Event &event, const TMVA::Event &raw);

/// What the method is to take from one event that it is asked about.
struct EventInputs {
   std::vector<float> values; ///< as the method's own variables are ordered
   double length;             ///< number of true steps, as far as the layout has one
};

/// Of an event handed over, transformed (`event`) and not (`raw`). TMVA's Category hands its parts an event whose variables are
/// rearranged, and a spectator may be one of them; while they are, an event of a Reader counts its spectators from a wrong place.
/// So the values are read one by one, and then `raw` is put back in order, which Category does itself a moment later.
EventInputs inputs_of(const EventLayout &layout, const TMVA::Event &event, const TMVA::Event &raw);

/// The class of an event as the core counts: TMVA's own number, or of two classes 1 for the signal.
std::int32_t label_of(const TMVA::Event &event, bool multiclass, UInt_t signal);

/// Name of a class.
std::string class_name(TMVA::DataSetInfo &data, UInt_t n);

/// Name of a variable; "a[3]" of an array declared as a whole, as every TMVA has it.
std::string variable_name(TMVA::DataSetInfo &data, UInt_t n);

/// What is wrong with an event, and with which variable of it.
std::string problem_of(const EventError &error, TMVA::DataSetInfo &data);

} // namespace tmva_lstm_tmva
