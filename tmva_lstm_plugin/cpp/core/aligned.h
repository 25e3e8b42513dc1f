/// \file
/// An array that begins on a multiple of kAlignment bytes, keeps its memory when it shrinks, and is not initialised.
#pragma once

#include "shapes.h"

#include <cstdlib>
#include <memory>
#include <new>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace tmva_lstm {
inline namespace TMVA_LSTM_ABI {

template <class T>
class AlignedArray {
public:
   AlignedArray() = default;
   explicit AlignedArray(std::size_t size) { require(size); }

   /// Makes room for `size` numbers. What was there is lost when it has to grow.
   void require(std::size_t size)
   {
      if (size > fCapacity) {
         fData.reset(); // first, so that never both are there
         fCapacity = 0;
         fData = allocate(size);
         fCapacity = size;
      }
      fSize = size;
   }

   T *data() { return fData.get(); }
   const T *data() const { return fData.get(); }
   T &operator[](std::size_t n) { return fData.get()[n]; }
   const T &operator[](std::size_t n) const { return fData.get()[n]; }
   std::size_t size() const { return fSize; }
   std::size_t bytes() const { return fCapacity * sizeof(T); }
   void fill(T value)
   {
      for (std::size_t n = 0; n < fSize; ++n)
         fData.get()[n] = value;
   }

private:
   struct Free {
      std::size_t alignment = kAlignment;
      void operator()(T *p) const { ::operator delete(p, std::align_val_t{alignment}); }
   };
   using Memory = std::unique_ptr<T, Free>;

   /// Large arrays on large pages, where the system has such on request: the steps of a long block are gone through from one end to
   /// the other, and with pages of 4 kB each step has to find dozens of them.
   static Memory allocate(std::size_t size)
   {
      constexpr std::size_t kLargePage = std::size_t(1) << 21;
      const std::size_t bytes = size * sizeof(T), alignment = bytes < 2 * kLargePage ? kAlignment : kLargePage;
      Memory memory(static_cast<T *>(::operator new(bytes, std::align_val_t{alignment})), Free{alignment});
#ifdef __linux__
      if (alignment == kLargePage)
         madvise(memory.get(), bytes / kLargePage * kLargePage, MADV_HUGEPAGE); // a wish: nothing depends on it
#endif
      return memory;
   }

   Memory fData;
   std::size_t fSize = 0;
   std::size_t fCapacity = 0;
};

} // namespace TMVA_LSTM_ABI
} // namespace tmva_lstm
