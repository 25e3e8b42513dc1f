/// \file
/// The names closest to one that was not found, for error messages.
#ifndef TMVA_LSTM_HOST_NearMiss
#define TMVA_LSTM_HOST_NearMiss

#include "TString.h"

#include <algorithm>
#include <cctype>
#include <string>
#include <utility>
#include <vector>

namespace TMVA {

/// Changes of single characters that turn one name into the other; upper and lower case count as the same.
inline std::size_t EditDistance(const std::string &from, const std::string &to)
{
   std::vector<std::size_t> row(to.size() + 1);
   for (std::size_t j = 0; j <= to.size(); ++j)
      row[j] = j;
   for (std::size_t i = 0; i < from.size(); ++i) {
      std::size_t diagonal = row[0];
      row[0] = i + 1;
      for (std::size_t j = 0; j < to.size(); ++j) {
         const bool same = std::tolower(static_cast<unsigned char>(from[i])) == std::tolower(static_cast<unsigned char>(to[j]));
         const std::size_t replaced = diagonal + (same ? 0 : 1);
         diagonal = row[j + 1];
         row[j + 1] = std::min(replaced, std::min(diagonal, row[j]) + 1);
      }
   }
   return row.back();
}

/// " Did you mean "a" or "b"?" with at most three names, or an empty text when none is close.
inline TString NearMiss(const TString &wanted, const std::vector<TString> &known)
{
   std::vector<std::pair<std::size_t, TString>> close;
   for (const TString &name : known) {
      const std::size_t distance = EditDistance(wanted.Data(), name.Data());
      if (distance <= std::max<std::size_t>(1, static_cast<std::size_t>(wanted.Length()) / 3))
         close.emplace_back(distance, name);
   }
   std::sort(close.begin(), close.end());
   if (close.empty())
      return "";
   TString text = " Did you mean ";
   for (std::size_t i = 0; i < close.size() && i < 3; ++i)
      text += (i ? " or \"" : "\"") + close[i].second + "\"";
   return text + "?";
}

} // namespace TMVA

#endif
