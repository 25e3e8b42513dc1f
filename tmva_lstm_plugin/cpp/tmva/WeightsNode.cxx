#include "WeightsNode.h"

#include "core/error.h"

#include "TMVA/Tools.h"
#include "TXMLEngine.h"

#include <cstring>

namespace tmva_lstm_tmva {

using tmva_lstm::Node;

void add_node(void *parent, const Node &node)
{
   TXMLEngine &xml = TMVA::gTools().xmlengine();
   void *added = xml.NewChild(parent, nullptr, node.name.c_str(), node.text.empty() ? nullptr : node.text.c_str());
   for (const auto &[key, value] : node.attributes)
      xml.NewAttr(added, nullptr, key.c_str(), value.c_str());
   for (const Node &child : node.children)
      add_node(added, child);
}

Node read_node(void *at, int depth)
{
   if (depth > 80)
      throw tmva_lstm::ModelError("the weights are nested more than 80 levels deep; the file is damaged");
   TXMLEngine &xml = TMVA::gTools().xmlengine();
   Node node;
   node.name = xml.GetNodeName(at);
   for (auto attribute = xml.GetFirstAttr(at); attribute; attribute = xml.GetNextAttr(attribute)) {
      const char *value = xml.GetAttrValue(attribute);
      node.attributes.emplace_back(xml.GetAttrName(attribute), value ? value : "");
   }
   for (void *child = TMVA::gTools().GetChild(at); child; child = TMVA::gTools().GetNextChild(child))
      node.children.push_back(read_node(child, depth + 1));
   if (node.children.empty()) {
      const char *content = xml.GetNodeContent(at);
      node.text = content ? content : "";
   }
   return node;
}

void *find_child(void *at, const char *name)
{
   for (void *child = TMVA::gTools().GetChild(at); child; child = TMVA::gTools().GetNextChild(child))
      if (std::strcmp(TMVA::gTools().GetName(child), name) == 0)
         return child;
   return nullptr;
}

} // namespace tmva_lstm_tmva
