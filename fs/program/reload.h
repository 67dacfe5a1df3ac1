// What a running mount is told anew when its configuration is read again: SIGHUP to its keeper,
// `tusfsctl reload`, `systemctl reload`.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "options/command_line.h"
#include "options/options.h"

namespace tusfs {

/// A command line that can be parsed once more, with the file that it names as that is then.
class CommandLine {
 public:
  /// Remembers the words, secrets among them, and the directory that relative paths begin in.
  explicit CommandLine(std::vector<std::string> words);

  /// As ParseCommandLine. Not beside another thread: the working directory is another one
  /// meanwhile.
  [[nodiscard]] Invocation Parse() const;

 private:
  std::vector<std::string> const words_;
  UniqueFd const directory_;
  std::filesystem::path const directory_path_;  ///< where one that has gone is made anew
};

/// The words of a command line that comes to `options`, for a later keeper of the same mount, and
/// what comes of them. There may be a secret in them.
[[nodiscard]] std::string PackOptions(Options options);
[[nodiscard]] std::optional<Options> UnpackOptions(std::string const& packed);

/// What the parser would print, without the program's name, in one line.
[[nodiscard]] std::string SentencesIn(std::string const& output);

/// What a mount that was started with `started` shall go on with, where its command line says
/// `wanted` now: all that may change while it is mounted. `started` and `wanted` are as they were
/// parsed. Errors: EINVAL with a sentence that names what may not.
[[nodiscard]] Result<Options> Reconfigure(Options const& started, Options const& wanted);

}  // namespace tusfs
