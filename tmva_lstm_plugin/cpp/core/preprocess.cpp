#include "preprocess.h"

#include <algorithm>
#include <cmath>

namespace tmva_lstm {
inline namespace TMVA_LSTM_ABI {

void SummaryFit::add(const float *values, std::size_t rows)
{
   for (std::size_t row = 0; row < rows; ++row, values += fColumns.size(), ++fRows)
      for (std::size_t column = 0; column < fColumns.size(); ++column) {
         Sums &sums = fColumns[column];
         const double value = values[column];
         if (fRows == 0)
            sums = {value, 0, 0, value, value};
         const double difference = value - sums.pivot;
         sums.sum += difference;
         sums.squares += difference * difference;
         sums.minimum = std::min(sums.minimum, value);
         sums.maximum = std::max(sums.maximum, value);
      }
}

void SummaryFit::add(const float *values, const std::int64_t *offsets, std::size_t n_events, const std::uint8_t *use)
{
   for (std::size_t n = 0; n < n_events; ++n)
      if (use[n])
         add(values + static_cast<std::size_t>(offsets[n]) * fColumns.size(),
             static_cast<std::size_t>(offsets[n + 1] - offsets[n]));
}

std::vector<ColumnSummary> SummaryFit::summary() const
{
   std::vector<ColumnSummary> result;
   for (const Sums &sums : fColumns) {
      ColumnSummary column;
      if (fRows > 0) {
         const double n = static_cast<double>(fRows), shift = sums.sum / n;
         const double deviation = std::sqrt(std::max(0., sums.squares / n - shift * shift));
         const double size = std::max(std::abs(sums.minimum), std::abs(sums.maximum));
         column.mean = sums.pivot + shift;
         // a spread within the rounding of the values themselves is no spread
         column.deviation = deviation > 1e-7 * size && deviation > 0 ? deviation : 1;
         column.minimum = sums.minimum;
         column.maximum = sums.maximum;
      }
      result.push_back(column);
   }
   return result;
}

void standardise_targets(float *values, std::size_t rows, const std::vector<float> &mean, const std::vector<float> &scale)
{
   for (std::size_t n = 0; n < rows; ++n)
      for (std::size_t k = 0; k < mean.size(); ++k, ++values)
         *values = (*values - mean[k]) / scale[k];
}

void restore_targets(float *values, std::size_t rows, const std::vector<float> &mean, const std::vector<float> &scale)
{
   for (std::size_t n = 0; n < rows; ++n)
      for (std::size_t k = 0; k < mean.size(); ++k, ++values)
         *values = mean[k] + scale[k] * *values;
}

} // namespace TMVA_LSTM_ABI
} // namespace tmva_lstm
