/// \file
/// The layer on numpy arrays.
#include "bindings.h"
#include "core/kernels.h"
#include "core/lstm_arrays.h"
#include "core/thread_pool.h"

namespace {

using namespace tmva_lstm;

template <class T>
using Optional2 = std::optional<Input<T, 2>>;

/// Collects the arguments both directions share; the Python side has checked that the shapes agree.
template <class T>
LayerArrays<T> collect(const Input<T, 3> &x, const Input<T, 2> &W, const Input<T, 2> &U, const Input<T, 1> &b,
                       const Input<std::int64_t, 1> &lengths, const Optional2<T> &h0, const Optional2<T> &c0)
{
   LayerArrays<T> in;
   in.N = x.shape(0);
   in.T_steps = x.shape(1);
   in.shape = {x.shape(2), U.shape(1)};
   in.x = x.data();
   in.W = W.data();
   in.U = U.data();
   in.b = b.data();
   in.lengths = lengths.data();
   in.h0 = h0 ? h0->data() : nullptr;
   in.c0 = c0 ? c0->data() : nullptr;
   return in;
}

template <class T>
nb::tuple forward_arrays(const Input<T, 3> &x, const Input<T, 2> &W, const Input<T, 2> &U, const Input<T, 1> &b,
                         const Input<std::int64_t, 1> &lengths, const Optional2<T> &h0, const Optional2<T> &c0,
                         std::size_t n_threads)
{
   const LayerArrays<T> in = collect<T>(x, W, U, b, lengths, h0, c0);
   const std::size_t N = in.N, S = in.T_steps, H = in.shape.H;
   std::vector<T> h(N * S * H), c(N * S * H), gates(N * S * 4 * H);
   {
      const nb::gil_scoped_release released;
      layer_forward(in, n_threads, h.data(), c.data(), gates.data());
   }
   return nb::make_tuple(to_numpy(std::move(h), {N, S, H}), to_numpy(std::move(c), {N, S, H}),
                         to_numpy(std::move(gates), {N, S, 4, H}));
}

template <class T>
nb::dict backward_arrays(const Input<T, 3> &x, const Input<T, 2> &W, const Input<T, 2> &U, const Input<T, 1> &b,
                         const Input<std::int64_t, 1> &lengths, const Optional2<T> &h0, const Optional2<T> &c0,
                         const Input<T, 3> &h, const Input<T, 3> &c, const Input<T, 4> &gates, const Input<T, 3> &dh,
                         std::size_t n_threads)
{
   const LayerArrays<T> in = collect<T>(x, W, U, b, lengths, h0, c0);
   const std::size_t N = in.N, S = in.T_steps, D = in.shape.D, H = in.shape.H;
   std::vector<T> dx(N * S * D), dW(4 * H * D), dU(4 * H * H), db(4 * H), dh0(N * H), dc0(N * H), dgates(N * S * 4 * H),
      dh_total(N * S * H), dc_total(N * S * H);
   {
      const nb::gil_scoped_release released;
      layer_backward(in, h.data(), c.data(), gates.data(), dh.data(), n_threads,
                     LayerArraysGradient<T>{dx.data(), dW.data(), dU.data(), db.data(), dh0.data(), dc0.data(),
                                            dgates.data(), dh_total.data(), dc_total.data()});
   }
   nb::dict result;
   result["dx"] = to_numpy(std::move(dx), {N, S, D});
   result["dW"] = to_numpy(std::move(dW), {4 * H, D});
   result["dU"] = to_numpy(std::move(dU), {4 * H, H});
   result["db"] = to_numpy(std::move(db), {4 * H});
   result["dh0"] = to_numpy(std::move(dh0), {N, H});
   result["dc0"] = to_numpy(std::move(dc0), {N, H});
   result["dgates"] = to_numpy(std::move(dgates), {N, S, 4, H});
   result["dh"] = to_numpy(std::move(dh_total), {N, S, H});
   result["dc"] = to_numpy(std::move(dc_total), {N, S, H});
   return result;
}

template <class T>
void bind_precision(nb::module_ &m)
{
   using nb::literals::operator""_a;
   m.def("layer_forward", &forward_arrays<T>, "x"_a.noconvert(), "W"_a.noconvert(), "U"_a.noconvert(),
         "b"_a.noconvert(), "lengths"_a.noconvert(), "h0"_a.noconvert().none(), "c0"_a.noconvert().none(),
         "n_threads"_a, "(h, c, gates) of every step; see tmva_lstm_plugin.lstm_forward.");
   m.def("layer_backward", &backward_arrays<T>, "x"_a.noconvert(), "W"_a.noconvert(), "U"_a.noconvert(),
         "b"_a.noconvert(), "lengths"_a.noconvert(), "h0"_a.noconvert().none(), "c0"_a.noconvert().none(),
         "h"_a.noconvert(), "c"_a.noconvert(), "gates"_a.noconvert(), "dh"_a.noconvert(), "n_threads"_a,
         "All gradients by name; see tmva_lstm_plugin.lstm_backward.");
}

} // namespace

void bind_layer(nb::module_ &m)
{
   bind_precision<float>(m);
   bind_precision<double>(m);
   m.def("usable_processors", &usable_processors, "Processors this process may use.");
   m.def(
      "instruction_sets",
      [] {
         std::size_t count = 0;
         const char *const *names = available_kernels(count);
         return std::vector<std::string>(names, names + count);
      },
      "Names of the kernels this processor can run, slowest first.");
   m.def(
      "instruction_set", [] { return std::string(kernels<float>().name); },
      "The kernels in use; set the environment variable TMVA_LSTM_ISA to choose others.");
}
