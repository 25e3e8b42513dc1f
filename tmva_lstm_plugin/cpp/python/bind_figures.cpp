/// \file
/// The figures that a training can watch.
#include "bindings.h"
#include "core/error.h"

namespace {

using namespace tmva_lstm;
using nb::literals::operator""_a;

using Probabilities = Input<double, 2>;
using Labels = Input<std::int32_t, 1>;
using Weights = std::optional<Input<double, 1>>;

JudgedEvents checked(const Probabilities &probabilities, const Labels &labels, const Weights &weights)
{
   const std::size_t N = probabilities.shape(0), classes = probabilities.shape(1);
   if (labels.shape(0) != N || (weights && weights->shape(0) != N) || classes < 2)
      throw ArgumentError("expected probabilities of at least two classes, and as many labels and weights as events");
   for (std::size_t n = 0; n < N; ++n)
      if (labels.data()[n] < 0 || static_cast<std::size_t>(labels.data()[n]) >= classes)
         throw ArgumentError("a label is " + std::to_string(labels.data()[n]) + ", and there are " + std::to_string(classes) + " classes");
   return {labels.data(), weights ? weights->data() : nullptr, N};
}

} // namespace

void bind_figures(nb::module_ &m)
{
   m.def(
      "macro_auc",
      [](const Probabilities &p, const Labels &labels, const Weights &weights) {
         return macro_auc(p.data(), p.shape(1), checked(p, labels, weights));
      },
      "probabilities"_a.noconvert(), "labels"_a.noconvert(), "weights"_a.none() = nb::none(),
      "Of two classes the AUC of the second, of more the mean over the classes, each against the rest; see core/figures.h.");
   m.def(
      "accuracy",
      [](const Probabilities &p, const Labels &labels, const Weights &weights) {
         return accuracy(p.data(), p.shape(1), checked(p, labels, weights));
      },
      "probabilities"_a.noconvert(), "labels"_a.noconvert(), "weights"_a.none() = nb::none(),
      "Part of the weight of the events whose class is the most probable one.");
}
