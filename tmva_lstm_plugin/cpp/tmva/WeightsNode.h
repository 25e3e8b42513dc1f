/// \file
/// The core's document tree in TMVA's XML, both ways.
#pragma once

#include "core/document.h"

namespace tmva_lstm_tmva {

/// Adds `node` with all below it to the XML node `parent`.
void add_node(void *parent, const tmva_lstm::Node &node);
/// Reads an XML node with all below it. Throws tmva_lstm::ModelError where it is nested too deeply.
tmva_lstm::Node read_node(void *xml, int depth = 0);
/// The child of that name, or null.
void *find_child(void *xml, const char *name);

} // namespace tmva_lstm_tmva
