// A directory in which nobody but this user has a hand: that of the state, and that of the control
// sockets. A link that somebody else has put there would lead what this process writes anywhere;
// so its files are opened relative to the directory that was looked at, and never through a link.
//
// A value; thread-safe as descriptors are.
#pragma once

#include <filesystem>
#include <string>

#include "base/error.h"
#include "base/file.h"

namespace tusfs {

class PrivateDirectory {
 public:
  /// Makes `path` and its parents where they are missing, the last one with mode 0700. One that is
  /// there has to be this user's, no link, and such that nobody else can write to it; an empty one
  /// is made so. Errors: EPERM, ENOTDIR, and of mkdir(2) and open(2), with a sentence that has the
  /// path.
  [[nodiscard]] static Result<PrivateDirectory> Open(std::filesystem::path const& path);

  /// The regular file `name` in it, with O_CLOEXEC; one that is made gets mode 0600. Errors: ELOOP
  /// for a link, EINVAL for what is no regular file, and of open(2).
  [[nodiscard]] Result<UniqueFd> OpenFile(std::string const& name, int flags) const;

  /// Whether there is something of that name.
  [[nodiscard]] bool Has(std::string const& name) const;
  void Remove(std::string const& name) const;

  [[nodiscard]] std::filesystem::path const& path() const { return path_; }

 private:
  PrivateDirectory(std::filesystem::path path, UniqueFd fd)
      : path_(std::move(path)), fd_(std::move(fd)) {}

  std::filesystem::path path_;
  UniqueFd fd_;
};

}  // namespace tusfs
