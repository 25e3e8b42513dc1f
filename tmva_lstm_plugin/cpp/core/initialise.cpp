#include "initialise.h"

#include "names.h"
#include "random.h"

#include <algorithm>
#include <cmath>

namespace tmva_lstm {
inline namespace TMVA_LSTM_ABI {

namespace {

constexpr const char *kNames[] = {"xavier uniform", "xavier", "gauss", "uniform", "identity", "zero", "orthogonal"};

/// Two uniform draws to a normal one (G. E. P. Box, M. E. Muller, Ann. Math. Statist. 29 (1958) 610).
double normal(const RandomStream &random, std::uint64_t index)
{
   constexpr double kTwoPi = 6.283185307179586476925;
   // the second draw of an index has its top bit set, which no parameter's number has
   const double radius = std::sqrt(-2 * std::log(1 - random.uniform(index)));
   return radius * std::cos(kTwoPi * random.uniform(index | std::uint64_t(1) << 63));
}

/// Weight number `at` (row-major) of a matrix rows x columns; `index` is what it draws with.
double initial_weight(Initialisation kind, std::size_t rows, std::size_t columns, std::size_t at, std::uint64_t index,
                      const RandomStream &random)
{
   const double n = static_cast<double>(columns), m = static_cast<double>(rows);
   switch (kind) {
   case Initialisation::Orthogonal: // but for the state matrices
   case Initialisation::XavierUniform: return std::sqrt(6 / (n + m)) * (2 * random.uniform(index) - 1);
   case Initialisation::Xavier: return std::sqrt(2 / (n + m)) * normal(random, index);
   case Initialisation::Gauss: return std::sqrt(2 / n) * normal(random, index);
   case Initialisation::Uniform: return std::sqrt(2 / n) * (2 * random.uniform(index) - 1);
   case Initialisation::Identity: return at / columns == at % columns ? 1 : 0;
   case Initialisation::Zero: return 0;
   }
   return 0;
}

/// An orthogonal matrix H x H, uniformly distributed: normal draws, orthogonalised row by row (Gram and Schmidt, twice over, since
/// once leaves what rounding brings in).
template <class T>
void orthogonal(std::size_t H, std::uint64_t index, const RandomStream &random, T *matrix)
{
   std::vector<double> rows(H * H);
   for (std::size_t n = 0; n < rows.size(); ++n)
      rows[n] = normal(random, index + n);
   const auto dot = [&](std::size_t a, std::size_t b) {
      double sum = 0;
      for (std::size_t k = 0; k < H; ++k)
         sum += rows[a * H + k] * rows[b * H + k];
      return sum;
   };
   for (std::size_t row = 0; row < H; ++row) {
      for (int pass = 0; pass < 2; ++pass)
         for (std::size_t other = 0; other < row; ++other) {
            const double along = dot(row, other);
            for (std::size_t k = 0; k < H; ++k)
               rows[row * H + k] -= along * rows[other * H + k];
         }
      const double norm = std::sqrt(dot(row, row));
      for (std::size_t k = 0; k < H; ++k)
         rows[row * H + k] /= norm;
   }
   std::transform(rows.begin(), rows.end(), matrix, [](double value) { return static_cast<T>(value); });
}

bool is_state_matrix(const ParameterView &view)
{
   return view.name.size() > 2 && view.name.compare(view.name.size() - 2, 2, ".U") == 0;
}

} // namespace

const char *initialisation_name(Initialisation kind)
{
   return kNames[static_cast<int>(kind)];
}

Initialisation initialisation_from_name(const std::string &name)
{
   return value_named<Initialisation>(name, kNames, "there is no initialisation '", "'; there are ");
}

template <class T>
void initialise(const NetworkShape &shape, Initialisation kind, double forget_bias, std::uint64_t seed, T *flat)
{
   const RandomStream random(seed, Purpose::Initialise);
   for (const ParameterView &view : parameter_layout(shape)) {
      T *part = flat + view.offset;
      const std::size_t count = view.rows * view.columns, rows = view.rows / view.gates;
      if (view.kind != ParameterKind::Weight)
         std::fill_n(part, count, static_cast<T>(view.kind == ParameterKind::Gain));
      else if (kind == Initialisation::Orthogonal && is_state_matrix(view))
         for (std::size_t gate = 0; gate < view.gates; ++gate)
            orthogonal(rows, view.offset + gate * rows * rows, random, part + gate * rows * rows);
      else
         for (std::size_t n = 0; n < count; ++n) // the gates of W and U are matrices of their own
            part[n] = static_cast<T>(
               initial_weight(kind, rows, view.columns, n % (rows * view.columns), view.offset + n, random));
      const bool recurrent = view.kind == ParameterKind::Bias && view.gates > 1;
      if (recurrent && shape.cell.kind == CellKind::Lstm) {
         const std::size_t forget = shape.cell.coupled ? 0 : rows;
         std::fill_n(part + forget, rows, static_cast<T>(shape.cell.coupled ? -forget_bias : forget_bias));
      }
   }
}

template void initialise(const NetworkShape &, Initialisation, double, std::uint64_t, float *);
template void initialise(const NetworkShape &, Initialisation, double, std::uint64_t, double *);

} // namespace TMVA_LSTM_ABI
} // namespace tmva_lstm
