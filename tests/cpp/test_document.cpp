/// \file
/// The model document: round trip to the bit, strictness, independence of the locale, harmlessness of foreign trees.
#include "check.h"

#include "core/document.h"
#include "core/error.h"

#include <clocale>
#include <cstdio>
#include <cstring>
#include <functional>
#include <limits>
#include <locale>
#include <random>

using namespace tmva_lstm;

namespace {

constexpr std::size_t D = 3, E = 2, H = 5;

ModelDocument sample(const std::string &task = "binary")
{
   std::mt19937 random(7);
   std::normal_distribution<float> normal;
   const auto numbers = [&](std::size_t count) {
      std::vector<float> values(count);
      for (float &value : values)
         value = normal(random);
      return values;
   };
   ModelDocument document;
   document.task = task;
   document.class_names = {"background", "signal <\"&'> \xc3\xa9\n\t\\n"};
   if (task == "multiclass")
      document.class_names.push_back("third");
   const std::size_t classes = document.class_names.size();
   document.hidden = H;
   document.features = {{"pt", "log(pt)", 1.1f, 0.3f, -2.5f, 1e30f},
                        {"eta", "", -0.f, 1e-40f, -1.f, 1.f}, // a denormal scale, a negative zero
                        {"", "a*b", 1e8f, 3.f, 0.f, 0.f}};
   document.event_features = {{"met", "met/1000", 0.1f, 7.f, 0.f, 9.f}, {"ht", "ht", 2.f, 5.f, 1.f, 2.f}};
   document.max_length = 20;
   document.longest_length = 31;
   document.parameters = numbers(4 * H * D + 4 * H * H + 4 * H + (task == "binary" ? 1 : classes) * (H + E + 1));
   document.parameters[1] = -0.f;
   document.parameters[2] = std::numeric_limits<float>::denorm_min();
   document.parameters[3] = std::numeric_limits<float>::max();
   document.probes = {numbers(4 * D), {0, 0, 3, 4}, numbers(3 * E), numbers(3 * classes)};
   document.recipe = {"Recipe", {{"tree", "Events"}}, "", {{"Cut", {}, "a  <  b\\\n&& c", {}}, {"Empty", {}, "", {}}}};
   document.options.attributes = {{"z", "1"}, {"a", "2"}};
   document.training.children = {{"Epoch", {{"loss", "0.5"}}, "", {}}};
   document.provenance.attributes = {{"date", "today"}};
   return document;
}

bool same_bits(const std::vector<float> &a, const std::vector<float> &b)
{
   return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

Node &child(Node &node, const char *name)
{
   for (Node &candidate : node.children)
      if (candidate.name == name)
         return candidate;
   throw std::runtime_error(std::string("test: no node ") + name);
}

void set(Node &node, const char *key, const std::string &value)
{
   for (auto &[name, text] : node.attributes)
      if (name == key)
         text = value;
}

/// Puts the right checksum on a tree that was changed on purpose.
Node resealed(Node node)
{
   char digits[9];
   std::snprintf(digits, sizeof digits, "%08x", static_cast<unsigned>(checksum(node)));
   set(node, "Checksum", digits);
   return node;
}

/// The sample's tree with a change and a right checksum.
Node changed(const std::function<void(Node &)> &change)
{
   Node node = to_node(sample());
   change(node);
   return resealed(node);
}

ModelDocument edited(const std::function<void(ModelDocument &)> &change)
{
   ModelDocument document = sample();
   change(document);
   return document;
}

} // namespace

TEST(round_trip_keeps_every_bit)
{
   for (const char *task : {"binary", "multiclass"}) {
      const ModelDocument before = sample(task);
      const ModelDocument after = from_node(to_node(before));
      CHECK(after == before);
      CHECK(!(after != before));
      CHECK(same_bits(after.parameters, before.parameters));
      CHECK(same_bits(after.probes.values, before.probes.values));
      CHECK(std::signbit(after.features[1].mean));
      CHECK(after.features[1].scale == 1e-40f);
      CHECK(after.recipe.children[0].text == "a  <  b\\\n&& c");
      CHECK(to_node(after) == to_node(before));
   }
   const ModelDocument bare = edited([](ModelDocument &d) { d.probes = {}; });
   CHECK(from_node(to_node(bare)) == bare);
}

TEST(every_finite_float_bit_pattern_survives_as_text)
{
   std::mt19937 random(11);
   ModelDocument document = sample();
   for (int i = 0; i < 4000; ++i) {
      const auto bits = static_cast<std::uint32_t>(random());
      float value;
      std::memcpy(&value, &bits, sizeof value);
      if (!std::isfinite(value))
         continue;
      document.features[0].mean = value;
      document.features[0].minimum = document.features[0].maximum = value;
      const std::string mean = *to_node(document).child("Features")->children[0].attribute("Mean");
      float back;
      CHECK(std::sscanf(mean.c_str(), "%f", &back) == 1); // the C library, as an independent reader
      CHECK(std::memcmp(&back, &value, sizeof value) == 0);
      if (i % 20 == 0) {
         back = from_node(to_node(document)).features[0].mean;
         CHECK(std::memcmp(&back, &value, sizeof value) == 0);
      }
   }
}

TEST(number_texts_are_short)
{
   const Node node = to_node(edited([](ModelDocument &d) {
      d.features[0] = {"x", "", 0.1f, 1.5f, -3.4028235e38f, 16777216.f};
   }));
   const Node &feature = node.child("Features")->children[0];
   CHECK(*feature.attribute("Mean") == "0.1");
   CHECK(*feature.attribute("Scale") == "1.5");
   CHECK(*feature.attribute("Minimum") == "-3.4028235e+38");
   CHECK(*feature.attribute("Maximum") == "16777216");
}

TEST(locale_does_not_matter)
{
   struct Comma : std::numpunct<char> {
      char do_decimal_point() const override { return ','; }
      char do_thousands_sep() const override { return '.'; }
      std::string do_grouping() const override { return "\3"; }
   };
   const Node plain = to_node(sample());
   const std::locale before = std::locale::global(std::locale(std::locale::classic(), new Comma));
   const std::string c_before = std::setlocale(LC_NUMERIC, nullptr);
   bool comma = false;
   for (const char *name : {"de_DE.UTF-8", "de_DE.utf8", "de_DE", "fr_FR.UTF-8", "it_IT.UTF-8"})
      comma = comma || std::setlocale(LC_NUMERIC, name);
   std::printf("       C locale with a comma: %s\n", comma ? "yes" : "none installed; C++ locale only");
   CHECK(to_node(sample()) == plain);
   CHECK(from_node(plain) == sample());
   CHECK_THROWS(from_node(changed([](Node &n) { set(child(n, "Features").children[0], "Mean", "1,5"); })), ModelError,
                "LSTMModel/Features/Feature 0, attribute Mean: found '1,5', expected a finite number");
   std::setlocale(LC_NUMERIC, c_before.c_str());
   std::locale::global(before);
}

TEST(base64_knows_the_vectors_of_rfc_4648)
{
   const std::pair<const char *, const char *> vectors[] = {
      {"", ""},         {"f", "Zg=="},        {"fo", "Zm8="},          {"foo", "Zm9v"},
      {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}};
   for (const auto &[plain, coded] : vectors) {
      CHECK(base64_encode(plain, std::strlen(plain)) == coded);
      const std::vector<unsigned char> bytes = base64_decode(coded);
      CHECK(std::string(bytes.begin(), bytes.end()) == plain);
   }
   CHECK(base64_decode(" Z\ng\t=\r= ").size() == 1);
   for (const char *wrong : {"Z", "Zg", "Zg=", "Zg===", "=", "====", "Zm9v="})
      CHECK_THROWS(base64_decode(wrong), ModelError, "not whole groups of four");
   CHECK_THROWS(base64_decode("Zm9*"), ModelError, "character 3 has byte value 42, which base64 does not have");
   CHECK_THROWS(base64_decode("Zg==Zg=="), ModelError, "nothing after the padding");
   CHECK_THROWS(base64_decode("Zm\xff"), ModelError, "byte value 255");
}

TEST(checksum_is_crc32_of_the_canonical_text)
{
   // CRC-32 of "<123456789\n\n>\n" and of the tree below, from zlib
   CHECK(checksum({"123456789", {}, {}, {}}) == 0x6f17b36du);
   const Node tree{"A",
                   {{"z", "1"}, {"Checksum", "x"}, {"b", "2"}},
                   " a \n\t b ",
                   {{"Provenance", {}, {}, {}}, {"C", {{"Checksum", "y"}}, {}, {{"Provenance", {}, {}, {}}}}}};
   CHECK(checksum(tree) == 0xd9ced445u);
   const Node layout{"A", {{"b", "2"}, {"z", "1"}}, "a b", {tree.children[1], tree.children[0]}};
   CHECK(checksum(layout) == checksum(tree));
}

TEST(provenance_is_outside_the_checksum_and_nothing_else_is)
{
   Node node = to_node(sample());
   set(child(node, "Provenance"), "date", "tomorrow");
   CHECK(from_node(node).provenance.attributes[0].second == "tomorrow");
   for (const char *name : {"Recipe", "Options", "Training", "Classes", "Features", "EventFeatures", "Network"}) {
      Node damaged = to_node(sample());
      Node &target = child(damaged, name);
      Node &inner = target.attributes.empty() ? target.children[0] : target;
      inner.attributes[0].second += "1";
      CHECK_THROWS(from_node(damaged), ModelError, "damaged or was edited");
   }
   Node damaged = to_node(sample());
   char &digit = child(damaged, "Parameters").text[100];
   digit = digit == 'A' ? 'B' : 'A';
   CHECK_THROWS(from_node(damaged), ModelError, "has checksum ");
   CHECK_THROWS(from_node(damaged), ModelError, ", expected '");
}

TEST(other_formats_are_refused_before_anything_else)
{
   for (const char *number : {"3", "4", "0"}) {
      Node node = to_node(sample());
      set(node, "Format", number);
      node.children.clear();
      CHECK_THROWS(from_node(node), ModelError,
                   std::string("written by format ") + number + ", this build reads 1 to 2");
   }
   for (const char *number : {"", "-1", "one", "1.0", "+1", " 1", "99999999999999999999"}) {
      Node node = to_node(sample());
      set(node, "Format", number);
      CHECK_THROWS(from_node(node), ModelError, "LSTMModel, attribute Format: found '" + std::string(number));
   }
   CHECK_THROWS(from_node({"Weights", {}, {}, {}}), ModelError, "found a node called 'Weights', expected 'LSTMModel'");
   CHECK_THROWS(from_node({"LSTMModel", {}, {}, {}}), ModelError, "LSTMModel: attribute Format is missing");
   CHECK_THROWS(from_node({"LSTMModel", {{"Format", "1"}}, {}, {}}), ModelError,
                "LSTMModel: attribute Checksum is missing");
}

TEST(every_missing_node_and_attribute_is_named_with_its_path)
{
   const Node whole = to_node(sample());
   int removed = 0;
   for (std::size_t i = 0; i < whole.children.size(); ++i) {
      const Node node = changed([&](Node &n) { n.children.erase(n.children.begin() + static_cast<long>(i)); });
      const std::string &name = whole.children[i].name;
      CHECK_THROWS(from_node(node), ModelError, "LSTMModel: node " + name + " is missing");
      const Node twice = changed([&](Node &n) { n.children.push_back(n.children[i]); });
      CHECK_THROWS(from_node(twice), ModelError, "LSTMModel: node " + name + " is there more than once");
      if (name == "Recipe" || name == "Options" || name == "Training" || name == "Provenance")
         continue;
      for (std::size_t k = 0; k < whole.children[i].attributes.size(); ++k, ++removed) {
         const Node bare = changed([&](Node &n) {
            auto &attributes = n.children[i].attributes;
            attributes.erase(attributes.begin() + static_cast<long>(k));
         });
         CHECK_THROWS(from_node(bare), ModelError,
                      "LSTMModel/" + name + ": attribute " + whole.children[i].attributes[k].first + " is missing");
      }
   }
   CHECK(removed == 9 + 2 + 1 + 1 + 1 + 1 + 2);
   for (const char *name : {"Values", "Offsets", "EventValues", "Scores"})
      CHECK_THROWS(from_node(changed([&](Node &n) { child(child(n, "Probes"), name).name = "Other"; })), ModelError,
                   std::string("LSTMModel/Probes: node ") + name + " is missing");
   CHECK_THROWS(from_node(changed([](Node &n) { child(n, "Features").children[1].attributes.erase(
                                                   child(n, "Features").children[1].attributes.begin()); })),
                ModelError, "LSTMModel/Features/Feature 1: attribute Name is missing");
}

TEST(counts_are_checked_against_what_is_there)
{
   const std::string huge = "4611686018427387904"; // times 4 it is 0 in 64 bits
   for (const std::string &count : {std::string("0"), std::string("7"), huge, std::string("9223372036854775807")}) {
      CHECK_THROWS(from_node(changed([&](Node &n) { set(child(n, "Parameters"), "Count", count); })), ModelError,
                   "LSTMModel/Parameters: found ");
      CHECK_THROWS(from_node(changed([&](Node &n) { set(child(n, "Features"), "Count", count); })), ModelError,
                   "LSTMModel/Features: found 3 nodes, 3 of them called Feature, expected Count = " + count);
      CHECK_THROWS(from_node(changed([&](Node &n) { set(child(n, "Classes"), "Count", count); })), ModelError,
                   "LSTMModel/Classes: found 2 nodes");
      CHECK_THROWS(from_node(changed([&](Node &n) { set(child(child(n, "Probes"), "Offsets"), "Count", count); })),
                   ModelError, "LSTMModel/Probes/Offsets: found 4 numbers, expected Count = " + count);
   }
   CHECK_THROWS(from_node(changed([&](Node &n) { set(child(n, "Network"), "Hidden", huge); })), ModelError,
                "hidden: found " + huge + " units, expected 1 to 16777216");
   CHECK_THROWS(from_node(changed([&](Node &n) { set(child(n, "Network"), "Hidden", "16777216"); })), ModelError,
                "parameters: found 188 numbers, expected ");
   CHECK_THROWS(from_node(changed([&](Node &n) { set(child(n, "Network"), "Hidden", "6"); })), ModelError,
                "parameters: found 188 numbers, expected 249");
   CHECK_THROWS(from_node(changed([&](Node &n) { set(child(n, "Network"), "Features", "4"); })), ModelError,
                "LSTMModel/Network, attribute Features: found '4', expected '3'");
   CHECK_THROWS(from_node(changed([&](Node &n) { set(child(n, "Network"), "Outputs", "2"); })), ModelError,
                "attribute Outputs: found '2', expected '1'");
   CHECK_THROWS(from_node(changed([&](Node &n) { set(child(n, "Network"), "Cell", "GRU"); })), ModelError,
                "attribute Cell: found 'GRU', expected 'LSTM'");
   CHECK_THROWS(from_node(changed([&](Node &n) { set(child(n, "Network"), "GateOrder", "i o f g"); })), ModelError,
                "expected 'i f g o'");
   CHECK_THROWS(from_node(changed([&](Node &n) { set(child(n, "Parameters"), "Encoding", "text"); })), ModelError,
                "attribute Encoding: found 'text', expected 'base64 of little-endian float32'");
   CHECK_THROWS(from_node(changed([&](Node &n) { child(n, "Parameters").text += "?"; })), ModelError,
                "LSTMModel/Parameters: base64 text");
   CHECK_THROWS(from_node(changed([&](Node &n) { child(child(n, "Probes"), "Offsets").text = "0 x 3 4"; })), ModelError,
                "LSTMModel/Probes/Offsets: found 'x', expected a whole number");
   for (const char *number : {"nan", "inf", "-inf", "1e39", "1e999", "", " 1", "1 ", "0x1p3", "one"})
      CHECK_THROWS(from_node(changed([&](Node &n) { set(child(n, "Features").children[0], "Scale", number); })),
                   ModelError, "expected a finite number");
}

TEST(contradictions_are_refused_at_writing)
{
   const auto refused = [](const std::string &message, const std::function<void(ModelDocument &)> &change) {
      CHECK_THROWS(to_node(edited(change)), ModelError, message);
   };
   const float nan = std::numeric_limits<float>::quiet_NaN();
   const float inf = std::numeric_limits<float>::infinity();
   refused("task: found 'ranking', expected 'binary', 'multiclass' or 'regression'", [](auto &d) { d.task = "ranking"; });
   refused("classes: found 2 names, expected none for the task 'regression'", [](auto &d) { d.task = "regression"; });
   refused("targets: found 1, expected none for the task 'binary'", [](auto &d) { d.targets.push_back({"t", ""}); });
   refused("dense layers: found the width 0, expected 1 to 16777216", [](auto &d) { d.dense.push_back({0, Activation::Relu}); });
   refused("steps joined by the dense layers: found 16777216 of 5 hidden units, expected at most 16777216 states in all",
           [](auto &d) { d.flat_steps = std::size_t{1} << 24; });
   refused("parameters: found ", [](auto &d) { d.dense.push_back({3, Activation::Relu}); });
   refused("classes: found 3 names, expected 2", [](auto &d) { d.class_names.push_back("x"); });
   refused("classes: found 1 names, expected at least 2", [](auto &d) {
      d.task = "multiclass";
      d.class_names.pop_back();
   });
   refused("classes: the name 'background' is there twice", [](auto &d) { d.class_names[1] = "background"; });
   refused("features: found none", [](auto &d) { d.features.clear(); });
   refused("features: the name 'pt' is there twice", [](auto &d) { d.features[1].name = "pt"; });
   refused("event features: the name 'met' is there twice", [](auto &d) { d.event_features[1].name = "met"; });
   refused("hidden: found 0 units", [](auto &d) { d.hidden = 0; });
   refused("feature 'pt' (mean, scale, minimum, maximum): number 0 is nan", [&](auto &d) { d.features[0].mean = nan; });
   refused("feature 'pt' (mean, scale, minimum, maximum): number 1 is infinite",
           [&](auto &d) { d.features[0].scale = inf; });
   refused("feature 'ht' has the scale 0, expected more than 0", [](auto &d) { d.event_features[1].scale = 0.f; });
   refused("feature 'pt' has the scale -1", [](auto &d) { d.features[0].scale = -1.f; });
   refused("has the minimum 3 above its maximum 1", [](auto &d) { d.features[1].minimum = 3.f; });
   refused("max_length -1", [](auto &d) { d.max_length = -1; });
   refused("longest_length -2", [](auto &d) { d.longest_length = -2; });
   refused("parameters: found 187 numbers, expected 188 = all weights for 3 features, 2 event features, 5 hidden units",
           [](auto &d) { d.parameters.pop_back(); });
   refused("parameters: number 17 is nan", [&](auto &d) { d.parameters[17] = nan; });
   refused("probes, scores: number 0 is infinite", [&](auto &d) { d.probes.scores[0] = -inf; });
   refused("probes: offsets begin with 1", [](auto &d) { d.probes.offsets[0] = 1; });
   refused("probes: offsets decrease at event 1, from 5 to 3", [](auto &d) { d.probes.offsets[1] = 5; });
   refused("probes: offsets end at 400 steps", [](auto &d) { d.probes.offsets.back() = 400; });
   refused("probes, values: found 12 numbers, expected 15 = 5 steps x 3 features",
           [](auto &d) { d.probes.offsets.back() = 5; });
   refused("probes, event values: found 5 numbers, expected 6", [](auto &d) { d.probes.event_values.pop_back(); });
   refused("probes, scores: found 5 numbers, expected 6 = 3 events x 2 classes",
           [](auto &d) { d.probes.scores.pop_back(); });
   refused("probes, scores: found 6 numbers, expected 0", [](auto &d) { d.probes = {{}, {}, {}, d.probes.scores}; });
   refused("the node for Recipe is called 'Options'; call it 'Recipe'", [](auto &d) { d.recipe = d.options; });
}

TEST(strings_that_xml_cannot_hold_are_refused_by_name)
{
   const auto refused = [](const std::string &message, const std::function<void(ModelDocument &)> &change) {
      CHECK_THROWS(to_node(edited(change)), ModelError, message);
   };
   refused("class name 0: 'a\\x01' contains the character U+0001, which XML cannot hold; rename it",
           [](auto &d) { d.class_names[0] = "a\x01"; });
   refused("Features, feature 2, name: '\\x00' contains the character U+0000",
           [](auto &d) { d.features[2].name = std::string(1, '\0'); });
   refused("contains the character U+fffe", [](auto &d) { d.features[0].expression = "\xef\xbf\xbe"; });
   for (const char *bytes :
        {"\xff", "\xc3", "\xc0\x80", "\xed\xa0\x80", "\xf5\x80\x80\x80", "\xe2\x82", "\xf0\x8f\xbf\xbf"})
      refused("is not UTF-8 at byte 2", [&](auto &d) { d.event_features[0].name = std::string("xy") + bytes; });
   refused("Recipe/Cut, text: ", [](auto &d) { d.recipe.children[0].text = "a\x02z"; });
   refused("Options, attribute 'z': ", [](auto &d) { d.options.attributes[0].second = "\x1b"; });
   refused("Options: attribute 'z' is there twice", [](auto &d) { d.options.attributes[1].first = "z"; });
   refused("Training, child: 'a b' cannot be a name", [](auto &d) { d.training.children[0].name = "a b"; });
   refused("Training, child: '' cannot be a name", [](auto &d) { d.training.children[0].name = ""; });
   refused("attribute: '1st' cannot be a name", [](auto &d) { d.options.attributes[0].first = "1st"; });
   refused("cannot be a name", [](auto &d) { d.options.attributes[0].first = std::string(1000, 'a'); });
   refused("Recipe: has both text and child nodes", [](auto &d) { d.recipe.text = "here"; });
   CHECK_THROWS(from_node(changed([](Node &n) { set(child(n, "Classes").children[0], "Name", "a\\q"); })), ModelError,
                "LSTMModel/Classes/Class 0, attribute Name: 'a\\q' has a backslash");
   CHECK_THROWS(from_node(changed([](Node &n) { child(n, "Recipe").children[0].text = "a\\"; })), ModelError,
                "LSTMModel/Recipe/Cut, text: 'a\\' has a backslash");
   CHECK_THROWS(from_node(changed([](Node &n) { set(child(n, "Network"), "Task", std::string(5000, 'a')); })),
                ModelError, "task: found '" + std::string(60, 'a') + "...', expected");
}

TEST(deep_trees_are_refused)
{
   const auto chain = [](int depth) {
      Node node{"Leaf", {}, {}, {}};
      for (int i = 1; i < depth; ++i) {
         Node parent{"N", {}, {}, {}};
         parent.children.push_back(std::move(node));
         node = std::move(parent);
      }
      return node;
   };
   ModelDocument document = edited([&](ModelDocument &d) { d.recipe.children = {chain(63)}; });
   CHECK(from_node(to_node(document)) == document);
   document.recipe.children = {chain(64)};
   CHECK_THROWS(to_node(document), ModelError, "nested deeper than 64 levels");
   Node node = to_node(sample());
   child(node, "Recipe").children = {chain(5000)};
   CHECK_THROWS(from_node(node), ModelError, "nested deeper than 64 levels");
   CHECK_THROWS(checksum(node), ModelError, "nested deeper than 64 levels");
}

TEST(damaged_trees_never_do_worse_than_throw)
{
   std::mt19937 random(3);
   const Node whole = to_node(sample("multiclass"));
   const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
   int read = 0;
   for (int i = 0; i < 3000; ++i) {
      Node node = whole;
      for (int changes = 0; changes < 2; ++changes) {
         Node *target = &node;
         while (!target->children.empty() && below(4) != 0)
            target = &target->children[below(target->children.size())];
         const auto mangle = [&](std::string &text) {
            const std::string bytes[] = {"\xff", "9", "-", "", "999999999999999999", "nan", "\\", "="};
            const std::string &piece = bytes[below(8)];
            if (text.empty() || below(3) == 0)
               text = piece;
            else
               text.replace(below(text.size()), below(3), piece);
         };
         switch (below(5)) {
         case 0: mangle(target->text); break;
         case 1: mangle(target->name); break;
         case 2: target->children.clear(); break;
         case 3: target->children.push_back(whole.children[below(whole.children.size())]); break;
         default:
            if (!target->attributes.empty())
               mangle(target->attributes[below(target->attributes.size())].second);
         }
      }
      try {
         const ModelDocument document = from_node(resealed(node));
         ++read;
         CHECK(from_node(to_node(document)) == document);
      } catch (const ModelError &) {
      }
   }
   CHECK(read > 0 && read < 3000);
}

TEST(stacked_and_bidirectional_layers_come_back)
{
   CHECK(*to_node(sample()).attribute("Format") == "1"); // what older builds can read is written for them
   for (const bool both : {false, true})
      for (const std::vector<std::size_t> &lower : {std::vector<std::size_t>{}, {3}, {7, 2}}) {
         ModelDocument document = sample();
         document.lower = lower;
         document.bidirectional = both;
         const std::size_t needed = network_shape(document).parameters();
         CHECK((needed == document.parameters.size()) == (lower.empty() && !both));
         document.parameters.assign(needed, 0.25f);
         const Node node = to_node(document);
         CHECK(*node.attribute("Format") == (lower.empty() && !both ? "1" : "2"));
         CHECK(from_node(node) == document);
         document.parameters.push_back(1);
         CHECK_THROWS(to_node(document), ModelError, "parameters: ");
      }
   ModelDocument document = sample();
   document.lower = {3, 0};
   CHECK_THROWS(to_node(document), ModelError, "LSTM layers: found one of 0 units");
   document.lower = {3};
   document.parameters.assign(network_shape(document).parameters(), 0.25f);
   for (const char *wrong : {"3 x", "-3", "3,3", "3.0"}) {
      Node node = to_node(document);
      set(child(node, "Network"), "Lower", wrong);
      CHECK_THROWS(from_node(resealed(node)), ModelError, "Network, attribute Lower: found '");
   }
}

TEST(regressions_and_dense_layers_come_back)
{
   ModelDocument document = sample();
   document.task = "regression";
   document.class_names.clear();
   document.targets = {{"energy", "E", 3.f, 2.f, 0.f, 9.f}, {"angle", "", -1.f, 0.5f, -2.f, 0.f}};
   document.loss = Loss::MeanSquaredError;
   document.flat_steps = 4;
   document.dense = {{6, Activation::SoftSign}, {3, Activation::Gauss}};
   const NetworkShape shape = network_shape(document);
   const std::size_t joined = 4 * document.hidden + document.event_features.size();
   CHECK(shape.parameters() ==
         4 * document.hidden * (document.features.size() + document.hidden + 1) + 6 * (joined + 1) + 3 * 7 + 2 * 4);
   document.parameters.assign(shape.parameters(), 0.25f);
   document.probes.scores.assign(2 * (document.probes.offsets.size() - 1), 1.5f);
   CHECK(from_node(to_node(document)) == document);
   Node node = to_node(document);
   set(child(node, "Network").children[1], "Activation", "GAUS");
   set(node, "Checksum", [&] {
      char text[9];
      std::snprintf(text, sizeof text, "%08x", static_cast<unsigned>(checksum(node)));
      return std::string(text);
   }());
   CHECK_THROWS(from_node(node), ModelError, "LSTMModel/Network/Dense: there is no activation 'GAUS'");
   document.loss = Loss::CrossEntropy;
   CHECK_THROWS(to_node(document), ModelError, "expected 'mean squared error', 'mean absolute error' or 'huber' for the task 'regression'");
   for (const Loss loss : {Loss::MeanAbsoluteError, Loss::Huber}) {
      document.loss = loss;
      const Node node = to_node(document);
      CHECK(*node.attribute("Format") == "2"); // which earlier builds know they cannot read
      CHECK(from_node(node).loss == loss);
   }
}

TEST(parameter_count_is_the_sum_of_the_blocks)
{
   CHECK(parameter_count(D, E, H, 1) == 4 * 5 * 3 + 4 * 5 * 5 + 4 * 5 + 1 * (5 + 2) + 1);
   CHECK(parameter_count(7, 0, 11, 4) == 4 * 11 * 7 + 4 * 11 * 11 + 4 * 11 + 4 * 11 + 4);
   CHECK_THROWS(parameter_count(1, 1, std::size_t{1} << 63, 1), ArgumentError,
                "hidden units: a model has at most 16777216");
}

TEST(look_up)
{
   const Node node{"a", {{"k", "v"}}, "", {{"b", {}, "1", {}}, {"b", {}, "2", {}}}};
   CHECK(*node.attribute("k") == "v");
   CHECK(node.attribute("K") == nullptr);
   CHECK(node.child("b")->text == "1");
   CHECK(node.child("c") == nullptr);
}

TEST_MAIN()
