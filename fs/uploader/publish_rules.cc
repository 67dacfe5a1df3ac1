#include "uploader/publish_rules.h"

#include <algorithm>

#include "uploader/target.h"

namespace tusfs {
namespace {

Glob const* FirstMatch(std::vector<Glob> const& globs, std::string_view path) {
  if (globs.empty()) return nullptr;
  auto const names = NamesOfPath(path);
  auto const found = std::find_if(globs.begin(), globs.end(),
                                  [&](Glob const& glob) { return glob.Matches(names); });
  return found == globs.end() ? nullptr : &*found;
}

}  // namespace

std::vector<std::string> const& DefaultIgnored() {
  static std::vector<std::string> const patterns{
      // macOS, Windows, the desktops of Linux
      ".DS_Store", "._*", ".Trashes/", ".Spotlight-V100/", ".fseventsd/", "Thumbs.db",
      "desktop.ini", "$RECYCLE.BIN/", "System Volume Information/", ".Trash-*/",
      // rsync, editors, other filesystems
      ".~tmp~/", ".rsync-partial/", ".~lock.*#", ".*.sw[nopx]", "*~", ".fuse_hidden*", ".nfs*"};
  return patterns;
}

std::vector<Glob> GlobsOf(std::vector<std::string> const& texts) {
  std::vector<Glob> globs;
  for (auto const& text : texts) globs.push_back(Glob::Parse(text).value());
  return globs;
}

std::optional<std::string> PublishRules::IgnoredBy(std::string_view path) const {
  auto const* const glob = FirstMatch(ignored, path);
  return glob == nullptr ? std::nullopt : std::optional(glob->text());
}

bool PublishRules::IsTemporary(std::string_view path) const {
  return FinalNameOf(path.substr(path.rfind('/') + 1)) || FirstMatch(temporary, path) != nullptr;
}

}  // namespace tusfs
