/// \file
/// What a method keeps that its header, which the interpreter reads, has no room for; for Method*.cxx only.
#pragma once

#include "MethodLSTM.h"

#include "BookingOptions.h"
#include "EventSequences.h"
#include "SequenceModel.h"

#include "TMVA/Ranking.h"

#include <memory>

namespace TMVA {

/// What a booking and a training leave.
struct MethodLSTM::Implementation {
   tmva_lstm_tmva::Booking booking;
   tmva_lstm_tmva::EventLayout layout;
   std::unique_ptr<tmva_lstm_tmva::SequenceModel> model;
   tmva_lstm_tmva::TrainingReport report;
   double seconds = 0;
   std::unique_ptr<Ranking> ranking; ///< the Factory prints what it gets and leaves it to the method
};

} // namespace TMVA
