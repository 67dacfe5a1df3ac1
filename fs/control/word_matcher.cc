#include "control/word_matcher.h"

#include <algorithm>
#include <cstdint>

namespace tusfs {
namespace {

constexpr std::size_t kLongestShortWord = 5;  // bytes

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

bool IsOfWord(char c) {
  return IsDigit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

int HexOf(char c) {
  if (IsDigit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// The number of `digits` hex digits at `at`; nothing where they are not there.
std::optional<std::uint32_t> HexAt(std::string_view text, std::size_t at, std::size_t digits) {
  if (at > text.size() || text.size() - at < digits) return std::nullopt;
  std::uint32_t number = 0;
  for (char const c : text.substr(at, digits)) {
    if (HexOf(c) < 0) return std::nullopt;
    number = number * 16 + static_cast<std::uint32_t>(HexOf(c));
  }
  return number;
}

std::string Utf8(std::uint32_t point) {
  auto const byte = [](std::uint32_t bits) { return static_cast<char>(bits); };
  auto const tail = [&](int shift) { return byte(0x80 | ((point >> shift) & 0x3f)); };
  if (point < 0x80) return {byte(point)};
  if (point < 0x800) return {byte(0xc0 | (point >> 6)), tail(0)};
  if (point < 0x10000) return {byte(0xe0 | (point >> 12)), tail(6), tail(0)};
  return {byte(0xf0 | (point >> 18)), tail(12), tail(6), tail(0)};
}

/// What one character of the text stands for.
struct Unit {
  std::string bytes;
  std::size_t size = 1;  ///< of the text
};

Unit PlainUnit(std::string_view text, std::size_t at) { return {std::string(1, text[at]), 1}; }

Unit PercentUnit(std::string_view text, std::size_t at) {
  auto const byte = text[at] == '%' ? HexAt(text, at + 1, 2) : std::nullopt;
  return byte ? Unit{std::string(1, static_cast<char>(*byte)), 3} : PlainUnit(text, at);
}

/// "\\uHHHH", with the second half of a pair behind it.
Unit UnicodeUnit(std::string_view text, std::size_t at) {
  auto const first = HexAt(text, at + 2, 4);
  if (!first) return PlainUnit(text, at);
  bool const is_half = *first >= 0xd800 && *first < 0xdc00;
  bool const has_more = is_half && text.substr(at + 6, 2) == "\\u";
  auto const second = has_more ? HexAt(text, at + 8, 4) : std::nullopt;
  if (!second || *second < 0xdc00 || *second > 0xdfff) return {Utf8(*first), 6};
  return {Utf8(0x10000 + ((*first - 0xd800) << 10) + (*second - 0xdc00)), 12};
}

Unit EscapedUnit(std::string_view text, std::size_t at) {
  if (text[at] != '\\' || at + 1 >= text.size()) return PlainUnit(text, at);
  auto const one = [](char c) { return Unit{std::string(1, c), 2}; };
  switch (text[at + 1]) {
    case 'n':
      return one('\n');
    case 't':
      return one('\t');
    case 'r':
      return one('\r');
    case 'b':
      return one('\b');
    case 'f':
      return one('\f');
    case '"':
    case '\\':
    case '/':
      return one(text[at + 1]);
    case 'u':
      return UnicodeUnit(text, at);
    case 'x': {
      auto const byte = HexAt(text, at + 2, 2);
      return byte ? Unit{std::string(1, static_cast<char>(*byte)), 4} : PlainUnit(text, at);
    }
    default:
      return PlainUnit(text, at);
  }
}

/// Whether what ends before `at` is an escape: its last character is a letter, and of no word.
bool IsBehindEscape(std::string_view text, std::size_t at) {
  auto const has = [&](std::size_t size, std::string_view head) {
    return at >= size && text.substr(at - size, head.size()) == head;
  };
  return has(3, "%") || has(2, "\\") || has(4, "\\x") || has(6, "\\u");
}

bool IsWithinWord(std::string_view text, std::size_t at, std::size_t size) {
  auto const end = at + size;
  bool const goes_on = end < text.size() && IsOfWord(text[end]) && IsOfWord(text[end - 1]);
  if (goes_on) return true;
  bool const has_begun = at > 0 && IsOfWord(text[at - 1]) && IsOfWord(text[at]);
  return has_begun && !IsBehindEscape(text, at);
}

}  // namespace

void WordMatcher::Add(std::string word, std::string replacement) {
  if (!word.empty()) words_.emplace_back(std::move(word), std::move(replacement));
}

void WordMatcher::Sort() {
  auto const by_word = [](auto const& one, auto const& other) { return one.first < other.first; };
  std::stable_sort(words_.begin(), words_.end(), by_word);
  auto const is_same = [](auto const& one, auto const& other) { return one.first == other.first; };
  words_.erase(std::unique(words_.begin(), words_.end(), is_same), words_.end());
}

std::optional<WordMatcher::Match> WordMatcher::Find(std::string_view text, std::size_t at) const {
  auto best = Find(text, at, Spelling::kPlain);
  for (auto const spelling : {Spelling::kPercent, Spelling::kEscaped}) {
    auto const found = Find(text, at, spelling);
    if (found && (!best || found->size > best->size)) best = found;
  }
  return best;
}

std::optional<WordMatcher::Match> WordMatcher::Find(std::string_view text, std::size_t at,
                                                    Spelling spelling) const {
  auto const unit_at = spelling == Spelling::kPlain     ? PlainUnit
                       : spelling == Spelling::kPercent ? PercentUnit
                                                        : EscapedUnit;
  std::optional<Match> best;
  auto begin = words_.begin();
  auto end = words_.end();
  std::size_t depth = 0;  // bytes of a word that the text has had
  auto const narrow = [&](char c) {
    auto const byte = static_cast<unsigned char>(c);
    auto const byte_of = [&](auto const& entry) {
      return entry.first.size() <= depth ? -1 : static_cast<unsigned char>(entry.first[depth]);
    };
    begin = std::partition_point(begin, end, [&](auto const& e) { return byte_of(e) < byte; });
    end = std::partition_point(begin, end, [&](auto const& e) { return byte_of(e) <= byte; });
    ++depth;
  };
  for (auto next = at; next < text.size() && begin != end;) {
    auto const unit = unit_at(text, next);
    for (char const c : unit.bytes) narrow(c);
    next += unit.size;
    if (begin == end || begin->first.size() != depth) continue;
    bool const counts = depth > kLongestShortWord || !IsWithinWord(text, at, next - at);
    if (counts) best = Match{next - at, begin->second};
  }
  return best;
}

}  // namespace tusfs
