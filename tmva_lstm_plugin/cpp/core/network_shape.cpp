#include "network.h"

namespace tmva_lstm {
inline namespace TMVA_LSTM_ABI {

StackShape NetworkShape::stack() const
{
   std::vector<std::size_t> widths = lower;
   widths.push_back(H);
   return {D, std::move(widths), bidirectional};
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
   std::size_t count = stack().parameters();
   for (const DenseShape &each : dense_layers())
      count += each.parameters();
   return count;
}

std::string part_name(const StackShape &stack, std::size_t part)
{
   const std::size_t number = part / stack.directions() + 1;
   return "lstm" + (number > 1 ? std::to_string(number) : "") + (part % stack.directions() ? ".reverse" : "");
}

std::vector<ParameterView> parameter_layout(const NetworkShape &s)
{
   std::vector<ParameterView> layout;
   std::size_t offset = 0;
   auto add = [&](const std::string &name, std::size_t rows, std::size_t columns, std::size_t gates = 1) {
      layout.push_back({name, offset, rows, columns, gates});
      offset += rows * columns;
   };
   const StackShape stack = s.stack();
   for (std::size_t n = 0; n < stack.parts(); ++n) {
      const std::string name = part_name(stack, n);
      const LayerShape part = stack.part(n);
      add(name + ".W", part.rows(), part.D, 4);
      add(name + ".U", part.rows(), part.H, 4);
      add(name + ".b", part.rows(), 1, 4);
   }
   const std::vector<DenseShape> layers = s.dense_layers();
   for (std::size_t n = 0; n < layers.size(); ++n) {
      const std::string name = n + 1 < layers.size() ? "dense" + std::to_string(n + 1) : "head";
      add(name + ".W", layers[n].width, layers[n].inputs);
      add(name + ".b", layers[n].width, 1);
   }
   return layout;
}

} // namespace TMVA_LSTM_ABI
} // namespace tmva_lstm
