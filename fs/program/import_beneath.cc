// The process that takes in what lies beneath a mount.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>

#include <cerrno>
#include <cstdint>
#include <functional>
#include <limits>

#include "base/beneath.h"
#include "import/importer.h"
#include "program/process.h"
#include "program/wiring.h"

namespace tusfs {
namespace {

constexpr decltype(statfs::f_type) kFuse = 0x65735546;

Result<UniqueFd> OpenMount(std::string const& mountpoint) {
  UniqueFd fd(::open(mountpoint.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  struct statfs filesystem {};
  if (!fd || ::fstatfs(fd.get(), &filesystem) != 0) return FailErrno("the mount");
  if (filesystem.f_type != kFuse) return Fail(ENOTCONN, "the mount is not there any more");
  return fd;
}

// The keeper's descriptor is the same open file for all that it starts; a lock wants one's own.
Result<UniqueFd> LockBeneath(UniqueFd const& beneath) {
  UniqueFd fd(::openat(beneath.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return FailErrno("the directory beneath the mount");
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    return FailErrno("another process takes in what lies beneath the mount");
  }
  return fd;
}

// What the spool takes now, as its mount says.
std::uint64_t CapacityOf(UniqueFd const& mount) {
  struct statvfs space {};
  if (::fstatvfs(mount.get(), &space) != 0) return std::numeric_limits<std::uint64_t>::max();
  return space.f_blocks * space.f_frsize;
}

Result<void> Import(Options const& options, ImportLine const& line, Logger const& logger) {
  auto const mount = OpenMount(options.mountpoint);
  if (!mount) return Failure(mount.error());
  auto const beneath = LockBeneath(line.beneath);
  if (!beneath) return Failure(beneath.error());
  auto const tell = [&](ImportSummary const& summary) {
    // Where the keeper has died the log has it.
    FilesBeneath const counts{
        .waiting = summary.waiting, .failed = summary.failed, .left = summary.left};
    [[maybe_unused]] auto const counted = line.link.Send(Word::kBeneath, ToText(counts));
    [[maybe_unused]] auto const told = line.link.Send(Word::kStatus, Describe(summary));
  };
  std::function<std::uint64_t()> largest;
  if (!options.trim) largest = [&mount] { return CapacityOf(*mount); };
  Importer importer(beneath->get(), mount->get(), logger, tell, largest);
  if (auto ran = importer.Run(); !ran) return ran;
  logger->Info("what lay beneath the mount: {}", Describe(importer.summary()));
  return {};
}

}  // namespace

int ImportBeneath(Options const& options, ImportLine const& line) {
  ::prctl(PR_SET_NAME, "tusfs-import");
  // Whoever has started the mount may be waiting for the end of what it writes.
  if (!options.foreground) LeaveTerminal();
  auto const logger = MakeLogger(options.log_level, options.foreground, options.mountpoint);
  auto const imported = Import(options, line, logger);
  if (imported) return 0;
  logger->Error("what lies beneath the mount is not taken in mount={} error=\"{}\"",
                options.mountpoint, Describe(imported.error()));
  return 1;
}

}  // namespace tusfs
