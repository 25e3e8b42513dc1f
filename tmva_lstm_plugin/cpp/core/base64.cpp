/// \file
/// Base64 of RFC 4648, for the numbers in a model document.
#include "document.h"
#include "error.h"

#include <array>

namespace tmva_lstm {
inline namespace TMVA_LSTM_ABI {

namespace {

constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr unsigned char kNoDigit = 255;

constexpr std::array<unsigned char, 256> digit_values()
{
   std::array<unsigned char, 256> values{};
   for (auto &value : values)
      value = kNoDigit;
   for (std::size_t i = 0; i < kDigits.size(); ++i)
      values[static_cast<unsigned char>(kDigits[i])] = static_cast<unsigned char>(i);
   return values;
}

constexpr std::array<unsigned char, 256> kValues = digit_values();

} // namespace

std::string base64_encode(const void *data, std::size_t size)
{
   const auto *bytes = static_cast<const unsigned char *>(data);
   std::string text;
   text.reserve((size + 2) / 3 * 4);
   for (std::size_t i = 0; i < size; i += 3) {
      const std::size_t count = size - i < 3 ? size - i : 3;
      std::uint32_t group = 0;
      for (std::size_t k = 0; k < 3; ++k)
         group = group << 8 | (k < count ? bytes[i + k] : 0u);
      for (std::size_t k = 0; k < 4; ++k)
         text += k <= count ? kDigits[group >> (18 - 6 * k) & 63] : '=';
   }
   return text;
}

std::vector<unsigned char> base64_decode(std::string_view text)
{
   std::vector<unsigned char> bytes;
   bytes.reserve(text.size() / 4 * 3);
   std::uint32_t group = 0;
   std::size_t digits = 0;
   std::size_t padding = 0;
   for (std::size_t i = 0; i < text.size(); ++i) {
      const char c = text[i];
      if (c == ' ' || c == '\n' || c == '\r' || c == '\t')
         continue;
      const unsigned char value = kValues[static_cast<unsigned char>(c)];
      if (c == '=') {
         ++padding;
      } else if (value == kNoDigit || padding != 0) {
         throw ModelError("base64 text: character " + std::to_string(i) + " has byte value " +
                          std::to_string(static_cast<unsigned char>(c)) +
                          (padding != 0 ? ", expected nothing after the padding" : ", which base64 does not have"));
      } else {
         group = group << 6 | value;
         if (++digits % 4 == 0)
            for (int shift = 16; shift >= 0; shift -= 8)
               bytes.push_back(static_cast<unsigned char>(group >> shift & 255));
      }
   }
   const std::size_t last = digits % 4;
   if (last == 1 || padding != (4 - last) % 4)
      throw ModelError("base64 text: " + std::to_string(digits) + " digits and " + std::to_string(padding) +
                       " padding characters are not whole groups of four; part of the text is missing");
   if (last != 0) {
      group <<= 6 * (4 - last);
      for (std::size_t k = 0; k + 1 < last; ++k)
         bytes.push_back(static_cast<unsigned char>(group >> (16 - 8 * k) & 255));
   }
   return bytes;
}

} // namespace TMVA_LSTM_ABI
} // namespace tmva_lstm
