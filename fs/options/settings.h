// The table of settings: one row for each, with one name on the command line, after -o and in the
// file. The manual page is checked against it.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/error.h"
#include "options/options.h"

namespace tusfs {

struct Setting {
  /// kTable: a list of KEY=VALUE in no order, which a file may write as a table.
  enum class Kind { kFlag, kValue, kList, kTable };

  char const* name;     ///< as on the command line, with dashes
  char const* metavar;  ///< empty for a flag
  char const* help;
  std::string by_default;          ///< what it is where nobody sets it; empty: nothing, off
  std::vector<std::string> words;  ///< those that it takes, where it takes such
  std::string takes;               ///< all that it takes, with its range: "it takes …"
  Kind kind;
  /// Of a flag: "true" or "false". A list is set once for each of its elements. Errors: EINVAL with
  /// what would be right; SetValue says the rest.
  std::function<Result<void>(Options&, std::string const&)> set;
  /// What `set` would take, to come to the same; nothing where there is nothing to say.
  std::function<std::vector<std::string>(Options const&)> get;
  bool starts_only = false;  ///< it is about the start of a mount: one that runs has no such value
  bool is_fixed = false;     ///< it cannot be changed while it is mounted
};

[[nodiscard]] std::vector<Setting> const& Settings();

/// Spelt with dashes or underscores; nullptr where there is none.
[[nodiscard]] Setting const* FindSetting(std::string name);

}  // namespace tusfs
