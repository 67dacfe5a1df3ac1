#include "proof/source_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "base/file.h"

namespace tusfs {
namespace {

constexpr std::array<std::string_view, 3> kJunkFiles{".DS_Store", "Thumbs.db", "desktop.ini"};
constexpr std::array<std::string_view, 6> kJunkDirectories{
    ".Trashes",        ".Spotlight-V100", ".fseventsd",
    ".TemporaryItems", "$RECYCLE.BIN",    "System Volume Information"};

FileTime TimeOf(timespec const& time) {
  return FileTime{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

SourceEntry EntryOf(std::string path, struct stat const& status) {
  SourceEntry entry{.path = std::move(path),
                    .size = static_cast<std::uint64_t>(status.st_size),
                    .modified = TimeOf(status.st_mtim),
                    .changed = TimeOf(status.st_ctim),
                    .is_junk = false,
                    .problem = {}};
  entry.is_junk = IsJunk(entry.path);
  if (S_ISLNK(status.st_mode)) entry.problem = "it is a symbolic link, which is not uploaded";
  if (!S_ISREG(status.st_mode) && !S_ISLNK(status.st_mode)) entry.problem = "it is no regular file";
  return entry;
}

class Walk {
 public:
  void Enter(int at, std::string const& name, std::string const& path) {
    UniqueFd directory(::openat(at, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!directory) return Trouble(path, errno);
    std::unique_ptr<DIR, int (*)(DIR*)> const list(::fdopendir(directory.get()), ::closedir);
    if (!list) return Trouble(path, errno);
    auto const inner = directory.Release();
    while (true) {
      errno = 0;
      auto const* const found = ::readdir(list.get());
      if (found == nullptr) break;
      std::string const child = found->d_name;
      if (child != "." && child != "..")
        Add(inner, child, path.empty() ? child : path + "/" + child);
    }
    if (errno != 0) Trouble(path, errno);
  }

  std::vector<SourceEntry> Take() {
    std::ranges::sort(entries_, {}, &SourceEntry::path);
    return std::move(entries_);
  }

 private:
  void Add(int at, std::string const& name, std::string const& path) {
    struct stat status {};
    if (::fstatat(at, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return Trouble(path, errno);
    if (S_ISDIR(status.st_mode)) return Enter(at, name, path);
    entries_.push_back(EntryOf(path, status));
  }

  void Trouble(std::string const& path, int code) {
    SourceEntry entry;
    entry.path = path.empty() ? "." : path;
    entry.problem = std::string("it cannot be looked at: ") + std::strerror(code);
    entries_.push_back(std::move(entry));
  }

  std::vector<SourceEntry> entries_;
};

}  // namespace

Result<std::vector<SourceEntry>> ListSource(std::filesystem::path const& source) {
  struct stat status {};
  if (::stat(source.c_str(), &status) != 0) return FailErrno("'" + source.string() + "'");
  if (!S_ISDIR(status.st_mode)) {
    return std::vector{EntryOf(source.filename().string(), status)};
  }
  Walk walk;
  // The source itself may be given by a link.
  walk.Enter(AT_FDCWD, (source / "").string(), "");
  return walk.Take();
}

bool IsAsListed(struct stat const& status, SourceEntry const& entry) {
  return S_ISREG(status.st_mode) && static_cast<std::uint64_t>(status.st_size) == entry.size &&
         TimeOf(status.st_mtim) == entry.modified && TimeOf(status.st_ctim) == entry.changed;
}

bool IsJunk(std::string_view path) {
  while (!path.empty()) {
    auto const end = std::min(path.find('/'), path.size());
    auto const name = path.substr(0, end);
    bool const is_file = end == path.size();
    if (is_file) return name.starts_with("._") || std::ranges::count(kJunkFiles, name) > 0;
    if (name.starts_with(".Trash-") || std::ranges::count(kJunkDirectories, name) > 0) return true;
    path.remove_prefix(end + 1);
  }
  return false;
}

}  // namespace tusfs
