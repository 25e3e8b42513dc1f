/// \file
/// Where the steps of a block are cut when the activations of all of them do not fit into memory.
///
/// The forward pass then keeps the state at the begin of each segment, a checkpoint, and the activations of the last segment
/// alone; on the way back those of each other segment are computed once more from its checkpoint (T. Chen et al.,
/// arXiv:1604.06174). At most one further forward pass buys memory that goes with the square root of the length. Layers that go
/// through time in both directions need all steps at once and cannot be cut.
#pragma once

#include "recurrent_stack.h"

namespace tmva_lstm {
inline namespace TMVA_LSTM_ABI {

/// The segments of one block. All but the first have the same number of steps, a multiple of kChunk: backward() counts its
/// chunks of equation (9) from the end, so they stay the same steps in the same order, and the sums the same to the bit.
template <class T>
class Segments {
public:
   /// Cuts `steps` steps so that no more than `bytes` are taken: not at all if that will do; else into the fewest segments, as
   /// long as there is room for, since the last one is not computed twice. Throws MemoryError when no cut will do.
   Segments(const StackShape &shape, std::size_t steps, std::size_t bytes);
   Segments() = default;

   std::size_t count() const { return fCount; }
   /// Steps of the longest segment, which the last one is.
   std::size_t longest_segment() const { return fCount == 1 ? fSteps : fLength; }
   /// Steps [begin, end) of a segment.
   std::size_t begin(std::size_t segment) const { return segment == 0 ? 0 : end(segment - 1); }
   std::size_t end(std::size_t segment) const { return fSteps - (fCount - 1 - segment) * fLength; }

   /// Steps of the longest block that can be cut so that `bytes` will do.
   static std::size_t longest(const StackShape &shape, std::size_t bytes);
   /// The fewest bytes with which a block of so many steps can be worked on.
   static std::size_t least_bytes(const StackShape &shape, std::size_t steps);

private:
   std::size_t fSteps = 0;
   std::size_t fCount = 1;
   std::size_t fLength = 0; ///< steps of a segment but the first
};

} // namespace TMVA_LSTM_ABI
} // namespace tmva_lstm
