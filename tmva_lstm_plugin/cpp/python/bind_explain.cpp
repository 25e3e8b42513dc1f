/// \file
/// What a trained network does: activations and gradients step by step, and permutation importance.
#include "bindings.h"
#include "core/error.h"
#include "core/network_explain.h"
#include "core/permutation.h"

namespace {

using namespace tmva_lstm;
using nb::literals::operator""_a;

/// Events and what goes with them, as they are handed over.
template <class T>
struct Given {
   const Input<T, 2> &values;
   const Input<std::int64_t, 1> &offsets;
   const std::optional<Input<T, 2>> &event_values;
   const std::optional<Input<std::int32_t, 1>> &labels;
   const std::optional<Input<double, 1>> &weights;
   const std::optional<Input<T, 2>> &targets;

   /// The events; throws ArgumentError when a length does not fit, or, where `labelled`, there is nothing to compare scores with.
   LabelledView<T> view(const NetworkShape &shape, bool labelled) const
   {
      const LabelledView<T> view = labelled_view(values, offsets, event_values, labels, weights, targets);
      const auto check = [&](const char *what, std::size_t found, std::size_t expected) {
         if (found != expected)
            throw ArgumentError("explain: " + std::string(what) + " is " + std::to_string(found) + ", expected " + std::to_string(expected));
      };
      check("the number of features", values.shape(1), shape.D);
      check("the number of event features", event_values ? event_values->shape(1) : 0, shape.E);
      check("the number of steps", values.shape(0), view.N ? static_cast<std::size_t>(offsets.data()[view.N]) : 0);
      if (event_values)
         check("the number of rows of event features", event_values->shape(0), view.N);
      if (labels)
         check("the number of labels", labels->shape(0), view.N);
      if (weights)
         check("the number of weights", weights->shape(0), view.N);
      if (targets) {
         check("the number of targets", targets->shape(1), shape.K);
         check("the number of rows of targets", targets->shape(0), view.N);
      }
      if (labelled && !labels && !targets)
         throw ArgumentError("explain: the events have no labels and no targets; the loss needs them");
      return view;
   }
};

/// An array that is written by the core and then becomes numpy's; null where it is not wanted.
template <class T>
class Wanted {
public:
   T *make(bool wanted, std::size_t count)
   {
      fData.resize(wanted ? count : 0);
      fWanted = wanted;
      return wanted ? fData.data() : nullptr;
   }
   void give(nb::dict &to, const char *name, std::initializer_list<std::size_t> shape)
   {
      if (fWanted)
         to[name] = to_numpy(std::move(fData), shape);
   }

private:
   std::vector<T> fData;
   bool fWanted = false;
};

/// See the docstring below.
template <class T>
nb::dict explain(Trainer<T> &trainer, const Input<T, 2> &values, const Input<std::int64_t, 1> &offsets,
                 const std::optional<Input<T, 2>> &event_values, const std::optional<Input<std::int32_t, 1>> &labels,
                 const std::optional<Input<double, 1>> &weights, const std::optional<Input<T, 2>> &targets,
                 const std::string &quantity, const std::optional<Input<std::int32_t, 1>> &which,
                 const std::set<std::string> &wanted, std::size_t n_threads)
{
   const Network<T> &network = trainer.network();
   const NetworkShape &shape = network.shape();
   Explanation<T> explanation;
   explanation.quantity = quantity_from_name(quantity);
   const bool loss = explanation.quantity == Quantity::Loss;
   const Given<T> given{values, offsets, event_values, labels, weights, targets};
   const LabelledView<T> view = given.view(shape, loss);
   const std::size_t N = view.N, S = values.shape(0), D = shape.D, E = shape.E;
   if (!loss) {
      if (!which || which->shape(0) != N)
         throw ArgumentError("explain: which output is looked at has to be said for each of the " + std::to_string(N) + " events");
      for (std::size_t n = 0; n < N; ++n)
         if (which->data()[n] < 0 || static_cast<std::size_t>(which->data()[n]) >= shape.classes())
            throw ArgumentError("explain: output " + std::to_string(which->data()[n]) + " of event " + std::to_string(n) +
                                " is not there; the network has " + std::to_string(shape.classes()));
      explanation.which = which->data();
   }
   const StackShape stack = shape.stack();
   struct Part {
      Wanted<T> gates, h, c, dgates, dh_total, dc_total;
   };
   std::vector<Part> parts(stack.parts());
   explanation.parts.resize(stack.parts());
   for (std::size_t n = 0; n < stack.parts(); ++n) {
      const LayerShape layer = stack.part(n);
      const std::size_t states = S * layer.H, gates = states * layer.sums();
      const bool cell = cell_parts(layer).has_cell;
      explanation.parts[n] = {parts[n].gates.make(wanted.count("gates"), gates), parts[n].h.make(wanted.count("h"), states),
                              parts[n].c.make(cell && wanted.count("c"), states), parts[n].dgates.make(wanted.count("dgates"), gates),
                              parts[n].dh_total.make(wanted.count("dh_total"), states),
                              parts[n].dc_total.make(cell && wanted.count("dc_total"), states)};
   }
   Wanted<T> value, dfeatures, devent;
   explanation.value = value.make(true, N);
   explanation.dfeatures = dfeatures.make(wanted.count("dfeatures"), S * D);
   explanation.devent = devent.make(wanted.count("devent"), N * E);
   WorkLimits limits = trainer.options().limits;
   limits.n_threads = n_threads;
   {
      const nb::gil_scoped_release released;
      network.explain(view, limits, explanation);
   }
   nb::list layers;
   for (std::size_t n = 0; n < stack.parts(); ++n) {
      const LayerShape layer = stack.part(n);
      const std::size_t H = layer.H, G = layer.sums();
      nb::dict of;
      parts[n].gates.give(of, "gates", {S, G, H});
      parts[n].h.give(of, "h", {S, H});
      parts[n].c.give(of, "c", {S, H});
      parts[n].dgates.give(of, "dgates", {S, G, H});
      parts[n].dh_total.give(of, "dh_total", {S, H});
      parts[n].dc_total.give(of, "dc_total", {S, H});
      layers.append(of);
   }
   nb::dict result;
   result["layers"] = layers;
   value.give(result, "value", {N});
   dfeatures.give(result, "dfeatures", {S, D});
   devent.give(result, "devent", {N, E});
   return result;
}

template <class T>
nb::tuple scales(Trainer<T> &trainer)
{
   const auto array = [](const std::vector<T> &numbers) { return to_numpy(std::vector<T>(numbers), {numbers.size()}); };
   const auto &features = trainer.network().features(), &event_features = trainer.network().event_features();
   return nb::make_tuple(array(features.mean), array(features.inverse), array(event_features.mean), array(event_features.inverse));
}

template <class T>
nb::list layers(Trainer<T> &trainer)
{
   const StackShape stack = trainer.network().shape().stack();
   nb::list result;
   for (std::size_t n = 0; n < stack.parts(); ++n) {
      const CellParts cell = cell_parts(stack.part(n));
      result.append(nb::make_tuple(part_name(stack, n), n % stack.directions() == 1, stack.part(n).H, cell.gates, cell.has_cell));
   }
   return result;
}

template <class T>
void bind_for(nb::module_ &m)
{
   m.def("explain", &explain<T>, "trainer"_a, "values"_a.noconvert(), "offsets"_a.noconvert(), "event_values"_a.noconvert().none(),
         "labels"_a.noconvert().none(), "weights"_a.noconvert().none(), "targets"_a.noconvert().none(), "quantity"_a,
         "which"_a.noconvert().none(), "wanted"_a, "n_threads"_a,
         "Activations and gradients, see core/network_explain.h: a dictionary of `value` (N,), `layers` (one dictionary for each layer "
         "and direction: gates, h, c, dgates, dh_total, dc_total), dfeatures (S, D) and devent (N, E); those that `wanted` names.");
   m.def("feature_scales", &scales<T>, "trainer"_a, "Mean and inverse scale of the features, then of the event features.");
   m.def("recurrent_layers", &layers<T>, "trainer"_a,
         "Of each layer and direction: name, whether it goes backward in time, hidden units, names of its gates, whether it has a cell.");
}

} // namespace

void bind_explain(nb::module_ &m)
{
   bind_for<float>(m);
   bind_for<double>(m);
   m.def(
      "permutation_importance",
      [](Trainer<float> &trainer, const Input<float, 2> &values, const Input<std::int64_t, 1> &offsets,
         const std::optional<Input<float, 2>> &event_values, const std::optional<Input<std::int32_t, 1>> &labels,
         const std::optional<Input<double, 1>> &weights, const std::optional<Input<float, 2>> &targets, std::size_t most_steps,
         std::uint64_t seed, std::uint32_t repeats, std::size_t n_threads) {
         const Given<float> given{values, offsets, event_values, labels, weights, targets};
         const LabelledView<float> view = given.view(trainer.network().shape(), true);
         WorkLimits limits = trainer.options().limits;
         limits.n_threads = n_threads;
         std::vector<double> result;
         double reference = 0;
         std::size_t count = 0;
         {
            const nb::gil_scoped_release released;
            PermutationImportance importance(trainer.network(), view, most_steps, limits);
            reference = importance.reference();
            count = importance.count();
            for (std::size_t n = 0; n < count; ++n)
               for (std::uint32_t repeat = 0; repeat < repeats; ++repeat)
                  result.push_back(importance.increase(n, seed, repeat));
         }
         return nb::make_tuple(reference, to_numpy(std::move(result), {count, repeats}));
      },
      "trainer"_a, "values"_a.noconvert(), "offsets"_a.noconvert(), "event_values"_a.noconvert().none(), "labels"_a.noconvert().none(),
      "weights"_a.noconvert().none(), "targets"_a.noconvert().none(), "most_steps"_a, "seed"_a, "repeats"_a, "n_threads"_a,
      "Mean loss with nothing permuted, and (things, repeats) how much it grows; see core/permutation.h.");
}
