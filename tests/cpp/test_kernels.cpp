/// \file
/// Each table of kernels: accuracy of the elementwise functions over the whole range, every kernel against loops in double
/// precision, and nothing written outside its arrays.
#include "check.h"

#include "core/aligned.h"
#include "core/kernels.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

using namespace tmva_lstm;

namespace {

template <class T>
std::vector<const Kernels<T> *> tables()
{
   std::size_t count = 0;
   const char *const *names = available_kernels(count);
   std::vector<const Kernels<T> *> result;
   for (std::size_t n = 0; n < count; ++n) {
      setenv("TMVA_LSTM_ISA", names[n], 1);
      result.push_back(&kernels<T>());
      CHECK(std::string(result.back()->name) == names[n]);
   }
   unsetenv("TMVA_LSTM_ISA");
   return result;
}

/// Distance of `found` from the true value in units of the last place of the true value, rounded to T.
template <class T>
double ulps(T found, long double expected)
{
   const T rounded = static_cast<T>(expected);
   if (std::isinf(rounded) || rounded == 0)
      return found == rounded ? 0 : std::numeric_limits<double>::infinity();
   const T unit = std::nextafter(std::abs(rounded), std::numeric_limits<T>::infinity()) - std::abs(rounded);
   return static_cast<double>(std::abs(static_cast<long double>(found) - expected) / unit);
}

/// Bit patterns spread evenly over all numbers of T with |x| <= limit, then a fine grid in [-20, 20].
template <class T>
std::vector<T> arguments(double limit)
{
   using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
   std::vector<T> result{T(0), -T(0)};
   const T largest = static_cast<T>(limit);
   Bits last;
   std::memcpy(&last, &largest, sizeof last);
   const Bits step = last / 40009;
   for (Bits bits = 1; bits <= last - step; bits += step) {
      T value;
      std::memcpy(&value, &bits, sizeof value);
      result.push_back(value);
      result.push_back(-value);
   }
   for (int n = -40000; n <= 40000; ++n)
      result.push_back(static_cast<T>(n * (0.0005 + 1e-9)));
   return result;
}

struct Worst {
   double ulps = 0;
   double at = 0;
};

template <class T, class F>
Worst worst(void (*kernel)(const T *, T *, std::size_t), F exact, double limit)
{
   const std::vector<T> x = arguments<T>(limit);
   std::vector<T> y(x.size());
   kernel(x.data(), y.data(), x.size());
   Worst result;
   for (std::size_t n = 0; n < x.size(); ++n) {
      const double distance = ulps(y[n], exact(static_cast<long double>(x[n])));
      if (!(distance <= result.ulps))
         result = {distance, static_cast<double>(x[n])};
   }
   return result;
}

template <class T>
void accuracy(double exp_limit, double exp_bound, double sigmoid_bound, double tanh_bound)
{
   for (const Kernels<T> *k : tables<T>()) {
      const Worst e = worst<T>(k->exp, [](long double x) { return std::exp(x); }, exp_limit);
      const Worst s = worst<T>(k->sigmoid, [](long double x) { return 1 / (1 + std::exp(-x)); }, exp_limit);
      const Worst t = worst<T>(k->tanh, [](long double x) { return std::tanh(x); }, std::numeric_limits<T>::max() / 4);
      std::printf("  %-8s %d bit: exp %.2f ulp (%g), sigmoid %.2f ulp (%g), tanh %.2f ulp (%g)\n", k->name,
                  int(8 * sizeof(T)), e.ulps, e.at, s.ulps, s.at, t.ulps, t.at);
      CHECK(e.ulps <= exp_bound);
      CHECK(s.ulps <= sigmoid_bound);
      CHECK(t.ulps <= tanh_bound);
   }
}

/// Special values in every place of a register and of the rest behind the last full one.
template <class T>
void special_values()
{
   const T nan = std::numeric_limits<T>::quiet_NaN(), infinity = std::numeric_limits<T>::infinity();
   for (const Kernels<T> *k : tables<T>())
      for (std::size_t count = 1; count <= 35; ++count) {
         for (std::size_t place = 0; place < count; ++place) {
            std::vector<T> x(count, T(0.5)), s(count), t(count), e(count);
            for (const T value : {nan, infinity, -infinity}) {
               x[place] = value;
               k->sigmoid(x.data(), s.data(), count);
               k->tanh(x.data(), t.data(), count);
               k->exp(x.data(), e.data(), count);
               if (std::isnan(value)) {
                  CHECK(std::isnan(s[place]) && std::isnan(t[place]) && std::isnan(e[place]));
               } else {
                  CHECK_NEAR(s[place], value > 0 ? 1 : 0, std::numeric_limits<T>::min());
                  CHECK(t[place] == (value > 0 ? 1 : -1));
                  CHECK(value > 0 ? e[place] > T(1e38) : e[place] < T(2e-38));
               }
               for (std::size_t n = 0; n < count; ++n)
                  if (n != place) {
                     CHECK_NEAR(s[n], 1 / (1 + std::exp(-0.5)), 2e-7);
                     CHECK_NEAR(t[n], std::tanh(0.5), 2e-7);
                     CHECK_NEAR(e[n], std::exp(0.5), 4e-7);
                  }
            }
         }
      }
}

constexpr double kGuard = -777; // stands where nothing may be written

/// An array with a register's width of guards behind it.
template <class T>
class Guarded {
public:
   explicit Guarded(std::size_t size) : fData(size + kLanes<T>), fSize(size) { fData.fill(static_cast<T>(kGuard)); }
   T *data() { return fData.data(); }
   T &operator[](std::size_t n) { return fData[n]; }
   bool whole() const
   {
      for (std::size_t n = fSize; n < fData.size(); ++n)
         if (fData[n] != static_cast<T>(kGuard))
            return false;
      return true;
   }
   void randomise(std::mt19937 &random, double size = 1)
   {
      std::normal_distribution<double> normal(0, size);
      for (std::size_t n = 0; n < fSize; ++n)
         fData[n] = static_cast<T>(normal(random));
   }

private:
   AlignedArray<T> fData;
   std::size_t fSize;
};

const LayerShape kShapes[] = {{1, 1}, {2, 3}, {3, 2}, {7, 4}, {5, 5}, {1, 6}, {9, 7}, {4, 11}, {13, 12}, {20, 13}, {6, 17},
                              {3, 13}, {3, 23}, {20, 12}, {11, 29}, {2, 40}};

template <class T>
constexpr double kBound = sizeof(T) == 4 ? 2e-6 : 4e-15;

template <class T>
void forward_and_cell_backward()
{
   constexpr std::size_t L = kLanes<T>;
   std::mt19937 random(1);
   for (const Kernels<T> *k : tables<T>())
      for (const LayerShape s : kShapes)
         for (std::size_t n_lanes = 1; n_lanes <= L; n_lanes += (s.H > 7 ? 5 : 1)) {
            const std::size_t H = s.H, inputs = s.inputs();
            std::normal_distribution<double> normal(0, 1);
            std::vector<T> W(4 * H * s.D), U(4 * H * H), b(4 * H);
            for (auto *weights : {&W, &U, &b})
               for (T &w : *weights)
                  w = static_cast<T>(normal(random) / std::sqrt(double(inputs)));
            Guarded<T> packed(k->packed_gates_size(s)), u(inputs * L), c_prev(H * L), gates(4 * H * L), c(H * L),
               tanh_c(H * L), h(H * L), dc(H * L), dh(H * L);
            u.randomise(random);
            c_prev.randomise(random);
            dc.randomise(random);
            dh.randomise(random);
            k->pack_gates(s, W.data(), U.data(), b.data(), packed.data());
            CHECK(packed.whole());
            k->gates_forward(s, packed.data(), u.data(), c_prev.data(), gates.data(), c.data(), tanh_c.data(), h.data(),
                             n_lanes);
            CHECK(gates.whole() && c.whole() && tanh_c.whole() && h.whole());

            std::vector<double> expected_dgates(4 * H * L), expected_dc(H * L);
            for (std::size_t j = 0; j < H; ++j)
               for (std::size_t lane = 0; lane < n_lanes; ++lane) {
                  const std::size_t at = j * L + lane;
                  double gate[4];
                  for (std::size_t g = 0; g < 4; ++g) {
                     const std::size_t row = g * H + j;
                     double sum = b[row];
                     for (std::size_t m = 0; m < inputs; ++m)
                        sum += double(m < s.D ? W[row * s.D + m] : U[row * H + m - s.D]) * u[m * L + lane];
                     gate[g] = g == 2 ? std::tanh(sum) : 1 / (1 + std::exp(-sum));
                     CHECK_NEAR(gates[row * L + lane], gate[g], kBound<T>);
                  }
                  const double cell = gate[1] * c_prev[at] + gate[0] * gate[2];
                  CHECK_NEAR(c[at], cell, kBound<T> * (1 + std::fabs(cell)));
                  CHECK_NEAR(tanh_c[at], std::tanh(cell), kBound<T>);
                  CHECK_NEAR(h[at], gate[3] * std::tanh(cell), kBound<T>);
                  const double i = gates[at], f = gates[H * L + at], g = gates[2 * H * L + at], o = gates[3 * H * L + at];
                  const double squashed = tanh_c[at], dcell = dc[at] + dh[at] * o * (1 - squashed * squashed);
                  expected_dgates[at] = dcell * g * i * (1 - i);
                  expected_dgates[H * L + at] = dcell * c_prev[at] * f * (1 - f);
                  expected_dgates[2 * H * L + at] = dcell * i * (1 - g * g);
                  expected_dgates[3 * H * L + at] = dh[at] * squashed * o * (1 - o);
                  expected_dc[at] = dcell * f;
               }
            k->cell_backward(H, gates.data(), dc.data(), dh.data(), gates.data(), c_prev.data(), tanh_c.data(), n_lanes);
            CHECK(gates.whole() && dc.whole());
            for (std::size_t j = 0; j < H; ++j)
               for (std::size_t lane = 0; lane < n_lanes; ++lane) {
                  CHECK_NEAR(dc[j * L + lane], expected_dc[j * L + lane], 2 * kBound<T>);
                  for (std::size_t g = 0; g < 4; ++g)
                     CHECK_NEAR(gates[(g * H + j) * L + lane], expected_dgates[(g * H + j) * L + lane], 2 * kBound<T>);
               }
         }
}

/// The forward passes that keep nothing give the same bits as the one that does; of the plain twin, what the compiler makes of
/// the same equations.
template <class T>
void forward_for_scores()
{
   constexpr std::size_t L = kLanes<T>;
   std::mt19937 random(4);
   for (const Kernels<T> *k : tables<T>())
      for (const LayerShape s : kShapes)
         for (std::size_t n_lanes = 1; n_lanes <= L; n_lanes += 7) {
            const std::size_t H = s.H, inputs = s.inputs(), P = round_up(H, kPaddedUnits);
            std::normal_distribution<double> normal(0, 1);
            std::vector<T> W(4 * H * s.D), U(4 * H * H), b(4 * H);
            for (auto *weights : {&W, &U, &b})
               for (T &w : *weights)
                  w = static_cast<T>(normal(random) / std::sqrt(double(inputs)));
            Guarded<T> packed(k->packed_gates_size(s)), units(k->packed_units_size(s)), u(inputs * L), c_prev(H * L),
               gates(4 * H * L), c(H * L), tanh_c(H * L), h(H * L), c_alone(H * L), h_alone(H * L);
            u.randomise(random);
            c_prev.randomise(random);
            std::copy_n(c_prev.data(), H * L, c_alone.data());
            k->pack_gates(s, W.data(), U.data(), b.data(), packed.data());
            k->pack_units(s, W.data(), U.data(), b.data(), units.data());
            CHECK(units.whole());
            k->gates_forward(s, packed.data(), u.data(), c_prev.data(), gates.data(), c.data(), tanh_c.data(), h.data(),
                             n_lanes);
            k->state_forward(s, packed.data(), u.data(), c_alone.data(), h_alone.data(), n_lanes);
            CHECK(c_alone.whole() && h_alone.whole());
            for (std::size_t lane = 0; lane < n_lanes; ++lane) {
               Guarded<T> x(s.D), h_prev(P), c_one(P), h_one(P);
               for (std::size_t d = 0; d < s.D; ++d)
                  x[d] = u[d * L + lane];
               for (std::size_t j = 0; j < P; ++j) {
                  h_prev[j] = j < H ? u[(s.D + j) * L + lane] : T(0);
                  c_one[j] = j < H ? c_prev[j * L + lane] : T(0);
               }
               k->single_forward(s, units.data(), x.data(), h_prev.data(), c_one.data(), h_one.data());
               CHECK(c_one.whole() && h_one.whole());
               for (std::size_t j = 0; j < P; ++j)
                  if (j < H) {
                     CHECK(c_alone[j * L + lane] == c[j * L + lane] && h_alone[j * L + lane] == h[j * L + lane]);
                     CHECK(c_one[j] == c[j * L + lane] && h_one[j] == h[j * L + lane]);
                  } else {
                     CHECK(c_one[j] == 0 && h_one[j] == 0);
                  }
            }
         }
}

/// Rows of any length into lanes; nothing beyond their last number is read (the address sanitizer looks at it).
template <class T>
void steps_into_lanes()
{
   constexpr std::size_t L = kLanes<T>;
   std::mt19937 random(5);
   std::normal_distribution<double> normal(0, 1);
   for (const Kernels<T> *k : tables<T>())
      for (std::size_t D = 1; D <= 20; ++D)
         for (std::size_t n_lanes = 1; n_lanes <= L; n_lanes += 3) {
            std::vector<std::vector<T>> rows(n_lanes, std::vector<T>(D));
            std::vector<const T *> pointers(L, nullptr);
            std::vector<T> mean(D), inverse(D);
            for (std::size_t d = 0; d < D; ++d) {
               mean[d] = static_cast<T>(normal(random));
               inverse[d] = static_cast<T>(normal(random));
               for (auto &row : rows)
                  row[d] = static_cast<T>(normal(random));
            }
            for (std::size_t lane = 0; lane < n_lanes; ++lane)
               pointers[lane] = rows[lane].data();
            Guarded<T> x(D * L);
            k->load_step(D, pointers.data(), n_lanes, mean.data(), inverse.data(), x.data());
            CHECK(x.whole());
            for (std::size_t d = 0; d < D; ++d)
               for (std::size_t lane = 0; lane < L; ++lane)
                  CHECK(x[d * L + lane] == (lane < n_lanes ? (rows[lane][d] - mean[d]) * inverse[d] : T(0)));
         }
}

template <class T>
void products()
{
   constexpr std::size_t L = kLanes<T>;
   std::mt19937 random(2);
   for (const Kernels<T> *k : tables<T>())
      for (const LayerShape s : kShapes)
         for (std::size_t n_lanes = 1; n_lanes <= L; n_lanes += 3) {
            const std::size_t rows = s.rows(), columns = s.H, stride = s.inputs(), first = s.D;
            Guarded<T> matrix(rows * stride), packed(k->packed_transposed_size(rows, columns)), in(rows * L), out(columns * L);
            matrix.randomise(random);
            in.randomise(random);
            k->pack_transposed(matrix.data(), rows, stride, first, columns, packed.data());
            k->product(packed.data(), rows, columns, in.data(), out.data(), n_lanes);
            CHECK(packed.whole() && out.whole());
            for (std::size_t column = 0; column < columns; ++column)
               for (std::size_t lane = 0; lane < n_lanes; ++lane) {
                  double sum = 0;
                  for (std::size_t row = 0; row < rows; ++row)
                     sum += double(matrix[row * stride + first + column]) * in[row * L + lane];
                  CHECK_NEAR(out[column * L + lane], sum, kBound<T> * double(rows));
               }
         }
}

template <class T>
void weight_gradients()
{
   constexpr std::size_t L = kLanes<T>;
   std::mt19937 random(3);
   for (const Kernels<T> *k : tables<T>())
      for (const LayerShape s : kShapes) {
         const std::size_t rows = s.rows(), inputs = s.inputs(), C = s.columns<T>(), steps = 1 + s.H % kChunk<T>;
         Guarded<T> u(steps * inputs * L), z(steps * L * C), dgates(steps * rows * L), out(rows * C);
         u.randomise(random);
         dgates.randomise(random);
         out.randomise(random);
         std::vector<std::size_t> lanes(steps);
         for (std::size_t step = 0; step < steps; ++step) {
            lanes[step] = L - (7 * step + s.D) % L; // 1 to L
            k->transpose(u.data() + step * inputs * L, inputs, C, z.data() + step * L * C, lanes[step]);
            for (std::size_t lane = 0; lane < lanes[step]; ++lane)
               for (std::size_t column = 0; column < C; ++column) {
                  const T found = z[(step * L + lane) * C + column];
                  CHECK(found == (column < inputs ? u[(step * inputs + column) * L + lane] : T(column == inputs)));
               }
            // what stands in lanes that have ended must not be looked at
            for (std::size_t row = 0; row < rows; ++row)
               for (std::size_t lane = lanes[step]; lane < L; ++lane)
                  dgates[(step * rows + row) * L + lane] = std::numeric_limits<T>::quiet_NaN();
         }
         CHECK(z.whole());
         std::vector<double> expected(rows * C);
         for (std::size_t row = 0; row < rows; ++row)
            for (std::size_t column = 0; column < C; ++column) {
               double sum = out[row * C + column];
               for (std::size_t step = 0; step < steps; ++step)
                  for (std::size_t lane = 0; lane < lanes[step]; ++lane)
                     sum += double(dgates[(step * rows + row) * L + lane]) * z[(step * L + lane) * C + column];
               expected[row * C + column] = sum;
            }
         k->weight_gradient(rows, inputs, C, steps, dgates.data(), rows * L, z.data(), lanes.data(), out.data());
         CHECK(out.whole());
         for (std::size_t n = 0; n < rows * C; ++n)
            CHECK_NEAR(out[n], expected[n], kBound<T> * double(steps * L));
      }
}

} // namespace

// Bounds in units of the last place over the range in which results are normal numbers; measured: see the printed lines.
TEST(accuracy_of_single_precision)
{
   accuracy<float>(87, 1.5, 3, 2.5);
}

TEST(accuracy_of_double_precision)
{
   accuracy<double>(708, 1.5, 3, 2.5);
}

TEST(special_values_stay_in_their_place)
{
   special_values<float>();
   special_values<double>();
}

TEST(a_step_forward_and_its_cell_backward)
{
   forward_and_cell_backward<float>();
   forward_and_cell_backward<double>();
}

TEST(a_step_forward_for_scores_alone)
{
   forward_for_scores<float>();
   forward_for_scores<double>();
}

TEST(a_step_of_many_sequences_into_lanes)
{
   steps_into_lanes<float>();
   steps_into_lanes<double>();
}

TEST(transposed_product)
{
   products<float>();
   products<double>();
}

TEST(gradient_of_the_weights)
{
   weight_gradients<float>();
   weight_gradients<double>();
}

TEST_MAIN()
