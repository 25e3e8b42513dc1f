/// \file
/// Dense layers over a block of events: y = activation(W x + b), forward and backward.
///
/// Arrays of a block have the lane as their last index: x [inputs][L], y [width][L].
#pragma once

#include "aligned.h"
#include "kernels.h"

#include <string>
#include <vector>

namespace tmva_lstm {
inline namespace TMVA_LSTM_ABI {

/// TMVA's activation functions. Tanh and FastTanh are the same here; SymmetricRelu is |x|, Gauss exp(-x^2).
enum class Activation { Linear, Relu, Tanh, FastTanh, SymmetricRelu, SoftSign, Sigmoid, Gauss };

/// The name TMVA has for it ("LINEAR", "RELU", "TANH", "FTANH", "SYMMRELU", "SOFTSIGN", "SIGMOID", "GAUSS").
const char *activation_name(Activation activation);
/// The inverse; throws ArgumentError with the names there are.
Activation activation_from_name(const std::string &name);
/// All names, in the order of the enumeration.
const std::vector<std::string> &activation_names();

/// A hidden layer as it is asked for.
struct DenseSpec {
   std::size_t width = 0;
   Activation activation = Activation::Tanh;
   bool operator==(const DenseSpec &other) const { return width == other.width && activation == other.activation; }
};

/// Sizes of a layer.
struct DenseShape {
   std::size_t inputs = 0, width = 0;
   std::size_t parameters() const { return width * (inputs + 1); }
   /// Rows of the gradient panel, filled up for the kernels.
   std::size_t panel_rows() const { return round_up(width, 4); }
   /// Columns of the gradient panel [x | 1 | zeros].
   template <class T>
   std::size_t columns() const
   {
      return round_up(inputs + 1, kColumns<T>);
   }
};

/// One layer, its weights rearranged for the kernels; shared by all threads.
template <class T>
class DenseLayer {
public:
   DenseLayer(DenseShape shape, Activation activation) : fShape(shape), fActivation(activation) {}

   const DenseShape &shape() const { return fShape; }

   /// Takes over W (width x inputs, row-major) and b (width).
   void pack(const T *W, const T *b);

   /// pre = W x + b, y = activation(pre). `pre` and `y` have room for panel_rows() rows.
   void forward(const T *x, T *pre, T *y, std::size_t n_lanes) const;

   /// From dy to dx and the parameters. `dy` [panel_rows()][L] is turned into the gradient of the pre-activations in place, its
   /// rows beyond `width` into zeros; `z` is room for [L][columns()]; `dpanel` [panel_rows()][columns()] is added into; dx
   /// [inputs][L] is written unless null.
   void backward(const T *x, const T *pre, const T *y, T *dy, T *dx, T *z, T *dpanel, std::size_t n_lanes) const;

   /// Writes the panel into dW (width x inputs) and db (width).
   void unpack(const T *dpanel, T *dW, T *db) const;

private:
   DenseShape fShape;
   Activation fActivation;
   const Kernels<T> *fKernels = nullptr;
   AlignedArray<T> fForward, fBackward, fTransposed;
   std::vector<T> fBias;
};

} // namespace TMVA_LSTM_ABI
} // namespace tmva_lstm
