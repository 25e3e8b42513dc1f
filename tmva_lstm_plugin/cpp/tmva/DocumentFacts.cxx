#include "DocumentFacts.h"

#include "OptionText.h"

#include "core/error.h"
#include "core/kernels.h"

#include <cmath>
#include <ctime>
#include <iomanip>
#include <locale>
#include <sstream>

#include <unistd.h>

namespace tmva_lstm_tmva {

using tmva_lstm::ModelDocument;
using tmva_lstm::ModelError;
using tmva_lstm::Node;

std::string exact(double value)
{
   if (std::isnan(value))
      return "nan";
   std::ostringstream out;
   out.imbue(std::locale::classic());
   out << std::setprecision(17) << value;
   return out.str();
}

namespace {

constexpr const char *kLength[] = {"none", "variable", "spectator"};

} // namespace

void write_layout(ModelDocument &document, const EventLayout &layout)
{
   Node node{"Layout", {}, {}, {}};
   node.attributes = {{"Steps", std::to_string(layout.T)},
                      {"Features", std::to_string(layout.D)},
                      {"EventFeatures", std::to_string(layout.E)},
                      {"Length", kLength[static_cast<int>(layout.length)]},
                      {"LengthIndex", std::to_string(layout.length_index)},
                      {"LengthName", layout.length_name}};
   if (layout.has_mask)
      node.attributes.emplace_back("Mask", exact(layout.mask));
   document.recipe = {"Recipe", {{"Format", "tmva"}}, {}, {node}};
}

EventLayout read_layout(const ModelDocument &document)
{
   EventLayout layout;
   layout.D = document.features.size();
   layout.E = document.event_features.size();
   const Node *node = document.recipe.child("Layout");
   if (!node) {
      layout.T = static_cast<std::size_t>(document.max_length ? document.max_length : document.longest_length);
      layout.length = EventLayout::Length::Spectator;
      layout.length_name = "length";
      return layout;
   }
   const auto attribute = [node](const char *key) {
      const std::string *value = node->attribute(key);
      if (!value)
         throw ModelError(std::string("Recipe/Layout has no ") + key + "; the file was not written by this method");
      return *value;
   };
   std::size_t D = 0, E = 0;
   if (!read_count(attribute("Steps"), layout.T) || !read_count(attribute("Features"), D) || D != layout.D ||
       !read_count(attribute("EventFeatures"), E) || E != layout.E || !read_count(attribute("LengthIndex"), layout.length_index))
      throw ModelError("Recipe/Layout does not fit the model: the file is damaged");
   const std::string length = attribute("Length");
   if (length == kLength[1])
      layout.length = EventLayout::Length::Variable;
   else if (length == kLength[2])
      layout.length = EventLayout::Length::Spectator;
   else if (length != kLength[0])
      throw ModelError("Recipe/Layout: Length is '" + length + "', expected none, variable or spectator");
   if (layout.length == EventLayout::Length::Variable && layout.length_index >= layout.n_variables())
      throw ModelError("Recipe/Layout: LengthIndex is beyond the variables");
   layout.length_name = attribute("LengthName");
   if (const std::string *mask = node->attribute("Mask")) {
      double value = 0;
      if (!read_number(*mask, value))
         throw ModelError("Recipe/Layout: Mask is '" + *mask + "', expected a number");
      layout.has_mask = true;
      layout.mask = static_cast<float>(value);
   }
   return layout;
}

void write_options(ModelDocument &document, const std::vector<std::pair<std::string, std::string>> &options)
{
   document.options = {"Options", options, {}, {}};
}

void write_training(ModelDocument &document, const TrainingReport &report)
{
   std::string epochs, losses, validation, rates, monitored;
   std::size_t best = 0;
   for (const tmva_lstm::EpochRecord &record : report.epochs) {
      const char *space = epochs.empty() ? "" : " ";
      epochs += space + std::to_string(record.epoch);
      losses += space + exact(record.loss);
      validation += space + exact(record.validation_loss);
      rates += space + exact(record.learning_rate);
      monitored += space + exact(record.monitored);
      if (record.best || std::isnan(record.validation_loss))
         best = record.epoch;
   }
   const auto column = [](const char *name, const std::string &values) { return Node{"Column", {{"Name", name}}, values, {}}; };
   const std::string summary = "{\"best_epoch\": " + std::to_string(best) + ", \"epochs\": " + std::to_string(report.epochs.size()) +
                               ", \"training_events\": " + std::to_string(report.training_events) +
                               ", \"validation_events\": " + std::to_string(report.validation_events) +
                               ", \"weight_negative_events\": " + std::to_string(report.negative_events) + "}";
   document.training = {
      "Training",
      {},
      {},
      {Node{"Summary", {{"Format", "json"}}, summary, {}},
       Node{"History",
            {},
            {},
            {column("epoch", epochs), column("loss", losses), column("validation_loss", validation), column("learning_rate", rates)}}}};
   if (report.monitor != tmva_lstm::Monitor::Loss)
      document.training.children.back().children.push_back(
         column((std::string("validation_") + tmva_lstm::monitor_name(report.monitor)).c_str(), monitored));
}

void write_provenance(ModelDocument &document, const std::string &root_version, unsigned n_threads, double seconds)
{
   char host[256] = "unknown", date[64] = "";
   gethostname(host, sizeof host - 1);
   const std::time_t now = std::time(nullptr);
   std::tm utc{};
   gmtime_r(&now, &utc);
   std::strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S+00:00", &utc);
   document.provenance = {"Provenance",
                          {{"date", date},
                           {"host", host},
                           {"root", root_version},
                           {"instruction_set", tmva_lstm::kernels<float>().name},
                           {"n_threads", std::to_string(n_threads)},
                           {"seconds", exact(seconds)}},
                          {},
                          {}};
}

} // namespace tmva_lstm_tmva
