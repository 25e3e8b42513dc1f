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

/// One parallel section, on its caller's stack. Whoever has taken a task of it may look at it until that task is counted as done.
struct Section {
   const TaskReference *task = nullptr;
   std::size_t n_tasks = 0;
   std::mutex error_mutex;
   std::exception_ptr error;
   std::size_t error_index = std::numeric_limits<std::size_t>::max();

   void run(std::size_t index, std::size_t thread)
   try {
      (*task)(index, thread);
   } catch (...) {
      const std::lock_guard lock(error_mutex);
      if (index < error_index) {
         error_index = index;
         error = std::current_exception();
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

/// The caller of a section waits for its tasks, not for the threads: one that another program keeps off its processor, or that
/// wakes up late, holds up nothing as long as it has taken no task.
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

   bool try_run(Section &section, std::size_t n_threads)
   {
      if (section.n_tasks > kMostTasks || fBusy.exchange(true, std::memory_order_acquire))
         return false;
      while (fWorkers + 1 < n_threads && start_worker()) {
      }
      fSection = &section;
      fPending.store(static_cast<std::uint32_t>(section.n_tasks), std::memory_order_relaxed);
      const std::uint64_t threads = std::min<std::uint64_t>(n_threads, std::numeric_limits<std::uint32_t>::max());
      fTicket.store(threads << 32 | section.n_tasks, std::memory_order_release);
      fCalls.fetch_add(1, std::memory_order_release);
      fCalls.notify_all();
      work(0);
      wait_until(fPending, [](std::uint32_t pending) { return pending == 0; });
      fBusy.store(false, std::memory_order_release);
      return true;
   }

private:
   static constexpr std::size_t kMostTasks = std::numeric_limits<std::uint32_t>::max();

   /// Takes tasks until none is left. A task is taken by counting the ticket down in one piece with the number of threads that
   /// may help. The section is looked at only afterwards: as long as that task is pending, it is the one the ticket belongs to.
   void work(std::size_t thread)
   {
      FlushDenormals flush;
      std::uint64_t ticket = fTicket.load(std::memory_order_relaxed);
      while ((ticket & kMostTasks) && thread < ticket >> 32) {
         if (!fTicket.compare_exchange_weak(ticket, ticket - 1, std::memory_order_acquire, std::memory_order_relaxed))
            continue;
         fSection->run(fSection->n_tasks - (ticket & kMostTasks), thread);
         if (fPending.fetch_sub(1, std::memory_order_acq_rel) == 1)
            fPending.notify_all();
         ticket = fTicket.load(std::memory_order_relaxed);
      }
   }

   /// False where the system has no further thread for this process: work then goes on with those there are.
   bool start_worker()
   try {
      std::thread([this, thread = fWorkers + 1, seen = fCalls.load()]() mutable {
         for (;;) {
            wait_until(fCalls, [seen](std::uint32_t now) { return now != seen; });
            seen = fCalls.load(std::memory_order_acquire); // before the look at the ticket: a later call is not missed
            work(thread);
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
   std::atomic<std::uint64_t> fTicket{0};  ///< threads that may take tasks, and 32 bits of tasks left
   std::atomic<std::uint32_t> fPending{0}; ///< tasks not done yet
   std::atomic<std::uint32_t> fCalls{0};   ///< sections so far
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
   const std::size_t threads = std::min(n_threads, n_tasks);
   if (threads < 2 || !Pool::instance().try_run(section, threads)) {
      FlushDenormals flush;
      for (std::size_t index = 0; index < n_tasks; ++index)
         section.run(index, 0);
   }
   if (section.error)
      std::rethrow_exception(section.error);
}

} // namespace TMVA_LSTM_ABI
} // namespace tmva_lstm
