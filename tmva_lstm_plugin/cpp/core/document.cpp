/// \file
/// The model document as a tree and back, with every count checked against the data that is there.
#include "document.h"
#include "document_nodes.h"
#include "error.h"

#include <algorithm>
#include <cmath>
#include <set>

namespace tmva_lstm {
inline namespace TMVA_LSTM_ABI {

using detail::Place;
using detail::quoted;

bool FeatureSpec::operator==(const FeatureSpec &other) const
{
   return name == other.name && expression == other.expression && mean == other.mean && scale == other.scale &&
          minimum == other.minimum && maximum == other.maximum;
}

bool Probes::operator==(const Probes &other) const
{
   return values == other.values && offsets == other.offsets && event_values == other.event_values &&
          scores == other.scores;
}

bool ModelDocument::operator==(const ModelDocument &other) const
{
   return task == other.task && class_names == other.class_names && hidden == other.hidden &&
          lower == other.lower && bidirectional == other.bidirectional && cell == other.cell && pooling == other.pooling &&
          layer_norm == other.layer_norm && every_step == other.every_step &&
          flat_steps == other.flat_steps && dense == other.dense && loss == other.loss && targets == other.targets &&
          features == other.features && event_features == other.event_features && max_length == other.max_length &&
          longest_length == other.longest_length && parameters == other.parameters && probes == other.probes &&
          recipe == other.recipe && options == other.options && training == other.training &&
          provenance == other.provenance;
}

namespace {

constexpr std::size_t kLargestSize = std::size_t{1} << 24; // products of two, times four, stay far from overflow

constexpr const char *kRoot = "LSTMModel";
constexpr const char *kEncoding = "base64 of little-endian float32";

std::string text(std::size_t value)
{
   return std::to_string(value);
}

// ----------------------------------------------------------------------------------------------------- validation

void check_distinct(const std::vector<std::string> &names, const std::string &what)
{
   std::set<std::string_view> seen;
   for (const std::string &name : names)
      if (!seen.insert(name).second)
         throw ModelError(what + ": the name " + quoted(name) + " is there twice; names must differ");
}

void check_finite(const std::vector<float> &values, const std::string &what)
{
   for (std::size_t i = 0; i < values.size(); ++i)
      if (!std::isfinite(values[i]))
         throw ModelError(what + ": number " + text(i) + " is " + (std::isnan(values[i]) ? "nan" : "infinite") +
                          ", expected finite numbers");
}

void check_features(const std::vector<FeatureSpec> &features, const std::string &what)
{
   std::vector<std::string> names;
   for (const FeatureSpec &feature : features) {
      const std::string where = what + ": feature " + quoted(feature.name);
      check_finite({feature.mean, feature.scale, feature.minimum, feature.maximum},
                   where + " (mean, scale, minimum, maximum)");
      if (!(feature.scale > 0.f))
         throw ModelError(where + " has the scale " + detail::float_text(feature.scale) + ", expected more than 0");
      if (feature.minimum > feature.maximum)
         throw ModelError(where + " has the minimum " + detail::float_text(feature.minimum) + " above its maximum " +
                          detail::float_text(feature.maximum));
      names.push_back(feature.name);
   }
   check_distinct(names, what);
}

void check_size(std::size_t found, std::size_t expected, const std::string &what, const std::string &shape)
{
   if (found != expected)
      throw ModelError(what + ": found " + text(found) + " numbers, expected " + text(expected) + " = " + shape);
}

void check_probes(const ModelDocument &document)
{
   const Probes &probes = document.probes;
   std::size_t events = 0;
   std::size_t steps = 0;
   if (!probes.offsets.empty()) {
      events = probes.offsets.size() - 1;
      if (probes.offsets.front() != 0)
         throw ModelError("probes: offsets begin with " + std::to_string(probes.offsets.front()) + ", expected 0");
      for (std::size_t i = 0; i < events; ++i)
         if (probes.offsets[i + 1] < probes.offsets[i])
            throw ModelError("probes: offsets decrease at event " + text(i) + ", from " +
                             std::to_string(probes.offsets[i]) + " to " + std::to_string(probes.offsets[i + 1]));
      steps = static_cast<std::size_t>(probes.offsets.back());
      if (steps > probes.values.size())
         throw ModelError("probes: offsets end at " + text(steps) + " steps, but values has only " +
                          text(probes.values.size()) + " numbers");
   }
   const std::size_t D = document.features.size();
   const std::size_t E = document.event_features.size();
   const std::size_t classes = document.task == "regression" ? document.targets.size() : document.class_names.size();
   check_size(probes.values.size(), steps * D, "probes, values", text(steps) + " steps x " + text(D) + " features");
   check_size(probes.event_values.size(), events * E, "probes, event values",
              text(events) + " events x " + text(E) + " event features");
   const std::size_t rows = document.every_step ? steps : events;
   check_size(probes.scores.size(), rows * classes, "probes, scores",
              text(rows) + (document.every_step ? " steps x " : " events x ") + text(classes) +
                 (document.task == "regression" ? " targets" : " classes"));
   check_finite(probes.values, "probes, values");
   check_finite(probes.event_values, "probes, event values");
   check_finite(probes.scores, "probes, scores");
}

/// Number of logits, after checking it against the classes.
std::size_t checked_outputs(const ModelDocument &document)
{
   const std::size_t classes = document.class_names.size();
   if (document.task == "regression") {
      if (classes)
         throw ModelError("classes: found " + text(classes) + " names, expected none for the task 'regression'");
      if (document.targets.empty())
         throw ModelError("targets: found none, expected at least one for the task 'regression'");
      if (!is_for_targets(document.loss))
         throw ModelError("loss: found " + quoted(loss_name(document.loss)) +
                          ", expected 'mean squared error', 'mean absolute error' or 'huber' for the task 'regression'");
      return document.targets.size();
   }
   if (!document.targets.empty())
      throw ModelError("targets: found " + text(document.targets.size()) + ", expected none for the task " +
                       quoted(document.task));
   if (!is_for_classes(document.loss))
      throw ModelError("loss: found " + quoted(loss_name(document.loss)) + ", which is for the task 'regression', not " +
                       quoted(document.task));
   if (document.task == "binary") {
      if (classes != 2)
         throw ModelError("classes: found " + text(classes) + " names, expected 2 for the task 'binary'");
      return 1;
   }
   if (document.task != "multiclass")
      throw ModelError("task: found " + quoted(document.task) + ", expected 'binary', 'multiclass' or 'regression'");
   if (classes < 2)
      throw ModelError("classes: found " + text(classes) + " names, expected at least 2 for the task 'multiclass'");
   return classes;
}

void check(const ModelDocument &document)
{
   const std::size_t outputs = checked_outputs(document);
   check_distinct(document.class_names, "classes");
   const std::size_t D = document.features.size();
   const std::size_t E = document.event_features.size();
   const std::size_t H = document.hidden;
   if (D == 0)
      throw ModelError("features: found none, expected at least one");
   if (H == 0 || H > kLargestSize)
      throw ModelError("hidden: found " + text(H) + " units, expected 1 to " + text(kLargestSize));
   for (const std::size_t width : document.lower)
      if (width == 0 || width > kLargestSize)
         throw ModelError("LSTM layers: found one of " + text(width) + " units, expected 1 to " + text(kLargestSize));
   check_features(document.features, "features");
   check_features(document.event_features, "event features");
   check_features(document.targets, "targets");
   if (document.flat_steps > kLargestSize || document.flat_steps * H > kLargestSize)
      throw ModelError("steps joined by the dense layers: found " + text(document.flat_steps) + " of " + text(H) +
                       " hidden units, expected at most " + text(kLargestSize) + " states in all");
   if ((document.cell.peepholes || document.cell.coupled) && document.cell.kind != CellKind::Lstm)
      throw ModelError("cell: found peepholes or coupled gates with a " + std::string(cell_name(document.cell.kind)) +
                       ", expected them with an LSTM only");
   if (document.cell.reset_before && document.cell.kind != CellKind::Gru)
      throw ModelError("cell: found a reset gate with a " + std::string(cell_name(document.cell.kind)) + ", expected it with a GRU only");
   if ((document.flat_steps != 0) + (document.pooling != Pooling::Last) + document.every_step > 1)
      throw ModelError("network: found more than one of joined steps, pooling and outputs of every step, expected one of them");
   for (const DenseSpec &layer : document.dense)
      if (layer.width == 0 || layer.width > kLargestSize)
         throw ModelError("dense layers: found the width " + text(layer.width) + ", expected 1 to " + text(kLargestSize));
   if (document.max_length < 0 || document.longest_length < 0)
      throw ModelError("sequences: max_length " + std::to_string(document.max_length) + " and longest_length " +
                       std::to_string(document.longest_length) + ", expected at least 0");
   check_size(document.parameters.size(), network_shape(document).parameters(), "parameters",
              "all weights for " + text(D) + " features, " + text(E) + " event features, " + text(H) +
                 " hidden units, " + text(outputs) + " outputs" +
                 (document.dense.empty() ? "" : ", " + text(document.dense.size()) + " hidden dense layers"));
   check_finite(document.parameters, "parameters");
   check_probes(document);
}

// -------------------------------------------------------------------------------------------------------- writing

Node floats_node(const std::string &name, const std::vector<float> &values)
{
   return {name, {{"Count", text(values.size())}, {"Encoding", kEncoding}}, detail::floats_text(values), {}};
}

Node features_node(const std::string &name, const std::vector<FeatureSpec> &features)
{
   Node node{name, {{"Count", text(features.size())}}, {}, {}};
   for (const FeatureSpec &feature : features) {
      const std::string where = name + ", feature " + text(node.children.size());
      node.children.push_back({"Feature",
                               {{"Name", detail::escaped(feature.name, where + ", name")},
                                {"Expression", detail::escaped(feature.expression, where + ", expression")},
                                {"Mean", detail::float_text(feature.mean)},
                                {"Scale", detail::float_text(feature.scale)},
                                {"Minimum", detail::float_text(feature.minimum)},
                                {"Maximum", detail::float_text(feature.maximum)}},
                               {},
                               {}});
   }
   return node;
}

Node classes_node(const std::vector<std::string> &names)
{
   Node node{"Classes", {{"Count", text(names.size())}}, {}, {}};
   for (const std::string &name : names)
      node.children.push_back(
         {"Class", {{"Name", detail::escaped(name, "class name " + text(node.children.size()))}}, {}, {}});
   return node;
}

Node probes_node(const Probes &probes)
{
   std::string offsets;
   for (const std::int64_t offset : probes.offsets)
      offsets += (offsets.empty() ? "" : " ") + std::to_string(offset);
   return {"Probes",
           {},
           {},
           {floats_node("Values", probes.values),
            {"Offsets", {{"Count", text(probes.offsets.size())}}, offsets, {}},
            floats_node("EventValues", probes.event_values),
            floats_node("Scores", probes.scores)}};
}

/// The doors' own nodes keep their names, since they are found by them.
Node own_node(const Node &node, const char *name)
{
   if (node.name != name)
      throw ModelError("the node for " + std::string(name) + " is called " + quoted(node.name) + "; call it '" + name +
                       "'");
   return detail::escaped_tree(node, name);
}

std::string checksum_text(const Node &node)
{
   std::uint32_t value = checksum(node);
   std::string digits(8, '0');
   for (auto digit = digits.rbegin(); digit != digits.rend(); ++digit, value >>= 4)
      *digit = "0123456789abcdef"[value & 15];
   return digits;
}

// -------------------------------------------------------------------------------------------------------- reading

void require_children(const Place &place, const char *name)
{
   const auto expected = static_cast<std::size_t>(place.count("Count"));
   std::size_t found = 0;
   for (const Node &child : place.node.children)
      found += child.name == name;
   if (found != expected || found != place.node.children.size())
      throw ModelError(place.path + ": found " + text(place.node.children.size()) + " nodes, " + text(found) +
                       " of them called " + name + ", expected Count = " + text(expected));
}

std::vector<float> read_floats(const Place &place)
{
   place.require("Encoding", kEncoding);
   return detail::read_floats(place.node.text, place.count("Count"), place.path);
}

std::vector<FeatureSpec> read_features(const Place &place)
{
   require_children(place, "Feature");
   std::vector<FeatureSpec> features;
   for (const Node &node : place.node.children) {
      const Place feature{node, place.path + "/Feature " + text(features.size())};
      features.push_back({feature.string("Name"), feature.string("Expression"), feature.number("Mean"),
                          feature.number("Scale"), feature.number("Minimum"), feature.number("Maximum")});
   }
   return features;
}

std::vector<std::string> read_classes(const Place &place)
{
   require_children(place, "Class");
   std::vector<std::string> names;
   for (const Node &node : place.node.children)
      names.push_back(Place{node, place.path + "/Class " + text(names.size())}.string("Name"));
   return names;
}

std::vector<std::int64_t> read_offsets(const Place &place)
{
   std::vector<std::int64_t> offsets;
   const std::string_view words = place.node.text;
   constexpr std::string_view spaces = " \n\r\t";
   for (std::size_t stop = 0;;) {
      const std::size_t start = words.find_first_not_of(spaces, stop);
      if (start == std::string_view::npos)
         break;
      stop = std::min(words.find_first_of(spaces, start), words.size());
      offsets.push_back(detail::read_count(words.substr(start, stop - start), place.path));
   }
   if (offsets.size() != static_cast<std::size_t>(place.count("Count")))
      throw ModelError(place.path + ": found " + text(offsets.size()) + " numbers, expected Count = " +
                       place.attribute("Count"));
   return offsets;
}

Activation read_activation(const Place &place)
{
   try {
      return activation_from_name(place.string("Activation"));
   } catch (const ArgumentError &error) {
      throw ModelError(place.path + ": " + error.what());
   }
}

Loss read_loss(const Place &place)
{
   try {
      return loss_from_name(place.string("Loss"));
   } catch (const ArgumentError &error) {
      throw ModelError(place.path + ": " + error.what());
   }
}

Probes read_probes(const Place &place)
{
   return {read_floats(place.child("Values")), read_offsets(place.child("Offsets")),
           read_floats(place.child("EventValues")), read_floats(place.child("Scores")), false};
}

} // namespace

std::size_t parameter_count(std::size_t D, std::size_t E, std::size_t H, std::size_t outputs)
{
   for (const auto &[size, name] : {std::pair{D, "features"}, std::pair{E, "event features"},
                                    std::pair{H, "hidden units"}, std::pair{outputs, "outputs"}})
      if (size > kLargestSize)
         throw ArgumentError(text(size) + " " + name + ": a model has at most " + text(kLargestSize));
   return 4 * H * (D + H + 1) + outputs * (H + E + 1);
}

NetworkShape network_shape(const ModelDocument &document)
{
   return {document.features.size(), document.event_features.size(), document.hidden, checked_outputs(document),
           document.flat_steps,      document.dense,                 document.loss,   document.lower,
           document.bidirectional,   document.cell,                  document.pooling, document.layer_norm,
           document.every_step};
}

namespace {

/// The attributes of `Cell` and `GateOrder`.
std::string cell_text(const CellSpec &cell)
{
   return cell.kind == CellKind::Gru ? "GRU" : cell.kind == CellKind::Rnn ? "RNN" : "LSTM";
}

std::string gate_order(const CellSpec &cell)
{
   return cell.kind == CellKind::Gru ? "r z n" : cell.kind == CellKind::Rnn ? "h" : cell.coupled ? "i g o" : "i f g o";
}

/// Whether format 1 can hold the network.
bool is_plain(const ModelDocument &document)
{
   return document.lower.empty() && !document.bidirectional && document.cell.plain() && document.pooling == Pooling::Last &&
          !document.layer_norm && !document.every_step && is_for_classes(document.loss);
}

/// What format 2 has beyond format 1.
void read_variants(const Place &network, ModelDocument &document)
{
   document.lower = network.counts("Lower");
   document.bidirectional = network.count("Bidirectional") != 0;
   const std::string cell = network.string("Cell");
   if (cell == "GRU" || cell == "RNN")
      document.cell.kind = cell == "GRU" ? CellKind::Gru : CellKind::Rnn;
   else
      network.require("Cell", "LSTM");
   document.cell.peepholes = network.count("Peepholes") != 0;
   document.cell.coupled = network.count("CoupledGates") != 0;
   document.cell.reset_before = network.says("ResetGate", "before"); // a GRU's that has none is of the other kind
   try {
      document.pooling = pooling_from_name(network.string("Pooling"));
   } catch (const ArgumentError &error) {
      throw ModelError(network.path + ": " + error.what());
   }
   document.layer_norm = network.count("LayerNorm") != 0;
   document.every_step = network.count("EveryStep") != 0;
}

} // namespace

Node to_node(const ModelDocument &document)
{
   check(document);
   const std::size_t outputs = checked_outputs(document);
   const bool plain = is_plain(document);
   Node root{kRoot, {{"Format", plain ? "1" : "2"}}, {}, {}};
   root.children.push_back({"Network",
                            {{"Task", document.task},
                             {"Cell", cell_text(document.cell)},
                             {"GateOrder", gate_order(document.cell)},
                             {"Features", text(document.features.size())},
                             {"EventFeatures", text(document.event_features.size())},
                             {"Hidden", text(document.hidden)},
                             {"FlatSteps", text(document.flat_steps)},
                             {"Outputs", text(outputs)},
                             {"Loss", loss_name(document.loss)}},
                            {},
                            {}});
   if (!plain) {
      std::string lower;
      for (const std::size_t width : document.lower)
         lower += (lower.empty() ? "" : " ") + text(width);
      auto &attributes = root.children.back().attributes;
      attributes.emplace_back("Lower", lower);
      attributes.emplace_back("Bidirectional", document.bidirectional ? "1" : "0");
      attributes.emplace_back("Peepholes", document.cell.peepholes ? "1" : "0");
      attributes.emplace_back("CoupledGates", document.cell.coupled ? "1" : "0");
      if (document.cell.reset_before)
         attributes.emplace_back("ResetGate", reset_gate_name(true));
      attributes.emplace_back("Pooling", pooling_name(document.pooling));
      attributes.emplace_back("LayerNorm", document.layer_norm ? "1" : "0");
      attributes.emplace_back("EveryStep", document.every_step ? "1" : "0");
   }
   for (const DenseSpec &layer : document.dense)
      root.children.back().children.push_back(
         {"Dense", {{"Width", text(layer.width)}, {"Activation", activation_name(layer.activation)}}, {}, {}});
   root.children.push_back({"Sequences",
                            {{"MaxLength", std::to_string(document.max_length)},
                             {"LongestLength", std::to_string(document.longest_length)}},
                            {},
                            {}});
   root.children.push_back(classes_node(document.class_names));
   root.children.push_back(features_node("Features", document.features));
   root.children.push_back(features_node("EventFeatures", document.event_features));
   root.children.push_back(features_node("Targets", document.targets));
   root.children.push_back(own_node(document.recipe, "Recipe"));
   root.children.push_back(own_node(document.options, "Options"));
   root.children.push_back(own_node(document.training, "Training"));
   root.children.push_back(own_node(document.provenance, "Provenance"));
   root.children.push_back(floats_node("Parameters", document.parameters));
   root.children.push_back(probes_node(document.probes));
   root.attributes.emplace_back("Checksum", checksum_text(root));
   return root;
}

ModelDocument from_node(const Node &node)
{
   if (node.name != kRoot)
      throw ModelError("found a node called " + quoted(node.name) + ", expected '" + kRoot + "'");
   const Place root{node, kRoot};
   const std::int64_t format = root.count("Format");
   if (format < 1 || format > ModelDocument::kFormat)
      throw ModelError("written by format " + std::to_string(format) + ", this build reads 1 to " +
                       std::to_string(ModelDocument::kFormat) +
                       (format > 0 ? "; read it with a newer tmva_lstm_plugin" : ""));
   const std::string found = checksum_text(node);
   const std::string &expected = root.attribute("Checksum");
   if (found != expected)
      throw ModelError("the content has checksum " + found + ", expected " + quoted(expected) +
                       " as the file says: it is damaged or was edited; take an intact copy or write it again");

   const Place network = root.child("Network");
   const Place sequences = root.child("Sequences");
   ModelDocument document;
   document.task = network.string("Task");
   document.class_names = read_classes(root.child("Classes"));
   document.hidden = static_cast<std::size_t>(network.count("Hidden"));
   document.flat_steps = static_cast<std::size_t>(network.count("FlatSteps"));
   if (format > 1)
      read_variants(network, document);
   else
      network.require("Cell", "LSTM");
   network.require("GateOrder", gate_order(document.cell));
   for (const Node &each : network.node.children) {
      const Place layer{each, network.path + "/" + each.name};
      document.dense.push_back({static_cast<std::size_t>(layer.count("Width")), read_activation(layer)});
   }
   document.loss = read_loss(network);
   document.features = read_features(root.child("Features"));
   document.event_features = read_features(root.child("EventFeatures"));
   document.targets = read_features(root.child("Targets"));
   document.max_length = sequences.count("MaxLength");
   document.longest_length = sequences.count("LongestLength");
   document.parameters = read_floats(root.child("Parameters"));
   document.probes = read_probes(root.child("Probes"));
   document.probes.of_steps = document.every_step;
   document.recipe = detail::unescaped_tree(root.child("Recipe").node, root.path + "/Recipe");
   document.options = detail::unescaped_tree(root.child("Options").node, root.path + "/Options");
   document.training = detail::unescaped_tree(root.child("Training").node, root.path + "/Training");
   document.provenance = detail::unescaped_tree(root.child("Provenance").node, root.path + "/Provenance");
   network.require("Features", text(document.features.size()));
   network.require("EventFeatures", text(document.event_features.size()));
   network.require("Outputs", text(checked_outputs(document)));
   check(document);
   return document;
}

} // namespace TMVA_LSTM_ABI
} // namespace tmva_lstm
