/// \file
/// One vector out of the states of all steps of an event, [S] out of [T][S]; over a block of events, step by step.
///
///   mean        sum_t h_t / T
///   max         max_t h_t, number by number
///   attention   sum_t a_t h_t,   a = softmax_t(v . tanh(A h_t + a_0))      (Z. Yang et al., NAACL 2016, the word level)
///
/// An event without steps gives zeros. The softmax is summed as the steps come, with the largest exponent so far taken out: the same
/// additions in a training and in scoring, which does not keep the steps.
#pragma once

#include "dense_layer.h"

#include <cstdint>
#include <string>
#include <vector>

namespace tmva_lstm {
inline namespace TMVA_LSTM_ABI {

enum class Pooling { Last, Mean, Max, Attention };

/// "last", "mean", "max", "attention".
const char *pooling_name(Pooling pooling);
/// The inverse; throws ArgumentError with the names there are.
Pooling pooling_from_name(const std::string &name);

/// The weights of an attention, rearranged for the kernels.
template <class T>
class Attention {
public:
   Attention() : fLayer({}, Activation::Tanh) {}
   /// S numbers of a step, of which M mixtures decide.
   Attention(std::size_t S, std::size_t M) : fLayer({S, M}, Activation::Tanh), fV(M) {}

   /// A (M x S), a_0 (M), v (M).
   void pack(const T *flat);
   const DenseLayer<T> &layer() const { return fLayer; }
   const T *v() const { return fV.data(); }

private:
   DenseLayer<T> fLayer;
   std::vector<T> fV;
};

/// The pooling of one block at work. One thread's own.
template <class T>
class Pool {
public:
   static constexpr std::size_t L = kLanes<T>;

   /// A block begins. S numbers of a step; `attention` may be null where it is not asked for.
   void begin(Pooling pooling, std::size_t S, const Attention<T> *attention);
   /// The next step of the first n_lanes lanes: states [S][L].
   void add(const T *states, std::size_t n_lanes);
   /// The result [S][L], after the last step.
   void finish(const std::size_t *lengths, std::size_t n_lanes, T *pooled);

   /// Turns the states of step t into what reaches them, from that of the result. Steps may be asked for in any order, after
   /// finish(). The attention's own gradient is added into `panel` (see DenseLayer::backward) and dv [M].
   void backward(std::size_t t, T *states, const T *dpooled, std::size_t n_lanes, T *panel, T *dv);

private:
   void score(const T *states, std::size_t n_lanes);

   Pooling fPooling = Pooling::Last;
   std::size_t fS = 0, fStep = 0;
   const Attention<T> *fAttention = nullptr;
   AlignedArray<T> fSum;                     ///< [S][L]: sum, or largest so far
   AlignedArray<std::uint32_t> fWhere;       ///< [S][L]: step of the largest
   AlignedArray<T> fPre, fMixed;             ///< of the attention: A h + a_0, and its tanh
   AlignedArray<T> fDmixed, fZ, fRoom;       ///< room for its way back
   AlignedArray<T> fScore, fLargest, fWeight, fTotal, fAlong; ///< [L] each
   std::size_t fLengths[L] = {};
};

} // namespace TMVA_LSTM_ABI
} // namespace tmva_lstm
