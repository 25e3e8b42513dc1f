/// \file
/// Which kernels this processor runs.
#include "error.h"
#include "kernels.h"

#include <cstdlib>
#include <cstring>
#include <string>
#include <type_traits>

namespace tmva_lstm {
inline namespace TMVA_LSTM_ABI {
namespace {

struct Candidate {
   const char *name;
   bool (*supported)();
   const Kernels<float> *(*f32)();
   const Kernels<double> *(*f64)();
};

bool always()
{
   return true;
}

#ifdef TMVA_LSTM_X86_KERNELS
bool has_avx2()
{
   return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

bool has_avx512()
{
   return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
          __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
#endif

constexpr Candidate kCandidates[] = {
   {"plain", always, plain_kernels_f32, plain_kernels_f64},
   {"baseline", always, baseline_kernels_f32, baseline_kernels_f64},
#ifdef TMVA_LSTM_X86_KERNELS
   {"avx2", has_avx2, avx2_kernels_f32, avx2_kernels_f64},
   {"avx512", has_avx512, avx512_kernels_f32, avx512_kernels_f64},
#endif
};
constexpr std::size_t kCount = sizeof kCandidates / sizeof kCandidates[0];

const Candidate &choose()
{
   const char *wanted = std::getenv("TMVA_LSTM_ISA");
   if (!wanted || !*wanted) {
      const Candidate *widest = kCandidates;
      for (const Candidate &candidate : kCandidates)
         if (candidate.supported())
            widest = &candidate;
      return *widest;
   }
   for (const Candidate &candidate : kCandidates)
      if (std::strcmp(candidate.name, wanted) == 0 && candidate.supported())
         return candidate;
   std::string runnable;
   for (const Candidate &candidate : kCandidates)
      if (candidate.supported())
         runnable += (runnable.empty() ? "" : ", ") + std::string(candidate.name);
   throw ArgumentError("environment variable TMVA_LSTM_ISA is '" + std::string(wanted) +
                       "', which this processor or build does not have; it can be one of: " + runnable);
}

} // namespace

template <class T>
const Kernels<T> &kernels()
{
   // asked for at every layer's construction, so that a test can switch by the environment within one process
   const Candidate &chosen = choose();
   if constexpr (std::is_same_v<T, float>)
      return *chosen.f32();
   else
      return *chosen.f64();
}

template const Kernels<float> &kernels<float>();
template const Kernels<double> &kernels<double>();

const char *const *available_kernels(std::size_t &count)
{
   static const char *names[kCount];
   count = 0;
   for (const Candidate &candidate : kCandidates)
      if (candidate.supported())
         names[count++] = candidate.name;
   return names;
}

} // namespace TMVA_LSTM_ABI
} // namespace tmva_lstm
