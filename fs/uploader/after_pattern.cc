#include "uploader/after_pattern.h"

#include <array>
#include <cerrno>
#include <utility>

namespace tusfs {
namespace {

std::string Literally(std::string_view text) {
  std::string escaped;
  for (char const c : text) {
    if (c == '*' || c == '?' || c == '[' || c == ']' || c == '\\') escaped += '\\';
    escaped += c;
  }
  return escaped;
}

std::string_view DirectoryOf(std::string_view path) {
  auto const slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}

std::string_view StemOf(std::string_view name) {
  auto const dot = name.rfind('.');
  return dot == std::string_view::npos || dot == 0 ? name : name.substr(0, dot);
}

}  // namespace

Result<Glob> FillIn(std::string const& pattern, std::string_view path) {
  auto const name = path.substr(path.rfind('/') + 1);
  std::array<std::pair<std::string_view, std::string_view>, 3> const parts{
      {{"{dir}", DirectoryOf(path)}, {"{name}", name}, {"{stem}", StemOf(name)}}};
  std::string filled;
  for (std::size_t at = 0; at < pattern.size();) {
    auto const rest = std::string_view(pattern).substr(at);
    bool is_part = false;
    for (auto const& [word, meaning] : parts) {
      if (!rest.starts_with(word)) continue;
      filled += Literally(meaning);
      at += word.size();
      is_part = true;
      break;
    }
    if (is_part) continue;
    if (rest.front() == '{' || rest.front() == '}') {
      return Fail(EINVAL, "braces are for {dir}, {stem} and {name}: write ? for a brace");
    }
    filled += rest.front();
    ++at;
  }
  return Glob::Parse(filled);
}

}  // namespace tusfs
