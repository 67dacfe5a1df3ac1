#include "text.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <system_error>

namespace tus {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool SameLetter(char a, char b) { return Lower(a) == Lower(b); }

/// Length of the well-formed UTF-8 sequence at the front of `text`, 0 where there is none.
std::size_t SequenceLength(std::string_view text) {
  auto const lead = static_cast<unsigned char>(text.front());
  std::size_t const length = lead < 0x80   ? 1
                             : lead < 0xC2 ? 0
                             : lead < 0xE0 ? 2
                             : lead < 0xF0 ? 3
                             : lead < 0xF5 ? 4
                                           : 0;
  if (length == 0 || length > text.size()) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xC0) != 0x80) return 0;
  }
  if (length < 3) return length;
  auto const second = static_cast<unsigned char>(text[1]);
  bool const overlong = (lead == 0xE0 && second < 0xA0) || (lead == 0xF0 && second < 0x90);
  bool const surrogate = lead == 0xED && second >= 0xA0;
  bool const too_high = lead == 0xF4 && second >= 0x90;
  return overlong || surrogate || too_high ? 0 : length;
}

/// C0, DEL and C1: terminals obey the last of these too.
bool IsControl(std::string_view sequence) {
  auto const lead = static_cast<unsigned char>(sequence.front());
  if (sequence.size() == 1) return lead < 0x20 || lead == 0x7F;
  return lead == 0xC2 && static_cast<unsigned char>(sequence[1]) < 0xA0;
}

}  // namespace

bool EqualsIgnoreCase(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), SameLetter);
}

std::size_t FindIgnoreCase(std::string_view text, std::string_view needle) {
  auto const at = std::search(text.begin(), text.end(), needle.begin(), needle.end(), SameLetter);
  if (at == text.end() && !needle.empty()) return std::string_view::npos;
  return static_cast<std::size_t>(at - text.begin());
}

std::string_view Trim(std::string_view text) {
  auto const first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

std::vector<std::string_view> SplitList(std::string_view value) {
  std::vector<std::string_view> elements;
  while (!value.empty()) {
    auto const comma = value.find(',');
    if (auto const element = Trim(value.substr(0, comma)); !element.empty()) {
      elements.push_back(element);
    }
    value = comma == std::string_view::npos ? std::string_view{} : value.substr(comma + 1);
  }
  return elements;
}

std::optional<std::uint64_t> ParseDecimal(std::string_view text) {
  std::uint64_t number = 0;
  auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  if (number > std::numeric_limits<std::int64_t>::max()) return std::nullopt;
  return number;
}

std::chrono::system_clock::time_point TimeOf(std::uint64_t seconds) {
  using Time = std::chrono::system_clock::time_point;
  constexpr auto kLast = std::chrono::floor<std::chrono::seconds>(Time::max().time_since_epoch());
  auto const bounded = std::min<std::uint64_t>(seconds, kLast.count());
  return Time(std::chrono::seconds(bounded));
}

std::string FirstWords(std::string_view text, std::size_t limit) {
  auto const first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  text.remove_prefix(first);
  text = Trim(text.substr(0, text.find_first_of("\r\n")));

  std::string words;
  while (!text.empty()) {
    auto const length = SequenceLength(text);
    auto const sequence = text.substr(0, std::max<std::size_t>(length, 1));
    text.remove_prefix(sequence.size());
    if (length != 0 && IsControl(sequence)) continue;
    if (words.size() + sequence.size() > limit) break;
    words.append(length == 0 ? "?" : sequence);
  }
  return words;
}

}  // namespace tus
