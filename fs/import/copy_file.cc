#include "import/copy_file.h"

#include <fcntl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include "import/marks.h"

namespace tusfs {
namespace {

constexpr std::size_t kBlock = std::size_t{1} << 20;
constexpr mode_t kPermissions = 01777;
constexpr std::string_view kOfUsers = "user.";
constexpr std::string_view kStatus = "user.tusfs.";  // what tusfs itself tells of its files

Result<void> CopyXattr(int from, int to, char const* name) {
  auto const size = ::fgetxattr(from, name, nullptr, 0);
  if (size < 0) return FailErrno(std::string("its attribute ") + name + " cannot be read");
  std::vector<char> value(static_cast<std::size_t>(size));
  auto const got = ::fgetxattr(from, name, value.data(), value.size());
  if (got < 0) return FailErrno(std::string("its attribute ") + name + " cannot be read");
  if (::fsetxattr(to, name, value.data(), static_cast<std::size_t>(got), 0) != 0) {
    return FailErrno(std::string("its attribute ") + name + " cannot be set");
  }
  return {};
}

Result<void> CopyXattrs(int from, int to) {
  auto const size = ::flistxattr(from, nullptr, 0);
  if (size < 0 && errno == ENOTSUP) return {};
  if (size < 0) return FailErrno("its attributes cannot be listed");
  std::vector<char> names(static_cast<std::size_t>(size));
  auto const got = ::flistxattr(from, names.data(), names.size());
  if (got < 0) return FailErrno("its attributes cannot be listed");
  for (std::size_t at = 0; at < static_cast<std::size_t>(got);) {
    std::string_view const name(names.data() + at);
    at += name.size() + 1;
    if (!name.starts_with(kOfUsers) || name.starts_with(kStatus) || name == kImportMark) continue;
    if (auto copied = CopyXattr(from, to, name.data()); !copied) return copied;
  }
  return {};
}

Result<void> CopyOwner(struct stat const& status, int to) {
  struct stat now {};
  if (::fstat(to, &now) != 0) return FailErrno("its copy cannot be looked at");
  if (now.st_uid == status.st_uid && now.st_gid == status.st_gid) return {};
  if (::fchown(to, status.st_uid, status.st_gid) == 0) return {};
  return Fail(errno, "its copy cannot be given to its owner (CAP_CHOWN): " +
                         std::string(std::strerror(errno)));
}

// What is compared is what whoever reads the mount gets.
Result<void> CompareBlock(int copy, std::span<std::byte const> block, std::uint64_t offset) {
  std::vector<std::byte> again(block.size());
  auto const size = ReadFully(copy, again, offset);
  if (!size) return Failure(size.error());
  if (*size == block.size() && std::equal(block.begin(), block.end(), again.begin())) return {};
  return Fail(EIO, "its copy has other bytes at " + std::to_string(offset));
}

Result<void> CopyBytes(Original const& original, int copy) {
  std::vector<std::byte> buffer(kBlock);
  auto const size = static_cast<std::uint64_t>(original.status().st_size);
  for (std::uint64_t offset = 0; offset < size;) {
    // Whoever wants to write to the original waits for this.
    if (auto same = original.CheckUnchanged(); !same) return same;
    auto const wanted = std::min<std::uint64_t>(buffer.size(), size - offset);
    std::span<std::byte> const block(buffer.data(), wanted);
    auto const got = ReadFully(original.fd(), block, offset);
    if (!got) return Failure(got.error());
    if (*got != wanted) return Fail(EBUSY, "it is being changed");
    if (auto written = WriteFully(copy, block, offset); !written) return written;
    if (auto same = CompareBlock(copy, block, offset); !same) return same;
    offset += wanted;
  }
  return original.CheckUnchanged();
}

/// Whether `name` is what an import that was cut off has left, or has no byte in it.
bool IsLeftover(int directory, std::string const& name) {
  struct stat status {};
  if (::fstatat(directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return false;
  return S_ISREG(status.st_mode) && (status.st_size == 0 || IsMarked(directory, name));
}

Result<UniqueFd> MakeCopy(int directory, std::string const& name) {
  if (IsLeftover(directory, name)) ::unlinkat(directory, name.c_str(), 0);
  constexpr mode_t kOwnersAlone = 0600;
  UniqueFd copy(::openat(directory, name.c_str(),
                         O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, kOwnersAlone));
  if (!copy && errno == EEXIST) {
    return Fail(EEXIST, "'" + name + "' is in the way in the mount: rename it");
  }
  if (!copy) return FailErrno("its copy cannot be made");
  if (auto marked = SetMark(copy.get(), kCopying); !marked) return Failure(marked.error());
  return copy;
}

}  // namespace

Result<void> CopyAttributes(int from, struct stat const& status, int to) {
  if (auto copied = CopyXattrs(from, to); !copied) return copied;
  if (auto marked = SetMark(to, MarkOf(status)); !marked) return marked;
  if (auto set = SetTimes(status, to); !set) return set;
  if (::fchmod(to, status.st_mode & kPermissions) != 0) {
    return FailErrno("its copy cannot be given its permissions");
  }
  return CopyOwner(status, to);  // last: an owner may do all of it, another one may not
}

Result<void> SetTimes(struct stat const& status, int to) {
  timespec const times[2] = {status.st_atim, status.st_mtim};
  if (::futimens(to, times) != 0) return FailErrno("its copy cannot be given its times");
  return {};
}

Result<void> CopyFile(Original const& original, int directory, std::string const& name) {
  auto const copy = MakeCopy(directory, name);
  if (!copy) return Failure(copy.error());
  auto done = CopyBytes(original, copy->get());
  if (done) done = CopyAttributes(original.fd(), original.status(), copy->get());
  if (done && ::fsync(copy->get()) != 0) done = FailErrno("its copy cannot be brought to the disk");
  if (!done) ::unlinkat(directory, name.c_str(), 0);
  return done;
}

}  // namespace tusfs
