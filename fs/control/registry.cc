#include "control/registry.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string_view>
#include <thread>
#include <utility>

#include "base/file.h"
#include "base/private_directory.h"

namespace tusfs {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// A socket's path may have 107 bytes (sun_path); a long mount point is told by its hash.
constexpr std::size_t kLongestName = 48;
constexpr std::size_t kLargestEntry = 64 * 1024;
constexpr std::chrono::seconds kKeeperPatience{120};  // its daemon may have much to sync
constexpr std::chrono::milliseconds kKeeperInterval{20};
constexpr std::chrono::seconds kQuietWait{1};

/// Of services that are not root's: RuntimeDirectory=tusfs-NAME.
std::vector<fs::path> RuntimeDirectoriesOfServices() {
  std::vector<fs::path> directories;
  std::error_code failed;
  for (fs::directory_iterator at("/run", failed), end; !failed && at != end; at.increment(failed)) {
    if (at->path().filename().string().starts_with("tusfs-")) directories.push_back(at->path());
  }
  return directories;
}

/// Whose mounts of tusfs the kernel knows, and where: nobody else can speak for them.
std::map<uid_t, std::set<std::string>> MountsByOwner() {
  std::map<uid_t, std::set<std::string>> mounts;
  for (auto const& line : ReadMountTable()) {
    auto const owner = OwnerOfTusfs(line);
    if (owner) mounts[*owner].insert(line.mountpoint);
  }
  return mounts;
}

/// Which process has the record lock; 0: none.
pid_t HolderOf(int file) {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  if (::fcntl(file, F_GETLK, &lock) != 0 || lock.l_type == F_UNLCK) return 0;
  return lock.l_pid;
}

fs::path LockPath(fs::path socket) { return socket.replace_extension(".lock"); }

std::string FileName(std::string const& mount) {
  auto const escaped = EscapePath(mount);
  if (escaped.size() <= kLongestName) return escaped;
  std::uint64_t hash = 14695981039346656037u;  // FNV-1a
  for (char const c : mount) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  char digits[17];
  std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(hash));
  return escaped.substr(escaped.size() - 24) + "-" + digits;
}

fs::path OwnDirectory() {
  if (auto const* chosen = std::getenv("TUSFS_RUNTIME_DIR")) return fs::absolute(chosen);
  if (::geteuid() == 0) return "/run/tusfs";
  if (auto const* runtime = std::getenv("XDG_RUNTIME_DIR")) return fs::path(runtime) / "tusfs";
  return "/tmp/tusfs-" + std::to_string(::geteuid());
}

// Whether the directory is `owner`'s, and nobody else's to write: below /tmp anybody could have
// been there first.
bool IsPrivateTo(fs::path const& directory, uid_t owner) {
  struct stat status {};
  return ::lstat(directory.c_str(), &status) == 0 && S_ISDIR(status.st_mode) &&
         status.st_uid == owner && (status.st_mode & 022) == 0;
}

// An entry's text; a fifo or a link that somebody left there is no entry.
Result<std::string> ReadEntry(fs::path const& path) {
  auto const fd = OpenFile(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  if (!fd) return Failure(fd.error());
  struct stat status {};
  if (::fstat(fd->get(), &status) != 0 || !S_ISREG(status.st_mode)) return Fail(EINVAL);
  std::string text(kLargestEntry, '\0');
  auto const size = ReadFully(fd->get(), std::as_writable_bytes(std::span(text)), 0);
  if (!size) return Failure(size.error());
  text.resize(*size);
  return text;
}

void ListDirectory(fs::path const& directory, uid_t owner, std::vector<MountEntry>& mounts) {
  if (!IsPrivateTo(directory, owner)) return;
  std::error_code failed;
  for (fs::directory_iterator at(directory, failed), end; !failed && at != end;
       at.increment(failed)) {
    if (at->path().extension() != ".json") continue;
    auto const text = ReadEntry(at->path());
    if (!text) continue;
    auto const object = json::parse(*text, nullptr, false);
    if (!object.is_object()) continue;
    auto const text_of = [&](char const* field) {
      auto const found = object.find(field);
      return found != object.end() && found->is_string() ? found->get<std::string>() : "";
    };
    auto const number_of = [&](char const* field) -> std::uint64_t {
      auto const found = object.find(field);
      return found != object.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
    };
    mounts.push_back({.mount = text_of("mount"),
                      .url = text_of("url"),
                      .state_dir = text_of("state_dir"),
                      .socket = text_of("socket"),
                      .daemon_pid = static_cast<pid_t>(number_of("daemon_pid")),
                      .starts = number_of("starts"),
                      .reloads = number_of("reloads"),
                      .last_end = text_of("last_end"),
                      .problem = text_of("problem"),
                      .import = text_of("import")});
    if (mounts.back().mount.empty() || mounts.back().socket.empty()) mounts.pop_back();
  }
}

}  // namespace

std::optional<uid_t> OwnerOfTusfs(MountLine const& line) {
  constexpr std::string_view kUser = "user_id=";
  if (line.type != "fuse.tusfs") return std::nullopt;
  std::istringstream options(line.filesystem_options);
  for (std::string option; std::getline(options, option, ',');) {
    if (!option.starts_with(kUser)) continue;
    uid_t owner = 0;
    auto const* const end = option.data() + option.size();
    auto const read = std::from_chars(option.data() + kUser.size(), end, owner);
    if (read.ec == std::errc() && read.ptr == end) return owner;
  }
  return std::nullopt;
}

std::string EscapePath(std::string const& path) {
  std::string escaped;
  for (char const character : path) {
    auto const c = static_cast<unsigned char>(character);
    if (c == '/') {
      if (!escaped.empty()) escaped += '-';
    } else if (std::isalnum(c) != 0 || c == ':' || c == '_' || (c == '.' && !escaped.empty())) {
      escaped += static_cast<char>(c);
    } else {
      char digits[5];
      std::snprintf(digits, sizeof digits, "\\x%02x", c);
      escaped += digits;
    }
  }
  return escaped.empty() ? "-" : escaped;
}

Result<fs::path> RuntimeDirectory() {
  auto const directory = OwnDirectory();
  if (auto opened = PrivateDirectory::Open(directory); !opened) {
    return Fail(opened.error().code,
                "the runtime directory cannot be used: " + opened.error().context +
                    "; or name another one in TUSFS_RUNTIME_DIR");
  }
  return directory;
}

fs::path SocketPath(fs::path const& runtime_directory, std::string const& mount) {
  return runtime_directory / (FileName(mount) + ".sock");
}

Result<void> RegisterMount(fs::path const& runtime_directory, MountEntry const& entry) {
  json const object{{"mount", entry.mount},           {"url", entry.url},
                    {"state_dir", entry.state_dir},   {"socket", entry.socket},
                    {"daemon_pid", entry.daemon_pid}, {"starts", entry.starts},
                    {"reloads", entry.reloads},       {"last_end", entry.last_end},
                    {"problem", entry.problem},       {"import", entry.import}};
  return ReplaceFile(runtime_directory / (FileName(entry.mount) + ".json"),
                     object.dump(2, ' ', false, json::error_handler_t::replace) + "\n");
}

void UnregisterMount(fs::path const& runtime_directory, std::string const& mount) {
  ::unlink((runtime_directory / (FileName(mount) + ".json")).c_str());
}

// A record lock, unlike flock(2), tells who holds it; it goes with its process.
Result<UniqueFd> LockMount(fs::path const& runtime_directory, std::string const& mount,
                           std::function<void(pid_t)> on_wait) {
  auto const path = LockPath(SocketPath(runtime_directory, mount));
  auto file = OpenFile(path, O_RDWR | O_CREAT | O_NOFOLLOW);
  if (!file) return file;
  struct flock lock {};
  lock.l_type = F_WRLCK;
  auto const start = std::chrono::steady_clock::now();
  while (::fcntl(file->get(), F_SETLK, &lock) != 0) {
    if (errno != EAGAIN && errno != EACCES && errno != EINTR) return FailErrno(path.string());
    if (std::chrono::steady_clock::now() > start + kKeeperPatience) {
      return Fail(EBUSY, "another tusfs still keeps '" + mount + "': end it with 'umount " + mount +
                             "', or kill it");
    }
    if (on_wait && std::chrono::steady_clock::now() > start + kQuietWait) {
      std::exchange(on_wait, nullptr)(HolderOf(file->get()));
    }
    std::this_thread::sleep_for(kKeeperInterval);  // fcntl(2) has no time limit of its own
  }
  return file;
}

pid_t KeeperOf(MountEntry const& entry) {
  auto const file = OpenFile(LockPath(entry.socket), O_RDWR | O_NOFOLLOW);
  return file ? HolderOf(file->get()) : 0;
}

std::vector<MountEntry> ListMounts() {
  std::vector<MountEntry> mounts;
  ListDirectory(OwnDirectory(), ::geteuid(), mounts);
  if (::geteuid() != 0 || std::getenv("TUSFS_RUNTIME_DIR") != nullptr) return mounts;
  for (auto const& [owner, places] : MountsByOwner()) {
    if (owner == 0) continue;
    std::vector<MountEntry> theirs;
    ListDirectory("/run/user/" + std::to_string(owner) + "/tusfs", owner, theirs);
    ListDirectory("/tmp/tusfs-" + std::to_string(owner), owner, theirs);
    for (auto const& directory : RuntimeDirectoriesOfServices()) {
      ListDirectory(directory, owner, theirs);
    }
    std::copy_if(theirs.begin(), theirs.end(), std::back_inserter(mounts),
                 [&own = places](MountEntry const& entry) { return own.contains(entry.mount); });
  }
  return mounts;
}

}  // namespace tusfs
