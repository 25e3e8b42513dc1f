#include "aligned.h"

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace tmva_lstm {
inline namespace TMVA_LSTM_ABI {
namespace {

constexpr std::size_t kLargePage = std::size_t(1) << 21;

bool is_large(std::size_t bytes)
{
   return bytes >= 2 * kLargePage;
}

std::align_val_t alignment(std::size_t bytes)
{
   return std::align_val_t{is_large(bytes) ? kLargePage : kAlignment};
}

} // namespace

void *allocate_aligned(std::size_t bytes)
{
   void *memory = ::operator new(bytes, alignment(bytes));
#ifdef __linux__
   // The steps of a long block are gone through from one end to the other: on pages of 4 kB each step begins dozens of them. A wish
   // only, and for whole pages, so that no more memory is taken than was asked for.
   if (is_large(bytes))
      madvise(memory, bytes / kLargePage * kLargePage, MADV_HUGEPAGE);
#endif
   return memory;
}

void free_aligned(void *memory, std::size_t bytes)
{
   ::operator delete(memory, alignment(bytes));
}

} // namespace TMVA_LSTM_ABI
} // namespace tmva_lstm
