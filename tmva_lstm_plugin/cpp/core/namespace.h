/// \file
/// The inline namespace of this build of the core.
///
/// An extension module and a plugin library may each bring a copy of the core into one process. The build sets
/// TMVA_LSTM_ABI to a name made from a hash of the sources, so that two different copies never share a symbol.
#pragma once

#ifndef TMVA_LSTM_ABI
#define TMVA_LSTM_ABI unversioned
#endif
