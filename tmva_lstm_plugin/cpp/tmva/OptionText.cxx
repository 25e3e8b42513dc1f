#include "OptionText.h"

#include "BookingOptions.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <locale>
#include <sstream>

namespace tmva_lstm_tmva {

std::string stripped(const std::string &text)
{
   const auto first = text.find_first_not_of(" \t\r\n");
   return first == std::string::npos ? "" : text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

std::vector<std::string> split(const std::string &text, char separator)
{
   std::vector<std::string> pieces;
   std::size_t start = 0;
   for (;;) {
      const auto stop = text.find(separator, start);
      pieces.push_back(stripped(text.substr(start, stop == std::string::npos ? stop : stop - start)));
      if (stop == std::string::npos)
         return pieces;
      start = stop + 1;
   }
}

std::string upper(std::string text)
{
   for (char &c : text)
      c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
   return text;
}

bool read_number(const std::string &text, double &value)
{
   std::istringstream in(text);
   in.imbue(std::locale::classic());
   double read = 0;
   if (!(in >> read) || !std::isfinite(read))
      return false;
   char rest;
   if (in >> rest)
      return false;
   value = read;
   return true;
}

bool read_count(const std::string &text, std::size_t &value)
{
   if (text.empty() || text.size() > 9 || !std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isdigit(c); }))
      return false;
   value = static_cast<std::size_t>(std::stoul(text));
   return true;
}

std::string near_miss(const std::string &name, const std::vector<std::string> &known)
{
   const std::string wanted = upper(name);
   std::size_t best = 4; // more changes than this is no near miss
   std::string nearest;
   for (const std::string &candidate : known) {
      const std::string other = upper(candidate);
      // edit distance, one row at a time (V. I. Levenshtein, Soviet Physics Doklady 10 (1966) 707)
      std::vector<std::size_t> row(other.size() + 1);
      for (std::size_t k = 0; k <= other.size(); ++k)
         row[k] = k;
      for (std::size_t i = 1; i <= wanted.size(); ++i) {
         std::size_t diagonal = row[0];
         row[0] = i;
         for (std::size_t k = 1; k <= other.size(); ++k) {
            const std::size_t above = row[k];
            row[k] = std::min({above + 1, row[k - 1] + 1, diagonal + (wanted[i - 1] != other[k - 1])});
            diagonal = above;
         }
      }
      if (row.back() < best) {
         best = row.back();
         nearest = candidate;
      }
   }
   if (!nearest.empty())
      return "did you mean '" + nearest + "'?";
   std::string all;
   for (const std::string &candidate : known)
      all += (all.empty() ? "" : ", ") + candidate;
   return "there are: " + all;
}

} // namespace tmva_lstm_tmva
