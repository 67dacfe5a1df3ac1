// Who answers under a URL.
#pragma once

#include <string>

namespace tus {

/// Whether both are of one scheme, host and port, however these are written. False for what is no
/// URL that a server can have.
[[nodiscard]] bool AreOfOneOrigin(std::string const& one, std::string const& other);

}  // namespace tus
