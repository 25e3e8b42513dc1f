/// \file
/// The smallest program that uses the TMVA method as installed: asks TMVA what it knows the method by.
#include "MethodLSTM.h"

#include "TMVA/Types.h"

#include <cstdio>

int main()
{
   // its own name from the dictionary, and the one by which loading the library made TMVA know it
   std::printf("%s is booked as %s\n", TMVA::MethodLSTM::Class_Name(),
               TMVA::Types::Instance().GetMethodName(static_cast<TMVA::Types::EMVA>(TMVA::MethodLSTM::kTypeValue)).Data());
}
