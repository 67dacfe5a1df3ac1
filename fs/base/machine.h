// By which names this machine goes.
#pragma once

#include <string>

namespace tusfs {

/// As it is now; "localhost" where nobody has given it a name.
[[nodiscard]] std::string HostName();

/// 32 hex digits that stay the same for as long as the installation does: made of /etc/machine-id
/// for tusfs alone, so that who reads them cannot find the machine by them elsewhere, and does not
/// learn the id itself, which machine-id(5) wants kept. Empty where the machine has none.
[[nodiscard]] std::string MachineId();

}  // namespace tusfs
