// The program that the keeper starts as its daemon: the one that runs, which stays at hand even
// when its file is replaced or removed, and the one that is installed now.
//
// Used by the keeper, from its one thread.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"

namespace tusfs {

/// Whether a process, by its status of wait(2), died of itself: of a signal that nobody sends, as
/// SIGSEGV or SIGBUS. One that was killed (SIGKILL, for want of memory too) did not.
[[nodiscard]] bool HasCrashed(int status);

class Program {
 public:
  /// The program of this process.
  [[nodiscard]] static Result<Program> Own();

  /// What is installed where this program was. Errors: ENOENT and the like, with the path.
  [[nodiscard]] Result<Program> Installed() const;

  [[nodiscard]] std::filesystem::path const& path() const { return path_; }

  /// Starts it with `arguments` (argv[0] is given by the program) and `environment` ("NAME=value")
  /// added to this process's. `kept` stay open in it, under their numbers. All signals are
  /// unblocked. Errors: of fork(2); what exec says ends the child with status 127.
  [[nodiscard]] Result<pid_t> Start(std::vector<std::string> const& arguments,
                                    std::vector<std::string> const& environment,
                                    std::vector<int> const& kept) const;

 private:
  Program(std::filesystem::path path, UniqueFd image)
      : path_(std::move(path)), image_(std::move(image)), is_script_(IsScript(image_.get())) {}
  static bool IsScript(int image);

  std::filesystem::path path_;
  UniqueFd image_;
  bool is_script_;
};

}  // namespace tusfs
