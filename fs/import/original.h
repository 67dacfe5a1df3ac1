// A regular file beneath the mount, held for as long as it is copied: with a lease of fcntl(2),
// which the kernel gives only where nobody has the file open or mapped for writing, and by which it
// tells of whoever wants to.
//
// A value, used by one thread. SIGIO, by which the kernel tells, has to be ignored.
#pragma once

#include <sys/stat.h>

#include <string>

#include "base/error.h"
#include "base/file.h"

namespace tusfs {

class Original {
 public:
  /// Opens `name` in `directory`, never through a link. Errors: EBUSY where somebody writes to it;
  /// ESTALE where it is not what it was when it was listed; EPERM where nobody can tell whether
  /// somebody writes to it; and of open(2). With a sentence.
  [[nodiscard]] static Result<Original> Open(int directory, std::string const& name);

  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] struct stat const& status() const { return status_; }

  /// Errors: EBUSY where it has changed since, has lost its name, or somebody waits to write to it.
  [[nodiscard]] Result<void> CheckUnchanged() const;

 private:
  Original(int directory, std::string name, UniqueFd fd, struct stat const& status)
      : directory_(directory), name_(std::move(name)), fd_(std::move(fd)), status_(status) {}

  int directory_;
  std::string name_;
  UniqueFd fd_;
  struct stat status_;
};

}  // namespace tusfs
