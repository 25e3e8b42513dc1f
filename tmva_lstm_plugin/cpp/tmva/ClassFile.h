/// \file
/// What MakeClass() writes of the method: plain C++ without ROOT, TMVA or this library. Plain C++.
#pragma once

#include "SequenceModel.h"

#include <ostream>
#include <string>

namespace tmva_lstm_tmva {

/// Writes the members, the parameters and GetMvaValue__ that complete TMVA's frame of a class `class_name`.
void write_class(std::ostream &out, const std::string &class_name, const SequenceModel &model, const EventLayout &layout);

} // namespace tmva_lstm_tmva
