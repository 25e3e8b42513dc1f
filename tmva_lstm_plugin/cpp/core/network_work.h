/// \file
/// What a network keeps while it works on a batch; for network.cpp and network_scores.cpp only.
#pragma once

#include "network.h"
#include "segments.h"

#include <memory>
#include <mutex>

namespace tmva_lstm {
inline namespace TMVA_LSTM_ABI {

/// A batch cut into blocks of like length, the longest first.
template <class T>
struct Network<T>::Blocks {
   /// Keeps its memory from batch to batch.
   void cut(const SequenceView<T> &view, const std::int64_t *batch, std::size_t n_batch);

   std::vector<std::int64_t> positions; ///< in the batch
   std::vector<std::int64_t> events;    ///< the events themselves
   std::size_t count = 0;

private:
   void sort_by_length(const SequenceView<T> &view, const std::int64_t *batch, std::size_t n_batch);

   std::vector<std::size_t> fFirst; ///< of each length, where its events begin
};

/// One thread's block.
template <class T>
struct Network<T>::Work {
   static constexpr std::size_t L = kLanes<T>;
   struct Dense {
      AlignedArray<T> pre, y, dy; ///< [panel_rows()][L]
   };

   std::size_t n_lanes = 0;
   const std::int64_t *events = nullptr;    ///< events in the lanes
   const std::int64_t *positions = nullptr; ///< their positions in the batch
   std::size_t lengths[kLanes<T>] = {};     ///< their steps, not increasing
   const T *rows[kLanes<T>] = {};           ///< their features of the current step
   AlignedArray<T> joined;                  ///< [joined()][L], input of the first dense layer
   Pool<T> pool;                            ///< where one vector is made of the states of all steps
   std::vector<Dense> dense;

   // for training
   Segments<T> segments;
   StackBlock<T> block;         ///< the steps of one segment
   AlignedArray<T> checkpoints; ///< of each segment but the first, and each layer: [2H][L], h and c at its begin
   AlignedArray<T> djoined;     ///< gradient of joined
   AlignedArray<T> panel;       ///< room for the transposed input of a dense layer
   std::vector<T> z, dz;        ///< [K], logits of an event and their gradient

   // for scores alone, of each layer
   struct Layer {
      AlignedArray<T> inputs[2]; ///< [D+H][L], of this step and the next; of a single event [D] and [P] of each
      AlignedArray<T> cells;     ///< [H][L]; of a single event [P]
      AlignedArray<T> room;      ///< [rows() + H][L], of cells other than the plain LSTM
   };
   std::vector<Layer> layers;
   AlignedArray<T> states, normalised; ///< [states()][L] of the step: what goes on, and room for normalise()
   AlignedArray<T> inverse;            ///< [L]
   const std::size_t *rows_before = nullptr; ///< of each position in the batch, where every step has outputs: its first row
   AlignedArray<T> sequences[2]; ///< of a single event in both directions: input and output of a layer at all steps

   /// Output k of lane e stands at outputs()[k * L + e].
   T *outputs() { return dense.back().y.data(); }
   /// States at the begin of a segment (from 1): of each layer h [H][L], then c [H][L].
   T *checkpoint(std::size_t segment, const StackShape &shape);
   void take(const SequenceView<T> &view, const Blocks &of, std::size_t block);
   /// Cuts the block that was taken, and makes room for its checkpoints.
   void cut(const StackShape &shape, std::size_t bytes);
};

/// One gradient sum.
template <class T>
struct Network<T>::Slot {
   std::vector<AlignedArray<T>> panels; ///< of each recurrent layer and direction [panel_rows()][C], see LayerShape::columns
   std::vector<T *> panel_pointers;     ///< to these
   AlignedArray<T> norms;               ///< see StackShape::norm_parameters
   AlignedArray<T> attention, v;        ///< the attention's panel, and the gradient of its v
   std::vector<AlignedArray<T>> dense; ///< see DenseLayer::backward
   LossSum sum;
};

/// One who looks at a block at work, segment by segment: the steps from `first` on.
template <class T>
struct Network<T>::Watch {
   virtual ~Watch() = default;
   virtual void after_forward(Work &work, std::size_t first) = 0;
   /// What backward() is asked for of each part of the stack, see there.
   virtual const LayerGradient<T> *before_backward(Work &work) = 0;
   virtual void after_backward(Work &work, std::size_t first) = 0;
};

/// Memory for scoring, kept from call to call; several threads may ask at once.
template <class T>
struct Network<T>::ScoringRooms {
   /// Of one call.
   struct Room {
      Blocks blocks;
      std::vector<std::size_t> rows_before; ///< see Work
      std::vector<Work> work; ///< of each thread
   };

   std::unique_ptr<Room> take()
   {
      const std::lock_guard lock(mutex);
      if (idle.empty())
         return std::make_unique<Room>();
      std::unique_ptr<Room> room = std::move(idle.back());
      idle.pop_back();
      return room;
   }
   void give_back(std::unique_ptr<Room> room)
   {
      const std::lock_guard lock(mutex);
      idle.push_back(std::move(room));
   }

   std::mutex mutex;
   std::vector<std::unique_ptr<Room>> idle;
};

} // namespace TMVA_LSTM_ABI
} // namespace tmva_lstm
