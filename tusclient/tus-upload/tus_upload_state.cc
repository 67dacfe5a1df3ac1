#include "tus_upload_state.h"

#include <fcntl.h>
#include <pwd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <system_error>
#include <utility>

#include "tus_upload_text.h"

namespace tus_upload {
namespace {

constexpr char const* kLockFile = "lock";

std::filesystem::path Variable(char const* name) {
  char const* const value = std::getenv(name);
  std::filesystem::path path(value == nullptr ? "" : value);
  return path.is_absolute() ? path : std::filesystem::path();
}

std::filesystem::path HomeDirectory() {
  if (auto home = Variable("HOME"); !home.empty()) return home;
  auto const* const user = ::getpwuid(::geteuid());
  return user == nullptr ? "" : user->pw_dir;
}

tl::unexpected<tus::Error> Trouble(std::string message) {
  tus::Error error;
  error.code = tus::ErrorCode::kInvalidArgument;
  error.message = std::move(message);
  return tl::unexpected(std::move(error));
}

}  // namespace

std::filesystem::path DefaultStateDirectory() {
  if (auto const state = Variable("XDG_STATE_HOME"); !state.empty()) return state / "tus-upload";
  auto const home = HomeDirectory();
  return home.empty() ? home : home / ".local" / "state" / "tus-upload";
}

tus::Result<Claim> Claim::Take(std::filesystem::path const& directory, std::string const& key) {
  // One file for all claims, each of them a lock on one byte of it: nothing to clean up.
  auto const path = directory / kLockFile;
  int const fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) {
    return Trouble("the state directory " + Quoted(directory.string()) +
                   " cannot be used: " + std::system_category().message(errno) +
                   "; make it writable, or name another one with --state-dir");
  }
  Claim claim(fd);
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = static_cast<off_t>(std::stoull(DigestOfText(key).substr(0, 15), nullptr, 16));
  lock.l_len = 1;
  bool const taken = ::fcntl(fd, F_OFD_SETLK, &lock) == 0;
  // A filesystem without locks keeps nobody apart, and is no reason not to upload.
  if (!taken && (errno == EAGAIN || errno == EACCES)) {
    return Trouble("another tus-upload is sending it right now; wait until that has ended");
  }
  return claim;
}

Claim::Claim(Claim&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

Claim::~Claim() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace tus_upload
