/// \file
/// Nodes: look-up, checksum, safe strings and numbers as text.
#include "document_nodes.h"
#include "error.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <locale>
#include <set>
#include <sstream>

namespace tmva_lstm {
inline namespace TMVA_LSTM_ABI {

// ---------------------------------------------------------------------------------------------------------- nodes

const std::string *Node::attribute(std::string_view key) const
{
   for (const auto &[name_here, value] : attributes)
      if (name_here == key)
         return &value;
   return nullptr;
}

const Node *Node::child(std::string_view child_name) const
{
   for (const Node &node : children)
      if (node.name == child_name)
         return &node;
   return nullptr;
}

bool Node::operator==(const Node &other) const
{
   return name == other.name && attributes == other.attributes && text == other.text && children == other.children;
}

namespace {

constexpr bool is_space(char c)
{
   return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

std::string_view trimmed(std::string_view text)
{
   while (!text.empty() && is_space(text.front()))
      text.remove_prefix(1);
   while (!text.empty() && is_space(text.back()))
      text.remove_suffix(1);
   return text;
}

[[noreturn]] void too_deep(const std::string &path)
{
   throw ModelError(path + ": nodes are nested deeper than " + std::to_string(detail::kMaxDepth) +
                    " levels; this is not a model");
}

constexpr std::array<std::uint32_t, 256> crc_table()
{
   std::array<std::uint32_t, 256> entries{};
   for (std::uint32_t i = 0; i < 256; ++i) {
      std::uint32_t entry = i;
      for (int bit = 0; bit < 8; ++bit)
         entry = entry >> 1 ^ (entry & 1 ? 0xEDB88320u : 0u);
      entries[i] = entry;
   }
   return entries;
}

constexpr std::array<std::uint32_t, 256> kCrcTable = crc_table();

/// CRC-32 of IEEE 802.3 (reflected polynomial 0xEDB88320), taken piece by piece.
class Crc32 {
public:
   void add(std::string_view bytes)
   {
      for (const char c : bytes)
         fState = fState >> 8 ^ kCrcTable[(fState ^ static_cast<unsigned char>(c)) & 255];
   }
   std::uint32_t value() const { return ~fState; }

private:
   std::uint32_t fState = 0xFFFFFFFFu;
};

void add_text(std::string_view text, Crc32 &crc)
{
   text = trimmed(text);
   while (!text.empty()) {
      const auto stop = std::find_if(text.begin(), text.end(), is_space);
      const auto length = static_cast<std::size_t>(stop - text.begin());
      crc.add(text.substr(0, length));
      text.remove_prefix(length);
      if (!text.empty())
         crc.add(" ");
      while (!text.empty() && is_space(text.front()))
         text.remove_prefix(1);
   }
   crc.add("\n");
}

void add_canonical(const Node &node, int depth, Crc32 &crc)
{
   if (depth > detail::kMaxDepth)
      too_deep(detail::quoted(node.name));
   const bool root = depth == 0;
   std::vector<const std::pair<std::string, std::string> *> sorted;
   for (const auto &attribute : node.attributes)
      if (!root || attribute.first != "Checksum")
         sorted.push_back(&attribute);
   std::stable_sort(sorted.begin(), sorted.end(), [](auto *a, auto *b) { return a->first < b->first; });
   crc.add("<");
   crc.add(node.name);
   crc.add("\n");
   for (const auto *attribute : sorted) {
      crc.add(attribute->first);
      crc.add("=");
      crc.add(attribute->second);
      crc.add("\n");
   }
   add_text(node.text, crc);
   for (const Node &child : node.children)
      if (!root || child.name != "Provenance")
         add_canonical(child, depth + 1, crc);
   crc.add(">\n");
}

} // namespace

std::uint32_t checksum(const Node &node)
{
   Crc32 crc;
   add_canonical(node, 0, crc);
   return crc.value();
}

namespace detail {

// -------------------------------------------------------------------------------------------------------- strings

namespace {

/// The code point at `position`, which moves past it; -1, and one byte further, where the bytes are not UTF-8.
std::int32_t next_code_point(std::string_view text, std::size_t &position)
{
   const auto first = static_cast<unsigned char>(text[position++]);
   if (first < 0x80)
      return first;
   const std::size_t more = first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : 1;
   if (first < 0xC2 || first > 0xF4 || text.size() - position < more)
      return -1;
   std::int32_t code = first & (0x3F >> more);
   for (std::size_t i = 0; i < more; ++i) {
      const auto byte = static_cast<unsigned char>(text[position + i]);
      if ((byte & 0xC0) != 0x80)
         return -1;
      code = code << 6 | (byte & 0x3F);
   }
   constexpr std::int32_t smallest[] = {0, 0x80, 0x800, 0x10000};
   if (code < smallest[more] || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF))
      return -1;
   position += more;
   return code;
}

std::string hex(std::uint32_t value, int width)
{
   std::string text;
   for (int shift = 4 * (width - 1); shift >= 0; shift -= 4)
      text += "0123456789abcdef"[value >> shift & 15];
   return text;
}

/// XML names without colon and in ASCII: the ones every XML library agrees on.
void check_name(std::string_view name, const std::string &where)
{
   const auto letter = [](char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_'; };
   const auto inner = [&](char c) { return letter(c) || (c >= '0' && c <= '9') || c == '-' || c == '.'; };
   constexpr std::size_t longest = 200; // names go into paths, a path for every node
   if (name.empty() || name.size() > longest || !letter(name.front()) ||
       !std::all_of(name.begin(), name.end(), inner))
      throw ModelError(where + ": " + quoted(name) + " cannot be a name in the model; use up to " +
                       std::to_string(longest) + " letters, digits, '_', '-', '.', beginning with a letter or '_'");
}

} // namespace

std::string quoted(std::string_view text)
{
   std::string result = "'";
   std::size_t position = 0;
   for (int count = 0; position < text.size(); ++count) {
      if (count == 60)
         return result + "...'";
      const std::size_t start = position;
      const std::int32_t code = next_code_point(text, position);
      if (code >= 0x20 && code != 0x7F)
         result += text.substr(start, position - start);
      else
         result += "\\x" + hex(static_cast<unsigned char>(text[start]), 2);
   }
   return result + "'";
}

std::string escaped(std::string_view text, const std::string &where)
{
   std::string result;
   result.reserve(text.size());
   for (std::size_t position = 0; position < text.size();) {
      const std::size_t start = position;
      const std::int32_t code = next_code_point(text, position);
      switch (code) {
      case '\\': result += "\\\\"; break;
      case '\n': result += "\\n"; break;
      case '\r': result += "\\r"; break;
      case '\t': result += "\\t"; break;
      default:
         if (code < 0)
            throw ModelError(where + ": " + quoted(text) + " is not UTF-8 at byte " + std::to_string(start) +
                             "; a model file holds UTF-8 only");
         if (code < 0x20 || code == 0xFFFE || code == 0xFFFF)
            throw ModelError(where + ": " + quoted(text) + " contains the character U+" +
                             hex(static_cast<std::uint32_t>(code), 4) + ", which XML cannot hold; rename it");
         result += text.substr(start, position - start);
      }
   }
   return result;
}

std::string unescaped(std::string_view text, const std::string &where)
{
   std::string result;
   result.reserve(text.size());
   for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] != '\\') {
         result += text[i];
         continue;
      }
      const char next = ++i < text.size() ? text[i] : '\0';
      switch (next) {
      case '\\': result += '\\'; break;
      case 'n': result += '\n'; break;
      case 'r': result += '\r'; break;
      case 't': result += '\t'; break;
      default:
         throw ModelError(where + ": " + quoted(text) +
                          " has a backslash not followed by \\, n, r or t; it was not written by this package");
      }
   }
   return result;
}

namespace {

template <class Convert>
Node converted_tree(const Node &node, const std::string &path, int depth, Convert convert)
{
   if (depth > kMaxDepth)
      too_deep(path);
   check_name(node.name, path);
   Node result{node.name, {}, convert(trimmed(node.text), path + ", text"), {}};
   if (!result.text.empty() && !node.children.empty())
      throw ModelError(path + ": has both text and child nodes; give it one of them");
   std::set<std::string_view> seen;
   for (const auto &[key, value] : node.attributes) {
      check_name(key, path + ", attribute");
      if (!seen.insert(key).second)
         throw ModelError(path + ": attribute " + quoted(key) + " is there twice");
      result.attributes.emplace_back(key, convert(value, path + ", attribute " + quoted(key)));
   }
   result.children.reserve(node.children.size());
   for (const Node &child : node.children) {
      check_name(child.name, path + ", child");
      result.children.push_back(converted_tree(child, path + "/" + child.name, depth + 1, convert));
   }
   return result;
}

} // namespace

Node escaped_tree(const Node &node, const std::string &path)
{
   return converted_tree(node, path, 1, escaped);
}

Node unescaped_tree(const Node &node, const std::string &path)
{
   return converted_tree(node, path, 1, unescaped);
}

// -------------------------------------------------------------------------------------------------------- numbers

std::string float_text(float value)
{
   // Streams of the classic locale write the same bytes everywhere; std::to_chars of floats is missing from some
   // standard libraries still in use. Nine digits always identify a float.
   for (int digits = 6;; ++digits) {
      std::ostringstream stream;
      stream.imbue(std::locale::classic());
      stream.precision(digits);
      stream << value;
      if (digits == 9 || read_float(stream.str(), "number") == value)
         return stream.str();
   }
}

float read_float(std::string_view text, const std::string &where)
{
   std::istringstream stream{std::string(text)};
   stream.imbue(std::locale::classic());
   double value = 0.;
   // read as a double: some libraries call a denormal float out of range
   const bool read = static_cast<bool>(stream >> std::noskipws >> value);
   constexpr double limit = 3.4028235677973366e38; // from here on a double rounds to an infinite float
   if (!read || stream.peek() != std::istringstream::traits_type::eof() || !(std::fabs(value) < limit))
      throw ModelError(where + ": found " + quoted(text) + ", expected a finite number");
   return static_cast<float>(value);
}

std::int64_t read_count(std::string_view text, const std::string &where)
{
   std::int64_t value = -1;
   const auto [stop, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
   if (problem != std::errc() || stop != text.data() + text.size() || value < 0)
      throw ModelError(where + ": found " + quoted(text) + ", expected a whole number of at least 0");
   return value;
}

std::string floats_text(const std::vector<float> &values)
{
   std::vector<unsigned char> bytes;
   bytes.reserve(4 * values.size());
   for (const float value : values) {
      std::uint32_t bits = 0;
      static_assert(sizeof bits == sizeof value && std::numeric_limits<float>::is_iec559);
      std::memcpy(&bits, &value, sizeof bits);
      for (int shift = 0; shift < 32; shift += 8)
         bytes.push_back(static_cast<unsigned char>(bits >> shift & 255));
   }
   const std::string line = base64_encode(bytes.data(), bytes.size());
   constexpr std::size_t width = 76;
   std::string text;
   text.reserve(line.size() + line.size() / width);
   for (std::size_t i = 0; i < line.size(); i += width) {
      if (i != 0)
         text += '\n';
      text.append(line, i, width);
   }
   return text;
}

std::vector<float> read_floats(std::string_view text, std::int64_t expected, const std::string &where)
{
   // four bytes take more than five characters
   const bool possible = expected <= static_cast<std::int64_t>(text.size() / 5);
   std::vector<unsigned char> bytes;
   try {
      bytes = base64_decode(text);
   } catch (const ModelError &error) {
      throw ModelError(where + ": " + error.what());
   }
   if (!possible || bytes.size() != 4 * static_cast<std::size_t>(expected))
      throw ModelError(where + ": found " + std::to_string(bytes.size()) + " bytes of numbers, expected Count = " +
                       std::to_string(expected) + " times 4");
   std::vector<float> values(bytes.size() / 4);
   for (std::size_t i = 0; i < values.size(); ++i) {
      std::uint32_t bits = 0;
      for (std::size_t k = 0; k < 4; ++k)
         bits |= static_cast<std::uint32_t>(bytes[4 * i + k]) << (8 * k);
      std::memcpy(&values[i], &bits, sizeof bits);
   }
   return values;
}

// --------------------------------------------------------------------------------------------------------- places

const std::string &Place::attribute(std::string_view key) const
{
   const std::string *value = node.attribute(key);
   if (!value)
      throw ModelError(path + ": attribute " + std::string(key) + " is missing");
   return *value;
}

std::string Place::attribute_path(std::string_view key) const
{
   return path + ", attribute " + std::string(key);
}

std::string Place::string(std::string_view key) const
{
   return unescaped(attribute(key), attribute_path(key));
}

float Place::number(std::string_view key) const
{
   return read_float(attribute(key), attribute_path(key));
}

std::int64_t Place::count(std::string_view key) const
{
   return read_count(attribute(key), attribute_path(key));
}

std::vector<std::size_t> Place::counts(std::string_view key) const
{
   std::vector<std::size_t> numbers;
   std::istringstream words(attribute(key));
   for (std::string word; words >> word;)
      numbers.push_back(static_cast<std::size_t>(read_count(word, attribute_path(key))));
   return numbers;
}

void Place::require(std::string_view key, std::string_view expected) const
{
   if (attribute(key) != expected)
      throw ModelError(attribute_path(key) + ": found " + quoted(attribute(key)) + ", expected " + quoted(expected));
}

bool Place::says(std::string_view key, std::string_view word) const
{
   if (!node.attribute(key))
      return false;
   require(key, word);
   return true;
}

Place Place::child(std::string_view name) const
{
   const Node *found = nullptr;
   for (const Node &candidate : node.children) {
      if (candidate.name != name)
         continue;
      if (found)
         throw ModelError(path + ": node " + std::string(name) + " is there more than once");
      found = &candidate;
   }
   if (!found)
      throw ModelError(path + ": node " + std::string(name) + " is missing");
   return {*found, path + "/" + std::string(name)};
}

} // namespace detail
} // namespace TMVA_LSTM_ABI
} // namespace tmva_lstm
