// The settings of tusfs, each with one name on the command line, after -o and in the file.
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
  Kind kind;
  /// Of a flag: "true" or "false". A list is set once for each of its elements. Errors: EINVAL with
  /// a sentence that names the setting.
  std::function<Result<void>(Options&, std::string const&)> set;
  /// What `set` would take, to come to the same; nothing where that is the default.
  std::function<std::vector<std::string>(Options const&)> get;
};

[[nodiscard]] std::vector<Setting> const& Settings();

/// Spelt with dashes or underscores; nullptr where there is none.
[[nodiscard]] Setting const* FindSetting(std::string name);

/// The refusal of a value: "--name is 'value': wanted".
[[nodiscard]] Failure InvalidValue(std::string const& name, std::string const& value,
                                   std::string const& wanted);

/// What no setting can know of itself: whether they fit together. Errors: EINVAL with a sentence.
[[nodiscard]] Result<void> CheckTogether(Options const& options);

}  // namespace tusfs
