#include "random.h"

#include <utility>

__extension__ using Wide = unsigned __int128;

namespace tmva_lstm {
inline namespace TMVA_LSTM_ABI {

std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key)
{
   for (int round = 0; round < 10; ++round) {
      const std::uint64_t a = 0xD2511F53ull * counter[0], b = 0xCD9E8D57ull * counter[2];
      counter = {static_cast<std::uint32_t>(b >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(b),
                 static_cast<std::uint32_t>(a >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(a)};
      key[0] += 0x9E3779B9u;
      key[1] += 0xBB67AE85u;
   }
   return counter;
}

RandomStream::RandomStream(std::uint64_t seed, Purpose purpose, std::uint32_t epoch)
   : fKey{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)},
     fPurpose(static_cast<std::uint32_t>(purpose)), fEpoch(epoch)
{
}

std::array<std::uint32_t, 4> RandomStream::words(std::uint64_t index) const
{
   return philox({static_cast<std::uint32_t>(index), static_cast<std::uint32_t>(index >> 32), fPurpose, fEpoch}, fKey);
}

std::uint64_t RandomStream::bits(std::uint64_t index) const
{
   const auto drawn = words(index);
   return static_cast<std::uint64_t>(drawn[1]) << 32 | drawn[0];
}

void RandomStream::shuffle(std::int64_t *data, std::size_t count) const
{
   for (std::size_t n = count; n-- > 1;) {
      // the high half of bits * (n + 1) is uniform in [0, n] up to a bias of (n + 1) / 2^64
      const auto place = static_cast<std::size_t>(static_cast<Wide>(bits(n)) * (n + 1) >> 64);
      std::swap(data[n], data[place]);
   }
}

} // namespace TMVA_LSTM_ABI
} // namespace tmva_lstm
