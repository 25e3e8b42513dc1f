#include "pooling.h"

#include "names.h"

#include <algorithm>
#include <limits>

namespace tmva_lstm {
inline namespace TMVA_LSTM_ABI {

namespace {

constexpr const char *kNames[] = {"last", "mean", "max", "attention"};

} // namespace

const char *pooling_name(Pooling pooling)
{
   return kNames[static_cast<int>(pooling)];
}

Pooling pooling_from_name(const std::string &name)
{
   return value_named<Pooling>(name, kNames, "there is no pooling '", "'; there are ");
}

template <class T>
void Attention<T>::pack(const T *flat)
{
   const DenseShape shape = fLayer.shape();
   fLayer.pack(flat, flat + shape.width * shape.inputs);
   std::copy_n(flat + shape.parameters(), fV.size(), fV.data());
}

template <class T>
void Pool<T>::begin(Pooling pooling, std::size_t S, const Attention<T> *attention)
{
   fPooling = pooling;
   fS = S;
   fStep = 0;
   fAttention = attention;
   fSum.require(S * L);
   fSum.fill(T(0));
   if (pooling == Pooling::Max) {
      fWhere.require(S * L);
      fWhere.fill(0);
   }
   if (pooling != Pooling::Attention)
      return;
   const DenseShape shape = attention->layer().shape();
   for (AlignedArray<T> *each : {&fPre, &fMixed, &fDmixed})
      each->require(shape.panel_rows() * L);
   fZ.require(L * shape.template columns<T>());
   fRoom.require(S * L);
   for (AlignedArray<T> *each : {&fScore, &fLargest, &fWeight, &fTotal, &fAlong})
      each->require(L);
   fLargest.fill(-std::numeric_limits<T>::infinity());
   fTotal.fill(T(0));
}

/// fScore = v . tanh(A h + a_0).
template <class T>
void Pool<T>::score(const T *states, std::size_t n_lanes)
{
   fAttention->layer().forward(states, fPre.data(), fMixed.data(), n_lanes);
   fScore.fill(T(0));
   const T *v = fAttention->v();
   for (std::size_t m = 0; m < fAttention->layer().shape().width; ++m)
      for (std::size_t lane = 0; lane < n_lanes; ++lane)
         fScore[lane] += v[m] * fMixed[m * L + lane];
}

template <class T>
void Pool<T>::add(const T *states, std::size_t n_lanes)
{
   const std::size_t t = fStep++;
   switch (fPooling) {
   case Pooling::Last: return;
   case Pooling::Mean:
      for (std::size_t j = 0; j < fS; ++j)
         for (std::size_t lane = 0; lane < n_lanes; ++lane)
            fSum[j * L + lane] += states[j * L + lane];
      return;
   case Pooling::Max:
      for (std::size_t j = 0; j < fS; ++j)
         for (std::size_t lane = 0; lane < n_lanes; ++lane) {
            const std::size_t at = j * L + lane;
            if (t == 0 || states[at] > fSum[at]) {
               fSum[at] = states[at];
               fWhere[at] = static_cast<std::uint32_t>(t);
            }
         }
      return;
   case Pooling::Attention: break;
   }
   score(states, n_lanes);
   alignas(kAlignment) T shrink[L];
   for (std::size_t lane = 0; lane < n_lanes; ++lane) {
      const T largest = std::max(fLargest[lane], fScore[lane]);
      shrink[lane] = fLargest[lane] - largest; // -infinity at the first step
      fWeight[lane] = fScore[lane] - largest;
      fLargest[lane] = largest;
   }
   const Kernels<T> &kernels = tmva_lstm::kernels<T>();
   kernels.exp(fWeight.data(), fWeight.data(), n_lanes);
   if (t == 0)
      std::fill_n(shrink, L, T(0));
   else
      kernels.exp(shrink, shrink, n_lanes);
   for (std::size_t lane = 0; lane < n_lanes; ++lane)
      fTotal[lane] = fTotal[lane] * shrink[lane] + fWeight[lane];
   for (std::size_t j = 0; j < fS; ++j)
      for (std::size_t lane = 0; lane < n_lanes; ++lane) {
         const std::size_t at = j * L + lane;
         fSum[at] = fSum[at] * shrink[lane] + fWeight[lane] * states[at];
      }
}

template <class T>
void Pool<T>::finish(const std::size_t *lengths, std::size_t n_lanes, T *pooled)
{
   std::copy_n(lengths, n_lanes, fLengths);
   std::fill_n(pooled, fS * L, T(0));
   for (std::size_t j = 0; j < fS; ++j)
      for (std::size_t lane = 0; lane < n_lanes; ++lane) {
         if (lengths[lane] == 0)
            continue;
         const std::size_t at = j * L + lane;
         switch (fPooling) {
         case Pooling::Mean: pooled[at] = fSum[at] / static_cast<T>(lengths[lane]); break;
         case Pooling::Attention: pooled[at] = fSum[at] / fTotal[lane]; break;
         default: pooled[at] = fSum[at];
         }
         fSum[at] = pooled[at];
      }
}

template <class T>
void Pool<T>::backward(std::size_t t, T *states, const T *dpooled, std::size_t n_lanes, T *panel, T *dv)
{
   switch (fPooling) {
   case Pooling::Last: return;
   case Pooling::Mean:
      for (std::size_t j = 0; j < fS; ++j)
         for (std::size_t lane = 0; lane < n_lanes; ++lane)
            states[j * L + lane] = dpooled[j * L + lane] / static_cast<T>(fLengths[lane]);
      return;
   case Pooling::Max:
      for (std::size_t j = 0; j < fS; ++j)
         for (std::size_t lane = 0; lane < n_lanes; ++lane)
            states[j * L + lane] = fWhere[j * L + lane] == t ? dpooled[j * L + lane] : T(0);
      return;
   case Pooling::Attention: break;
   }
   // the weight of the step, and what reaches its score: weight * dpooled . (h_t - pooled)
   score(states, n_lanes);
   for (std::size_t lane = 0; lane < n_lanes; ++lane) {
      fWeight[lane] = fScore[lane] - fLargest[lane];
      fAlong[lane] = 0;
   }
   tmva_lstm::kernels<T>().exp(fWeight.data(), fWeight.data(), n_lanes);
   for (std::size_t lane = 0; lane < n_lanes; ++lane)
      fWeight[lane] /= fTotal[lane];
   for (std::size_t j = 0; j < fS; ++j)
      for (std::size_t lane = 0; lane < n_lanes; ++lane) {
         const std::size_t at = j * L + lane;
         fAlong[lane] += dpooled[at] * (states[at] - fSum[at]);
      }
   for (std::size_t lane = 0; lane < n_lanes; ++lane)
      fAlong[lane] *= fWeight[lane];
   const DenseLayer<T> &layer = fAttention->layer();
   const T *v = fAttention->v();
   for (std::size_t m = 0; m < layer.shape().width; ++m) {
      T sum = 0;
      for (std::size_t lane = 0; lane < n_lanes; ++lane) {
         sum += fAlong[lane] * fMixed[m * L + lane];
         fDmixed[m * L + lane] = fAlong[lane] * v[m];
      }
      dv[m] += sum;
   }
   layer.backward(states, fPre.data(), fMixed.data(), fDmixed.data(), fRoom.data(), fZ.data(), panel, n_lanes);
   for (std::size_t j = 0; j < fS; ++j)
      for (std::size_t lane = 0; lane < n_lanes; ++lane) {
         const std::size_t at = j * L + lane;
         states[at] = fWeight[lane] * dpooled[at] + fRoom[at];
      }
}

template class Attention<float>;
template class Attention<double>;
template class Pool<float>;
template class Pool<double>;

} // namespace TMVA_LSTM_ABI
} // namespace tmva_lstm
