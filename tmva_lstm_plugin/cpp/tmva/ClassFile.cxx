#include "ClassFile.h"

#include <algorithm>
#include <iomanip>
#include <locale>
#include <sstream>

namespace tmva_lstm_tmva {

using namespace tmva_lstm;

namespace {

/// `static const float name[] = {...}`; nine digits give every float back exactly.
void write_array(std::ostream &out, const std::string &name, const float *values, std::size_t count)
{
   std::ostringstream text;
   text.imbue(std::locale::classic());
   text << std::setprecision(9);
   for (std::size_t n = 0; n < count; ++n)
      text << (n ? (n % 8 ? ", " : ",\n      ") : "") << values[n];
   if (count == 0)
      text << "0";
   out << "   static const float " << name << "[] = {\n      " << text.str() << "};\n";
}

void write_specs(std::ostream &out, const std::string &name, const std::vector<FeatureSpec> &specs)
{
   std::vector<float> mean, inverse;
   for (const FeatureSpec &spec : specs) {
      mean.push_back(spec.mean);
      inverse.push_back(1.f / spec.scale);
   }
   write_array(out, name + "Mean", mean.data(), mean.size());
   write_array(out, name + "Inverse", inverse.data(), inverse.size());
}

/// Standardisation of an input, bit for bit what the network does: TMVA holds events as floats, and a value with a large mean and a
/// small spread would otherwise be another one.
std::string standardised(const std::string &input, const std::string &spec, const std::string &index)
{
   return "(static_cast<float>(inputValues[" + input + "]) - " + spec + "Mean[" + index + "]) * " + spec + "Inverse[" + index + "]";
}

const char *activation_code(Activation activation)
{
   switch (activation) {
   case Activation::Linear: return "z";
   case Activation::Relu: return "z > 0 ? z : 0";
   case Activation::Tanh:
   case Activation::FastTanh: return "std::tanh(z)";
   case Activation::SymmetricRelu: return "std::fabs(z)";
   case Activation::SoftSign: return "z / (1 + std::fabs(z))";
   case Activation::Sigmoid: return "1 / (1 + std::exp(-z))";
   case Activation::Gauss: return "std::exp(-z * z)";
   }
   return "z";
}

/// One step of a recurrent layer: from sequence[t] and h to h and c. `z` holds the sums, as cells.h orders them.
void write_step(std::ostream &out, const std::string &name, const LayerShape &part)
{
   const std::string D = std::to_string(part.D), H = std::to_string(part.H);
   const bool reset_after = part.cell.reset_after();
   const auto gate = [&](std::size_t n) { return "z[" + std::to_string(n * part.H) + " + j]"; };
   const auto sigmoid = [](const std::string &z) { return "1 / (1 + std::exp(-(" + z + ")))"; };
   const auto peephole = [&](std::size_t n, const char *cell) {
      return part.cell.peepholes ? " + " + name + "_p[" + std::to_string(n * part.H) + " + j] * " + cell : std::string();
   };
   out << "      for (int r = 0; r < " << part.gates() * part.H << "; ++r) {\n"
       << "         double of_x = " << name << "_b[r], of_h = 0;\n"
       << "         for (int d = 0; d < " << D << "; ++d)\n"
       << "            of_x += " << name << "_W[r * " << D << " + d] * sequence[t * " << D << " + d];\n"
       << "         for (int j = 0; j < " << H << "; ++j)\n"
       << "            of_h += " << name << "_U[r * " << H << " + j] * h[j];\n";
   if (reset_after) // the two sums of the candidate are kept apart, that of h behind those of the gates
      out << "         z[r] = r < " << 2 * part.H << " ? of_x + of_h : of_x;\n"
          << "         if (r >= " << 2 * part.H << ")\n            z[r + " << H << "] = of_h + " << name << "_b[r + " << H << "];\n      }\n";
   else if (part.cell.reset_before) // the candidate sees what the reset gate leaves of h; c is free to hold it
      out << "         z[r] = r < " << 2 * part.H << " ? of_x + of_h : of_x;\n      }\n"
          << "      for (int j = 0; j < " << H << "; ++j)\n         c[j] = " << sigmoid(gate(0)) << " * h[j];\n"
          << "      for (int j = 0; j < " << H << "; ++j)\n         for (int k = 0; k < " << H << "; ++k)\n"
          << "            " << gate(2) << " += " << name << "_U[(" << 2 * part.H << " + j) * " << H << " + k] * c[k];\n";
   else
      out << "         z[r] = of_x + of_h;\n      }\n";
   out << "      for (int j = 0; j < " << H << "; ++j) {\n";
   if (part.cell.kind == CellKind::Rnn) {
      out << "         h[j] = std::tanh(" << gate(0) << ");\n      }\n";
      return;
   }
   if (part.cell.reset_before) {
      out << "         const double u = " << sigmoid(gate(1)) << ";\n"
          << "         h[j] = (1 - u) * std::tanh(" << gate(2) << ") + u * h[j];\n      }\n";
      return;
   }
   if (reset_after) {
      out << "         const double r = " << sigmoid(gate(0)) << ", u = " << sigmoid(gate(1)) << ";\n"
          << "         h[j] = (1 - u) * std::tanh(" << gate(2) << " + r * " << gate(3) << ") + u * h[j];\n      }\n";
      return;
   }
   const std::size_t g = part.cell.coupled ? 1 : 2;
   out << "         const double i = " << sigmoid(gate(0) + peephole(0, "c[j]")) << ", f = "
       << (part.cell.coupled ? "1 - i" : sigmoid(gate(1) + peephole(1, "c[j]"))) << ", g = std::tanh(" << gate(g) << ");\n"
       << "         c[j] = f * c[j] + i * g;\n"
       << "         h[j] = " << sigmoid(gate(g + 1) + peephole(g, "c[j]")) << " * std::tanh(c[j]);\n      }\n";
}

/// Layer normalisation of `values` [count], in place.
void write_norm(std::ostream &out, const std::string &name, const std::string &values, std::size_t count, const char *indent)
{
   const std::string n = std::to_string(count), in = indent;
   out << in << "{\n" << in << "   double mean = 0, variance = 0;\n"
       << in << "   for (int k = 0; k < " << n << "; ++k)\n" << in << "      mean += " << values << "[k] / " << n << ";\n"
       << in << "   for (int k = 0; k < " << n << "; ++k)\n"
       << in << "      variance += (" << values << "[k] - mean) * (" << values << "[k] - mean) / " << n << ";\n"
       << in << "   for (int k = 0; k < " << n << "; ++k)\n"
       << in << "      " << values << "[k] = " << name << "_norm_gain[k] * (" << values << "[k] - mean) / std::sqrt(variance + 1e-5) + " << name
       << "_norm_b[k];\n" << in << "}\n";
}

/// From `sequence`, the states of all steps, to `joined`.
void write_pooling(std::ostream &out, const NetworkShape &shape)
{
   const std::string S = std::to_string(shape.states()), M = std::to_string(shape.H);
   out << "   double total = 0, largest = 0;\n"
          "   for (int t = 0; t < length; ++t) {\n"
       << "      const double* state = &sequence[t * " << S << "];\n";
   switch (shape.pooling) {
   case Pooling::Attention:
      out << "      double score = 0;\n"
          << "      for (int m = 0; m < " << M << "; ++m) {\n         double sum = attention_b[m];\n"
          << "         for (int j = 0; j < " << S << "; ++j)\n            sum += attention_W[m * " << S << " + j] * state[j];\n"
          << "         score += attention_v[m] * std::tanh(sum);\n      }\n"
          << "      const double before = t > 0 && score > largest ? std::exp(largest - score) : 1;\n"
             "      largest = t == 0 || score > largest ? score : largest;\n"
             "      const double weight = std::exp(score - largest);\n"
             "      total = total * before + weight;\n"
          << "      for (int j = 0; j < " << S << "; ++j)\n         joined[j] = joined[j] * before + weight * state[j];\n";
      break;
   case Pooling::Max:
      out << "      for (int j = 0; j < " << S << "; ++j)\n"
          << "         joined[j] = t == 0 || state[j] > joined[j] ? state[j] : joined[j];\n      total = 1;\n";
      break;
   default:
      out << "      for (int j = 0; j < " << S << "; ++j)\n         joined[j] += state[j];\n      total += 1;\n";
   }
   out << "   }\n   for (int j = 0; j < " << S << " && length > 0; ++j)\n      joined[j] /= total;\n   (void)largest;\n";
}

/// The recurrent layers: from inputValues to `joined`, which they declare with `x`.
void write_recurrent(std::ostream &out, const NetworkShape &shape)
{
   const StackShape stack = shape.stack();
   out << "   std::vector<double> x, h, c, z, next, joined("
       << (shape.flat_steps ? std::to_string(shape.flat_steps) + " * " : std::string()) << shape.states()
       << " + E, 0.);\n"
          "   std::vector<double> sequence(static_cast<std::size_t>(length) * D); // all steps of what the next layer looks at\n"
          "   for (int t = 0; t < length; ++t)\n"
          "      for (int d = 0; d < D; ++d)\n"
          "         sequence[t * D + d] = "
       << standardised("t * D + d", "feature", "d") << ";\n";
   for (std::size_t n = 0; n < stack.parts(); ++n) {
      const std::size_t layer = n / stack.directions(), direction = n % stack.directions(), outputs = stack.outputs(layer);
      const LayerShape part = stack.part(n);
      const bool last = layer + 1 == stack.layers();
      const std::string whole = std::string(cell_name(shape.cell.kind)) + (layer ? std::to_string(layer + 1) : "");
      if (direction == 0)
         out << "   next.assign(static_cast<std::size_t>(length) * " << outputs << ", 0.);\n";
      out << "   h.assign(" << part.H << ", 0.);\n   c.assign(" << part.H << ", 0.);\n   z.assign(" << part.sums() * part.H
          << ", 0.);\n"
             "   for (int n = 0; n < length; ++n) {\n"
             "      const int t = "
          << (direction ? "length - 1 - n" : "n") << ";\n";
      write_step(out, whole + (direction ? "_reverse" : ""), part);
      out << "      for (int j = 0; j < " << part.H << "; ++j)\n"
          << "         next[t * " << outputs << " + " << direction * part.H << " + j] = h[j];\n   }\n";
      if (last && !stack.keeps_states)
         out << "   for (int j = 0; j < " << part.H << "; ++j)\n      joined[" << direction * part.H << " + j] = h[j];\n";
      if (direction + 1 < stack.directions())
         continue;
      out << "   sequence = next;\n";
      if (shape.layer_norm && last && !stack.keeps_states) {
         write_norm(out, whole, "joined", outputs, "   ");
      } else if (shape.layer_norm) {
         out << "   for (int t = 0; t < length; ++t) {\n      double* state = &sequence[t * " << outputs << "];\n";
         write_norm(out, whole, "state", outputs, "      ");
         out << "   }\n";
      }
   }
   if (shape.flat_steps)
      out << "   for (std::size_t n = 0; n < sequence.size(); ++n)\n      joined[n] = sequence[n];\n";
   else if (shape.pools())
      write_pooling(out, shape);
}

} // namespace

void write_class(std::ostream &out, const std::string &name, const SequenceModel &model, const EventLayout &layout)
{
   const ModelDocument &document = model.document();
   const NetworkShape shape = network_shape(document);
   const std::vector<ParameterView> parts = parameter_layout(shape);

   out << "\n public:\n"
          "   // True steps of the next events, 0 to "
       << layout.T << "; set before each event where sequences differ in length.\n"
          "   void SetLength(int length) { fLength = length; }\n"
          "   // Probabilities of all classes; GetMvaValue gives that of the signal, or of the first of more than two classes.\n"
          "   std::vector<double> GetClassProbabilities(const std::vector<double>& inputValues) const;\n"
          "\n private:\n"
          "   int fLength = "
       << layout.T << ";\n};\n\n";

   out << "inline void " << name << "::Initialize() {}\n"
       << "inline void " << name << "::Clear() {}\n\n";
   out << "inline double " << name << "::GetMvaValue__(const std::vector<double>& inputValues) const\n{\n"
       << "   return GetClassProbabilities(inputValues)[" << (shape.K == 1 ? 1 : 0) << "];\n}\n\n";

   out << "inline std::vector<double> " << name
       << "::GetClassProbabilities(const std::vector<double>& inputValues) const\n{\n"
       << "   // " << shape.D << " features a step, " << shape.E << " event features, " << shape.H << " hidden units in the last recurrent layer\n"
       << "   const int T = " << layout.T << ", D = " << shape.D << ", E = " << shape.E << ";\n";
   const float *flat = document.parameters.data();
   for (const ParameterView &part : parts) {
      std::string array = part.name;
      std::replace(array.begin(), array.end(), '.', '_');
      write_array(out, array, flat + part.offset, part.rows * part.columns);
   }
   write_specs(out, "feature", document.features);
   write_specs(out, "eventFeature", document.event_features);

   out << "   int length = fLength < 0 ? 0 : fLength > T ? T : fLength;\n";
   if (layout.length == EventLayout::Length::Variable)
      out << "   const double steps = inputValues["
          << layout.length_index << "];\n"
          << "   if (!(steps >= 0 && steps <= T && steps == std::floor(steps)))\n"
             "      return std::vector<double>("
          << shape.classes() << ", -999.); // no answer for a number of steps out of range\n"
          << "   length = static_cast<int>(steps);\n";
   if (layout.has_mask) {
      std::ostringstream mask;
      mask.imbue(std::locale::classic());
      mask << std::setprecision(9) << layout.mask;
      out << "   for (bool padding = true; padding && length > 0; length -= padding)\n"
             "      for (int d = 0; d < D; ++d)\n"
             "         padding = padding && static_cast<float>(inputValues[(length - 1) * D + d]) == static_cast<float>("
          << mask.str() << ");\n";
   }
   out << "   for (int v = 0; v < " << layout.n_variables() << "; ++v)\n"
          "      if ((v < length * D || v >= T * D) && !std::isfinite(inputValues[v]))\n"
          "         return std::vector<double>("
       << shape.classes() << ", -999.); // TMVA's answer for values that are not finite\n";
   write_recurrent(out, shape);
   if (shape.E) {
      out << "   for (int e = 0, v = T * D; e < E; ++e, ++v) {\n";
      if (layout.length == EventLayout::Length::Variable)
         out << "      if (v == " << layout.length_index << ")\n         ++v;\n";
      out << "      joined[joined.size() - E + e] = " << standardised("v", "eventFeature", "e") << ";\n   }\n";
   }
   out << "   x = joined;\n   std::vector<double> y;\n";
   const std::vector<DenseShape> layers = shape.dense_layers();
   for (std::size_t n = 0; n < layers.size(); ++n) {
      const std::string layer = n + 1 < layers.size() ? "dense" + std::to_string(n + 1) : "head";
      const Activation activation = n < shape.dense.size() ? shape.dense[n].activation : Activation::Linear;
      out << "   y.assign(" << layers[n].width << ", 0.);\n"
          << "   for (int k = 0; k < " << layers[n].width << "; ++k) {\n"
          << "      double z = " << layer << "_b[k];\n"
          << "      for (int m = 0; m < " << layers[n].inputs << "; ++m)\n"
          << "         z += " << layer << "_W[k * " << layers[n].inputs << " + m] * x[m];\n"
          << "      y[k] = " << activation_code(activation) << ";\n   }\n   x = y;\n";
   }
   if (shape.K == 1) {
      out << "   const double p = 1 / (1 + std::exp(-x[0]));\n"
             "   return std::vector<double>{1 - p, p};\n}\n";
   } else {
      out << "   double largest = x[0], sum = 0;\n"
             "   for (double v : x)\n      largest = v > largest ? v : largest;\n"
             "   for (double& v : x)\n      sum += v = std::exp(v - largest);\n"
             "   for (double& v : x)\n      v /= sum;\n"
             "   return x;\n}\n";
   }
}

} // namespace tmva_lstm_tmva
