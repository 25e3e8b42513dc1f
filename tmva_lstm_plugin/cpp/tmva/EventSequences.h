/// \file
/// From the flat variables of a TMVA event to a sequence, and many of them as values and offsets. Plain C++.
#pragma once

#include "core/error.h"
#include "core/network.h"

#include <cstdint>
#include <string>
#include <vector>

namespace tmva_lstm_tmva {

/// How the variables of an event are a sequence: the first T * D are the steps, time-major (variable `t * D + d`), the others are
/// event features, but for one that may hold the number of true steps.
struct EventLayout {
   enum class Length { Full, Variable, Spectator };

   std::size_t T = 0, D = 0, E = 0;
   Length length = Length::Full; ///< where the number of true steps stands
   std::size_t length_index = 0; ///< index of that variable or spectator
   std::string length_name;
   bool has_mask = false; ///< steps at the end whose values are all `mask` are padding
   float mask = 0;

   std::size_t n_variables() const { return T * D + E + (length == Length::Variable ? 1 : 0); }
};

/// An event that cannot be taken. what() says why, not which event: that is known where it comes from.
class EventError : public tmva_lstm::ArgumentError {
public:
   static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

   explicit EventError(const std::string &text, std::size_t variable = kNone) : ArgumentError(text), fVariable(variable) {}
   /// The variable whose value is not finite; kNone: something else is wrong with the event.
   std::size_t variable() const { return fVariable; }

private:
   std::size_t fVariable;
};

/// Events as values and offsets, with what they are to give.
class SequenceBuffer {
public:
   explicit SequenceBuffer(const EventLayout &layout) : fLayout(layout) {}

   /// Adds an event. `variables` has layout.n_variables() numbers; `length` is the number of true steps, ignored where the layout has
   /// none. Throws EventError, with nothing added, for a length that is no whole number from 0 to T, and for values that are not
   /// finite; those of padded steps are not looked at.
   void add(const std::vector<float> &variables, double length);
   void add_label(std::int32_t label) { fLabels.push_back(label); }
   void add_target(float target) { fTargets.push_back(target); }
   void add_weight(double weight) { fWeights.push_back(weight); }
   void clear();
   /// About `count` of the events, evenly taken.
   SequenceBuffer sample(std::size_t count) const;

   std::size_t size() const { return fOffsets.size() - 1; }
   std::size_t length(std::size_t event) const { return static_cast<std::size_t>(fOffsets[event + 1] - fOffsets[event]); }
   tmva_lstm::LabelledView<float> view() const;
   const EventLayout &layout() const { return fLayout; }
   const std::vector<std::int64_t> &offsets() const { return fOffsets; }
   std::vector<float> &values() { return fValues; }
   const std::vector<float> &values() const { return fValues; }
   std::vector<float> &event_values() { return fEventValues; }
   const std::vector<float> &event_values() const { return fEventValues; }
   const std::vector<std::int32_t> &labels() const { return fLabels; }
   std::vector<float> &targets() { return fTargets; }
   const std::vector<float> &targets() const { return fTargets; }
   const std::vector<double> &weights() const { return fWeights; }

private:
   EventLayout fLayout;
   std::vector<float> fValues, fEventValues, fTargets;
   std::vector<std::int64_t> fOffsets{0};
   std::vector<std::int32_t> fLabels;
   std::vector<double> fWeights;
};

} // namespace tmva_lstm_tmva
