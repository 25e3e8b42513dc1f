/// \file
/// A small pool of threads for short parallel sections.
///
/// Work is cut into tasks by the caller; tasks are taken from a counter, so a slow or busy core takes fewer. What a task
/// computes must not depend on which thread runs it: then no result depends on the number of threads.
#pragma once

#include "namespace.h"

#include <cstddef>
#include <type_traits>

namespace tmva_lstm {
inline namespace TMVA_LSTM_ABI {

/// Processors this process may use (its CPU affinity, where the system has one), at least 1.
std::size_t usable_processors();

/// What parallel_for() runs: refers to a callable, which has to live as long. Making one takes no memory.
class TaskReference {
public:
   template <class F, class = std::enable_if_t<!std::is_same_v<std::decay_t<F>, TaskReference>>>
   TaskReference(F &&task)
      : fTask(const_cast<void *>(static_cast<const void *>(&task))),
        fCall([](void *object, std::size_t index, std::size_t thread) {
           (*static_cast<std::remove_reference_t<F> *>(object))(index, thread);
        })
   {
   }
   void operator()(std::size_t index, std::size_t thread) const { fCall(fTask, index, thread); }

private:
   void *fTask;
   void (*fCall)(void *, std::size_t, std::size_t);
};

/// Runs `task(index, thread)` for each index in [0, n_tasks) on up to `n_threads` threads, the caller among them; `thread` is
/// in [0, n_threads). Returns when all are done; the exception of the lowest index, if any, is rethrown.
///
/// Threads are kept for the next call: they look for work for 50 microseconds, then sleep. A call from a second thread while
/// one is under way, or from inside a task, runs its tasks on the calling thread alone. After a fork the child starts threads
/// of its own. Where the system refuses to start a thread, those there are do the work. Denormal numbers are flushed to zero
/// within tasks; the caller's setting is restored.
void parallel_for(std::size_t n_tasks, std::size_t n_threads, TaskReference task);

} // namespace TMVA_LSTM_ABI
} // namespace tmva_lstm
