/// \file
/// The model document in Python: its plain data, and its tree as nested tuples
/// `(name, [(key, value)], text, [children])`.
#include "bindings.h"
#include "core/document.h"
#include "core/error.h"

#include <nanobind/operators.h>

#include <string>
#include <type_traits>

namespace {

using tmva_lstm::FeatureSpec;
using tmva_lstm::ModelDocument;
using tmva_lstm::Node;
using tmva_lstm::Probes;

// A tree from Python may contain itself; both bounds are far beyond any model.
constexpr int kMaxDepth = 100;
constexpr std::size_t kMaxNodes = 2'000'000;

// --------------------------------------------------------------------------------------------------------- strings

[[noreturn]] void refuse(const std::string &what, nb::handle found, const std::string &expected)
{
   std::string shown = nb::repr(found).c_str();
   if (shown.size() > 80) {
      std::size_t end = 80; // not inside a UTF-8 sequence
      while (end > 0 && (static_cast<unsigned char>(shown[end]) & 0xC0) == 0x80)
         --end;
      shown = shown.substr(0, end) + "...";
   }
   throw tmva_lstm::ArgumentError(what + ": found " + shown + ", expected " + expected);
}

std::string to_string(nb::handle object, const std::string &what)
{
   if (!PyUnicode_Check(object.ptr()))
      refuse(what, object, "a str");
   Py_ssize_t size = 0;
   const char *bytes = PyUnicode_AsUTF8AndSize(object.ptr(), &size);
   if (!bytes) {
      PyErr_Clear();
      refuse(what, object, "text without lone surrogates, which UTF-8 cannot hold; rename it");
   }
   return {bytes, static_cast<std::size_t>(size)};
}

std::vector<std::string> to_strings(nb::handle object, const std::string &what)
{
   if (PyUnicode_Check(object.ptr()) || !PySequence_Check(object.ptr()))
      refuse(what, object, "a list of str");
   std::vector<std::string> strings;
   for (nb::handle item : nb::borrow<nb::sequence>(object))
      strings.push_back(to_string(item, what));
   return strings;
}

// ----------------------------------------------------------------------------------------------------------- trees

nb::tuple to_tuple(const Node &node)
{
   nb::list attributes;
   for (const auto &[key, value] : node.attributes)
      attributes.append(nb::make_tuple(key, value));
   nb::list children;
   for (const Node &child : node.children)
      children.append(to_tuple(child));
   return nb::make_tuple(node.name, attributes, node.text, children);
}

nb::list list_of(nb::handle object, const std::string &what)
{
   if (!PyList_Check(object.ptr()) && !PyTuple_Check(object.ptr()))
      refuse(what, object, "a list");
   return nb::list(object);
}

Node to_node(nb::handle tree, int depth, std::size_t &nodes)
{
   if (depth > kMaxDepth || ++nodes > kMaxNodes)
      throw tmva_lstm::ModelError("a tree deeper than " + std::to_string(kMaxDepth) + " levels or of more than " +
                                  std::to_string(kMaxNodes) + " nodes is not a model");
   if (!PyTuple_Check(tree.ptr()) || nb::len(tree) != 4)
      refuse("node", tree, "a tuple (name, [(key, value), ...], text, [children])");
   Node node{to_string(tree[0], "name of a node"), {}, to_string(tree[2], "text of a node"), {}};
   for (nb::handle pair : list_of(tree[1], "attributes of node " + node.name)) {
      if (!PyTuple_Check(pair.ptr()) || nb::len(pair) != 2)
         refuse("attribute of node " + node.name, pair, "a tuple (key, value)");
      node.attributes.emplace_back(to_string(pair[0], "key of an attribute of node " + node.name),
                                   to_string(pair[1], "value of an attribute of node " + node.name));
   }
   for (nb::handle child : list_of(tree[3], "children of node " + node.name))
      node.children.push_back(to_node(child, depth + 1, nodes));
   return node;
}

Node to_node(nb::handle tree)
{
   std::size_t nodes = 0;
   return to_node(tree, 0, nodes);
}

// ---------------------------------------------------------------------------------------------------------- arrays

/// (rows, columns), where the columns follow from the rows: without rows there are no columns either.
template <class T>
auto to_table(const std::vector<T> &data, std::size_t rows)
{
   return to_numpy(std::vector<T>(data), {rows, rows == 0 ? 0 : data.size() / rows});
}

template <class Array>
std::vector<std::remove_const_t<typename Array::Scalar>> to_vector(const Array &array)
{
   return {array.data(), array.data() + array.size()};
}

std::size_t events_of(const Probes &probes)
{
   return probes.offsets.empty() ? 0 : probes.offsets.size() - 1;
}

std::size_t steps_of(const Probes &probes)
{
   return probes.offsets.empty() ? 0 : static_cast<std::size_t>(probes.offsets.back());
}

std::size_t score_rows(const Probes &probes)
{
   return probes.of_steps ? steps_of(probes) : events_of(probes);
}

void check_rows(const char *what, std::size_t found, std::size_t expected)
{
   if (found != expected)
      throw tmva_lstm::ArgumentError(std::string("probes: ") + what + " has " + std::to_string(found) +
                                     " rows, expected " + std::to_string(expected) + " from the offsets");
}

void make_probes(Probes *self, const Input<float, 2> &values, const Input<std::int64_t, 1> &offsets,
                 const Input<float, 2> &event_values, const Input<float, 2> &scores, bool of_steps)
{
   Probes probes{to_vector(values), to_vector(offsets), to_vector(event_values), to_vector(scores), of_steps};
   if (!probes.offsets.empty() && probes.offsets.back() < 0)
      throw tmva_lstm::ArgumentError("probes: offsets end at " + std::to_string(probes.offsets.back()) +
                                     ", expected the number of steps");
   check_rows("values", values.shape(0), steps_of(probes));
   check_rows("event_values", event_values.shape(0), events_of(probes));
   check_rows("scores", scores.shape(0), score_rows(probes));
   new (self) Probes(std::move(probes));
}

// ------------------------------------------------------------------------------------------------------ properties

using Document = nb::class_<ModelDocument>;

// Arrays own their memory; a property's default policy would tie them to the document instead.
constexpr auto kOwned = nb::rv_policy::reference;

void add_tree(Document &bound, const char *name, Node ModelDocument::*member, const char *doc)
{
   bound.def_prop_rw(
      name, [member](const ModelDocument &self) { return to_tuple(self.*member); },
      [member](ModelDocument &self, const nb::object &tree) { self.*member = to_node(tree); }, doc);
}

template <std::string FeatureSpec::*member>
void set_text(FeatureSpec &self, const nb::object &text)
{
   self.*member = to_string(text, "feature");
}

std::string repr(const ModelDocument &document)
{
   return "<ModelDocument: " + document.task + ", " + std::to_string(document.class_names.size()) + " classes, " +
          std::to_string(document.features.size()) + " features, " + std::to_string(document.event_features.size()) +
          " event features, hidden " + std::to_string(document.hidden) + ", " +
          std::to_string(document.parameters.size()) + " parameters>";
}

// --------------------------------------------------------------------------------------------------------- classes

void bind_feature(nb::module_ &m)
{
   nb::class_<FeatureSpec>(m, "FeatureSpec",
                           "A feature as the model sees it: ``(value - mean) / scale`` enters the network. Numbers are "
                           "kept in single precision; `minimum` and `maximum` are those of the training part.")
      .def(
         "__init__",
         [](FeatureSpec *self, const nb::object &name, const nb::object &expression, float mean, float scale,
            float minimum, float maximum) {
            new (self) FeatureSpec{to_string(name, "name of a feature"),
                                   to_string(expression, "expression of a feature"), mean, scale, minimum, maximum};
         },
         nb::arg("name").none() = "", nb::arg("expression").none() = "", nb::arg("mean") = 0.f, nb::arg("scale") = 1.f,
         nb::arg("minimum") = 0.f, nb::arg("maximum") = 0.f)
      .def_prop_rw("name", [](const FeatureSpec &self) { return self.name; }, set_text<&FeatureSpec::name>)
      .def_prop_rw("expression", [](const FeatureSpec &self) { return self.expression; },
                   set_text<&FeatureSpec::expression>)
      .def_rw("mean", &FeatureSpec::mean)
      .def_rw("scale", &FeatureSpec::scale)
      .def_rw("minimum", &FeatureSpec::minimum)
      .def_rw("maximum", &FeatureSpec::maximum)
      .def(nb::self == nb::self)
      .def("__repr__", [](const FeatureSpec &self) { return "<FeatureSpec: " + self.name + ">"; });
}

void bind_probes(nb::module_ &m)
{
   nb::class_<Probes>(m, "Probes",
                      "Events with the scores they had when the model was written: `values` (S, D), `offsets` "
                      "(N + 1,), `event_values` (N, E), `scores` (N, classes), or (S, classes) where every step has "
                      "outputs. A table without rows is given back as (0, 0).")
      .def(nb::init<>())
      .def("__init__", &make_probes, nb::arg("values"), nb::arg("offsets"), nb::arg("event_values"), nb::arg("scores"),
           nb::arg("of_steps") = false)
      .def_prop_ro("values", [](const Probes &self) { return to_table(self.values, steps_of(self)); }, kOwned)
      .def_prop_ro(
         "offsets", [](const Probes &self) { return to_numpy(std::vector(self.offsets), {self.offsets.size()}); },
         kOwned)
      .def_prop_ro(
         "event_values", [](const Probes &self) { return to_table(self.event_values, events_of(self)); }, kOwned)
      .def_prop_ro("scores", [](const Probes &self) { return to_table(self.scores, score_rows(self)); }, kOwned)
      .def(nb::self == nb::self)
      .def("__len__", &events_of);
}

void bind_model(nb::module_ &m)
{
   Document bound(m, "ModelDocument",
                  "A trained model as plain data. Lists and arrays are copies: assign them whole. The doors' own nodes "
                  "are nested tuples ``(name, [(key, value), ...], text, [children])``.");
   bound.def(nb::init<>())
      .def_prop_rw(
         "task", [](const ModelDocument &self) { return self.task; },
         [](ModelDocument &self, const nb::object &task) { self.task = to_string(task, "task"); },
         "'binary' or 'multiclass'")
      .def_prop_rw(
         "class_names", [](const ModelDocument &self) { return self.class_names; },
         [](ModelDocument &self, const nb::object &names) { self.class_names = to_strings(names, "class_names"); },
         "Names of the classes; of two, the second is the signal")
      .def_rw("hidden", &ModelDocument::hidden, "H, the size of the state")
      .def_rw("lower", &ModelDocument::lower, "Hidden units of the LSTM layers below the last one, the lowest first")
      .def_rw("bidirectional", &ModelDocument::bidirectional, "All LSTM layers in both directions of time")
      .def_prop_rw(
         "cell", [](const ModelDocument &self) { return std::string(tmva_lstm::cell_name(self.cell.kind)); },
         [](ModelDocument &self, const std::string &name) { self.cell.kind = tmva_lstm::cell_from_name(name); },
         "'lstm', 'gru' or 'rnn'")
      .def_prop_rw(
         "peepholes", [](const ModelDocument &self) { return self.cell.peepholes; },
         [](ModelDocument &self, bool value) { self.cell.peepholes = value; }, "The LSTM's gates see the cell state")
      .def_prop_rw(
         "coupled_gates", [](const ModelDocument &self) { return self.cell.coupled; },
         [](ModelDocument &self, bool value) { self.cell.coupled = value; }, "The LSTM's forget gate is one minus its input gate")
      .def_prop_rw(
         "reset_gate", [](const ModelDocument &self) { return std::string(tmva_lstm::reset_gate_name(self.cell.reset_before)); },
         [](ModelDocument &self, const std::string &name) { self.cell.reset_before = tmva_lstm::reset_before_from_name(name); },
         "Where the GRU's reset gate stands, 'after' the product with the state or 'before'")
      .def_prop_rw(
         "pooling", [](const ModelDocument &self) { return std::string(tmva_lstm::pooling_name(self.pooling)); },
         [](ModelDocument &self, const std::string &name) { self.pooling = tmva_lstm::pooling_from_name(name); },
         "What goes on of the states: 'last', 'mean', 'max' or 'attention'")
      .def_rw("layer_norm", &ModelDocument::layer_norm, "What each recurrent layer gives is normalised")
      .def_rw("every_step", &ModelDocument::every_step, "Each step has outputs of its own")
      .def_rw("flat_steps", &ModelDocument::flat_steps, "Steps whose states the dense layers see; 0: the last one")
      .def_prop_rw(
         "dense",
         [](const ModelDocument &self) {
            nb::list layers;
            for (const tmva_lstm::DenseSpec &layer : self.dense)
               layers.append(nb::make_tuple(layer.width, tmva_lstm::activation_name(layer.activation)));
            return layers;
         },
         [](ModelDocument &self, const std::vector<std::pair<std::size_t, std::string>> &layers) {
            self.dense.clear();
            for (const auto &[width, activation] : layers)
               self.dense.push_back({width, tmva_lstm::activation_from_name(activation)});
         },
         "Hidden dense layers: (width, name of the activation)")
      .def_prop_rw(
         "loss", [](const ModelDocument &self) { return std::string(tmva_lstm::loss_name(self.loss)); },
         [](ModelDocument &self, const std::string &name) { self.loss = tmva_lstm::loss_from_name(name); }, "Name of the loss")
      .def_rw("targets", &ModelDocument::targets, "Targets of a regression, as FeatureSpec")
      .def_rw("features", &ModelDocument::features, "A list of D FeatureSpec")
      .def_rw("event_features", &ModelDocument::event_features, "A list of E FeatureSpec")
      .def_rw("max_length", &ModelDocument::max_length, "Steps kept of a sequence; 0: all")
      .def_rw("longest_length", &ModelDocument::longest_length, "Longest sequence of the training part")
      .def_prop_rw(
         "parameters",
         [](const ModelDocument &self) { return to_numpy(std::vector(self.parameters), {self.parameters.size()}); },
         [](ModelDocument &self, const Input<float, 1> &values) { self.parameters = to_vector(values); },
         kOwned, "All trainable numbers, float32, in the order of the network's parameter layout")
      .def_rw("probes", &ModelDocument::probes, "Events with their scores, to check the model by")
      .def(nb::self == nb::self)
      .def("__repr__", &repr);
   add_tree(bound, "recipe", &ModelDocument::recipe, "How the events were read");
   add_tree(bound, "options", &ModelDocument::options, "Training options");
   add_tree(bound, "training", &ModelDocument::training, "Summary and history of the training");
   add_tree(bound, "provenance", &ModelDocument::provenance, "All that differs from one run to the next");
}

} // namespace

void bind_document(nb::module_ &m)
{
   m.attr("FORMAT") = ModelDocument::kFormat;
   bind_feature(m);
   bind_probes(m);
   bind_model(m);
   m.def(
      "document_to_node", [](const ModelDocument &document) { return to_tuple(tmva_lstm::to_node(document)); },
      nb::arg("document"),
      "The document as a tree called LSTMModel. Raises ModelFileError when it contradicts itself.");
   m.def(
      "document_from_node", [](const nb::object &tree) { return tmva_lstm::from_node(to_node(tree)); },
      nb::arg("tree"), "The document of a tree. Raises ModelFileError when it is damaged or of another format.");
   m.def(
      "checksum", [](const nb::object &tree) { return tmva_lstm::checksum(to_node(tree)); }, nb::arg("tree"),
      "CRC-32 of a tree, without its provenance.");
   m.def("parameter_count", &tmva_lstm::parameter_count, nb::arg("features"), nb::arg("event_features"),
         nb::arg("hidden"), nb::arg("outputs"), "How many parameters a model of these sizes has.");
}
