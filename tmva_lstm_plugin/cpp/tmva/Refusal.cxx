#include "Refusal.h"

#include <stdexcept>

namespace tmva_lstm_tmva {

void refuse(TMVA::MsgLogger &log, const std::string &text)
{
   log << TMVA::kERROR << text << TMVA::Endl;
   throw std::runtime_error(text);
}

} // namespace tmva_lstm_tmva
