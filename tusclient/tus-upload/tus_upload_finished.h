// What a command of several files has uploaded already, for when it is interrupted.
#pragma once

#include <tusclient/error.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace tus_upload {

/// A file of one line for each finished upload, readable by its owner only, since URLs are secrets.
/// Thread-safe; the same command in another process adds to the same file.
class FinishedUploads {
 public:
  struct Upload {
    std::uint64_t size = 0;  ///< bytes
    std::string url;         ///< a bearer secret
  };

  /// Of the command that uploads `files`, in `directory`, which need not exist yet.
  FinishedUploads(std::filesystem::path const& directory, std::vector<std::string> const& files);
  ~FinishedUploads();
  FinishedUploads(FinishedUploads const&) = delete;
  FinishedUploads& operator=(FinishedUploads const&) = delete;

  [[nodiscard]] std::optional<Upload> Find(std::string const& key);
  /// When it returns, that survives the program and a power cut. Errors: kInvalidArgument with a
  /// sentence. `directory` exists.
  [[nodiscard]] tus::Result<void> Add(std::string const& key, Upload const& upload);
  /// All of them.
  void Forget();

 private:
  std::filesystem::path const directory_;
  std::filesystem::path const path_;
  std::mutex mutex_;    // over what follows, and while the file is written
  int fd_ = -1;         ///< once open it stays so
  std::string unread_;  ///< the beginning of a line whose end has not come
  std::map<std::string, Upload> known_;

  [[nodiscard]] bool Append(std::string const& key, Upload const& upload);

  // With mutex_ held.
  [[nodiscard]] bool Open(int more_flags);
  void Read();
  void Take(std::string const& line);
};

}  // namespace tus_upload
