/// \file
/// Small text tools for option strings.
#pragma once

#include <string>
#include <vector>

namespace tmva_lstm_tmva {

/// Pieces of `text` between separators, without white space at their ends; empty pieces count.
std::vector<std::string> split(const std::string &text, char separator);
std::string upper(std::string text);
std::string stripped(const std::string &text);

/// Whole-text readers; false when the text is something else. The locale does not matter.
bool read_number(const std::string &text, double &value);
bool read_count(const std::string &text, std::size_t &value);

} // namespace tmva_lstm_tmva
