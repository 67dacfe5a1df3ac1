#include "spool/description.h"

#include <charconv>

namespace tusfs {
namespace {

constexpr std::string_view kHead = "tusfs 1\n";
constexpr std::size_t kLongestName = 255;

template <typename Number>
bool Take(std::string_view& text, Number& number) {
  auto const parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (parsed.ec != std::errc()) return false;
  text.remove_prefix(static_cast<std::size_t>(parsed.ptr - text.data()));
  if (!text.starts_with('\n')) return false;
  text.remove_prefix(1);
  return true;
}

}  // namespace

// One line for each field; the path is last, because its bytes may be line breaks.
std::string Encode(Description const& description) {
  std::string text(kHead);
  text += static_cast<char>(description.state);
  text += '\n';
  auto const add = [&](auto number) { text += std::to_string(number) + "\n"; };
  add(description.mode);
  add(description.uid);
  add(description.gid);
  add(description.modified);
  add(description.trimmed);
  return text + description.url + "\n" + description.path;
}

std::optional<Description> DecodeDescription(std::string_view text) {
  if (!text.starts_with(kHead)) return std::nullopt;
  text.remove_prefix(kHead.size());
  if (text.size() < 2 || text[1] != '\n') return std::nullopt;
  Description description;
  switch (text[0]) {
    case 'w':
    case 'f':
    case 'u':
      description.state = static_cast<Description::State>(text[0]);
      break;
    default:
      return std::nullopt;
  }
  text.remove_prefix(2);
  bool const numbers = Take(text, description.mode) && Take(text, description.uid) &&
                       Take(text, description.gid) && Take(text, description.modified) &&
                       Take(text, description.trimmed);
  auto const url_end = text.find('\n');
  if (!numbers || url_end == std::string_view::npos) return std::nullopt;
  description.url = text.substr(0, url_end);
  description.path = text.substr(url_end + 1);
  if (!IsPlainPath(description.path)) return std::nullopt;
  return description;
}

bool IsPlainPath(std::string_view path) {
  while (true) {
    auto const slash = path.find('/');
    auto const name = path.substr(0, slash);
    bool const plain = !name.empty() && name != "." && name != ".." &&
                       name.size() <= kLongestName && name.find('\0') == std::string_view::npos;
    if (!plain) return false;
    if (slash == std::string_view::npos) return true;
    path.remove_prefix(slash + 1);
  }
}

}  // namespace tusfs
