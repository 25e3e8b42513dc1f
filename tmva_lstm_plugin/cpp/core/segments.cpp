#include "segments.h"

#include "error.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace tmva_lstm {
inline namespace TMVA_LSTM_ABI {

namespace {

/// What segments of `length` steps take, in bytes: fixed + length * a_step, and a checkpoint for each but the first.
template <class T>
struct Cost {
   std::size_t fixed, a_step, checkpoint;

   explicit Cost(const StackShape &shape)
      : fixed(StackBlock<T>::bytes(shape, 0)), a_step(StackBlock<T>::bytes(shape, 1) - fixed), checkpoint(0)
   {
      for (std::size_t n = 0; n < shape.parts(); ++n)
         checkpoint += sizeof(T) * kLanes<T> * 2 * shape.part(n).H;
   }
   /// Steps that fit beside `checkpoints` checkpoints.
   std::size_t steps_within(std::size_t bytes, std::size_t checkpoints) const
   {
      const std::size_t others = fixed + checkpoints * checkpoint;
      return bytes < others ? 0 : (bytes - others) / a_step;
   }
};

/// Calls f(length) for the lengths of segments, multiples of kChunk, among which the best is, `about` being the best if counts
/// of segments were not whole. With a step a, a checkpoint k <= a / 3.5 and s steps to a segment, N steps take a s + k N / s, to
/// within k for the rounding; that is a (s - s0)^2 / s above its minimum at s0. So the best s is less than sqrt(s k / a) from s0,
/// and as near to it when N is sought for given bytes: in chunks, less than the root of their number and one for s0's own rounding.
template <class T, class F>
void for_each_length_about(std::size_t about, F f)
{
   const std::size_t middle = about / kChunk<T>;
   const std::size_t width = static_cast<std::size_t>(std::sqrt(static_cast<double>(middle))) + 2;
   for (std::size_t chunks = middle > width ? middle - width : 1; chunks <= middle + width; ++chunks)
      f(chunks * kChunk<T>);
}

} // namespace

template <class T>
Segments<T>::Segments(const StackShape &shape, std::size_t steps, std::size_t bytes) : fSteps(steps)
{
   const Cost<T> cost(shape);
   if (steps == 0 || steps <= cost.steps_within(bytes, 0))
      return;
   if (shape.bidirectional)
      throw MemoryError("a block of " + std::to_string(steps) + " steps takes " +
                        std::to_string(least_bytes(shape, steps)) + " bytes in layers of both directions, which cannot be cut; " +
                        std::to_string(bytes) + " are allowed");
   do {
      fLength = cost.steps_within(bytes, fCount) / kChunk<T> * kChunk<T>;
      if (fLength == 0)
         throw MemoryError("a block of " + std::to_string(steps) + " steps cannot be cut so that " + std::to_string(bytes) +
                           " bytes will do; it needs at least " + std::to_string(least_bytes(shape, steps)));
      ++fCount;
   } while (fCount * fLength < steps);
}

template <class T>
std::size_t Segments<T>::longest(const StackShape &shape, std::size_t bytes)
{
   const Cost<T> cost(shape);
   std::size_t most = cost.steps_within(bytes, 0);
   if (shape.bidirectional)
      return most;
   constexpr std::size_t kNoLimit = std::size_t(1) << 40; // as good as none, and the products below stay in range
   bytes = std::min(bytes, kNoLimit);
   // the longest sequence has half of the memory in checkpoints
   for_each_length_about<T>(cost.steps_within(bytes, 0) / 2, [&](std::size_t length) {
      if (length <= cost.steps_within(bytes, 0))
         most = std::max(most, length * (1 + (bytes - cost.fixed - length * cost.a_step) / cost.checkpoint));
   });
   return most;
}

template <class T>
std::size_t Segments<T>::least_bytes(const StackShape &shape, std::size_t steps)
{
   const Cost<T> cost(shape);
   std::size_t least = cost.fixed + steps * cost.a_step;
   if (shape.bidirectional)
      return least;
   const double ratio = static_cast<double>(cost.checkpoint) / static_cast<double>(cost.a_step);
   for_each_length_about<T>(static_cast<std::size_t>(std::sqrt(static_cast<double>(steps) * ratio)), [&](std::size_t length) {
      if (length < steps)
         least = std::min(least, cost.fixed + length * cost.a_step + (steps - 1) / length * cost.checkpoint);
   });
   return least;
}

template class Segments<float>;
template class Segments<double>;

} // namespace TMVA_LSTM_ABI
} // namespace tmva_lstm
