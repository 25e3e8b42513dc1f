/// \file
/// The log stream of TMVA's classes.
#ifndef ROOT_TMVA_MsgLogger
#define ROOT_TMVA_MsgLogger

#include <sstream>
#include <string>

#include "TString.h"

#include "TMVA/Types.h"

class TObject;

namespace TMVA {

/// Collects a message by `<<` and prints it at Endl:
///
///     <HEADER> Factory                  : Train all methods
///                              : an information
///     <WARNING>                         : ...
///
/// gConfig().SetSilent() drops everything but fatal messages. A kFATAL message throws std::runtime_error("FATAL error") after it
/// has been printed, as TMVA does since ROOT 6.08. The text of the exception is that of TMVA, since macros compare it; the reason
/// stands in the printed line.
class MsgLogger : public std::ostringstream {
public:
   /// \param source  asked for its name at each message
   MsgLogger(const TObject *source, EMsgType minType = kINFO) : fObjSource(source), fMinType(minType) {}
   MsgLogger(const std::string &source, EMsgType minType = kINFO) : fStrSource(source), fMinType(minType) {}

   void SetMinType(EMsgType minType) { fMinType = minType; }

   MsgLogger &operator<<(MsgLogger &(*manipulator)(MsgLogger &)) { return manipulator(*this); }
   MsgLogger &operator<<(EMsgType type)
   {
      fActiveType = type;
      return *this;
   }
   // not by the template below, which the compiler would make anew for each length of a literal
   MsgLogger &operator<<(const char *text);
   MsgLogger &operator<<(const TString &text) { return *this << text.Data(); }
   template <class T>
   MsgLogger &operator<<(const T &arg)
   {
      static_cast<std::ostringstream &>(*this) << arg;
      return *this;
   }
   /// Prints what was collected.
   void Send();

private:
   const TObject *fObjSource = nullptr; ///<! fStrSource holds when it is null
   std::string fStrSource;
   EMsgType fActiveType = kINFO;
   EMsgType fMinType;
};

inline MsgLogger &Endl(MsgLogger &logger)
{
   logger.Send();
   return logger;
}

} // namespace TMVA

#endif
