// What the programs of a history have done, as they saw it: names, bytes, and which bytes somebody
// has closed as complete.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"

namespace tusfs_life {

/// What is to become of a file's bytes.
enum class Fate {
  kPublish,  ///< closed cleanly: they are published, without anybody's help
  kMay,      ///< closed, but the power failed, or the disk: may wait for a person
  kHold,     ///< cut short: never, unless a person says so
};

struct File {
  int number = 0;            ///< for sentences
  tusfs::InodeId inode = 0;  ///< 0: its making was not answered
  bool is_directory = false;
  std::string bytes;
  std::string uncut;  ///< what it was before a power cut that has left some of it unreadable
  /// A power cut has left it with bytes that only the server has: these may be others.
  bool is_guess = false;
  Fate fate = Fate::kPublish;
  /// The last word of those who wrote to it was not clean.
  bool bad = false;
  std::set<tusfs::HandleId> writers;  ///< open handles that may write
  /// Of these, those that were open when another one ended badly: they do not mend that.
  std::set<tusfs::HandleId> beside_bad;
  /// Hashes of what it was when it was complete.
  std::set<std::uint64_t> closed;
  std::int64_t closed_at = 0;          ///< when it was so last, by the virtual clock
  std::vector<std::string> closed_as;  ///< its names at that time
  /// What was fsynced, while nothing has changed since.
  bool synced = false;
  /// What an unanswered call was about to change.
  std::string before;
  bool unanswered = false;
};
using FilePtr = std::shared_ptr<File>;
using Names = std::map<std::string, FilePtr>;

[[nodiscard]] std::uint64_t HashOf(std::string_view bytes);

/// A tree, and all trees that it was since a moment that is safe from a power cut.
class Model {
 public:
  Model() { trees_.push_back({{}, 0}); }

  [[nodiscard]] Names const& names() const { return trees_.back().names; }
  [[nodiscard]] FilePtr Find(std::string const& path) const;
  [[nodiscard]] std::vector<std::string> NamesOf(FilePtr const& file) const;
  [[nodiscard]] bool IsEmpty(std::string const& directory) const;
  /// Its directory is there, or it is in the root.
  [[nodiscard]] bool HasParent(std::string const& path) const;
  [[nodiscard]] tusfs::InodeId ParentOf(std::string const& path) const;

  /// What the tree is from now on. `time`: of the change.
  void Become(Names names, std::int64_t time);
  /// All that was done so far is safe from a power cut.
  void Synced();
  /// So is what was done before `time`.
  void SyncedBefore(std::int64_t time);

  struct Tree {
    Names names;
    std::int64_t time = 0;
  };
  /// The trees that may be left, oldest first; the last one is the tree.
  [[nodiscard]] std::vector<Tree> const& trees() const { return trees_; }
  /// This one was left.
  void Restore(std::size_t tree);

  [[nodiscard]] FilePtr NewFile(bool is_directory);
  /// All files that ever were.
  [[nodiscard]] std::vector<FilePtr> const& files() const { return files_; }

 private:
  std::vector<Tree> trees_;
  std::vector<FilePtr> files_;
};

[[nodiscard]] inline std::string DirectoryOf(std::string const& path) {
  auto const slash = path.rfind('/');
  return slash == std::string::npos ? std::string() : path.substr(0, slash);
}
[[nodiscard]] inline std::string NameOf(std::string const& path) {
  return path.substr(path.rfind('/') + 1);
}

}  // namespace tusfs_life
