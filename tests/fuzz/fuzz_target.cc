#include "fuzz_target.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <iostream>
#include <limits>
#include <system_error>

#include "tusclient/client.h"
#include "url.h"

namespace tus::fuzz {
namespace {

/// A server's words are quoted with at most 200 bytes; a host name has 253.
constexpr std::size_t kMaxMessage = 1000;

bool IsVisible(char32_t point) { return point >= 0x20 && (point < 0x7F || point > 0x9F); }

/// The code point at the front of `text`, cut off from it; 0 where there is none.
char32_t TakePoint(std::string_view& text) {
  struct Form {
    unsigned char mask, bits;
    char32_t least;
  };
  constexpr Form kForms[] = {
      {0x80, 0x00, 0x0}, {0xE0, 0xC0, 0x80}, {0xF0, 0xE0, 0x800}, {0xF8, 0xF0, 0x10000}};
  auto const byte = [&](std::size_t index) { return static_cast<unsigned char>(text[index]); };
  for (std::size_t more = 0; more < std::size(kForms); ++more) {
    auto const& [mask, bits, least] = kForms[more];
    if ((byte(0) & mask) != bits || text.size() <= more) continue;
    char32_t point = byte(0) & static_cast<unsigned char>(~mask);
    for (std::size_t index = 1; index <= more; ++index) {
      if ((byte(index) & 0xC0) != 0x80) return 0;
      point = point << 6 | (byte(index) & 0x3F);
    }
    bool const exists = point <= 0x10FFFF && (point < 0xD800 || point > 0xDFFF);
    text.remove_prefix(more + 1);
    return exists && point >= least ? point : 0;
  }
  return 0;
}

}  // namespace

void Require(bool kept, std::string_view promise, std::string_view evidence) {
  if (kept) return;
  std::cerr << "broken promise: " << promise << "\n" << evidence << std::endl;
  std::abort();
}

void RequirePresentable(std::string_view message) {
  Require(!message.empty(), "an error says in a sentence what is wrong");
  Require(message.size() <= kMaxMessage, "a message is short", message);
  for (auto rest = message; !rest.empty();) {
    Require(IsVisible(TakePoint(rest)), "a message is UTF-8 without control characters", message);
  }
}

void RequireUsable(std::string const& url) {
  Require(url.starts_with("http://") || url.starts_with("https://"),
          "a URL is absolute, http or https", url);
  Require(std::none_of(url.begin(), url.end(), [](char c) { return c == ' ' || c == '#'; }),
          "a URL has no blanks and no fragment", url);
  for (auto rest = std::string_view(url); !rest.empty();) {
    Require(IsVisible(TakePoint(rest)), "a URL is UTF-8 without control characters", url);
  }
  auto const authority = url.substr(0, url.find('/', url.find("://") + 3));
  Require(authority.find('@') == std::string::npos, "a URL has no user name", url);
  Require(PathOf(url).starts_with('/') && url == authority + PathOf(url),
          "a URL is its authority and then its path", url);
  auto const again = NormalizeEndpoint(url);
  Require(again.has_value(), "a URL can be used again", url);
  Require(*again == url, "normalizing twice is normalizing once", url + "\n" + *again);
}

std::string_view TakeLine(std::string_view& text) {
  auto const end = text.find('\n');
  auto const line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return line;
}

std::vector<std::string_view> Words(std::string_view line) {
  std::vector<std::string_view> words;
  while (true) {
    auto const begin = line.find_first_not_of(' ');
    if (begin == std::string_view::npos) return words;
    line.remove_prefix(begin);
    words.push_back(line.substr(0, line.find(' ')));
    line.remove_prefix(words.back().size());
  }
}

std::uint64_t NumberOf(std::string_view word) {
  std::uint64_t number = 0;
  auto const [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  return error == std::errc::result_out_of_range ? std::numeric_limits<std::uint64_t>::max()
                                                 : number;
}

}  // namespace tus::fuzz
