// Patterns of paths, as a person writes them into the settings.
//
// A pattern without a slash speaks of the last name of a path, wherever that is: *.tmp. One with a
// slash (also at its front) speaks of the whole path, from the mount point on: /inbox/*.mov. One
// that ends with a slash means a directory and everything beneath it: .Trash-*/. Each name is
// matched as by fnmatch(3), byte by byte: * ? [a-z] [!a-z], none of which matches a slash, all of
// which match a leading dot, and \ in front of a character that stands for itself. The name ** is
// any number of directories, at the end of a pattern at least one name.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace tusfs {

/// The names of a path, first to last.
[[nodiscard]] std::vector<std::string> NamesOfPath(std::string_view path);

class Glob {
 public:
  /// Errors: EINVAL with a sentence, for a pattern that is empty or that no path can match.
  [[nodiscard]] static Result<Glob> Parse(std::string const& text);

  /// Whether the file is meant that has these names in its path, relative to the mount.
  [[nodiscard]] bool Matches(std::span<std::string const> names) const;

  /// As it was written.
  [[nodiscard]] std::string const& text() const { return text_; }

 private:
  Glob() = default;

  std::string text_;
  std::vector<std::string> names_;
  bool whole_path_ = false;  ///< else the last name alone
  bool directory_ = false;   ///< what is beneath is meant
};

}  // namespace tusfs
