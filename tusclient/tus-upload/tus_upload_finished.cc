#include "tus_upload_finished.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <sstream>
#include <system_error>

#include "tus_upload_text.h"

namespace tus_upload {
namespace {

constexpr char const* kEndOfLine = "uploaded";

std::string NameOf(std::string const& key) { return DigestOfText(key).substr(0, 32); }

std::string NameOfCommand(std::vector<std::string> const& files) {
  std::string command;
  for (auto const& file : files) command += file + '\0';
  return "finished-" + DigestOfText(command).substr(0, 32);
}

bool WriteAll(int fd, std::string_view text) {
  while (!text.empty()) {
    auto const count = ::write(fd, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return false;
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

bool SyncDirectory(std::filesystem::path const& directory) {
  int const fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return false;
  bool const synced = ::fsync(fd) == 0;
  ::close(fd);
  return synced;
}

}  // namespace

FinishedUploads::FinishedUploads(std::filesystem::path const& directory,
                                 std::vector<std::string> const& files)
    : directory_(directory), path_(directory / NameOfCommand(files)) {}

FinishedUploads::~FinishedUploads() {
  if (fd_ >= 0) ::close(fd_);
}

std::optional<FinishedUploads::Upload> FinishedUploads::Find(std::string const& key) {
  std::lock_guard const lock(mutex_);
  if (Open(0)) Read();
  auto const found = known_.find(NameOf(key));
  return found == known_.end() ? std::nullopt : std::optional(found->second);
}

tus::Result<void> FinishedUploads::Add(std::string const& key, Upload const& upload) {
  // Several threads may wait for the disk at once.
  if (Append(key, upload) && ::fdatasync(fd_) == 0) return {};
  tus::Error error;
  error.code = tus::ErrorCode::kInvalidArgument;
  error.message = "that it was uploaded cannot be remembered in " + Quoted(directory_.string()) +
                  ": " + std::system_category().message(errno);
  return tl::unexpected(std::move(error));
}

bool FinishedUploads::Append(std::string const& key, Upload const& upload) {
  std::lock_guard const lock(mutex_);
  if (fd_ < 0 && !(Open(O_CREAT) && SyncDirectory(directory_))) return false;
  Read();
  auto const name = NameOf(key);
  // What a killed program has left of a line is ended first, and has no end word.
  auto const line = (unread_.empty() ? "" : "\n") + name + " " + std::to_string(upload.size) + " " +
                    upload.url + " " + kEndOfLine + "\n";
  if (!WriteAll(fd_, line)) return false;
  unread_.clear();
  known_[name] = upload;
  return true;
}

void FinishedUploads::Forget() {
  std::lock_guard const lock(mutex_);
  ::unlink(path_.c_str());
  known_.clear();
}

bool FinishedUploads::Open(int more_flags) {
  if (fd_ >= 0) return true;
  fd_ = ::open(path_.c_str(), O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW | more_flags, 0600);
  return fd_ >= 0;
}

void FinishedUploads::Read() {
  std::array<char, 4096> buffer{};
  for (ssize_t count = 0; (count = ::read(fd_, buffer.data(), buffer.size())) > 0;) {
    unread_.append(buffer.data(), static_cast<std::size_t>(count));
  }
  std::size_t begin = 0;
  for (auto end = unread_.find('\n'); end != std::string::npos; end = unread_.find('\n', begin)) {
    Take(unread_.substr(begin, end - begin));
    begin = end + 1;
  }
  unread_.erase(0, begin);
}

void FinishedUploads::Take(std::string const& line) {
  std::istringstream words(line);
  std::string key;
  Upload upload;
  std::string end;
  if (words >> key >> upload.size >> upload.url >> end && end == kEndOfLine) {
    known_[key] = std::move(upload);
  }
}

}  // namespace tus_upload
