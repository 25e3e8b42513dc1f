// What one core does at best, for each instruction set. Operations: independent chains of fused multiply-adds in registers,
// nothing else. Bytes: an array read over and over, each number of it once a turn, as the weights are at each step of an event
// that comes alone. Compiled by peak.py into a shared library.
#include <cstddef>
#include <ctime>
#include <vector>

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

// x <- x * a + b with a < 1 stays finite and normal. There are more chains than latency times units (4 x 2 on today's cores), each
// in a variable of its own: an array of them would be kept in memory. The empty asm makes the compiler do every operation.
#define TWELVE(F) F(0) F(1) F(2) F(3) F(4) F(5) F(6) F(7) F(8) F(9) F(10) F(11)
#define DECLARE(k) auto x##k = b;
#define CHAINS(STEP)                     \
   TWELVE(DECLARE)                       \
   for (int n = 0; n < kRepeats; ++n) {  \
      TWELVE(STEP)                       \
   }

constexpr double kFlops = 2. * kRepeats * 12; // of one lane

#if defined(__x86_64__)
// Twelve chains, a and b: fourteen of the sixteen registers.
#define STEP_SSE2(k)                          \
   x##k = _mm_add_ps(_mm_mul_ps(x##k, a), b); \
   asm volatile("" : "+x"(x##k));
__attribute__((target("sse2"))) void chains_sse2()
{
   const __m128 a = _mm_set1_ps(0.5f), b = _mm_set1_ps(1.f);
   CHAINS(STEP_SSE2)
}

#define STEP_AVX2(k)                     \
   x##k = _mm256_fmadd_ps(x##k, a, b);   \
   asm volatile("" : "+x"(x##k));
__attribute__((target("avx2"))) void read_avx2(const char *from, std::size_t bytes)
{
   for (std::size_t at = 0; at < bytes; at += 128) {
      const auto *p = reinterpret_cast<const __m256 *>(from + at);
      const __m256 a = p[0], b = p[1], c = p[2], d = p[3];
      asm volatile("" ::"x"(a), "x"(b), "x"(c), "x"(d));
   }
}

__attribute__((target("avx2,fma"))) void chains_avx2()
{
   const __m256 a = _mm256_set1_ps(0.5f), b = _mm256_set1_ps(1.f);
   CHAINS(STEP_AVX2)
}

#define STEP_AVX512(k)                   \
   x##k = _mm512_fmadd_ps(x##k, a, b);   \
   asm volatile("" : "+v"(x##k));
__attribute__((target("avx512f"))) void read_avx512(const char *from, std::size_t bytes)
{
   for (std::size_t at = 0; at < bytes; at += 128) {
      const auto *p = reinterpret_cast<const __m512 *>(from + at);
      const __m512 a = p[0], b = p[1];
      asm volatile("" ::"v"(a), "v"(b));
   }
}

__attribute__((target("avx512f"))) void chains_avx512()
{
   const __m512 a = _mm512_set1_ps(0.5f), b = _mm512_set1_ps(1.f);
   CHAINS(STEP_AVX512)
}
#elif defined(__aarch64__)
// Some of these have four units: twenty-four chains, of thirty-two registers.
#define TWELVE_MORE(F) F(12) F(13) F(14) F(15) F(16) F(17) F(18) F(19) F(20) F(21) F(22) F(23)
#define STEP_NEON(k)             \
   x##k = vfmaq_f32(b, x##k, a); \
   asm volatile("" : "+w"(x##k));
void chains_neon()
{
   const float32x4_t a = vdupq_n_f32(0.5f), b = vdupq_n_f32(1.f);
   TWELVE(DECLARE)
   TWELVE_MORE(DECLARE)
   for (int n = 0; n < kRepeats; ++n) {
      TWELVE(STEP_NEON)
      TWELVE_MORE(STEP_NEON)
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
   case 0: return rate(chains_sse2, kFlops * 4, seconds);
   case 1:
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")
                ? rate(chains_avx2, kFlops * 8, seconds)
                : 0;
   case 2: return __builtin_cpu_supports("avx512f") ? rate(chains_avx512, kFlops * 16, seconds) : 0;
   case 3: return 0;
   default: return -1;
   }
#elif defined(__aarch64__)
   return which < 0 || which > 3 ? -1 : which == 3 ? rate(chains_neon, 2 * kFlops * 4, seconds) : 0;
#else
   (void)seconds;
   return which < 0 || which > 3 ? -1 : 0;
#endif
}

/// Bytes a second that one core reads from an array of so many bytes, again and again, with the instruction set number `which`,
/// measured for some seconds; 0 where that is not measured.
extern "C" double read_rate(int which, std::size_t bytes, double seconds)
{
#if defined(__x86_64__)
   __builtin_cpu_init();
   const bool wide = which == 2 && __builtin_cpu_supports("avx512f");
   if (!wide && !(which == 1 && __builtin_cpu_supports("avx2")))
      return 0;
   bytes = (bytes + 127) / 128 * 128;
   std::vector<char> array(bytes + 64, 1);
   const char *from = array.data() + (64 - reinterpret_cast<std::size_t>(array.data()) % 64) % 64;
   return rate([=] { wide ? read_avx512(from, bytes) : read_avx2(from, bytes); }, static_cast<double>(bytes), seconds);
#else
   (void)which, (void)bytes, (void)seconds;
   return 0;
#endif
}
