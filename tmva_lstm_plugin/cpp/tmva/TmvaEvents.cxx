#include "TmvaEvents.h"

#include "TMVA/VariableInfo.h"
#include "TString.h"

#include <vector>

namespace tmva_lstm_tmva {

using TMVA::DataSetInfo;
using TMVA::Event;

VariableShape shape_of(DataSetInfo &data)
{
   VariableShape shape;
   shape.n_variables = data.GetNVariables();
   std::vector<std::pair<TString, std::size_t>> runs; // expression and how often in a row
   for (UInt_t n = 0; n < data.GetNVariables(); ++n) {
      const TString &expression = data.GetVariableInfo(n).GetExpression();
      if (!runs.empty() && runs.back().first == expression)
         ++runs.back().second;
      else
         runs.emplace_back(expression, 1);
   }
   if (runs.empty() || runs.front().second < 2)
      return shape;
   for (const auto &run : runs) {
      if (run.second != runs.front().second)
         break;
      ++shape.arrays;
   }
   shape.array_size = runs.front().second;
   return shape;
}

double length_of(const EventLayout &layout, const Event &event, const Event &raw)
{
   switch (layout.length) {
   case EventLayout::Length::Variable: return event.GetValue(static_cast<UInt_t>(layout.length_index));
   case EventLayout::Length::Spectator: return raw.GetSpectator(static_cast<UInt_t>(layout.length_index));
   default: return 0;
   }
}

namespace {

/// The embedded host has no Category, so its events are always in order.
template <class AnyEvent>
auto put_in_order(const AnyEvent &event, int) -> decltype(event.SetVariableArrangement(nullptr))
{
   if (!event.IsDynamic())
      return;
   event.SetVariableArrangement(nullptr);
   event.GetValues(); // counts the variables anew
}
template <class AnyEvent>
void put_in_order(const AnyEvent &, long)
{
}

} // namespace

EventInputs inputs_of(const EventLayout &layout, const Event &event, const Event &raw)
{
   EventInputs inputs;
   for (UInt_t n = 0; n < event.GetNVariables(); ++n)
      inputs.values.push_back(event.GetValue(n));
   if (layout.length != EventLayout::Length::Spectator) {
      inputs.length = length_of(layout, event, raw);
      return inputs;
   }
   put_in_order(raw, 0);
   inputs.length = length_of(layout, event, raw);
   return inputs;
}

std::int32_t label_of(const Event &event, bool multiclass, UInt_t signal)
{
   return multiclass ? static_cast<std::int32_t>(event.GetClass()) : event.GetClass() == signal;
}

std::string class_name(DataSetInfo &data, UInt_t n)
{
   // a TString here and a const char * there
   return TString(data.GetClassInfo(static_cast<Int_t>(n))->GetName()).Data();
}

std::string variable_name(DataSetInfo &data, UInt_t n)
{
   return data.GetVariableInfo(n).GetInternalName().Data();
}

std::string problem_of(const EventError &error, DataSetInfo &data)
{
   if (error.variable() == EventError::kNone)
      return error.what();
   return "variable '" + variable_name(data, static_cast<UInt_t>(error.variable())) + "' " + error.what();
}

} // namespace tmva_lstm_tmva
