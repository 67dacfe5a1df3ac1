#include "uploader/publish_rules.h"

#include <algorithm>

#include "catalog/life.h"
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

/// What the first rule says that matches; the first of its kind where none does.
template <typename Rule>
auto MeaningFor(std::vector<Rule> const& rules, std::string_view path) {
  if (rules.empty()) return decltype(Rule::by){};
  auto const names = NamesOfPath(path);
  auto const rule = std::find_if(rules.begin(), rules.end(), [&](Rule const& candidate) {
    return candidate.files.Matches(names);
  });
  return rule == rules.end() ? decltype(Rule::by){} : rule->by;
}

}  // namespace

std::vector<std::string> const& DefaultIgnored() {
  static std::vector<std::string> const patterns{
      // macOS, Windows, the desktops of Linux
      ".DS_Store", "._*", ".Trashes/", ".Spotlight-V100/", ".fseventsd/", "Thumbs.db",
      "desktop.ini", "$RECYCLE.BIN/", "System Volume Information/", ".Trash-*/",
      // rsync, editors, other filesystems
      ".~tmp~/", ".rsync-partial/", ".~lock.*#", ".*.sw[nopx]", "*~", ".fuse_hidden*", ".nfs*",
      // what downloaders know of their parts
      "*.aria2", "*.ytdl"};
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

bool PublishRules::Settles(Inode const& inode) const {
  if (inode.type != FileType::kRegular) return false;
  if (life::IsSettling(inode)) return true;
  return publish_interrupted && life::IsInterrupted(inode) && !inode.IsCut() &&
         inode.rewrite != Rewrite::kTorn;
}

Hold PublishRules::HoldOf(Inode const& inode, std::string_view path) const {
  if (IgnoredBy(path)) return Hold::kIgnored;
  if (inode.approved) return Hold::kNone;
  if (IsTemporary(path)) return Hold::kTemporary;
  auto const by = by_path.FinishOf(path);
  switch (by ? *by : MeaningFor(finish, path)) {
    case FinishBy::kClose:
      break;
    case FinishBy::kRename:
      return inode.renamed ? Hold::kNone : Hold::kRename;
    case FinishBy::kCommand:
      return Hold::kCommand;
    case FinishBy::kManual:
      return Hold::kManual;
    case FinishBy::kWritten:
      return Hold::kWritten;
  }
  return Hold::kNone;
}

ContentCheck PublishRules::CheckOf(Inode const& inode, std::string_view path) const {
  return inode.approved ? ContentCheck::kNone : MeaningFor(check, path);
}

bool PublishRules::IsTemporary(std::string_view path) const {
  return FinalNameOf(path.substr(path.rfind('/') + 1)) || FirstMatch(temporary, path) != nullptr;
}

}  // namespace tusfs
