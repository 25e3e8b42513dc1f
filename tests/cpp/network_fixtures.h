/// \file
/// Networks, parameters and jagged events drawn at random, for the tests of networks.
#pragma once

#include "check.h"

#include "core/network.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

namespace tmva_lstm {

inline NetworkShape make_shape(std::size_t D, std::size_t E, std::size_t H, std::size_t K, std::size_t flat_steps = 0,
                               std::vector<DenseSpec> dense = {}, Loss loss = Loss::CrossEntropy)
{
   NetworkShape s;
   s.D = D;
   s.E = E;
   s.H = H;
   s.K = K;
   s.flat_steps = flat_steps;
   s.dense = std::move(dense);
   s.loss = loss;
   return s;
}

/// With further LSTM layers below, and in both directions of time if asked for.
inline NetworkShape stacked(std::vector<std::size_t> lower, NetworkShape s, bool bidirectional = false)
{
   s.lower = std::move(lower);
   s.bidirectional = bidirectional;
   return s;
}

/// With something else changed.
template <class F>
NetworkShape changed(NetworkShape s, F change)
{
   change(s);
   return s;
}

inline NetworkShape with_cell(CellKind kind, NetworkShape s, bool peepholes = false, bool coupled = false)
{
   s.cell = {kind, peepholes, coupled};
   return s;
}

/// The GRU whose reset gate stands before the product.
inline NetworkShape reset_before(NetworkShape s)
{
   s.cell = {CellKind::Gru};
   s.cell.reset_before = true;
   return s;
}

inline NetworkShape pooled(Pooling pooling, NetworkShape s)
{
   s.pooling = pooling;
   return s;
}

inline NetworkShape normalised(NetworkShape s)
{
   s.layer_norm = true;
   return s;
}

inline NetworkShape of_every_step(NetworkShape s)
{
   s.every_step = true;
   return s;
}

template <class T>
struct Events {
   std::vector<T> values, event_values, targets;
   std::vector<std::int64_t> offsets{0};
   std::vector<std::int32_t> labels;
   std::vector<double> weights;
   NetworkShape shape;

   /// Lengths up to `longest`; that one, 0 and 1 come first.
   Events(const NetworkShape &s, std::size_t N, std::size_t longest, unsigned seed) : shape(s)
   {
      if (s.flat_steps)
         longest = std::min(longest, s.flat_steps);
      draw(N, seed, [&](std::size_t n, std::mt19937 &random) {
         return n == 0 ? longest : n < 3 ? std::min(n - 1, longest) : random() % (longest + 1);
      });
   }

   /// These lengths.
   Events(const NetworkShape &s, const std::vector<std::size_t> &lengths, unsigned seed) : shape(s)
   {
      draw(lengths.size(), seed, [&](std::size_t n, std::mt19937 &) { return lengths[n]; });
   }

   template <class LengthOf>
   void draw(std::size_t N, unsigned seed, LengthOf length_of)
   {
      const NetworkShape &s = shape;
      std::mt19937 random(seed);
      std::normal_distribution<double> normal;
      for (std::size_t n = 0; n < N; ++n) {
         const std::size_t length = length_of(n, random);
         offsets.push_back(offsets.back() + static_cast<std::int64_t>(length));
         for (std::size_t row = 0; row < (s.every_step ? length : 1); ++row)
            labels.push_back(s.every_step && random() % 4 == 0 ? -1 : static_cast<std::int32_t>(random() % s.classes()));
         weights.push_back(n % 5 == 3 ? 0 : normal(random) + 0.5);
      }
      const auto steps = static_cast<std::size_t>(offsets.back());
      for (std::size_t n = 0; n < steps * s.D; ++n)
         values.push_back(static_cast<T>(normal(random)));
      for (std::size_t n = 0; n < N * s.E; ++n)
         event_values.push_back(static_cast<T>(normal(random)));
      if (s.loss == Loss::MeanSquaredError)
         for (std::size_t n = 0; n < labels.size() * s.K; ++n)
            targets.push_back(labels[n / s.K] < 0 ? std::numeric_limits<T>::quiet_NaN() : static_cast<T>(normal(random)));
   }

   LabelledView<T> view() const
   {
      LabelledView<T> view;
      view.values = values.data();
      view.offsets = offsets.data();
      view.event_values = event_values.data();
      view.N = weights.size();
      view.D = shape.D;
      view.E = shape.E;
      view.labels = targets.empty() ? labels.data() : nullptr;
      view.targets = targets.empty() ? nullptr : targets.data();
      view.weights = weights.data();
      return view;
   }
};

template <class T>
Network<T> make_network(const NetworkShape &s)
{
   return {s, Standardisation<T>::identity(s.D), Standardisation<T>::identity(s.E)};
}

template <class T>
std::vector<T> random_parameters(const NetworkShape &s, unsigned seed)
{
   std::mt19937 random(seed);
   std::normal_distribution<double> normal(0, 0.6);
   std::vector<T> flat(s.parameters());
   for (T &p : flat)
      p = static_cast<T>(normal(random));
   return flat;
}

inline std::vector<std::int64_t> everything(std::size_t N)
{
   std::vector<std::int64_t> batch(N);
   std::iota(batch.begin(), batch.end(), std::int64_t(0));
   return batch;
}

/// D, E, H, K, steps that go on, hidden dense layers, loss
inline const std::vector<NetworkShape> kShapes = {
   make_shape(1, 0, 1, 1),
   make_shape(3, 2, 5, 1),
   make_shape(2, 1, 3, 3),
   make_shape(7, 3, 6, 4),
   make_shape(4, 0, 13, 2),
   make_shape(2, 1, 3, 1, 4),
   make_shape(3, 0, 5, 3, 15, {{6, Activation::Tanh}}, Loss::SigmoidCrossEntropy),
   make_shape(1, 2, 4, 2, 0, {{5, Activation::Sigmoid}, {3, Activation::SoftSign}}, Loss::MeanSquaredError),
   make_shape(2, 1, 3, 1, 1, {{17, Activation::Gauss}, {1, Activation::Linear}}, Loss::MeanSquaredError),
   stacked({4}, make_shape(3, 1, 5, 1)),
   stacked({5, 2, 6}, make_shape(2, 0, 3, 2, 7, {{4, Activation::Tanh}})),
   stacked({}, make_shape(3, 1, 4, 1), true),
   stacked({}, make_shape(2, 0, 3, 3, 8), true),
   stacked({4, 5}, make_shape(3, 2, 3, 2), true),
   stacked({3}, make_shape(2, 1, 5, 1, 9, {{4, Activation::Sigmoid}}), true),
   // other cells
   with_cell(CellKind::Gru, make_shape(3, 1, 5, 1)),
   with_cell(CellKind::Rnn, make_shape(2, 1, 3, 3)),
   with_cell(CellKind::Rnn, stacked({3}, make_shape(1, 0, 5, 1, 7))),
   with_cell(CellKind::Lstm, make_shape(3, 2, 5, 2), true),
   with_cell(CellKind::Lstm, make_shape(3, 0, 5, 1), false, true),
   with_cell(CellKind::Lstm, stacked({3}, make_shape(2, 1, 4, 1), true), true, true),
   with_cell(CellKind::Gru, stacked({4, 3}, make_shape(3, 2, 3, 2), true)),
   reset_before(make_shape(3, 1, 5, 1)), // widths by what the rows of the candidate are filled up with
   reset_before(make_shape(2, 0, 1, 3)),
   reset_before(stacked({4, 3}, make_shape(3, 2, 6, 2))),
   reset_before(stacked({3, 2}, make_shape(2, 1, 5, 1, 9), true)),
   normalised(pooled(Pooling::Attention, reset_before(make_shape(3, 2, 5, 3)))),
   // one vector out of all states
   pooled(Pooling::Mean, make_shape(3, 1, 5, 1)),
   pooled(Pooling::Max, stacked({3}, make_shape(2, 0, 5, 3))),
   pooled(Pooling::Attention, make_shape(3, 2, 5, 1)),
   pooled(Pooling::Attention, with_cell(CellKind::Gru, stacked({2}, make_shape(2, 1, 3, 3, 0, {{4, Activation::Tanh}}), true))),
   pooled(Pooling::Mean, stacked({}, make_shape(2, 0, 3, 1), true)),
   pooled(Pooling::Max, stacked({}, make_shape(2, 1, 3, 2), true)),
   // normalised
   normalised(make_shape(3, 2, 5, 1)),
   normalised(stacked({4, 6}, make_shape(3, 2, 5, 3))),
   normalised(stacked({4}, make_shape(3, 2, 3, 1, 9), true)),
   normalised(pooled(Pooling::Attention, with_cell(CellKind::Rnn, stacked({4}, make_shape(3, 2, 5, 1))))),
   // outputs of every step
   of_every_step(make_shape(3, 2, 5, 1)),
   of_every_step(stacked({4}, make_shape(3, 0, 5, 3, 0, {{4, Activation::Tanh}}), true)),
   of_every_step(normalised(with_cell(CellKind::Gru, make_shape(3, 1, 4, 2, 0, {}, Loss::MeanSquaredError)))),
};

/// Some of these with dropout.
inline std::vector<NetworkShape> dropping_shapes()
{
   const auto dropping = [](DropRates rates, NetworkShape s) {
      s.drop = rates;
      return s;
   };
   const DropRates all{0.3, 0.4, 0.5};
   return {
      dropping({0.5, 0, 0}, make_shape(4, 1, 5, 1)),
      dropping({0, 0.5, 0}, make_shape(3, 1, 6, 1)),
      dropping({0, 0, 0.5}, make_shape(3, 1, 6, 2)),
      dropping(all, stacked({5, 6}, make_shape(3, 2, 5, 3))),
      dropping(all, stacked({4}, make_shape(3, 2, 3, 1, 9), true)),
      dropping(all, normalised(with_cell(CellKind::Gru, stacked({4}, make_shape(3, 2, 5, 1), true)))),
      dropping(all, normalised(reset_before(stacked({4}, make_shape(3, 2, 5, 1), true)))),
      dropping(all, with_cell(CellKind::Rnn, pooled(Pooling::Attention, make_shape(3, 2, 5, 1)))),
      dropping(all, with_cell(CellKind::Lstm, pooled(Pooling::Max, make_shape(3, 2, 5, 1)), true)),
      dropping(all, of_every_step(make_shape(3, 2, 5, 2))),
   };
}

} // namespace tmva_lstm
