#include "EventSequences.h"

#include <algorithm>
#include <cmath>
#include <locale>
#include <sstream>

namespace tmva_lstm_tmva {

namespace {

/// A number as one would write it: 3, -1, 2.5, nan.
std::string written(double value)
{
   std::ostringstream out;
   out.imbue(std::locale::classic());
   out << value;
   return out.str();
}

} // namespace

void SequenceBuffer::add(const std::vector<float> &variables, double length)
{
   const std::size_t D = fLayout.D;
   if (variables.size() != fLayout.n_variables())
      throw EventError(std::to_string(variables.size()) + " variables, expected " + std::to_string(fLayout.n_variables()));
   std::size_t steps = fLayout.T;
   if (fLayout.length != EventLayout::Length::Full) {
      if (!(length >= 0 && length <= static_cast<double>(fLayout.T)) || length != std::floor(length))
         throw EventError("the number of steps '" + fLayout.length_name + "' is " + written(length) +
                          ", expected a whole number from 0 to " + std::to_string(fLayout.T));
      steps = static_cast<std::size_t>(length);
   }
   if (fLayout.has_mask) {
      const auto is_mask = [&](std::size_t t) {
         return std::all_of(variables.begin() + static_cast<std::ptrdiff_t>(t * D),
                            variables.begin() + static_cast<std::ptrdiff_t>((t + 1) * D),
                            [&](float value) { return value == fLayout.mask; });
      };
      while (steps > 0 && is_mask(steps - 1))
         --steps;
   }
   const auto check = [&](std::size_t begin, std::size_t end) {
      for (std::size_t n = begin; n < end; ++n)
         if (!std::isfinite(variables[n]))
            throw EventError("is " + written(variables[n]) + ", expected a finite number", n);
   };
   check(0, steps * D);
   check(fLayout.T * D, variables.size());
   fValues.insert(fValues.end(), variables.begin(), variables.begin() + static_cast<std::ptrdiff_t>(steps * D));
   fOffsets.push_back(fOffsets.back() + static_cast<std::int64_t>(steps));
   for (std::size_t n = fLayout.T * D; n < variables.size(); ++n)
      if (fLayout.length != EventLayout::Length::Variable || n != fLayout.length_index)
         fEventValues.push_back(variables[n]);
}

void SequenceBuffer::clear()
{
   fValues.clear();
   fEventValues.clear();
   fTargets.clear();
   fLabels.clear();
   fWeights.clear();
   fOffsets.assign(1, 0);
}

SequenceBuffer SequenceBuffer::sample(std::size_t count) const
{
   SequenceBuffer part(fLayout);
   const std::size_t D = fLayout.D, E = fLayout.E, K = fTargets.size() / std::max<std::size_t>(1, size());
   const auto take = [](std::vector<float> &to, const std::vector<float> &from, std::size_t first, std::size_t n) {
      const auto begin = from.begin() + static_cast<std::ptrdiff_t>(first);
      to.insert(to.end(), begin, begin + static_cast<std::ptrdiff_t>(n));
   };
   const std::size_t stride = std::max<std::size_t>(1, size() / std::max<std::size_t>(1, count));
   for (std::size_t n = 0; n < size() && part.size() < count; n += stride) {
      take(part.fValues, fValues, static_cast<std::size_t>(fOffsets[n]) * D, length(n) * D);
      take(part.fEventValues, fEventValues, n * E, E);
      take(part.fTargets, fTargets, n * K, K);
      part.fOffsets.push_back(part.fOffsets.back() + static_cast<std::int64_t>(length(n)));
      if (!fLabels.empty())
         part.fLabels.push_back(fLabels[n]);
      if (!fWeights.empty())
         part.fWeights.push_back(fWeights[n]);
   }
   return part;
}

tmva_lstm::LabelledView<float> SequenceBuffer::view() const
{
   tmva_lstm::LabelledView<float> view;
   view.values = fValues.data();
   view.offsets = fOffsets.data();
   view.event_values = fEventValues.data();
   view.N = size();
   view.D = fLayout.D;
   view.E = fLayout.E;
   view.labels = fLabels.empty() ? nullptr : fLabels.data();
   view.targets = fTargets.empty() ? nullptr : fTargets.data();
   view.weights = fWeights.empty() ? nullptr : fWeights.data();
   return view;
}

} // namespace tmva_lstm_tmva
