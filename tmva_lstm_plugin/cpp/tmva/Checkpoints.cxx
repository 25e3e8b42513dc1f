#include "Checkpoints.h"

#include "core/error.h"
#include "core/kernels.h"

#include "TMD5.h"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>

#include <unistd.h>

namespace tmva_lstm_tmva {
namespace {

using tmva_lstm::ArgumentError;

const std::string kCheckpointLine = "TMVA-LSTM method checkpoint ";
const std::string kCheckpointFormat = "1";

struct CloseFile {
   void operator()(std::FILE *file) const { std::fclose(file); }
};

void add_to(TMD5 &digest, const void *bytes, std::size_t size)
{
   constexpr std::size_t kPart = std::size_t(1) << 30; // TMD5 counts in 32 bits
   for (auto at = static_cast<const UChar_t *>(bytes); size > 0;) {
      const std::size_t part = std::min(size, kPart);
      digest.Update(at, static_cast<UInt_t>(part));
      at += part;
      size -= part;
   }
}

std::string hex_of(TMD5 &digest)
{
   digest.Final();
   return digest.AsString();
}

std::string digest_of(const std::string &bytes)
{
   TMD5 digest;
   add_to(digest, bytes.data(), bytes.size());
   return hex_of(digest);
}

class StateWriter {
public:
   template <class Number>
   void number(Number value)
   {
      static_assert(sizeof value == 8);
      char bytes[8];
      std::memcpy(bytes, &value, 8);
      fBytes.append(bytes, 8);
   }
   void text(const char *begin, std::size_t size)
   {
      number(static_cast<std::uint64_t>(size));
      fBytes.append(begin, size);
   }
   void text(const std::string &value) { text(value.data(), value.size()); }
   const std::string &bytes() const { return fBytes; }

private:
   std::string fBytes;
};

class StateReader {
public:
   explicit StateReader(const std::string &bytes) : fAt(bytes.data()), fLeft(bytes.size()) {}
   template <class Number = std::uint64_t>
   Number number()
   {
      static_assert(sizeof(Number) == 8);
      Number value;
      std::memcpy(&value, take(8), 8);
      return value;
   }
   std::string text()
   {
      const std::uint64_t size = number();
      const char *begin = take(size);
      return std::string(begin, size);
   }

private:
   const char *take(std::uint64_t size)
   {
      if (size > fLeft) // its digest fits, so it was written so
         throw ArgumentError("it is of another version of the plugin; train without Resume, or remove it");
      const char *begin = fAt;
      fAt += size;
      fLeft -= size;
      return begin;
   }

   const char *fAt;
   std::size_t fLeft;
};

/// Calls `visit` for all that is kept of an epoch.
template <class Record, class Visit>
void each_figure(Record &record, Visit visit)
{
   visit(record.loss);
   visit(record.validation_loss);
   visit(record.monitored);
   visit(record.learning_rate);
}

std::string clauses_joined(const std::vector<std::string> &lines)
{
   std::string text;
   for (const std::string &line : lines)
      text += (text.empty() ? "" : "; ") + line;
   return text;
}

/// The facts that differ, each a clause.
std::vector<std::string> differing_facts(const TrainingFacts &before, const TrainingFacts &now)
{
   std::vector<std::string> clauses;
   for (const auto &[name, value] : now) {
      const auto found = std::find_if(before.begin(), before.end(), [&n = name](const auto &fact) { return fact.first == n; });
      const std::string was = found == before.end() ? "" : found->second;
      if (was != value)
         clauses.push_back(name + " was '" + was + "' and is '" + value + "'");
   }
   return clauses;
}

} // namespace

std::pair<std::string, std::string> fact_of(const SequenceBuffer &events)
{
   TMD5 digest;
   const auto add = [&](const auto &values) { add_to(digest, values.data(), values.size() * sizeof values[0]); };
   add(events.offsets());
   add(events.values());
   add(events.event_values());
   add(events.labels());
   add(events.targets());
   add(events.weights());
   return {"training data", std::to_string(events.size()) + " events with the digest " + hex_of(digest)};
}

std::optional<Checkpoint> Checkpoints::read() const
{
   const std::string name = "checkpoint '" + fPath + "': ";
   const std::unique_ptr<std::FILE, CloseFile> file(std::fopen(fPath.c_str(), "rb"));
   if (!file && errno == ENOENT)
      return std::nullopt;
   std::string content;
   char part[65536];
   for (std::size_t count = 0; file && (count = std::fread(part, 1, sizeof part, file.get())) > 0;)
      content.append(part, count);
   if (!file || std::ferror(file.get()))
      throw ArgumentError(name + "it cannot be read (" + std::strerror(errno) + "); train without Resume, or remove it");
   const std::size_t first = content.find('\n'), second = first == std::string::npos ? first : content.find('\n', first + 1);
   if (content.compare(0, kCheckpointLine.size(), kCheckpointLine) != 0 || second == std::string::npos)
      throw ArgumentError(name + "this is no checkpoint of the method, or it is cut; train without Resume, or remove it");
   if (content.substr(kCheckpointLine.size(), first - kCheckpointLine.size()) != kCheckpointFormat)
      throw ArgumentError(name + "it has format " + content.substr(kCheckpointLine.size(), first - kCheckpointLine.size()) + ", expected " + kCheckpointFormat +
                          "; train without Resume, or remove it");
   const std::string rest = content.substr(second + 1);
   if (digest_of(rest) != content.substr(first + 1, second - first - 1))
      throw ArgumentError(name + "it is damaged: its digest does not fit; train without Resume, or remove it");
   try {
      StateReader in(rest);
      TrainingFacts facts(in.number());
      for (auto &[fact, value] : facts) {
         fact = in.text();
         value = in.text();
      }
      if (const auto clauses = differing_facts(facts, fFacts); !clauses.empty())
         throw ArgumentError("it is of another training: " + clauses_joined(clauses) + "; book as before, train without Resume, or remove it");
      Checkpoint checkpoint;
      checkpoint.instruction_set = in.text();
      checkpoint.seed = in.number();
      checkpoint.phase = in.number();
      checkpoint.epochs_before = in.number();
      checkpoint.epochs.resize(in.number());
      for (tmva_lstm::EpochRecord &record : checkpoint.epochs) {
         record.epoch = in.number();
         record.events = in.number();
         record.best = in.number() != 0;
         each_figure(record, [&](double &value) { value = in.number<double>(); });
      }
      checkpoint.state = in.text();
      return checkpoint;
   } catch (const ArgumentError &error) {
      throw ArgumentError(name + error.what());
   }
}

std::string Checkpoints::write(const Checkpoint &checkpoint) const
{
   StateWriter out;
   out.number(static_cast<std::uint64_t>(fFacts.size()));
   for (const auto &[fact, value] : fFacts) {
      out.text(fact);
      out.text(value);
   }
   out.text(tmva_lstm::kernels<float>().name);
   out.number(checkpoint.seed);
   out.number(checkpoint.phase);
   out.number(checkpoint.epochs_before);
   out.number(static_cast<std::uint64_t>(checkpoint.epochs.size()));
   for (const tmva_lstm::EpochRecord &record : checkpoint.epochs) {
      out.number(static_cast<std::uint64_t>(record.epoch));
      out.number(static_cast<std::uint64_t>(record.events));
      out.number(static_cast<std::uint64_t>(record.best));
      each_figure(record, [&](double value) { out.number(value); });
   }
   out.text(checkpoint.state);

   const std::string content = kCheckpointLine + kCheckpointFormat + "\n" + digest_of(out.bytes()) + "\n" + out.bytes();
   const std::string aside = fPath + ".part" + std::to_string(getpid());
   const auto failed = [&](const char *what) {
      const std::string why = std::strerror(errno);
      std::remove(aside.c_str());
      return std::string("the checkpoint '") + fPath + "' cannot be " + what + ": " + why;
   };
   std::unique_ptr<std::FILE, CloseFile> file(std::fopen(aside.c_str(), "wb"));
   if (!file)
      return failed("written");
   if (std::fwrite(content.data(), 1, content.size(), file.get()) != content.size() || std::fflush(file.get()) != 0 ||
       fsync(fileno(file.get())) != 0)
      return failed("written");
   file.reset();
   if (std::rename(aside.c_str(), fPath.c_str()) != 0)
      return failed("put in its place");
   return "";
}

} // namespace tmva_lstm_tmva
