/// \file
/// Network and trainer, standardisation, and the draws from the seed.
#include "bindings.h"
#include "core/error.h"
#include "core/random.h"
#include "core/segments.h"
#include "core/trainer.h"

#include <chrono>
#include <numeric>
#include <set>

namespace {

using namespace tmva_lstm;
using nb::literals::operator""_a;

/// Events as the Python side hands them over: checked there, kept alive by these handles.
template <class T>
struct EventArrays {
   Input<T, 2> values;
   Input<std::int64_t, 1> offsets;
   std::optional<Input<T, 2>> event_values;
   std::optional<Input<std::int32_t, 1>> labels;
   std::optional<Input<double, 1>> weights;

   std::optional<Input<T, 2>> targets;

   /// From (values, offsets, event_values, labels, weights[, targets]), None where there is none.
   explicit EventArrays(nb::handle tuple)
      : values(nb::cast<Input<T, 2>>(tuple[0], false)), offsets(nb::cast<Input<std::int64_t, 1>>(tuple[1], false))
   {
      if (!tuple[2].is_none())
         event_values = nb::cast<Input<T, 2>>(tuple[2], false);
      if (!tuple[3].is_none())
         labels = nb::cast<Input<std::int32_t, 1>>(tuple[3], false);
      if (!tuple[4].is_none())
         weights = nb::cast<Input<double, 1>>(tuple[4], false);
      if (nb::len(tuple) > 5 && !tuple[5].is_none())
         targets = nb::cast<Input<T, 2>>(tuple[5], false);
   }

   LabelledView<T> view() const { return labelled_view(values, offsets, event_values, labels, weights, targets); }
};

std::vector<std::int64_t> to_vector(const Input<std::int64_t, 1> &array)
{
   return {array.data(), array.data() + array.shape(0)};
}

/// Rows of the outputs of all events: one an event or, where every step has outputs, one a step.
template <class T>
std::size_t output_rows(const NetworkShape &shape, const LabelledView<T> &view)
{
   return shape.every_step ? static_cast<std::size_t>(view.offsets[view.N] - view.offsets[0]) : view.N;
}

template <class T>
LabelledView<T> checked(const EventArrays<T> &arrays, const NetworkShape &shape, bool labelled)
{
   const LabelledView<T> view = arrays.view();
   if (view.D != shape.D || view.E != shape.E)
      throw ArgumentError("the events have " + std::to_string(view.D) + " features a step and " +
                          std::to_string(view.E) + " event features, the network was made for " +
                          std::to_string(shape.D) + " and " + std::to_string(shape.E));
   if (labelled && !view.labels && !view.targets)
      throw ArgumentError("the events have no labels and no targets");
   if (labelled && !is_for_classes(shape.loss) && !view.targets)
      throw ArgumentError(std::string("the loss '") + loss_name(shape.loss) + "' needs targets");
   if (arrays.targets && arrays.targets->shape(1) != shape.K)
      throw ArgumentError("the events have " + std::to_string(arrays.targets->shape(1)) + " targets, the network has " +
                          std::to_string(shape.K) + " outputs");
   // what is behind a shorter array would be read without anybody noticing
   const std::size_t rows = output_rows(shape, view);
   if (arrays.labels && arrays.labels->shape(0) != rows)
      throw ArgumentError("there are " + std::to_string(arrays.labels->shape(0)) + " labels, expected " + std::to_string(rows));
   if (arrays.targets && arrays.targets->shape(0) != rows)
      throw ArgumentError("there are " + std::to_string(arrays.targets->shape(0)) + " rows of targets, expected " + std::to_string(rows));
   return view;
}

/// An epoch's portions from a Python object with epoch_events(), begin(epoch, batch_size) and next() -> None or ((values, offsets, event_values, labels,
/// weights), order).
template <class T>
class PythonSource : public EpochSource<T> {
public:
   PythonSource(nb::object source, NetworkShape shape) : fSource(std::move(source)), fShape(shape) {}

   std::size_t events() const override
   {
      const nb::gil_scoped_acquire held;
      return nb::cast<std::size_t>(fSource.attr("epoch_events")());
   }

   void begin(std::size_t epoch, std::size_t batch_size) override
   {
      const nb::gil_scoped_acquire held;
      fSource.attr("begin")(epoch, batch_size);
   }

   bool next(Portion<T> &portion) override
   {
      const nb::gil_scoped_acquire held;
      fArrays.reset();
      fOrder.reset();
      const nb::object item = fSource.attr("next")();
      if (item.is_none())
         return false;
      fArrays.emplace(item[0]);
      fOrder = nb::cast<Input<std::int64_t, 1>>(item[1], false);
      portion = {checked(*fArrays, fShape, true), fOrder->data(), fOrder->shape(0)};
      return true;
   }

private:
   nb::object fSource;
   NetworkShape fShape;
   std::optional<EventArrays<T>> fArrays;
   std::optional<Input<std::int64_t, 1>> fOrder;
};

/// Asks Python now and then whether to go on: signals reach Python code only while it runs, and not for each tiny batch.
class KeepGoing {
public:
   explicit KeepGoing(nb::callable ask) : fAsk(std::move(ask)) {}

   bool operator()()
   {
      const auto now = std::chrono::steady_clock::now();
      if (now - fAsked < std::chrono::milliseconds(20))
         return true;
      fAsked = now;
      const nb::gil_scoped_acquire held;
      if (PyErr_CheckSignals() != 0)
         throw nb::python_error();
      return nb::cast<bool>(fAsk());
   }

private:
   nb::callable fAsk;
   std::chrono::steady_clock::time_point fAsked{};
};

/// From the two callables every training has, and what else is asked for in a dictionary: `max_seconds`, `checkpoint_epochs`,
/// `checkpoint_seconds`, `save` (called with the state as bytes), `clock` (gives seconds, for tests).
template <class T>
TrainingWatch<T> watch_from(nb::callable ask, std::function<bool(EpochRecord)> epoch_done, const nb::dict &control)
{
   TrainingWatch<T> watch;
   watch.keep_going = KeepGoing(std::move(ask));
   watch.epoch_done = std::move(epoch_done);
   std::function<void(nb::bytes)> save;
   OptionReader reader(control);
   reader.take("max_seconds", watch.max_seconds);
   reader.take("checkpoint_epochs", watch.save_epochs);
   reader.take("checkpoint_seconds", watch.save_seconds);
   reader.take("clock", watch.clock);
   reader.take("save", save);
   reader.refuse_others();
   if (save)
      watch.save = [save](const TrainingState<T> &state) {
         const std::vector<unsigned char> bytes = to_bytes(state);
         const nb::gil_scoped_acquire held;
         save(nb::bytes(bytes.data(), bytes.size()));
      };
   return watch;
}

nb::tuple as_tuple(const LossSum &sum)
{
   return nb::make_tuple(sum.loss, sum.weight, sum.n);
}

const char *name(StopReason reason)
{
   switch (reason) {
   case StopReason::EarlyStopping: return "early stopping";
   case StopReason::Interrupted: return "interrupted";
   case StopReason::MaxTime: return "max_time";
   default: return "all epochs";
   }
}

template <class T>
Standardisation<T> standardisation(const Input<T, 1> &mean, const Input<T, 1> &scale)
{
   Standardisation<T> result;
   result.mean.assign(mean.data(), mean.data() + mean.shape(0));
   for (std::size_t n = 0; n < scale.shape(0); ++n)
      result.inverse.push_back(T(1) / scale.data()[n]);
   return result;
}

/// Sizes, and from the options: `lower` (hidden units of the LSTM layers below the last), `bidirectional`, `flat_steps`, `dense`
/// (list of (width, activation name)), `loss`, `huber_delta`.
NetworkShape take_shape(OptionReader &reader, std::size_t D, std::size_t E, std::size_t H, std::size_t K)
{
   NetworkShape shape{D, E, H, K, 0, {}, Loss::CrossEntropy};
   std::vector<std::pair<std::size_t, std::string>> dense;
   std::string loss = loss_name(shape.loss);
   reader.take("huber_delta", shape.huber_delta);
   reader.take("lower", shape.lower);
   reader.take("bidirectional", shape.bidirectional);
   reader.take("flat_steps", shape.flat_steps);
   reader.take("dense", dense);
   reader.take("loss", loss);
   std::string cell = cell_name(shape.cell.kind), pooling = pooling_name(shape.pooling), reset = reset_gate_name(shape.cell.reset_before);
   reader.take("cell", cell);
   reader.take("peepholes", shape.cell.peepholes);
   reader.take("coupled_gates", shape.cell.coupled);
   reader.take("reset_gate", reset);
   reader.take("pooling", pooling);
   reader.take("layer_norm", shape.layer_norm);
   reader.take("every_step", shape.every_step);
   reader.take("input_dropout", shape.drop.input);
   reader.take("recurrent_dropout", shape.drop.state);
   reader.take("dropout", shape.drop.output);
   shape.cell.kind = cell_from_name(cell);
   shape.cell.reset_before = reset_before_from_name(reset);
   shape.pooling = pooling_from_name(pooling);
   for (const auto &[width, activation] : dense)
      shape.dense.push_back({width, activation_from_name(activation)});
   shape.loss = loss_from_name(loss);
   return shape;
}

NetworkShape shape_from(std::size_t D, std::size_t E, std::size_t H, std::size_t K, const nb::dict &given)
{
   OptionReader reader(given);
   return take_shape(reader, D, E, H, K);
}

TrainingOptions take_training(OptionReader &reader)
{
   TrainingOptions o;
   reader.take("epochs", o.epochs);
   reader.take("batch_size", o.batch_size);
   reader.take("forget_bias", o.forget_bias);
   std::string initialisation = initialisation_name(o.initialisation);
   reader.take("initialisation", initialisation);
   o.initialisation = initialisation_from_name(initialisation);
   std::string monitor = monitor_name(o.monitor);
   reader.take("monitor", monitor);
   o.monitor = monitor_from_name(monitor);
   reader.take("patience", o.patience);
   reader.take("seed", o.seed);
   reader.take("weight_scale", o.weight_scale);
   reader.take("n_threads", o.limits.n_threads);
   reader.take("bytes_per_thread", o.limits.bytes_per_thread);
   take_optimisation(reader, o);
   return o;
}

/// (output_rows(), K) of all events.
template <class T>
void raw_outputs(Trainer<T> &trainer, const LabelledView<T> &view, std::size_t n_threads, T *out)
{
   WorkLimits limits = trainer.options().limits;
   limits.n_threads = n_threads;
   std::vector<std::int64_t> all(view.N);
   std::iota(all.begin(), all.end(), std::int64_t(0));
   trainer.network().logits(view, all.data(), view.N, limits, out);
}

template <class T>
void bind_trainer(nb::module_ &m, const char *class_name)
{
   using Self = Trainer<T>;
   nb::class_<Self>(m, class_name, "One network and its optimiser; see core/trainer.h.")
      .def(
         "__init__",
         [](Self *self, std::size_t D, std::size_t E, std::size_t H, std::size_t K, const Input<T, 1> &mean,
            const Input<T, 1> &scale, const Input<T, 1> &event_mean, const Input<T, 1> &event_scale,
            const nb::dict &options) {
            OptionReader reader(options);
            const NetworkShape shape = take_shape(reader, D, E, H, K);
            const TrainingOptions training = take_training(reader);
            reader.refuse_others();
            new (self) Self(shape, standardisation<T>(mean, scale), standardisation<T>(event_mean, event_scale), training);
         },
         "D"_a, "E"_a, "H"_a, "K"_a, "mean"_a, "scale"_a, "event_mean"_a, "event_scale"_a, "options"_a)
      .def_prop_rw(
         "parameters",
         [](Self &self) {
            std::vector<T> copy = self.parameters();
            const std::size_t count = copy.size();
            return to_numpy(std::move(copy), {count});
         },
         [](Self &self, const Input<T, 1> &flat) {
            self.set_parameters({flat.data(), flat.data() + flat.shape(0)});
         },
         nb::for_getter(nb::rv_policy::automatic)) // the copy has its own owner
      .def_prop_ro(
         "averaged",
         [](const Self &self) {
            std::vector<T> copy = self.averaged();
            const std::size_t count = copy.size();
            return to_numpy(std::move(copy), {count});
         },
         nb::rv_policy::automatic, "The moving average of the parameters; with no ema_decay, the parameters.")
      .def("set_learning_rate", &Self::set_learning_rate, "rate"_a, "Of the steps that train_batch makes from here on.")
      .def(
         "fit_memory",
         [](Self &self, nb::tuple arrays, const Input<std::int64_t, 1> &train, const Input<std::int64_t, 1> &validate,
            bool shuffle, nb::callable ask, const std::function<bool(EpochRecord)> &epoch_done, const nb::dict &control) {
            const EventArrays<T> events(arrays);
            const LabelledView<T> view = checked(events, self.network().shape(), true);
            MemorySource<T> source(view, to_vector(train), self.options().seed, shuffle);
            const std::vector<std::int64_t> validation = to_vector(validate);
            const TrainingWatch<T> watch = watch_from<T>(ask, epoch_done, control);
            const nb::gil_scoped_release released;
            return name(self.fit(source, validation.empty() ? nullptr : &view, validation, watch));
         },
         "events"_a, "train"_a, "validate"_a, "shuffle"_a, "keep_going"_a, "epoch_done"_a, "control"_a = nb::dict())
      .def(
         "fit_source",
         [](Self &self, nb::object portions, nb::object validation_arrays, nb::callable ask,
            const std::function<bool(EpochRecord)> &epoch_done, const nb::dict &control) {
            std::optional<EventArrays<T>> validation;
            LabelledView<T> view;
            std::vector<std::int64_t> validate;
            if (!validation_arrays.is_none()) {
               validation.emplace(validation_arrays);
               view = checked(*validation, self.network().shape(), true);
               for (std::size_t n = 0; n < view.N; ++n)
                  validate.push_back(static_cast<std::int64_t>(n));
            }
            PythonSource<T> source(portions, self.network().shape());
            const TrainingWatch<T> watch = watch_from<T>(ask, epoch_done, control);
            const nb::gil_scoped_release released;
            return name(self.fit(source, validate.empty() ? nullptr : &view, validate, watch));
         },
         "portions"_a, "validation"_a.none(), "keep_going"_a, "epoch_done"_a, "control"_a = nb::dict())
      .def(
         "set_state",
         [](Self &self, const nb::bytes &state) {
            self.set_state(state_from_bytes<T>(static_cast<const unsigned char *>(state.data()), state.size()));
         },
         "state"_a, "The next fit goes on from a state that `save` was called with.")
      .def(
         "train_batch",
         [](Self &self, nb::tuple arrays, const Input<std::int64_t, 1> &batch) {
            const EventArrays<T> events(arrays);
            const LabelledView<T> view = checked(events, self.network().shape(), true);
            LossSum sum;
            {
               const nb::gil_scoped_release released;
               sum = self.train_batch(view, batch.data(), batch.shape(0));
            }
            return as_tuple(sum);
         },
         "events"_a, "batch"_a, "One optimiser step; (sum of weighted losses, sum of weights, events) before it.")
      .def(
         "gradient",
         [](Self &self, nb::tuple arrays, const Input<std::int64_t, 1> &batch, std::uint32_t step) {
            const EventArrays<T> events(arrays);
            std::vector<T> flat(self.parameters().size());
            const LossSum sum = self.network().gradient(checked(events, self.network().shape(), true), batch.data(),
                                                        batch.shape(0), self.options().weight_scale,
                                                        self.options().limits, flat.data(), {self.options().seed, step});
            const std::size_t count = flat.size();
            return nb::make_tuple(as_tuple(sum), to_numpy(std::move(flat), {count}));
         },
         "events"_a, "batch"_a, "step"_a = 0,
         "Sums of the loss and its gradient over a batch. Dropout draws for this step; for step 0 nothing is dropped.")
      .def(
         "loss",
         [](Self &self, nb::tuple arrays, const Input<std::int64_t, 1> &batch) {
            const EventArrays<T> events(arrays);
            return as_tuple(self.network().loss(checked(events, self.network().shape(), true), batch.data(),
                                                batch.shape(0), self.options().weight_scale, self.options().limits));
         },
         "events"_a, "batch"_a)
      .def(
         "probabilities",
         [](Self &self, nb::tuple arrays, std::size_t n_threads) {
            const EventArrays<T> events(arrays);
            const LabelledView<T> view = checked(events, self.network().shape(), false);
            const NetworkShape shape = self.network().shape();
            const std::size_t rows = output_rows(shape, view);
            std::vector<T> result(rows * shape.classes());
            {
               const nb::gil_scoped_release released;
               std::vector<T> logits(rows * shape.K);
               raw_outputs(self, view, n_threads, logits.data());
               probabilities(logits.data(), rows, shape.K, result.data());
            }
            return to_numpy(std::move(result), {rows, shape.classes()});
         },
         "events"_a, "n_threads"_a, "Class probabilities (N, classes); (steps, classes) where every step has outputs.")
      .def(
         "raw_outputs",
         [](Self &self, nb::tuple arrays, std::size_t n_threads) {
            const EventArrays<T> events(arrays);
            const LabelledView<T> view = checked(events, self.network().shape(), false);
            const std::size_t K = self.network().shape().K;
            const std::size_t rows = output_rows(self.network().shape(), view);
            std::vector<T> result(rows * K);
            {
               const nb::gil_scoped_release released;
               raw_outputs(self, view, n_threads, result.data());
            }
            return to_numpy(std::move(result), {rows, K});
         },
         "events"_a, "n_threads"_a,
         "What the head gives (N, K): logits, or standardised targets; (steps, K) where every step has outputs.");
}

} // namespace

void bind_training(nb::module_ &m)
{
   nb::class_<EpochRecord>(m, "EpochRecord")
      .def_ro("epoch", &EpochRecord::epoch)
      .def_ro("loss", &EpochRecord::loss)
      .def_ro("validation_loss", &EpochRecord::validation_loss)
      .def_ro("monitored", &EpochRecord::monitored)
      .def_ro("learning_rate", &EpochRecord::learning_rate)
      .def_ro("events", &EpochRecord::events)
      .def_ro("best", &EpochRecord::best);
   bind_trainer<float>(m, "Trainer");
   bind_trainer<double>(m, "Trainer64");
   bind_schedule(m);
   bind_preprocessing(m);
   bind_figures(m);

   m.def(
      "draw_validation",
      [](const std::optional<Input<std::int32_t, 1>> &labels, std::size_t n_events, std::size_t n_classes,
         double fraction, std::uint64_t seed) {
         return to_numpy(draw_validation(labels ? labels->data() : nullptr, n_events, n_classes, fraction, seed),
                         {n_events});
      },
      "labels"_a.none(), "n_events"_a, "n_classes"_a, "fraction"_a, "seed"_a);
   m.def(
      "shuffled",
      [](const Input<std::int64_t, 1> &items, std::uint64_t seed, const std::string &purpose, std::uint32_t epoch) {
         std::vector<std::int64_t> order = to_vector(items);
         RandomStream(seed, purpose == "chunks" ? Purpose::ChunkOrder : Purpose::Shuffle, epoch)
            .shuffle(order.data(), order.size());
         const std::size_t count = order.size();
         return to_numpy(std::move(order), {count});
      },
      "items"_a, "seed"_a, "purpose"_a, "epoch"_a, "The items in the order drawn for an epoch.");
   m.def(
      "parameter_layout",
      [](std::size_t D, std::size_t E, std::size_t H, std::size_t K, const nb::dict &options) {
         nb::list result;
         for (const ParameterView &view : parameter_layout(shape_from(D, E, H, K, options)))
            result.append(nb::make_tuple(view.name, view.offset, view.rows, view.columns));
         return result;
      },
      "D"_a, "E"_a, "H"_a, "K"_a, "options"_a = nb::dict(), "(name, offset, rows, columns) of each part of the flat parameters.");
   m.def(
      "longest_sequence",
      [](std::size_t D, std::size_t E, std::size_t H, std::size_t K, std::size_t bytes, const nb::dict &options) {
         return Network<float>::longest_sequence(shape_from(D, E, H, K, options), bytes);
      },
      "D"_a, "E"_a, "H"_a, "K"_a, "bytes"_a, "options"_a = nb::dict(),
      "Steps of the longest event that can be trained on with so many bytes a thread.");
   m.def(
      "block_bytes",
      [](std::size_t D, std::size_t E, std::size_t H, std::size_t K, std::size_t steps, const nb::dict &options) {
         return Segments<float>::least_bytes(shape_from(D, E, H, K, options).stack(), steps);
      },
      "D"_a, "E"_a, "H"_a, "K"_a, "steps"_a, "options"_a = nb::dict(),
      "The fewest bytes a thread can do with in training on sequences of so many steps.");
   m.def(
      "philox",
      [](std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key) {
         const auto drawn = philox(counter, key);
         return std::vector<std::uint32_t>(drawn.begin(), drawn.end());
      },
      "counter"_a, "key"_a);
}
