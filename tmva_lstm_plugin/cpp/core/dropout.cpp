#include "dropout.h"

#include "random.h"

namespace tmva_lstm {
inline namespace TMVA_LSTM_ABI {

template <class T>
void draw_factors(const DropDraw &draw, double rate, std::size_t first, std::size_t rows, std::size_t all,
                  const std::int64_t *positions, std::size_t n_lanes, T *factors)
{
   constexpr std::size_t L = kLanes<T>;
   const RandomStream random(draw.seed, Purpose::Dropout, draw.step);
   const auto dropped_below = static_cast<std::uint64_t>(rate * 0x1p32); // of 2^32 values
   const T kept = static_cast<T>(1 / (1 - rate));
   const std::uint64_t blocks = (all + 3) / 4; // each gives four draws
   for (std::size_t lane = 0; lane < n_lanes; ++lane) {
      const std::uint64_t base = static_cast<std::uint64_t>(positions[lane]) * blocks;
      std::array<std::uint32_t, 4> words{};
      for (std::size_t row = 0; row < rows; ++row) {
         const std::size_t number = first + row;
         if (row == 0 || number % 4 == 0)
            words = random.words(base + number / 4);
         factors[row * L + lane] = words[number % 4] < dropped_below ? T(0) : kept;
      }
   }
   for (std::size_t row = 0; row < rows; ++row) // lanes not in use stay finite
      for (std::size_t lane = n_lanes; lane < L; ++lane)
         factors[row * L + lane] = 0;
}

template void draw_factors(const DropDraw &, double, std::size_t, std::size_t, std::size_t, const std::int64_t *, std::size_t,
                           float *);
template void draw_factors(const DropDraw &, double, std::size_t, std::size_t, std::size_t, const std::int64_t *, std::size_t,
                           double *);

} // namespace TMVA_LSTM_ABI
} // namespace tmva_lstm
