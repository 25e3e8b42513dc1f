#include "figures.h"

#include "error.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <vector>

namespace tmva_lstm {
inline namespace TMVA_LSTM_ABI {

namespace {

constexpr const char *kNames[] = {"loss", "auc", "accuracy"};
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

double weight_of(const JudgedEvents &events, std::size_t n)
{
   return events.weights ? events.weights[n] : 1.;
}

} // namespace

const char *monitor_name(Monitor monitor)
{
   return kNames[static_cast<int>(monitor)];
}

Monitor monitor_from_name(const std::string &name)
{
   for (int k = 0; k < 3; ++k)
      if (name == kNames[k])
         return static_cast<Monitor>(k);
   throw ArgumentError("monitor is '" + name + "', expected 'loss', 'auc' or 'accuracy'");
}

bool is_better(Monitor monitor, double value, double other)
{
   return monitor == Monitor::Loss ? value < other : value > other;
}

double worst(Monitor monitor)
{
   constexpr double kInfinity = std::numeric_limits<double>::infinity();
   return monitor == Monitor::Loss ? kInfinity : -kInfinity;
}

template <class T>
double class_auc(const T *scores, std::size_t stride, std::int32_t signal, const JudgedEvents &events)
{
   for (std::size_t n = 0; n < events.N; ++n)
      if (!(scores[n * stride] == scores[n * stride]))
         return kNaN; // what is not a number has no place in an order
   std::vector<std::size_t> order(events.N);
   std::iota(order.begin(), order.end(), std::size_t(0));
   std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return scores[a * stride] < scores[b * stride]; });
   double below = 0, of_signal = 0, area = 0; // weights of the others below the score at hand, of the signal, and their pairs
   for (std::size_t first = 0, last = 0; first < events.N; first = last) {
      double tied[2] = {0, 0}; // the others, the signal
      for (; last < events.N && !(scores[order[first] * stride] < scores[order[last] * stride]); ++last)
         tied[events.labels[order[last]] == signal] += weight_of(events, order[last]);
      area += tied[1] * (below + tied[0] / 2);
      below += tied[0];
      of_signal += tied[1];
   }
   return of_signal > 0 && below > 0 ? area / (of_signal * below) : kNaN;
}

template <class T>
double macro_auc(const T *probabilities, std::size_t classes, const JudgedEvents &events)
{
   if (classes == 2)
      return class_auc(probabilities + 1, 2, 1, events);
   double sum = 0;
   for (std::size_t k = 0; k < classes; ++k)
      sum += class_auc(probabilities + k, classes, static_cast<std::int32_t>(k), events);
   return sum / static_cast<double>(classes);
}

template <class T>
double accuracy(const T *probabilities, std::size_t classes, const JudgedEvents &events)
{
   double right = 0, all = 0;
   for (std::size_t n = 0; n < events.N; ++n) {
      const T *row = probabilities + n * classes;
      const double weight = weight_of(events, n);
      all += weight;
      if (std::max_element(row, row + classes) - row == events.labels[n])
         right += weight;
   }
   return all > 0 ? right / all : kNaN;
}

template double class_auc(const float *, std::size_t, std::int32_t, const JudgedEvents &);
template double class_auc(const double *, std::size_t, std::int32_t, const JudgedEvents &);
template double macro_auc(const float *, std::size_t, const JudgedEvents &);
template double macro_auc(const double *, std::size_t, const JudgedEvents &);
template double accuracy(const float *, std::size_t, const JudgedEvents &);
template double accuracy(const double *, std::size_t, const JudgedEvents &);

} // namespace TMVA_LSTM_ABI
} // namespace tmva_lstm
