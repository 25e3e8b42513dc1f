/// \file
/// The Python door, an index: one bind_*.cpp a concept. Names and checks live there, arithmetic lives in the core.
#include "bindings.h"

NB_MODULE(_engine, m)
{
   m.doc() = "Compiled core of tmva_lstm_plugin; use the package's own modules instead of this one.";
   bind_errors(m);
   bind_document(m);
   bind_layer(m);
   bind_training(m);
   bind_explain(m);
}
