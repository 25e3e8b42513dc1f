/// \file
/// Standardisation: from the numbers of a file to numbers of order one.
#pragma once

#include "namespace.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace tmva_lstm {
inline namespace TMVA_LSTM_ABI {

/// What one column had over the events it was fitted on.
struct ColumnSummary {
   double mean = 0;
   double deviation = 1; ///< root mean square deviation; 1 for a constant column, so that it becomes 0
   double minimum = 0;
   double maximum = 0;
};

/// Gathers the summary of columns over any number of portions. The sums run row by row in double precision, so that the
/// result depends on the order of the rows only, not on how they are cut into portions.
class SummaryFit {
public:
   explicit SummaryFit(std::size_t columns) : fColumns(columns) {}

   /// Adds `rows` rows of values (rows x columns).
   void add(const float *values, std::size_t rows);
   /// Adds the steps of the events for which `use[n]` is not 0: rows [offsets[n], offsets[n+1]) of values.
   void add(const float *values, const std::int64_t *offsets, std::size_t n_events, const std::uint8_t *use);

   std::vector<ColumnSummary> summary() const;
   std::uint64_t rows() const { return fRows; }

private:
   struct Sums {
      double pivot = 0; ///< the first value: sums of differences to it do not cancel
      double sum = 0;
      double squares = 0;
      double minimum = 0;
      double maximum = 0;
   };
   std::vector<Sums> fColumns;
   std::uint64_t fRows = 0;
};

/// What a regression learns and says: (value - mean) / scale of each target, and the way back. `values` is (rows x targets),
/// changed in place. Every door calls these two, so that all of them round alike.
void standardise_targets(float *values, std::size_t rows, const std::vector<float> &mean, const std::vector<float> &scale);
void restore_targets(float *values, std::size_t rows, const std::vector<float> &mean, const std::vector<float> &scale);

/// (value - mean) * inverse, column by column.
template <class T>
struct Standardisation {
   std::vector<T> mean;
   std::vector<T> inverse;

   /// No change: mean 0, inverse 1.
   static Standardisation identity(std::size_t columns)
   {
      return {std::vector<T>(columns, T(0)), std::vector<T>(columns, T(1))};
   }
};

} // namespace TMVA_LSTM_ABI
} // namespace tmva_lstm
