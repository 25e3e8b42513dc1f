/// \file
/// From a gradient to a step: the optimisers, in PyTorch's conventions, clipping by value and by norm, the moving average of the weights.
#pragma once

#include "namespace.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace tmva_lstm {
inline namespace TMVA_LSTM_ABI {

/// Adam: D. P. Kingma, J. Ba, arXiv:1412.6980. AdamW: Adam with decoupled decay, I. Loshchilov, F. Hutter, arXiv:1711.05101.
/// RmsProp: G. Hinton, lecture 6e of "Neural Networks for Machine Learning". Adagrad: J. Duchi, E. Hazan, Y. Singer, JMLR 12 (2011)
/// 2121. Adadelta: M. D. Zeiler, arXiv:1212.5701.
enum class OptimizerKind { Adam, Sgd, AdamW, RmsProp, Adagrad, Adadelta };

/// Defaults are Adam's; those of another kind come from default_options().
struct OptimizerOptions {
   OptimizerKind kind = OptimizerKind::Adam;
   double learning_rate = 1e-3;
   double momentum = 0.9;  ///< SGD: v = momentum v + gradient; p -= learning_rate v. RMSProp: the same for gradient / root
   bool nesterov = false;  ///< SGD: p -= learning_rate (gradient + momentum v)
   double beta1 = 0.9, beta2 = 0.999; ///< Adam, AdamW
   double epsilon = 1e-8;  ///< beside the root, but for Adadelta: under it
   double rho = 0.9;       ///< RMSProp, Adadelta: what the mean of the squares keeps at a step (PyTorch's alpha for RMSProp)
   double weight_decay = 0; ///< AdamW: w -= learning_rate * weight_decay * w before the step, for weights and not for biases
};

/// Of the names "adam", "sgd", "adamw", "rmsprop", "adagrad", "adadelta". Throws ArgumentError.
OptimizerKind optimizer_from_name(const std::string &name);
/// What PyTorch takes where nothing is said (but for the learning rate, and for SGD's momentum, which is 0.9 here).
OptimizerOptions default_options(OptimizerKind kind);

/// What an optimiser keeps from step to step.
template <class T>
struct OptimizerState {
   std::uint64_t steps = 0;
   std::vector<T> first;  ///< Adam: mean of the gradient; SGD, RMSProp: velocity; Adadelta: mean of the squared step
   std::vector<T> second; ///< mean of the squared gradient; Adagrad: its sum
};

/// Parameters [first, last) of the flat buffer.
using ParameterRange = std::pair<std::size_t, std::size_t>;

template <class T>
class Optimizer {
public:
   /// `weights`: the parts of the parameters that decay, in ascending order; without weight_decay it does not matter.
   Optimizer(OptimizerOptions options, std::size_t parameters, std::vector<ParameterRange> weights = {});

   const OptimizerState<T> &state() const { return fState; }
   /// Goes on from there. Throws ArgumentError if it is not of this kind of optimiser and so many parameters.
   void set_state(OptimizerState<T> state);
   /// From the next step on.
   void set_learning_rate(double rate) { fOptions.learning_rate = rate; }
   /// Begins the next step: begin_step(), then step() for each part of the parameters, by whatever thread.
   void begin_step();
   /// Moves the parameters [first, last) along `scale` times the gradient.
   void step(std::size_t first, std::size_t last, T scale, const T *gradient, T *parameters);

private:
   void decay(std::size_t first, std::size_t last, T *parameters) const;

   OptimizerOptions fOptions;
   std::vector<ParameterRange> fWeights;
   OptimizerState<T> fState;
   T fRate = 0, fInverseRoot = 1, fKeep = 1; ///< of the step under way
};

/// What to multiply the gradient with: `factor`, or less if the norm of `factor` times the gradient would exceed largest_norm > 0.
template <class T>
double clipped(const T *gradient, std::size_t count, double factor, double largest_norm);

/// Multiplies the gradient with `factor` and cuts each component to [-largest, largest].
template <class T>
void clip_values(T *gradient, std::size_t count, double factor, double largest);

/// average = decay average + (1 - decay) parameters, over [first, last).
template <class T>
void move_average(std::size_t first, std::size_t last, double decay, const T *parameters, T *average);

} // namespace TMVA_LSTM_ABI
} // namespace tmva_lstm
