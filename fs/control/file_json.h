// A file as the daemon's answers have it (tusfsctl(1), "JSON").
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "base/clock.h"
#include "filesystem/report.h"

namespace tusfs {

/// `with_url`: the upload's URL too, which is a secret.
[[nodiscard]] nlohmann::json ToJson(FileReport const& report, bool with_url = false);

}  // namespace tusfs
