#include "TMVA/Config.h"

namespace TMVA {

namespace {
Config *gInstance = nullptr;
}

Config &Config::Instance()
{
   if (!gInstance)
      gInstance = new Config;
   return *gInstance;
}

void Config::DestroyInstance()
{
   delete gInstance;
   gInstance = nullptr;
}

Config &gConfig()
{
   return Config::Instance();
}

} // namespace TMVA
