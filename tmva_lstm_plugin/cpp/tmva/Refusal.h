/// \file
/// How the method says no.
#pragma once

#include "core/error.h"

#include "TMVA/MsgLogger.h"

#include <new>
#include <string>

namespace tmva_lstm_tmva {

/// Logs `text` as one message at kERROR and throws a std::runtime_error whose what() is that text, whole. Not kFATAL: that ends the
/// process in an old TMVA, and in a new one throws an exception that does not say why. No class of our own: PyROOT knows the
/// exceptions of the standard library only, and of others loses the text.
[[noreturn]] void refuse(TMVA::MsgLogger &log, const std::string &text);

/// Does `work`; what the core has against it becomes a refusal that begins with `where`.
template <class Work>
auto guarded(TMVA::MsgLogger &log, const std::string &where, Work work) -> decltype(work())
{
   try {
      return work();
   } catch (const tmva_lstm::Error &error) {
      refuse(log, where + error.what());
   } catch (const std::bad_alloc &) {
      refuse(log, where + "there is not enough memory; give fewer events, fewer steps or fewer units");
   }
}

} // namespace tmva_lstm_tmva
