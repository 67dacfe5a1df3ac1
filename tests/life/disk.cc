#include "disk.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <utility>

namespace tusfs_life {
namespace {

namespace fs = std::filesystem;

Disk* current = nullptr;
constexpr std::size_t kMostBetween = 6;

long Answer(long result) { return result < 0 ? -errno : result; }

std::uint64_t SizeOf(int fd) {
  struct stat status {};
  if (::syscall(SYS_fstat, fd, &status) != 0) return 0;
  return static_cast<std::uint64_t>(status.st_size);
}

std::string ReadAt(int fd, std::uint64_t offset, std::size_t size) {
  std::string bytes(size, '\0');
  auto const got = ::syscall(SYS_pread64, fd, bytes.data(), size, offset);
  std::fill(bytes.begin() + std::max<long>(got, 0), bytes.end(), '\0');
  return bytes;
}

void WriteAt(int fd, std::uint64_t offset, std::string const& bytes) {
  if (::syscall(SYS_pwrite64, fd, bytes.data(), bytes.size(), offset) < 0) std::abort();
}

int OpenReal(std::string const& path, int flags, mode_t mode) {
  return static_cast<int>(::syscall(SYS_openat, AT_FDCWD, path.c_str(), flags, mode));
}

}  // namespace

Disk* CurrentDisk() { return current; }

Disk::Node::~Node() {
  if (fd >= 0) ::syscall(SYS_close, fd);
}

Disk::Disk(fs::path root, std::function<std::int64_t()> now)
    : root_(std::move(root)), now_(std::move(now)) {
  fs::remove_all(root_);
  fs::create_directories(root_);
  current = this;
}

Disk::~Disk() {
  current = nullptr;
  std::error_code ignored;
  fs::remove_all(root_, ignored);
}

// ---- dying

bool Disk::Begin() {
  ++changes_;
  if (dies_at_ && changes_ > *dies_at_) dead_ = true;
  return !dead_;
}

void Disk::Revive() {
  dead_ = false;
  dies_at_.reset();
}

void Disk::Fail(Call call, std::string part, int code, int times) {
  failures_.push_back({call, std::move(part), code, times});
}

int Disk::FailureOf(Call call, Node const* node) {
  if (failures_.empty() || node == nullptr) return 0;
  auto const named = std::find_if(names_.begin(), names_.end(),
                                  [&](auto const& row) { return row.second.get() == node; });
  if (named == names_.end()) return 0;
  for (auto& failure : failures_) {
    if (failure.call != call || failure.times == 0) continue;
    if (named->first.find(failure.part) == std::string::npos) continue;
    --failure.times;
    ++failed_;
    return failure.code;
  }
  return 0;
}

// ---- names

bool Disk::Watches(std::string_view path) const {
  auto const& root = root_.native();
  return path.size() > root.size() && path.starts_with(root) && path[root.size()] == '/';
}

bool Disk::Watches(int fd) const {
  return fd >= 0 && static_cast<std::size_t>(fd) < open_.size() &&
         open_[static_cast<std::size_t>(fd)].node != nullptr;
}

std::string Disk::PathAt(int directory, char const* path) const {
  if (path[0] == '/' || !Watches(directory)) return path;
  return open_[static_cast<std::size_t>(directory)].path + "/" + path;
}

void Disk::Apply(Names& names, Change const& change) {
  if (!change.xattr.empty()) {
    change.node->synced_xattrs[change.xattr] = change.value;
    return;
  }
  if (!change.from.empty()) {
    names.erase(change.from);
    names[change.path] = change.node;
    auto const prefix = change.from + "/";
    Names moved;
    for (auto at = names.lower_bound(prefix); at != names.end() && at->first.starts_with(prefix);) {
      moved[change.path + "/" + at->first.substr(prefix.size())] = at->second;
      at = names.erase(at);
    }
    names.merge(moved);
  } else if (change.node) {
    names[change.path] = change.node;
  } else {
    names.erase(change.path);
  }
}

void Disk::Note(Change change) {
  if (change.xattr.empty()) Apply(names_, change);
  unsynced_names_.push_back(std::move(change));
}

void Disk::Journal() {
  for (auto const& change : unsynced_names_) {
    Apply(synced_names_, change);
    if (change.node) change.node->is_new = false;
  }
  unsynced_names_.clear();
}

// ---- calls

long Disk::Open(std::string const& path, int flags, mode_t mode) {
  bool const nameless = (flags & O_TMPFILE) == O_TMPFILE;
  bool const known = names_.contains(path);
  if (!nameless && !known && (flags & O_CREAT) != 0 && !Begin()) {
    return Answer(OpenReal("/dev/null", O_RDWR | O_CLOEXEC, 0));
  }
  if (dead_) flags &= ~O_TRUNC;
  auto const fd = OpenReal(path, flags, mode);
  if (fd < 0) return -errno;
  if (nameless) return fd;
  Opened opened;
  opened.writes_through = (flags & (O_SYNC | O_DSYNC)) != 0;
  struct stat status {};
  ::syscall(SYS_fstat, fd, &status);
  if (auto const found = names_.find(path); found != names_.end()) {
    opened.node = found->second;
  } else {
    opened.node = std::make_shared<Node>();
    opened.node->modified = now_();
    if (S_ISDIR(status.st_mode)) {
      opened.node->is_new = false;
    } else {
      opened.node->fd = OpenReal(path, O_RDWR | O_CLOEXEC, 0);
      Note({.path = path, .node = opened.node, .from = {}, .xattr = {}, .value = {}});
    }
  }
  if (S_ISDIR(status.st_mode)) opened.path = path;
  if ((flags & O_TRUNC) != 0 && known && !S_ISDIR(status.st_mode)) {
    // Rare and small (a file that is replaced): as if it had been synced so.
    SyncNode(*opened.node);
  }
  if (open_.size() <= static_cast<std::size_t>(fd)) open_.resize(static_cast<std::size_t>(fd) + 1);
  open_[static_cast<std::size_t>(fd)] = std::move(opened);
  return fd;
}

void Disk::Close(int fd) {
  if (Watches(fd)) open_[static_cast<std::size_t>(fd)] = {};
}

void Disk::Duplicate(int from, int to) {
  if (to < 0 || !Watches(from)) return;
  auto const opened = open_[static_cast<std::size_t>(from)];
  if (open_.size() <= static_cast<std::size_t>(to)) open_.resize(static_cast<std::size_t>(to) + 1);
  open_[static_cast<std::size_t>(to)] = opened;
}

std::string Disk::BlockOf(Node const& node, std::uint64_t block) {
  return ReadAt(node.fd, block * kBlock, kBlock);
}

void Disk::Touch(Node& node, std::uint64_t begin, std::uint64_t end) {
  for (auto block = begin / kBlock; block * kBlock < end; ++block) {
    auto const found = node.unsynced.find(block);
    if (found == node.unsynced.end()) {
      node.unsynced[block].synced = BlockOf(node, block);
    } else if (found->second.between.size() < kMostBetween) {
      found->second.between.push_back(BlockOf(node, block));
    } else {
      std::rotate(found->second.between.begin(), found->second.between.begin() + 1,
                  found->second.between.end());
      found->second.between.back() = BlockOf(node, block);
    }
  }
}

long Disk::Write(int fd, void const* bytes, std::size_t size, std::uint64_t offset) {
  auto const& opened = open_[static_cast<std::size_t>(fd)];
  auto& node = *opened.node;
  if (!Begin()) return static_cast<long>(size);
  if (auto const code = FailureOf(Call::kWrite, &node); code != 0) return -code;
  Touch(node, offset, offset + size);
  auto const written = ::syscall(SYS_pwrite64, fd, bytes, size, offset);
  if (written < 0) return -errno;
  node.modified = now_();
  if (!opened.writes_through) return written;
  for (auto block = offset / kBlock; block * kBlock < offset + size; ++block) {
    node.unsynced.erase(block);
  }
  node.synced_size = std::max(node.synced_size, offset + size);
  if (node.is_new) Journal();
  return written;
}

long Disk::Truncate(int fd, std::uint64_t size) {
  auto& node = *open_[static_cast<std::size_t>(fd)].node;
  if (!Begin()) return 0;
  auto const before = SizeOf(fd);
  if (size < before) Touch(node, size, before);
  node.modified = now_();
  return Answer(::syscall(SYS_ftruncate, fd, size));
}

long Disk::Allocate(int fd, int mode, std::uint64_t offset, std::uint64_t length) {
  auto& node = *open_[static_cast<std::size_t>(fd)].node;
  if (!Begin()) return 0;
  constexpr int kZeroes = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE;
  if ((mode & kZeroes) == 0 && (mode & FALLOC_FL_KEEP_SIZE) != 0) return 0;
  if ((mode & kZeroes) != 0) Touch(node, offset, std::min(offset + length, SizeOf(fd)));
  node.modified = now_();
  if ((mode & FALLOC_FL_ZERO_RANGE) != 0) {
    // What a disk in memory does not have.
    auto const end =
        (mode & FALLOC_FL_KEEP_SIZE) != 0 ? std::min(offset + length, SizeOf(fd)) : offset + length;
    if (end > offset) WriteAt(node.fd, offset, std::string(end - offset, '\0'));
    return 0;
  }
  return Answer(::syscall(SYS_fallocate, fd, mode, offset, length));
}

void Disk::SyncNode(Node& node) {
  node.unsynced.clear();
  if (node.fd >= 0) node.synced_size = SizeOf(node.fd);
}

long Disk::Sync(int fd, bool with_times) {
  auto& node = *open_[static_cast<std::size_t>(fd)].node;
  if (!Begin()) return 0;
  if (auto const code = FailureOf(Call::kSync, &node); code != 0) {
    // The kernel forgets that these pages are dirty.
    return -code;
  }
  if (node.fd < 0) {
    Journal();
    return 0;
  }
  // Its inode is written where it has to be; that commits all names before it.
  bool const commits = with_times || node.is_new || node.synced_size != SizeOf(fd);
  SyncNode(node);
  if (commits) Journal();
  return 0;
}

long Disk::SyncAll() {
  if (!Begin()) return 0;
  for (auto& [path, node] : names_) SyncNode(*node);
  Journal();
  return 0;
}

long Disk::Rename(std::string const& from, std::string const& to) {
  if (!Begin()) return 0;
  auto const found = names_.find(from);
  auto const node = found == names_.end() ? nullptr : found->second;
  auto const done = ::syscall(SYS_rename, from.c_str(), to.c_str());
  if (done < 0) return -errno;
  if (node) Note({.path = to, .node = node, .from = from, .xattr = {}, .value = {}});
  return 0;
}

long Disk::Unlink(std::string const& path, bool directory) {
  if (!Begin()) return 0;
  auto const done = ::syscall(SYS_unlinkat, AT_FDCWD, path.c_str(), directory ? AT_REMOVEDIR : 0);
  if (done < 0) return -errno;
  Note({.path = path, .node = nullptr, .from = {}, .xattr = {}, .value = {}});
  return 0;
}

long Disk::MakeDirectory(std::string const& path, mode_t mode) {
  if (names_.contains(path)) return -EEXIST;
  if (!Begin()) return 0;
  auto const done = ::syscall(SYS_mkdir, path.c_str(), mode);
  if (done < 0) return -errno;
  auto node = std::make_shared<Node>();
  Note({.path = path, .node = node, .from = {}, .xattr = {}, .value = {}});
  return 0;
}

long Disk::SetXattr(std::string const& path, char const* name, void const* value,
                    std::size_t size) {
  if (!Begin()) return 0;
  auto const done = ::syscall(SYS_setxattr, path.c_str(), name, value, size, 0);
  auto const found = names_.find(path);
  if (done < 0 || found == names_.end()) return Answer(done);
  Note({.path = path,
        .node = found->second,
        .from = {},
        .xattr = name,
        .value = std::string(static_cast<char const*>(value), size)});
  return 0;
}

void Disk::Correct(int fd, struct stat& status) const {
  if (!Watches(fd)) return;
  auto const modified = open_[static_cast<std::size_t>(fd)].node->modified;
  status.st_mtim.tv_sec = modified / 1'000'000'000;
  status.st_mtim.tv_nsec = modified % 1'000'000'000;
}

// ---- the power

std::string Disk::AfterCut(Node const& node, std::mt19937_64& random) {
  auto const size = SizeOf(node.fd);
  auto const upto = [&](std::uint64_t most) { return random() % (most + 1); };
  auto bytes = ReadAt(node.fd, 0, static_cast<std::size_t>(std::max(size, node.synced_size)));
  // All of it, nothing of it, or some blocks.
  auto const how = random() % 4;
  std::uint64_t end = how == 0 ? size : node.synced_size;
  if (how != 0 && size < node.synced_size && random() % 2 == 0) end = size;
  for (auto const& [block, unsynced] : node.unsynced) {
    auto const choice = how == 0 ? 0 : how == 1 ? 1 : upto(1 + unsynced.between.size());
    auto const at = block * kBlock;
    if (choice != 0) {
      auto const& old = choice == 1 ? unsynced.synced : unsynced.between[choice - 2];
      if (bytes.size() < at + kBlock) bytes.resize(at + kBlock, '\0');
      std::copy(old.begin(), old.end(), bytes.begin() + static_cast<std::ptrdiff_t>(at));
    }
    // The size follows the blocks that were written behind it.
    if (how >= 2 && choice != 1 && size > node.synced_size) {
      end = std::max(end, std::min(size, at + kBlock));
    }
  }
  bytes.resize(end, '\0');
  return bytes;
}

void Disk::CutPower(std::mt19937_64& random) {
  auto const survived = random() % (unsynced_names_.size() + 1);
  for (std::size_t i = 0; i < survived; ++i) Apply(synced_names_, unsynced_names_[i]);
  unsynced_names_.clear();
  auto const names = std::exchange(synced_names_, {});
  open_.clear();
  Materialize(names, random);
  Revive();
}

void Disk::Materialize(Names const& names, std::mt19937_64& random) {
  std::vector<std::tuple<std::string, bool, std::string, NodePtr>> files;
  std::map<Node*, std::string> contents;
  for (auto const& [path, node] : names) {
    bool const is_directory = node->fd < 0;
    files.emplace_back(path, is_directory, is_directory ? std::string() : AfterCut(*node, random),
                       node);
  }
  auto* const self = std::exchange(current, nullptr);
  for (auto const& entry : fs::directory_iterator(root_)) fs::remove_all(entry.path());
  names_.clear();
  for (auto const& [path, is_directory, bytes, old] : files) {
    auto node = std::make_shared<Node>();
    node->is_new = false;
    node->modified = old->modified;
    node->xattrs = node->synced_xattrs = old->synced_xattrs;
    if (is_directory) {
      ::syscall(SYS_mkdir, path.c_str(), 0700);
    } else {
      node->fd = OpenReal(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
      if (node->fd < 0) std::abort();  // its directory comes before it
      WriteAt(node->fd, 0, bytes);
      node->synced_size = bytes.size();
      for (auto const& [name, value] : node->synced_xattrs) {
        ::syscall(SYS_setxattr, path.c_str(), name.c_str(), value.data(), value.size(), 0);
      }
    }
    names_[path] = node;
  }
  synced_names_ = names_;
  current = self;
}

}  // namespace tusfs_life
