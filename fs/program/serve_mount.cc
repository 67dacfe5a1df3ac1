// The daemon's process, around the daemon.
#include <sys/prctl.h>
#include <sys/resource.h>

#include <cerrno>

#include "program/daemon.h"
#include "program/signal_watch.h"
#include "program/wiring.h"

namespace tusfs {
namespace {

// Each file that is open in the mount is open in the spool too.
void RaiseDescriptorLimit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

Result<void> ServeMount(Options const& options, std::string const& url, KeeperLine line,
                        Logger const& logger) {
  ::prctl(PR_SET_NAME, "tusfs");  // it was started by descriptor, so the kernel has named it by one
  auto const signals = BlockEndSignals();
  RaiseDescriptorLimit();
  Daemon daemon(options, url, std::move(line), logger);
  if (auto begun = daemon.Begin(); !begun) return begun;
  if (daemon.Serve(signals) == ServingEnd::kFailed) return Fail(EIO, "/dev/fuse cannot be read");
  return {};
}

}  // namespace tusfs
