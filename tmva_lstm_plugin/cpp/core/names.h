/// \file
/// Enumerations whose values have names.
#pragma once

#include "error.h"

#include <cstddef>
#include <string>

namespace tmva_lstm {
inline namespace TMVA_LSTM_ABI {

/// The value of an enumeration that is called `name`; `names` are in its order. Throws ArgumentError otherwise: `before`, what was
/// given, `between`, and all names.
template <class Enum, std::size_t N>
Enum value_named(const std::string &name, const char *const (&names)[N], const char *before, const char *between)
{
   std::string known;
   for (std::size_t n = 0; n < N; ++n) {
      if (name == names[n])
         return static_cast<Enum>(n);
      known += std::string(n ? ", '" : "'") + names[n] + "'";
   }
   throw ArgumentError(before + name + between + known);
}

} // namespace TMVA_LSTM_ABI
} // namespace tmva_lstm
