/// \file
/// The exceptions of the core. The doors translate them; the core never prints.
#pragma once

#include "namespace.h"

#include <stdexcept>
#include <string>

namespace tmva_lstm {
inline namespace TMVA_LSTM_ABI {

/// Base of all exceptions the core throws on purpose.
class Error : public std::runtime_error {
public:
   using std::runtime_error::runtime_error;
};

/// Arguments that do not fit: shapes, offsets, labels, ranges.
class ArgumentError : public Error {
public:
   using Error::Error;
};

/// A model document that is damaged, of another format, or contradicts itself.
class ModelError : public Error {
public:
   using Error::Error;
};

/// A sequence whose activations would not fit into the stated memory limit.
class MemoryError : public Error {
public:
   using Error::Error;
};

} // namespace TMVA_LSTM_ABI
} // namespace tmva_lstm
