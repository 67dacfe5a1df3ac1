// What a value of the configuration file is as text, and what types it may have there. Pure
// functions.
#pragma once

#include <toml++/toml.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "options/settings.h"

namespace tusfs {

/// What decides how a value is written: of a setting or of a key of a rule.
struct TomlForm {
  Setting::Kind kind;
  std::string_view metavar;
};

/// "a number or text".
[[nodiscard]] std::string TypeOf(TomlForm const& form);

/// The texts that `node` stands for; nothing where it is of another type. A list may be written as
/// one, and pairs as a table.
[[nodiscard]] std::optional<std::vector<std::string>> ValuesIn(toml::node const& node,
                                                               TomlForm const& form);

/// FILE:LINE.
[[nodiscard]] std::string PlaceIn(std::string const& path, toml::source_region const& source);

}  // namespace tusfs
