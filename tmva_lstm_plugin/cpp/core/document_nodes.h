/// \file
/// What document.cpp needs below the level of a model: safe strings, numbers as text, and reading nodes by path.
/// Internal to the core.
#pragma once

#include "document.h"

namespace tmva_lstm {
inline namespace TMVA_LSTM_ABI {
namespace detail {

/// Trees deeper than this are refused, so that recursion over foreign input is bounded.
constexpr int kMaxDepth = 64;

/// `text` between single quotes for a message: at most 60 characters, printable, always valid UTF-8.
std::string quoted(std::string_view text);

/// The shortest text that read_float() turns back into the same finite number, whatever the locale.
std::string float_text(float value);
/// Throws ModelError unless all of `text` is a finite number.
float read_float(std::string_view text, const std::string &where);
/// Throws ModelError unless all of `text` is a whole number of at least 0.
std::int64_t read_count(std::string_view text, const std::string &where);

/// Text of little-endian float32, in lines of 76 characters.
std::string floats_text(const std::vector<float> &values);
/// The inverse of floats_text(). Throws ModelError unless the text holds `expected` numbers; what is allocated is
/// bounded by the text, not by `expected`.
std::vector<float> read_floats(std::string_view text, std::int64_t expected, const std::string &where);

/// Backslash escapes as told in document.h. Throws ModelError on what XML cannot hold.
std::string escaped(std::string_view text, const std::string &where);
/// The inverse of escaped(). Throws ModelError on an unknown escape.
std::string unescaped(std::string_view text, const std::string &where);

/// A copy of one of the doors' own trees with all strings escaped. Throws ModelError on names that XML cannot hold, on
/// nodes with both text and children, and on too deep a tree.
Node escaped_tree(const Node &node, const std::string &path);
/// The inverse of escaped_tree().
Node unescaped_tree(const Node &node, const std::string &path);

/// A node of foreign input together with its path, so that every complaint can say where.
struct Place {
   const Node &node;
   std::string path;

   const std::string &attribute(std::string_view key) const;
   std::string string(std::string_view key) const; ///< the attribute without its escapes
   float number(std::string_view key) const;
   std::int64_t count(std::string_view key) const;
   std::vector<std::size_t> counts(std::string_view key) const; ///< separated by spaces; may be none
   /// Throws ModelError unless the attribute is exactly `expected`.
   void require(std::string_view key, std::string_view expected) const;
   /// Whether there is such an attribute. Throws ModelError when there is, and it is not `word`.
   bool says(std::string_view key, std::string_view word) const;
   /// The only child of that name. Throws ModelError when there is none, or more than one.
   Place child(std::string_view name) const;

private:
   std::string attribute_path(std::string_view key) const;
};

} // namespace detail
} // namespace TMVA_LSTM_ABI
} // namespace tmva_lstm
