#include "tusclient/url_store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>
#include <system_error>

#include "fail.h"
#include "stored_upload.h"
#include "tusclient/checksum.h"
#include "tusclient/hex.h"

namespace tus {
namespace {

constexpr std::size_t kMaxRecord = std::size_t{64} << 10;

class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  ~Fd() {
    if (fd_ >= 0) ::close(fd_);
  }
  Fd(Fd const&) = delete;
  Fd& operator=(Fd const&) = delete;
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

tl::unexpected<Error> Trouble(std::filesystem::path const& path, std::string const& what) {
  return Fail(ErrorCode::kInvalidArgument,
              "the upload records in '" + path.string() + "' cannot be used: " + what);
}

std::string Words(int code) { return std::system_category().message(code); }

Result<void> MakeDirectory(std::filesystem::path const& directory) {
  std::error_code failed;
  if (directory.has_parent_path())
    std::filesystem::create_directories(directory.parent_path(), failed);
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
    return Trouble(directory, Words(errno));
  }
  struct stat status {};
  if (::stat(directory.c_str(), &status) != 0) return Trouble(directory, Words(errno));
  if (!S_ISDIR(status.st_mode)) return Trouble(directory, "it is not a directory");
  if (status.st_uid != ::geteuid()) return Trouble(directory, "it belongs to another user");
  if ((status.st_mode & 022) != 0) return Trouble(directory, "other users can write there");
  if (::access(directory.c_str(), W_OK | X_OK) != 0) return Trouble(directory, Words(errno));
  return {};
}

std::optional<std::string> ReadRecord(std::filesystem::path const& path, int& code) {
  Fd const fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  code = fd.get() < 0 ? errno : 0;
  if (code != 0) return std::nullopt;
  std::string text(kMaxRecord + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    auto const count = ::read(fd.get(), text.data() + size, text.size() - size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) code = errno;
    if (count <= 0) break;
    size += static_cast<std::size_t>(count);
  }
  text.resize(size);
  if (code != 0 || size > kMaxRecord) return std::nullopt;
  return text;
}

Result<void> WriteAll(Fd const& fd, std::string_view text, std::filesystem::path const& directory) {
  while (!text.empty()) {
    auto const count = ::write(fd.get(), text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return Trouble(directory, Words(errno));
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  return {};
}

/// An empty file of that name, which nobody else writes to; -1 and errno. What a killed program has
/// left is written over, so nothing gathers.
int OpenLocked(std::filesystem::path const& path) {
  while (true) {
    int const fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return fd;
    struct stat opened {};
    struct stat named {};
    bool const locked = ::flock(fd, LOCK_EX) == 0 && ::fstat(fd, &opened) == 0;
    // Whoever had the lock before has renamed the file: it is a record now.
    bool const ours = locked && ::stat(path.c_str(), &named) == 0 &&
                      opened.st_ino == named.st_ino && opened.st_dev == named.st_dev;
    if (ours && ::ftruncate(fd, 0) == 0) return fd;
    auto const code = errno;
    ::close(fd);
    errno = code;
    if (!locked || ours) return -1;
  }
}

}  // namespace

std::filesystem::path FileUrlStore::PathOf(std::string const& fingerprint) const {
  Hasher hasher(ChecksumAlgorithm::kSha256);
  hasher.Update(std::as_bytes(std::span(fingerprint)));
  return directory_ / EncodeHex(hasher.Digest());
}

Result<std::optional<StoredUpload>> FileUrlStore::Find(std::string const& fingerprint) {
  // Now, before something is sent that could not be remembered.
  if (auto made = MakeDirectory(directory_); !made) return tl::unexpected(made.error());
  int code = 0;
  auto const text = ReadRecord(PathOf(fingerprint), code);
  if (code != 0 && code != ENOENT && code != ELOOP) return Trouble(directory_, Words(code));
  if (!text) return std::nullopt;
  return DecodeRecord(*text, fingerprint);
}

Result<void> FileUrlStore::Put(std::string const& fingerprint, StoredUpload const& upload) {
  if (auto made = MakeDirectory(directory_); !made) return made;
  auto const path = PathOf(fingerprint);
  auto temporary = path;
  temporary += ".new";
  Fd const fd(OpenLocked(temporary));
  if (fd.get() < 0) return Trouble(directory_, Words(errno));
  bool const is_new = ::access(path.c_str(), F_OK) != 0;
  if (auto written = WriteAll(fd, EncodeRecord(fingerprint, upload), directory_); !written) {
    return written;
  }
  bool const durable = is_new || upload.end != UploadFacts::End::kNotSent;
  if (durable && ::fdatasync(fd.get()) != 0) return Trouble(directory_, Words(errno));
  if (::rename(temporary.c_str(), path.c_str()) != 0) return Trouble(directory_, Words(errno));
  if (!durable) return {};
  Fd const directory(::open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() < 0 || ::fsync(directory.get()) != 0) {
    return Trouble(directory_, Words(errno));
  }
  return {};
}

Result<void> FileUrlStore::Remove(std::string const& fingerprint) {
  if (::unlink(PathOf(fingerprint).c_str()) != 0 && errno != ENOENT && errno != ENOTDIR) {
    return Trouble(directory_, Words(errno));
  }
  return {};
}

}  // namespace tus
