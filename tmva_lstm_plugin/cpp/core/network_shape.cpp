#include "network.h"

#include "names.h"

namespace tmva_lstm {
inline namespace TMVA_LSTM_ABI {

StackShape NetworkShape::stack() const
{
   std::vector<std::size_t> widths = lower;
   widths.push_back(H);
   StackShape stack(D, std::move(widths), bidirectional);
   stack.cell = cell;
   stack.layer_norm = layer_norm;
   stack.keeps_states = pools() || flat_steps || every_step;
   stack.drop = drop;
   return stack;
}

std::size_t NetworkShape::attention_parameters() const
{
   return pools() && pooling == Pooling::Attention ? DenseShape{states(), H}.parameters() + H : 0;
}

std::vector<DenseShape> NetworkShape::dense_layers() const
{
   std::vector<DenseShape> layers;
   std::size_t inputs = joined();
   for (const DenseSpec &spec : dense) {
      layers.push_back({inputs, spec.width});
      inputs = spec.width;
   }
   layers.push_back({inputs, K});
   return layers;
}

std::size_t NetworkShape::parameters() const
{
   std::size_t count = stack().parameters() + attention_parameters();
   for (const DenseShape &each : dense_layers())
      count += each.parameters();
   return count;
}

namespace {

constexpr const char *kCells[] = {"lstm", "gru", "rnn"};
constexpr const char *kResetGates[] = {"after", "before"}; // in the order of CellSpec::reset_before

} // namespace

const char *cell_name(CellKind kind)
{
   return kCells[static_cast<int>(kind)];
}

CellKind cell_from_name(const std::string &name)
{
   return value_named<CellKind>(name, kCells, "there is no cell '", "'; there are ");
}

const char *reset_gate_name(bool before)
{
   return kResetGates[before];
}

bool reset_before_from_name(const std::string &name)
{
   return value_named<bool>(name, kResetGates, "there is no place '", "' for a reset gate; there are ");
}

namespace {

std::string layer_name(CellKind cell, std::size_t layer)
{
   return std::string(cell_name(cell)) + (layer > 0 ? std::to_string(layer + 1) : "");
}

} // namespace

std::string part_name(const StackShape &stack, std::size_t part)
{
   return layer_name(stack.cell.kind, part / stack.directions()) + (part % stack.directions() ? ".reverse" : "");
}

std::vector<ParameterView> parameter_layout(const NetworkShape &s)
{
   std::vector<ParameterView> layout;
   std::size_t offset = 0;
   auto add = [&](const std::string &name, std::size_t rows, std::size_t columns, ParameterKind kind, std::size_t gates = 1) {
      layout.push_back({name, offset, rows, columns, gates, kind});
      offset += rows * columns;
   };
   const StackShape stack = s.stack();
   for (std::size_t n = 0; n < stack.parts(); ++n) {
      const std::string name = part_name(stack, n);
      const LayerShape part = stack.part(n);
      add(name + ".W", part.gates() * part.H, part.D, ParameterKind::Weight, part.gates());
      add(name + ".U", part.gates() * part.H, part.H, ParameterKind::Weight, part.gates());
      add(name + ".b", part.sums() * part.H, 1, ParameterKind::Bias, part.sums());
      if (part.peepholes())
         add(name + ".p", part.peepholes() * part.H, 1, ParameterKind::Peephole, part.peepholes());
   }
   if (s.layer_norm)
      for (std::size_t layer = 0; layer < stack.layers(); ++layer) {
         add(layer_name(s.cell.kind, layer) + ".norm.gain", stack.outputs(layer), 1, ParameterKind::Gain);
         add(layer_name(s.cell.kind, layer) + ".norm.b", stack.outputs(layer), 1, ParameterKind::Bias);
      }
   if (s.attention_parameters()) {
      add("attention.W", s.H, s.states(), ParameterKind::Weight);
      add("attention.b", s.H, 1, ParameterKind::Bias);
      add("attention.v", 1, s.H, ParameterKind::Weight);
   }
   const std::vector<DenseShape> layers = s.dense_layers();
   for (std::size_t n = 0; n < layers.size(); ++n) {
      const std::string name = n + 1 < layers.size() ? "dense" + std::to_string(n + 1) : "head";
      add(name + ".W", layers[n].width, layers[n].inputs, ParameterKind::Weight);
      add(name + ".b", layers[n].width, 1, ParameterKind::Bias);
   }
   return layout;
}

} // namespace TMVA_LSTM_ABI
} // namespace tmva_lstm
