// `tusfsctl fleet`: what many rigs have sent of themselves.
#pragma once

#include <string>

namespace tusfs {

enum class FleetFormat { kText, kJson, kPage };

/// Prints the heartbeats in `directory`, worst first; returns the exit status.
[[nodiscard]] int ShowFleet(std::string const& directory, FleetFormat format);

}  // namespace tusfs
