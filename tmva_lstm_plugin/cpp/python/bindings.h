/// \file
/// What every bind_*.cpp needs: nanobind with the type casters in use (all files must see the same ones), the array
/// types of the door, and the list of concepts.
#pragma once

#include "core/trainer.h"

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/array.h>
#include <nanobind/stl/function.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/set.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <array>

#include <cstdint>
#include <initializer_list>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace nb = nanobind;

/// A read-only C-contiguous input of T with `N` dimensions; the Python side converts beforehand.
template <class T, int N>
using Input = nb::ndarray<const T, nb::ndim<N>, nb::c_contig, nb::device::cpu>;

/// Gives a vector to numpy without copying it.
template <class T>
auto to_numpy(std::vector<T> data, std::initializer_list<std::size_t> shape)
{
   auto *owned = new std::vector<T>(std::move(data));
   nb::capsule owner(owned, [](void *p) noexcept { delete static_cast<std::vector<T> *>(p); });
   return nb::ndarray<nb::numpy, T>(owned->data(), shape.size(), shape.begin(), owner);
}

/// The events that arrays of the door stand for; what is not given is null.
template <class T>
tmva_lstm::LabelledView<T> labelled_view(const Input<T, 2> &values, const Input<std::int64_t, 1> &offsets,
                                         const std::optional<Input<T, 2>> &event_values,
                                         const std::optional<Input<std::int32_t, 1>> &labels,
                                         const std::optional<Input<double, 1>> &weights, const std::optional<Input<T, 2>> &targets)
{
   tmva_lstm::LabelledView<T> view;
   view.values = values.data();
   view.offsets = offsets.data();
   view.event_values = event_values ? event_values->data() : nullptr;
   view.N = offsets.shape(0) ? offsets.shape(0) - 1 : 0;
   view.D = values.shape(1);
   view.E = event_values ? event_values->shape(1) : 0;
   view.labels = labels ? labels->data() : nullptr;
   view.weights = weights ? weights->data() : nullptr;
   view.targets = targets ? targets->data() : nullptr;
   return view;
}

void bind_errors(nb::module_ &m);
void bind_document(nb::module_ &m);
void bind_layer(nb::module_ &m);
void bind_training(nb::module_ &m);
void bind_schedule(nb::module_ &m);
void bind_preprocessing(nb::module_ &m);
void bind_figures(nb::module_ &m);
void bind_explain(nb::module_ &m);

/// Options in a dictionary. What is not given keeps its value; all names that were asked for are known.
class OptionReader {
public:
   explicit OptionReader(const nb::dict &given) : fGiven(given) {}

   template <class T>
   void take(const char *key, T &member)
   {
      fKnown.insert(key);
      if (fGiven.contains(key))
         member = nb::cast<T>(fGiven[key]);
   }
   /// Throws ArgumentError for a name that nobody has asked for.
   void refuse_others() const;

private:
   const nb::dict &fGiven;
   std::set<std::string> fKnown;
};

/// Takes how the weights are to move; what is left out is the default of the optimiser and the schedule chosen.
void take_optimisation(OptionReader &reader, tmva_lstm::TrainingOptions &options);
