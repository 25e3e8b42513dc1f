/// \file
/// An array that begins on a multiple of kAlignment bytes, keeps its memory when it shrinks, and is not initialised.
#pragma once

#include "shapes.h"

#include <memory>
#include <new>

namespace tmva_lstm {
inline namespace TMVA_LSTM_ABI {

/// Memory that begins on a multiple of kAlignment bytes; of more than 4 MB on large pages, where the system gives such on request.
void *allocate_aligned(std::size_t bytes);
/// `bytes` as they were asked for.
void free_aligned(void *memory, std::size_t bytes);

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
         fData = {static_cast<T *>(allocate_aligned(size * sizeof(T))), Free{size * sizeof(T)}};
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
      std::size_t bytes = 0;
      void operator()(T *p) const { free_aligned(p, bytes); }
   };

   std::unique_ptr<T, Free> fData;
   std::size_t fSize = 0;
   std::size_t fCapacity = 0;
};

} // namespace TMVA_LSTM_ABI
} // namespace tmva_lstm
