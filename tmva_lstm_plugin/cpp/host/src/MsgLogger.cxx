#include "TMVA/MsgLogger.h"

#include <iomanip>
#include <iostream>
#include <stdexcept>

#include "TMVA/Config.h"

namespace TMVA {

namespace {
bool gInhibited = false;

struct Look {
   const char *name;
   const char *color; ///< null: the level is not named when there are colours
};

Look LookOf(EMsgType type)
{
   switch (type) {
   case kDEBUG: return {"DEBUG", "\033[34m"};
   case kVERBOSE: return {"VERBOSE", nullptr};
   case kINFO: return {"INFO", nullptr};
   case kWARNING: return {"WARNING", "\033[1;31m"};
   case kERROR: return {"ERROR", "\033[31m"};
   case kFATAL: return {"FATAL", "\033[37;41;1m"};
   case kHEADER: return {"HEADER", nullptr};
   default: return {"SILENT", "\033[30m"};
   }
}
} // namespace

MsgLogger::MsgLogger(const TObject *source, EMsgType minType) : fObjSource(source), fMinType(minType) {}
MsgLogger::MsgLogger(const std::string &source, EMsgType minType) : fStrSource(source), fMinType(minType) {}
MsgLogger::MsgLogger(EMsgType minType) : fStrSource("Unknown"), fMinType(minType) {}
MsgLogger::MsgLogger(const MsgLogger &parent) : std::basic_ios<char>(), std::ostringstream(), TObject()
{
   *this = parent;
}
MsgLogger::~MsgLogger() {}

MsgLogger &MsgLogger::operator=(const MsgLogger &parent)
{
   fObjSource = parent.fObjSource;
   fStrSource = parent.fStrSource;
   fActiveType = parent.fActiveType;
   fMinType = parent.fMinType;
   return *this;
}

void MsgLogger::InhibitOutput()
{
   gInhibited = true;
}
void MsgLogger::EnableOutput()
{
   gInhibited = false;
}

std::string MsgLogger::GetFormattedSource() const
{
   const std::string name = fObjSource ? fObjSource->GetName() : fStrSource;
   return name.size() > GetMaxSourceSize() ? name.substr(0, GetMaxSourceSize() - 3) + "..." : name;
}

std::string MsgLogger::GetPrintedSource() const
{
   std::string name = GetFormattedSource();
   name.resize(GetMaxSourceSize(), ' ');
   return name + ": ";
}

MsgLogger &MsgLogger::Endmsg(MsgLogger &logger)
{
   logger.Send();
   return logger;
}

void MsgLogger::Send()
{
   const EMsgType type = fActiveType;
   const std::string text = str();
   std::istringstream lines(text + "\n");
   str("");
   fActiveType = kINFO; // a message without a level is an information
   const bool fatal = type == kFATAL;
   if (fatal || (type >= fMinType && !gInhibited && !gConfig().IsSilent())) {
      // only headers name their source; below them it would be the same in every line
      const std::string source = type == kHEADER ? GetPrintedSource() : std::string(GetMaxSourceSize(), ' ') + ": ";
      const Look look = LookOf(type);
      for (std::string line; std::getline(lines, line);) {
         if (gConfig().UseColor() && !look.color)
            std::cout << source << line << std::endl;
         else if (gConfig().UseColor())
            std::cout << look.color << "<" << look.name << ">" << source << line << "\033[0m" << std::endl;
         else if (type == kINFO)
            std::cout << source << line << std::endl;
         else
            std::cout << "<" << look.name << "> " << source << line << std::endl;
      }
   }
   if (fatal) {
      std::cout << "***> abort program execution" << std::endl;
      throw std::runtime_error("FATAL error: " + text); // TMVA's own says no more than "FATAL error"
   }
}

} // namespace TMVA
