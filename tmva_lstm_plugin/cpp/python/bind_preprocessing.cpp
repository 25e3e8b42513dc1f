/// \file
/// Standardisation: of features, gathered over portions, and of targets.
#include "bindings.h"

#include "core/error.h"
#include "core/preprocess.h"

#include <string>

using nb::literals::operator""_a;
using namespace tmva_lstm;

namespace {

/// `change` (standardise_targets or restore_targets) on a copy of (N, K) targets.
template <class Change>
auto changed_targets(Change change, const Input<float, 2> &values, const Input<float, 1> &mean, const Input<float, 1> &scale)
{
   if (mean.shape(0) != values.shape(1) || scale.shape(0) != values.shape(1))
      throw ArgumentError("the targets have " + std::to_string(values.shape(1)) + " columns, there are " +
                          std::to_string(mean.shape(0)) + " means and " + std::to_string(scale.shape(0)) + " scales");
   std::vector<float> result(values.data(), values.data() + values.size());
   change(result.data(), values.shape(0), {mean.data(), mean.data() + mean.shape(0)},
          {scale.data(), scale.data() + scale.shape(0)});
   return to_numpy(std::move(result), {values.shape(0), values.shape(1)});
}

} // namespace

void bind_preprocessing(nb::module_ &m)
{
   nb::class_<ColumnSummary>(m, "ColumnSummary")
      .def_ro("mean", &ColumnSummary::mean)
      .def_ro("deviation", &ColumnSummary::deviation)
      .def_ro("minimum", &ColumnSummary::minimum)
      .def_ro("maximum", &ColumnSummary::maximum);
   nb::class_<SummaryFit>(m, "SummaryFit", "Mean, deviation and range of columns, gathered over any number of portions.")
      .def(nb::init<std::size_t>(), "columns"_a)
      .def(
         "add_steps",
         [](SummaryFit &self, const Input<float, 2> &values, const Input<std::int64_t, 1> &offsets,
            const Input<std::uint8_t, 1> &use) {
            self.add(values.data(), offsets.data(), offsets.shape(0) - 1, use.data());
         },
         "values"_a, "offsets"_a, "use"_a)
      .def(
         "add_rows",
         [](SummaryFit &self, const Input<float, 2> &values, const Input<std::uint8_t, 1> &use) {
            for (std::size_t n = 0; n < values.shape(0); ++n)
               if (use.data()[n])
                  self.add(values.data() + n * values.shape(1), 1);
         },
         "values"_a, "use"_a)
      .def("summary", &SummaryFit::summary);

   m.def(
      "standardise_targets",
      [](const Input<float, 2> &values, const Input<float, 1> &mean, const Input<float, 1> &scale) {
         return changed_targets(standardise_targets, values, mean, scale);
      },
      "values"_a, "mean"_a, "scale"_a, "(value - mean) / scale of each column of (N, K) targets, as every door does it.");
   m.def(
      "restore_targets",
      [](const Input<float, 2> &values, const Input<float, 1> &mean, const Input<float, 1> &scale) {
         return changed_targets(restore_targets, values, mean, scale);
      },
      "values"_a, "mean"_a, "scale"_a, "mean + scale * value of each column: the way back.");
}
