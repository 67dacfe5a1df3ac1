#include "base/glob.h"

#include <fnmatch.h>

#include <cerrno>

namespace tusfs {
namespace {

constexpr char const* kAnyDirectories = "**";

bool MatchesName(std::string const& pattern, std::string const& name) {
  return ::fnmatch(pattern.c_str(), name.c_str(), 0) == 0;
}

using Names = std::span<std::string const>;

bool MatchesPath(Names pattern, Names path) {
  if (pattern.empty()) return path.empty();
  auto const rest = pattern.subspan(1);
  if (pattern.front() != kAnyDirectories) {
    return !path.empty() && MatchesName(pattern.front(), path.front()) &&
           MatchesPath(rest, path.subspan(1));
  }
  if (rest.empty()) return !path.empty();
  for (std::size_t skipped = 0; skipped <= path.size(); ++skipped) {
    if (MatchesPath(rest, path.subspan(skipped))) return true;
  }
  return false;
}

}  // namespace

std::vector<std::string> NamesOfPath(std::string_view path) {
  std::vector<std::string> names;
  while (!path.empty()) {
    auto const slash = path.find('/');
    auto const name = path.substr(0, slash);
    path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
    if (!name.empty()) names.emplace_back(name);
  }
  return names;
}

Result<Glob> Glob::Parse(std::string const& text) {
  Glob glob;
  glob.text_ = text;
  glob.names_ = NamesOfPath(text);
  if (glob.names_.empty()) return Fail(EINVAL, "a pattern such as *.tmp or inbox/ is wanted");
  for (auto const& name : glob.names_) {
    if (name == "." || name == "..") {
      return Fail(EINVAL, "a pattern is relative to the mount and has no '" + name + "' in it");
    }
  }
  glob.directory_ = text.back() == '/';
  glob.whole_path_ = text.find('/') < text.find_last_not_of('/');
  return glob;
}

bool Glob::Matches(Names names) const {
  auto const matches = [&](Names path) {
    if (path.empty()) return false;
    return whole_path_ ? MatchesPath(names_, path) : MatchesName(names_.front(), path.back());
  };
  if (!directory_) return matches(names);
  for (std::size_t above = 1; above < names.size(); ++above) {
    if (matches(names.first(above))) return true;
  }
  return false;
}

}  // namespace tusfs
