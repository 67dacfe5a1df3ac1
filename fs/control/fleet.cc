#include "control/fleet.h"

#include <cstdio>

#include "base/clock.h"
#include "control/outcome.h"
#include "fleet/fleet_table.h"

namespace tusfs {

int ShowFleet(std::string const& directory, FleetFormat format) {
  if (directory.find("://") != std::string::npos) {
    return Complain("'" + directory +
                    "' is a URL, and tus servers do not list what they have: "
                    "say it where the server keeps its files, or of a copy of that directory");
  }
  auto const now = SystemClock().Wall();
  auto const fleet = ReadFleet(directory, now);
  if (!fleet) return Complain(fleet.error().context);
  if (fleet->empty()) {
    return Complain("'" + directory +
                    "' has no heartbeat in it: mounts send them with "
                    "--heartbeat, to the server whose files these are");
  }
  switch (format) {
    case FleetFormat::kText:
      std::fputs(FleetTable(*fleet).c_str(), stdout);
      break;
    case FleetFormat::kPage:
      std::fputs(FleetPage(*fleet, now).c_str(), stdout);
      break;
    case FleetFormat::kJson:
      Print(FleetJson(*fleet), true, nullptr);
      break;
  }
  return kDone;
}

}  // namespace tusfs
