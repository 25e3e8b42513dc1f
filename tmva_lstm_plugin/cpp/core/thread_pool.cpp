#include "thread_pool.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <limits>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include <unistd.h>
#ifdef __linux__
#include <sched.h>
#endif
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace tmva_lstm {
inline namespace TMVA_LSTM_ABI {
namespace {

constexpr std::chrono::microseconds kSpin{50};

void relax()
{
#if defined(__x86_64__)
   _mm_pause();
#elif defined(__aarch64__)
   asm volatile("yield");
#endif
}

/// Sets the processor to flush denormals to zero, and back: gates that saturate would otherwise cost a hundredfold.
class FlushDenormals {
public:
#if defined(__x86_64__)
   FlushDenormals() : fBefore(_mm_getcsr()) { _mm_setcsr(fBefore | 0x8040u); } // FTZ and DAZ
   ~FlushDenormals() { _mm_setcsr(fBefore); }

private:
   unsigned fBefore;
#elif defined(__aarch64__)
   FlushDenormals()
   {
      asm volatile("mrs %0, fpcr" : "=r"(fBefore));
      asm volatile("msr fpcr, %0" ::"r"(fBefore | (1ull << 24)));
   }
   ~FlushDenormals() { asm volatile("msr fpcr, %0" ::"r"(fBefore)); }

private:
   unsigned long long fBefore;
#endif
};

/// What all threads of one parallel section share.
struct Section {
   const TaskReference *task = nullptr;
   std::size_t n_tasks = 0;
   std::size_t n_threads = 0;
   std::atomic<std::size_t> next{0};
   std::mutex error_mutex;
   std::exception_ptr error;
   std::size_t error_index = std::numeric_limits<std::size_t>::max();

   void work(std::size_t thread)
   {
      FlushDenormals flush;
      for (std::size_t index; (index = next.fetch_add(1, std::memory_order_relaxed)) < n_tasks;) {
         try {
            (*task)(index, thread);
         } catch (...) {
            const std::lock_guard lock(error_mutex);
            if (index < error_index) {
               error_index = index;
               error = std::current_exception();
            }
         }
      }
   }
};

/// Waits until `done(value)`: first looking, then asleep.
template <class Done>
void wait_until(std::atomic<std::uint32_t> &value, Done done)
{
   const auto start = std::chrono::steady_clock::now();
   for (int look = 0;; ++look) {
      const std::uint32_t now = value.load(std::memory_order_acquire);
      if (done(now))
         return;
      if (look % 16 == 15 && std::chrono::steady_clock::now() - start > kSpin)
         value.wait(now, std::memory_order_acquire);
      else
         relax();
   }
}

class Pool {
public:
   /// The pool of this process: a new one after a fork, since threads do not survive it. Never destroyed: its threads sleep
   /// when the process ends, and static destruction must not wait for them.
   static Pool &instance()
   {
      static std::atomic<Pool *> current{nullptr}; // no mutex: another thread could hold it while this one forks
      Pool *pool = current.load();
      while (!pool || pool->fProcess != getpid()) {
         Pool *fresh = new Pool;
         if (current.compare_exchange_strong(pool, fresh))
            return *fresh;
         delete fresh; // another thread was first; `pool` is now its pool
      }
      return *pool;
   }

   bool try_run(Section &section)
   {
      if (fBusy.exchange(true, std::memory_order_acquire))
         return false;
      while (fWorkers + 1 < section.n_threads && start_worker()) {
      }
      fSection = &section;
      fPending.store(static_cast<std::uint32_t>(fWorkers), std::memory_order_relaxed);
      fGeneration.fetch_add(1, std::memory_order_release);
      fGeneration.notify_all();
      section.work(0);
      wait_until(fPending, [](std::uint32_t pending) { return pending == 0; });
      fSection = nullptr;
      fBusy.store(false, std::memory_order_release);
      return true;
   }

private:
   /// False where the system has no further thread for this process: work then goes on with those there are.
   bool start_worker()
   try {
      std::thread([this, thread = fWorkers + 1, seen = fGeneration.load()]() mutable {
         for (;;) {
            wait_until(fGeneration, [seen](std::uint32_t now) { return now != seen; });
            ++seen; // the caller waits for every worker, so generations cannot be missed
            if (thread < fSection->n_threads)
               fSection->work(thread);
            if (fPending.fetch_sub(1, std::memory_order_acq_rel) == 1)
               fPending.notify_all();
         }
      }).detach();
      ++fWorkers;
      return true;
   } catch (const std::exception &) { // no thread, or no memory for one
      return false;
   }

   const pid_t fProcess = getpid();
   std::atomic<bool> fBusy{false};
   std::size_t fWorkers = 0;
   Section *fSection = nullptr;
   std::atomic<std::uint32_t> fGeneration{0};
   std::atomic<std::uint32_t> fPending{0};
};

} // namespace

std::size_t usable_processors()
{
#ifdef __linux__
   cpu_set_t set;
   if (sched_getaffinity(0, sizeof set, &set) == 0)
      return static_cast<std::size_t>(std::max(1, CPU_COUNT(&set)));
#endif
   return std::max(1u, std::thread::hardware_concurrency());
}

void parallel_for(std::size_t n_tasks, std::size_t n_threads, TaskReference task)
{
   Section section;
   section.task = &task;
   section.n_tasks = n_tasks;
   section.n_threads = std::max<std::size_t>(1, std::min(n_threads, n_tasks));
   if (section.n_threads == 1 || !Pool::instance().try_run(section))
      section.work(0);
   if (section.error)
      std::rethrow_exception(section.error);
}

} // namespace TMVA_LSTM_ABI
} // namespace tmva_lstm
