/// \file
/// The log stream of TMVA's classes.
#ifndef ROOT_TMVA_MsgLogger
#define ROOT_TMVA_MsgLogger

#include <sstream>
#include <string>

#include "TObject.h"

#include "TMVA/Types.h"

namespace TMVA {

/// Collects a message by `<<` and prints it at Endl:
///
///     <HEADER> Factory                  : Train all methods
///                              : an information
///     <WARNING>                         : ...
///
/// A kFATAL message throws std::runtime_error("FATAL error") after it has been printed, as TMVA does since ROOT 6.08. The text
/// of the exception is that of TMVA, since macros compare it; the reason stands in the printed line.
class MsgLogger : public std::ostringstream, public TObject {
public:
   MsgLogger(const TObject *source, EMsgType minType = kINFO);
   MsgLogger(const std::string &source, EMsgType minType = kINFO);
   MsgLogger(EMsgType minType = kINFO);
   MsgLogger(const MsgLogger &parent);
   ~MsgLogger() override;
   MsgLogger &operator=(const MsgLogger &parent);

   void SetSource(const std::string &source) { fStrSource = source; }
   std::string GetSource() const { return fStrSource; }
   EMsgType GetMinType() const { return fMinType; }
   void SetMinType(EMsgType minType) { fMinType = minType; }

   /// Name of the source, cut to GetMaxSourceSize() characters.
   std::string GetFormattedSource() const;
   /// What stands before the text in a line: the source, padded, and a colon.
   std::string GetPrintedSource() const;
   static UInt_t GetMaxSourceSize() { return 25; }

   static MsgLogger &Endmsg(MsgLogger &logger);

   MsgLogger &operator<<(MsgLogger &(*manipulator)(MsgLogger &)) { return manipulator(*this); }
   MsgLogger &operator<<(std::ostream &(*manipulator)(std::ostream &))
   {
      manipulator(*this);
      return *this;
   }
   MsgLogger &operator<<(std::ios &(*manipulator)(std::ios &))
   {
      manipulator(*this);
      return *this;
   }
   MsgLogger &operator<<(EMsgType type)
   {
      fActiveType = type;
      return *this;
   }
   template <class T>
   MsgLogger &operator<<(const T &arg)
   {
      static_cast<std::ostringstream &>(*this) << arg;
      return *this;
   }

   /// Everything but fatal messages is dropped in between.
   static void InhibitOutput();
   static void EnableOutput();

private:
   void Send();

   const TObject *fObjSource = nullptr; ///<! asked for its name at each message; fStrSource holds when it is null
   std::string fStrSource;
   EMsgType fActiveType = kINFO;
   EMsgType fMinType = kINFO;

   ClassDefOverride(MsgLogger, 0);
};

inline MsgLogger &Endl(MsgLogger &logger)
{
   return MsgLogger::Endmsg(logger);
}

} // namespace TMVA

#endif
