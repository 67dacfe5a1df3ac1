#include "tusclient/url_store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <map>
#include <string_view>
#include <system_error>
#include <utility>

#include "fail.h"
#include "text.h"
#include "tusclient/checksum.h"

// A record is lines of "key value", in which a backslash makes \n of a line break and \\ of itself,
// and ends with the line "end": a file that was cut has none.

namespace tus {
namespace {

constexpr std::size_t kMaxRecord = std::size_t{64} << 10;
constexpr std::string_view kFirstLine = "tusclient upload 1";
constexpr std::string_view kLastLine = "end";

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

// ---- the text of a record

std::string Hex(std::string_view bytes) {
  std::string hex;
  for (char const c : bytes) {
    auto const byte = static_cast<unsigned char>(c);
    hex += "0123456789abcdef"[byte >> 4];
    hex += "0123456789abcdef"[byte & 15];
  }
  return hex;
}

std::optional<std::string> Unhex(std::string_view hex) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  if (hex.size() % 2 != 0) return std::nullopt;
  std::string bytes;
  for (std::size_t at = 0; at < hex.size(); at += 2) {
    auto const high = kDigits.find(hex[at]);
    auto const low = kDigits.find(hex[at + 1]);
    if (high == std::string_view::npos || low == std::string_view::npos) return std::nullopt;
    bytes += static_cast<char>(high << 4 | low);
  }
  return bytes;
}

std::string Escape(std::string_view text) {
  std::string escaped;
  for (char const c : text) {
    if (c == '\\') escaped += "\\\\";
    if (c == '\n') escaped += "\\n";
    if (c != '\\' && c != '\n') escaped += c;
  }
  return escaped;
}

std::string Unescape(std::string_view text) {
  std::string plain;
  for (std::size_t at = 0; at < text.size(); ++at) {
    bool const escaped = text[at] == '\\' && at + 1 < text.size();
    if (escaped) ++at;
    plain += escaped && text[at] == 'n' ? '\n' : text[at];
  }
  return plain;
}

std::string Encode(std::string const& fingerprint, StoredUpload const& upload) {
  std::string text;
  auto const add = [&](std::string_view key, std::string_view value) {
    text.append(key).append(" ").append(value).append("\n");
  };
  text.append(kFirstLine).append("\n");
  add("fingerprint", Escape(fingerprint));
  add("url", Escape(upload.url));
  if (upload.length) add("length", std::to_string(*upload.length));
  if (upload.final_sent) add("final_sent", "1");
  if (upload.expires) {
    add("expires", std::to_string(std::chrono::system_clock::to_time_t(*upload.expires)));
  }
  if (!upload.checked_sha256.empty()) {
    add("checked_length", std::to_string(upload.checked_length));
    add("checked_sha256", Hex(upload.checked_sha256));
  }
  return text.append(kLastLine).append("\n");
}

/// Nothing for what is no whole record of `fingerprint`.
std::optional<StoredUpload> Decode(std::string_view text, std::string const& fingerprint) {
  std::map<std::string, std::string, std::less<>> values;
  bool first = true;
  bool ended = false;
  while (!text.empty() && !ended) {
    auto const end = text.find('\n');
    if (end == std::string_view::npos) return std::nullopt;
    auto const line = text.substr(0, end);
    text.remove_prefix(end + 1);
    if (std::exchange(first, false)) {
      if (line != kFirstLine) return std::nullopt;
      continue;
    }
    ended = line == kLastLine;
    auto const space = line.find(' ');
    if (space == std::string_view::npos) continue;
    values.emplace(line.substr(0, space), Unescape(line.substr(space + 1)));
  }
  if (!ended || values["fingerprint"] != fingerprint || values["url"].empty()) return std::nullopt;

  StoredUpload upload;
  upload.url = values["url"];
  upload.length = ParseDecimal(values["length"]);
  upload.final_sent = values.contains("final_sent");
  if (auto const expires = ParseDecimal(values["expires"])) {
    upload.expires = std::chrono::system_clock::from_time_t(static_cast<std::time_t>(*expires));
  }
  upload.checked_length = ParseDecimal(values["checked_length"]).value_or(0);
  auto const digest = Unhex(values["checked_sha256"]);
  if (!digest) return std::nullopt;
  upload.checked_sha256 = *digest;
  return upload;
}

// ---- files

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
  return directory_ / Hex(hasher.Digest());
}

Result<std::optional<StoredUpload>> FileUrlStore::Find(std::string const& fingerprint) {
  // Now, before something is sent that could not be remembered.
  if (auto made = MakeDirectory(directory_); !made) return tl::unexpected(made.error());
  int code = 0;
  auto const text = ReadRecord(PathOf(fingerprint), code);
  if (code != 0 && code != ENOENT && code != ELOOP) return Trouble(directory_, Words(code));
  if (!text) return std::nullopt;
  return Decode(*text, fingerprint);
}

Result<void> FileUrlStore::Put(std::string const& fingerprint, StoredUpload const& upload) {
  if (auto made = MakeDirectory(directory_); !made) return made;
  auto const path = PathOf(fingerprint);
  auto temporary = path;
  temporary += ".new";
  Fd const fd(OpenLocked(temporary));
  if (fd.get() < 0) return Trouble(directory_, Words(errno));
  bool const is_new = ::access(path.c_str(), F_OK) != 0;
  if (auto written = WriteAll(fd, Encode(fingerprint, upload), directory_); !written) {
    return written;
  }
  bool const durable = is_new || upload.final_sent;
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
