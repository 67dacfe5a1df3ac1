// What the settings say about publishing: which files never are, which wait, and for what.
//
// Plain values and pure functions of them, set when the mount is made. Paths are relative to the
// mount.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/glob.h"
#include "catalog/records.h"
#include "uploader/finish_by.h"
#include "uploader/path_rules.h"

namespace tusfs {

/// What desktops, editors and copying programs leave beside the files that people mean.
[[nodiscard]] std::vector<std::string> const& DefaultIgnored();

/// `texts` that Glob::Parse accepts.
[[nodiscard]] std::vector<Glob> GlobsOf(std::vector<std::string> const& texts);

struct FinishRule {
  Glob files;
  FinishBy by = FinishBy::kClose;
};

/// What the bytes of a file that has settled are held against.
enum class ContentCheck {
  kNone,
  kMedia,  ///< what its format says of its own length: content/why_not_whole.h
};

struct CheckRule {
  Glob files;
  ContentCheck by = ContentCheck::kNone;
};

/// What keeps a file from being finished when its quiet time is over.
enum class Hold {
  kNone,
  kIgnored,    ///< it never will be under this name
  kTemporary,  ///< its final name
  kRename,
  kCommand,
  kManual,
  kWritten,
  kCompanion,  ///< another file beside it to go, which says that it is not finished
  kAfter,      ///< others, which have to be on the server first
};

struct PublishRules {
  std::vector<Glob> ignored = GlobsOf(DefaultIgnored());
  std::vector<Glob> temporary{};              ///< beside those that FinalNameOf knows
  bool publish_unknown = false;               ///< where nobody can tell how the writer ended
  bool publish_interrupted = false;           ///< as far as it was written, unless power cut it
  std::vector<FinishRule> finish{};           ///< the first that matches counts
  std::vector<std::string> finish_command{};  ///< its words; the file's path is added
  std::vector<CheckRule> check{};             ///< the first that matches counts
  PathRules by_path{};                        ///< they stand above `finish`
  std::string mount{};                        ///< the mount point, absolute

  /// The pattern because of which the file at `path` is never uploaded.
  [[nodiscard]] std::optional<std::string> IgnoredBy(std::string_view path) const;

  /// Whether a file at `path` waits for its rename: it is never finished under this name.
  [[nodiscard]] bool IsTemporary(std::string_view path) const;

  /// Whether the file becomes finished in time, unless something holds it.
  [[nodiscard]] bool Settles(Inode const& inode) const;

  /// What a file that settles waits for besides. Never kCompanion or kAfter, which are for those to
  /// find who have the catalog.
  [[nodiscard]] Hold HoldOf(Inode const& inode, std::string_view path) const;

  /// What its bytes are held against before it becomes finished: nothing, once somebody has said
  /// that it is complete.
  [[nodiscard]] ContentCheck CheckOf(Inode const& inode, std::string_view path) const;
};

}  // namespace tusfs
