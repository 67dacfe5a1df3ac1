// A disk that knows what was synced, and forgets the rest at a power cut.
//
// Beneath its root, which is a directory in memory, each call of libc that changes something is
// seen (interposed.cc): of every file the blocks that nobody has synced since they were written,
// and of all names the changes that are in no journal yet. A power cut leaves what was synced, and
// of the rest what a seed says: a prefix of the changes of names in their order, any of the blocks
// that were written, with what they held at any moment since then, and zeros where a block did not
// come through. That is not kinder than ext4 with ordered data.
//
// One object a process, one thread. While it is dead, whoever writes believes that he does, and
// nothing happens: so the objects of a process that was killed can be destroyed.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace tusfs_life {

class Disk {
 public:
  /// `root` is made anew, and removed in the end. `now`: wall-clock nanoseconds.
  Disk(std::filesystem::path root, std::function<std::int64_t()> now);
  ~Disk();
  Disk(Disk const&) = delete;
  Disk& operator=(Disk const&) = delete;

  [[nodiscard]] std::filesystem::path const& root() const { return root_; }

  // ---- trouble

  /// Nothing that is written from now on arrives, until Revive.
  void Die() { dead_ = true; }
  /// The same behind `changes` more changes.
  void DieAfter(std::uint64_t changes) { dies_at_ = changes_ + changes; }
  void Revive();
  [[nodiscard]] bool dies_soon() const { return dies_at_.has_value(); }
  [[nodiscard]] bool dead() const { return dead_; }
  [[nodiscard]] std::uint64_t changes() const { return changes_; }

  /// The power fails while it is dead, and comes back. Nobody has a file of it open.
  void CutPower(std::mt19937_64& random);

  enum class Call { kWrite, kSync };
  /// The next `times` such calls for files whose path contains `part` fail.
  void Fail(Call call, std::string part, int code, int times);
  void Heal() { failures_.clear(); }
  /// How many calls have failed so.
  [[nodiscard]] std::uint64_t failed() const { return failed_; }

  // ---- what libc calls; each as the system call of its name, with -errno for an error

  [[nodiscard]] bool Watches(std::string_view path) const;
  [[nodiscard]] bool Watches(int fd) const;
  /// The path of a name beneath an open directory.
  [[nodiscard]] std::string PathAt(int directory, char const* path) const;
  long Open(std::string const& path, int flags, mode_t mode);
  void Close(int fd);
  void Duplicate(int from, int to);
  long Write(int fd, void const* bytes, std::size_t size, std::uint64_t offset);
  long Truncate(int fd, std::uint64_t size);
  long Allocate(int fd, int mode, std::uint64_t offset, std::uint64_t length);
  long Sync(int fd, bool with_times);
  long SyncAll();
  long Rename(std::string const& from, std::string const& to);
  long Unlink(std::string const& path, bool directory);
  long MakeDirectory(std::string const& path, mode_t mode);
  long SetXattr(std::string const& path, char const* name, void const* value, std::size_t size);
  /// What a stat shows of the file by the clock of this disk.
  void Correct(int fd, struct stat& status) const;

 private:
  static constexpr std::uint64_t kBlock = 4096;

  /// What a block may hold after a power cut, besides what it holds now.
  struct Unsynced {
    std::string synced;                ///< zeros where nothing was synced
    std::vector<std::string> between;  ///< some of what it held since then
  };
  struct Node {
    ~Node();
    int fd = -1;  ///< of the file itself, which may have lost its name; -1: a directory
    std::uint64_t synced_size = 0;
    std::map<std::uint64_t, Unsynced> unsynced;
    bool is_new = true;  ///< its making is not in the journal of names
    std::int64_t modified = 0;
    std::map<std::string, std::string> xattrs;         ///< now
    std::map<std::string, std::string> synced_xattrs;  ///< in the journal
  };
  using NodePtr = std::shared_ptr<Node>;
  using Names = std::map<std::string, NodePtr>;
  struct Opened {
    NodePtr node;
    std::string path;  ///< of a directory
    bool writes_through = false;
  };
  struct Change {
    std::string path;
    NodePtr node;      ///< null: the name goes
    std::string from;  ///< of a rename
    std::string xattr;
    std::string value;
  };
  struct Failure {
    Call call;
    std::string part;
    int code;
    int times;
  };

  /// Whether a change may happen: false once it is dead.
  bool Begin();
  void Note(Change change);
  static void Apply(Names& names, Change const& change);
  void Journal();
  void SyncNode(Node& node);
  static std::string BlockOf(Node const& node, std::uint64_t block);
  static void Touch(Node& node, std::uint64_t begin, std::uint64_t end);
  [[nodiscard]] int FailureOf(Call call, Node const* node);
  static std::string AfterCut(Node const& node, std::mt19937_64& random);
  void Materialize(Names const& names, std::mt19937_64& random);

  std::filesystem::path const root_;
  std::function<std::int64_t()> const now_;
  std::vector<Opened> open_;  ///< by descriptor
  Names names_;
  Names synced_names_;
  std::vector<Change> unsynced_names_;
  std::vector<Failure> failures_;
  std::uint64_t failed_ = 0;
  std::uint64_t changes_ = 0;
  std::optional<std::uint64_t> dies_at_;
  bool dead_ = false;
};

/// The disk whose calls are seen; null: none.
[[nodiscard]] Disk* CurrentDisk();

}  // namespace tusfs_life
