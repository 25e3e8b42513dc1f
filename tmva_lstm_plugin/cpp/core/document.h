/// \file
/// The model document: everything a trained model is, as plain data, and its form as a tree of named nodes.
///
/// The core neither opens files nor parses XML. It turns a ModelDocument into a Node tree and back; each door writes that
/// tree with the XML library of its side (Python's own, or TMVA's), inside the `<Weights>` node of a TMVA weights file.
#pragma once

#include "network.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tmva_lstm {
inline namespace TMVA_LSTM_ABI {

/// One node of the document: what an XML element is, without any XML library.
struct Node {
   std::string name;
   std::vector<std::pair<std::string, std::string>> attributes; ///< in the order they are written
   std::string text; ///< white space at both ends does not count; a node has text or children, not both
   std::vector<Node> children;

   /// The attribute `key`, or null.
   const std::string *attribute(std::string_view key) const;
   /// The first child called `child_name`, or null.
   const Node *child(std::string_view child_name) const;
   bool operator==(const Node &other) const;
   bool operator!=(const Node &other) const { return !(*this == other); }
};

/// A feature as the model sees it: `(value - mean) / scale` enters the network.
struct FeatureSpec {
   std::string name;
   std::string expression; ///< how it is made from branches; may be empty when the events came from arrays
   float mean = 0.f;
   float scale = 1.f;
   float minimum = 0.f; ///< over the training part
   float maximum = 0.f;
   bool operator==(const FeatureSpec &other) const;
   bool operator!=(const FeatureSpec &other) const { return !(*this == other); }
};

/// Events with the scores they had when the model was written, so that it can be checked later.
struct Probes {
   std::vector<float> values;         ///< (steps, D)
   std::vector<std::int64_t> offsets; ///< (events + 1)
   std::vector<float> event_values;   ///< (events, E)
   std::vector<float> scores;         ///< (events, classes); (steps, classes) where every step has outputs
   bool of_steps = false;             ///< whether they are of steps; follows from ModelDocument::every_step
   bool operator==(const Probes &other) const;
   bool operator!=(const Probes &other) const { return !(*this == other); }
};

/// A trained model, self-sufficient.
struct ModelDocument {
   /// The newest format: this build reads 1 up to this number. A model that format 1 can hold (one LSTM layer, in one
   /// direction, without variants, with a loss that is not MeanAbsoluteError or Huber) is written in it, for older builds.
   static constexpr int kFormat = 2;

   std::string task = "binary"; ///< "binary" (one logit), "multiclass" (one logit a class), or "regression"
   std::vector<std::string> class_names; ///< none in a regression
   std::size_t hidden = 0;               ///< H
   std::vector<std::size_t> lower;       ///< see NetworkShape
   bool bidirectional = false;           ///< see NetworkShape
   CellSpec cell;                        ///< see NetworkShape
   Pooling pooling = Pooling::Last;      ///< see NetworkShape
   bool layer_norm = false;              ///< see NetworkShape
   bool every_step = false;              ///< see NetworkShape
   std::size_t flat_steps = 0;           ///< see NetworkShape
   std::vector<DenseSpec> dense;         ///< hidden dense layers
   Loss loss = Loss::CrossEntropy;
   std::vector<FeatureSpec> targets; ///< of a regression: value = mean + scale * output
   std::vector<FeatureSpec> features;
   std::vector<FeatureSpec> event_features;
   std::int64_t max_length = 0;     ///< steps kept of a sequence; 0: all
   std::int64_t longest_length = 0; ///< longest sequence of the training part
   /// All trainable numbers, in the order of parameter_layout() in network.h: W (4H x D), U (4H x H), b (4H) of each LSTM layer
   /// and direction, then W and b of each dense layer, the head being the last; row-major, gate order i, f, g, o. Other cells and
   /// parts: see there.
   std::vector<float> parameters;
   Probes probes;
   Node recipe{"Recipe", {}, {}, {}};         ///< how the events were read; the doors' own, opaque to the core
   Node options{"Options", {}, {}, {}};       ///< training options
   Node training{"Training", {}, {}, {}};     ///< summary and history: the same bytes for any number of threads
   Node provenance{"Provenance", {}, {}, {}}; ///< date, host, versions, durations, threads: all that is volatile

   bool operator==(const ModelDocument &other) const;
   bool operator!=(const ModelDocument &other) const { return !(*this == other); }
};

/// How many parameters a document without hidden dense layers must carry. Throws ArgumentError when a size is beyond 2^24.
std::size_t parameter_count(std::size_t D, std::size_t E, std::size_t H, std::size_t outputs);

/// The network that a valid document describes.
NetworkShape network_shape(const ModelDocument &document);

/// The document as a tree called `LSTMModel`, with its format number and a CRC-32 (IEEE 802.3) over everything but the
/// provenance. Floats are written as base64 of little-endian float32, so a round trip keeps every bit.
///
/// Names, expressions and all strings of the doors' own nodes stand in the tree with `\\`, `\n`, `\r`, `\t` for a
/// backslash, a line feed, a carriage return and a tab: XML libraries disagree about these characters, and TMVA's does
/// not know numeric references. Throws ModelError when the document contradicts itself, or holds a string that XML
/// cannot (control characters, bytes that are not UTF-8).
Node to_node(const ModelDocument &document);

/// The inverse of to_node(). Throws ModelError, naming what was found and expected, when the tree is not called
/// LSTMModel, has another format number, lacks a node, has a wrong count, or does not fit its checksum.
ModelDocument from_node(const Node &node);

/// Checksum of a tree: CRC-32 (zlib's) of its canonical text, leaving out the root's children called `Provenance` and
/// the root's attribute `Checksum`. The canonical text of a node is these lines, each ended by one `\n`:
///
///     <name
///     key=value        for every attribute, sorted by the bytes of its key
///     text             without white space at its ends, every run of white space inside as one space; may be empty
///     ...              the canonical text of every child, in order
///     >
///
/// in UTF-8, with values and text as they stand in the tree (white space: space, tab, carriage return, line feed).
/// So neither indentation nor the order of attributes matters. Throws ModelError on a tree nested too deeply.
std::uint32_t checksum(const Node &node);

/// RFC 4648 base64 on one line.
std::string base64_encode(const void *data, std::size_t size);
/// Throws ModelError on a character or a length that base64 does not have; white space is skipped.
std::vector<unsigned char> base64_decode(std::string_view text);

} // namespace TMVA_LSTM_ABI
} // namespace tmva_lstm
