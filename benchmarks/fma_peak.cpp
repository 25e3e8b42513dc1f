// The most floating-point operations one core does in a second, for each instruction set: independent chains of fused
// multiply-adds in registers, nothing else. Compiled by peak.py into a shared library.
#include <cstddef>
#include <ctime>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace {

constexpr int kRepeats = 1000;

/// Processor time of this thread: what else runs on the core does not count.
double processor_seconds()
{
   timespec now;
   clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
   return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

/// Runs `chains()` (kRepeats times through all chains) until the time is over; operations a second.
template <class Chains>
double rate(Chains chains, double flops_a_call, double seconds)
{
   chains(); // to full clock rate
   const double begin = processor_seconds();
   std::size_t calls = 0;
   double elapsed = 0;
   do {
      for (int n = 0; n < 20; ++n)
         chains();
      calls += 20;
      elapsed = processor_seconds() - begin;
   } while (elapsed < seconds);
   return static_cast<double>(calls) * flops_a_call / elapsed;
}

// x <- x * a + b with a < 1 stays finite and normal. More chains than latency times units: 4 x 2 on today's cores.
// The empty asm makes the compiler keep each of them in a register and in place.

#if defined(__x86_64__)
// Twelve chains, and a and b, are the sixteen registers of SSE and AVX2 less two; AVX-512 has thirty-two.
__attribute__((target("sse2"))) void chains_sse2()
{
   __m128 x[12];
   const __m128 a = _mm_set1_ps(0.5f), b = _mm_set1_ps(1.f);
   for (auto &each : x)
      each = b;
   for (int n = 0; n < kRepeats; ++n) {
#pragma GCC unroll 12
      for (int k = 0; k < 12; ++k) {
         x[k] = _mm_add_ps(_mm_mul_ps(x[k], a), b);
         asm volatile("" : "+x"(x[k]));
      }
   }
}

__attribute__((target("avx2,fma"))) void chains_avx2()
{
   __m256 x[12];
   const __m256 a = _mm256_set1_ps(0.5f), b = _mm256_set1_ps(1.f);
   for (auto &each : x)
      each = b;
   for (int n = 0; n < kRepeats; ++n) {
#pragma GCC unroll 12
      for (int k = 0; k < 12; ++k) {
         x[k] = _mm256_fmadd_ps(x[k], a, b);
         asm volatile("" : "+x"(x[k]));
      }
   }
}

__attribute__((target("avx512f"))) void chains_avx512()
{
   __m512 x[24];
   const __m512 a = _mm512_set1_ps(0.5f), b = _mm512_set1_ps(1.f);
   for (auto &each : x)
      each = b;
   for (int n = 0; n < kRepeats; ++n) {
#pragma GCC unroll 24
      for (int k = 0; k < 24; ++k) {
         x[k] = _mm512_fmadd_ps(x[k], a, b);
         asm volatile("" : "+v"(x[k]));
      }
   }
}
#elif defined(__aarch64__)
void chains_neon()
{
   float32x4_t x[24];
   const float32x4_t a = vdupq_n_f32(0.5f), b = vdupq_n_f32(1.f);
   for (auto &each : x)
      each = b;
   for (int n = 0; n < kRepeats; ++n) {
#pragma GCC unroll 24
      for (int k = 0; k < 24; ++k) {
         x[k] = vfmaq_f32(b, x[k], a);
         asm volatile("" : "+w"(x[k]));
      }
   }
}
#endif

} // namespace

/// Floating-point operations a second of the instruction set number `which`, measured for some seconds; 0 where this processor
/// has it not, -1 where there is no such number. 0: SSE2 (no fused multiply-add), 1: AVX2, 2: AVX-512, 3: NEON.
extern "C" double peak_flops(int which, double seconds)
{
#if defined(__x86_64__)
   __builtin_cpu_init();
   switch (which) {
   case 0: return rate(chains_sse2, 2. * kRepeats * 12 * 4, seconds);
   case 1:
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")
                ? rate(chains_avx2, 2. * kRepeats * 12 * 8, seconds)
                : 0;
   case 2: return __builtin_cpu_supports("avx512f") ? rate(chains_avx512, 2. * kRepeats * 24 * 16, seconds) : 0;
   case 3: return 0;
   default: return -1;
   }
#elif defined(__aarch64__)
   return which < 0 || which > 3 ? -1 : which == 3 ? rate(chains_neon, 2. * kRepeats * 24 * 4, seconds) : 0;
#else
   (void)seconds;
   return which < 0 || which > 3 ? -1 : 0;
#endif
}
