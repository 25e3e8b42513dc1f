#include "training_state.h"

#include "error.h"

#include <cstring>
#include <string>
#include <type_traits>

namespace tmva_lstm {
inline namespace TMVA_LSTM_ABI {

namespace {

template <class Number>
using BitsOf = std::conditional_t<sizeof(Number) == 4, std::uint32_t, std::uint64_t>;

constexpr char letter(const std::uint64_t &) { return 'u'; }
constexpr char letter(const double &) { return 'd'; }
constexpr char letter(const std::vector<float> &) { return 'f'; }
constexpr char letter(const std::vector<double> &) { return 'D'; }

const char *meaning(char letter)
{
   switch (letter) {
   case 'u': return "a whole number";
   case 'd': return "a number";
   case 'f': return "an array in single precision";
   case 'D': return "an array in double precision";
   default: return "something unknown";
   }
}

class Writer {
public:
   template <class Member>
   void operator()(const char *name, const Member &member)
   {
      const std::string text = name;
      number(static_cast<std::uint32_t>(text.size()));
      fBytes.insert(fBytes.end(), text.begin(), text.end());
      fBytes.push_back(static_cast<unsigned char>(letter(member)));
      value(member);
   }
   std::vector<unsigned char> fBytes;

private:
   template <class Number>
   void number(Number value)
   {
      BitsOf<Number> bits;
      std::memcpy(&bits, &value, sizeof bits);
      for (std::size_t n = 0; n < sizeof bits; ++n)
         fBytes.push_back(static_cast<unsigned char>(bits >> 8 * n));
   }
   template <class Number>
   void value(const Number &one)
   {
      number(one);
   }
   template <class Number>
   void value(const std::vector<Number> &numbers)
   {
      number(static_cast<std::uint64_t>(numbers.size()));
      for (const Number &one : numbers)
         number(one);
   }
};

class Reader {
public:
   Reader(const unsigned char *bytes, std::size_t size) : fAt(bytes), fLeft(size) {}

   template <class Member>
   void operator()(const char *name, Member &member)
   {
      fName = name;
      std::uint32_t length = 0;
      number(length);
      require(length);
      const std::string found(reinterpret_cast<const char *>(fAt), length);
      skip(length);
      if (found != fName)
         throw ModelError("the state of the training has '" + found + "' where this version has '" + fName + "'");
      require(1);
      const char kind = static_cast<char>(*fAt);
      skip(1);
      if (kind != letter(member))
         throw ModelError("the state of the training: '" + fName + "' is " + meaning(kind) + ", expected " + meaning(letter(member)));
      value(member);
   }

   void finish() const
   {
      if (fLeft)
         throw ModelError("the state of the training has " + std::to_string(fLeft) + " bytes more than this version knows of");
   }

private:
   void require(std::uint64_t count) const
   {
      if (count > fLeft)
         throw ModelError("the state of the training ends within '" + fName + "'");
   }
   void skip(std::size_t count)
   {
      fAt += count;
      fLeft -= count;
   }
   template <class Number>
   void number(Number &value)
   {
      BitsOf<Number> bits = 0;
      require(sizeof bits);
      for (std::size_t n = 0; n < sizeof bits; ++n)
         bits |= static_cast<BitsOf<Number>>(fAt[n]) << 8 * n;
      std::memcpy(&value, &bits, sizeof bits);
      skip(sizeof bits);
   }
   template <class Number>
   void value(Number &one)
   {
      number(one);
   }
   template <class Number>
   void value(std::vector<Number> &numbers)
   {
      std::uint64_t count = 0;
      number(count);
      if (count > fLeft / sizeof(Number)) // before room is made for it
         throw ModelError("the state of the training ends within '" + fName + "'");
      numbers.resize(static_cast<std::size_t>(count));
      for (Number &one : numbers)
         number(one);
   }

   const unsigned char *fAt;
   std::size_t fLeft;
   std::string fName;
};

} // namespace

template <class T>
std::vector<unsigned char> to_bytes(const TrainingState<T> &state)
{
   Writer writer;
   TrainingState<T>::each(state, writer);
   return std::move(writer.fBytes);
}

template <class T>
TrainingState<T> state_from_bytes(const unsigned char *bytes, std::size_t size)
{
   TrainingState<T> state;
   Reader reader(bytes, size);
   TrainingState<T>::each(state, reader);
   reader.finish();
   return state;
}

template std::vector<unsigned char> to_bytes(const TrainingState<float> &);
template std::vector<unsigned char> to_bytes(const TrainingState<double> &);
template TrainingState<float> state_from_bytes(const unsigned char *, std::size_t);
template TrainingState<double> state_from_bytes(const unsigned char *, std::size_t);

} // namespace TMVA_LSTM_ABI
} // namespace tmva_lstm
