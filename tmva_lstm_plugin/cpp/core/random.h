/// \file
/// Random numbers that are a function of what they are for, not of who asks first.
///
/// Philox4x32-10 (J. K. Salmon et al., Parallel random numbers: as easy as 1, 2, 3, SC'11): a bijection of a 128-bit counter
/// under a 64-bit key. The key is the seed, the counter holds (purpose, epoch, index), so that a draw depends neither on the
/// thread nor on the order in which draws are made.
#pragma once

#include "namespace.h"

#include <array>
#include <cstddef>
#include <cstdint>

namespace tmva_lstm {
inline namespace TMVA_LSTM_ABI {

/// What a draw is for; streams of different purposes are independent.
enum class Purpose : std::uint32_t { Initialise = 1, Shuffle = 2, Validation = 3, ChunkOrder = 4, Dropout = 5 };

/// The 128 random bits of one counter value.
std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key);

/// Independent draws for one purpose and epoch.
class RandomStream {
public:
   RandomStream(std::uint64_t seed, Purpose purpose, std::uint32_t epoch = 0);

   /// 128 random bits for this index.
   std::array<std::uint32_t, 4> words(std::uint64_t index) const;
   /// 64 random bits for this index, the first of these.
   std::uint64_t bits(std::uint64_t index) const;
   /// Uniform in [0, 1), 53 bits.
   double uniform(std::uint64_t index) const { return static_cast<double>(bits(index) >> 11) * 0x1p-53; }
   /// Puts `data` into a random order (R. A. Fisher, F. Yates; draw n decides between n + 1 places).
   void shuffle(std::int64_t *data, std::size_t count) const;

private:
   std::array<std::uint32_t, 2> fKey;
   std::uint32_t fPurpose, fEpoch;
};

} // namespace TMVA_LSTM_ABI
} // namespace tmva_lstm
