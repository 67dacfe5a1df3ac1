#include "program/move_state.h"

#include <tusclient/client.h>
#include <tusclient/redact.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <map>

#include "base/mount_table.h"
#include "base/text.h"
#include "control/registry.h"
#include "filesystem/describer.h"
#include "filesystem/move_endpoint.h"
#include "filesystem/orderly_end.h"
#include "program/exit_status.h"
#include "program/open_state.h"
#include "program/process.h"
#include "program/state_directory.h"

namespace tusfs {
namespace {

namespace fs = std::filesystem;

char const* NameOf(AfterMove what) {
  switch (what) {
    case AfterMove::kSent:
      return "to be sent";
    case AfterMove::kSentLater:
      return "to be sent when finished";
    case AfterMove::kUnconfirmed:
      return "unconfirmed";
    case AfterMove::kStays:
      return "cannot be moved";
  }
  return "";
}

struct Total {
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;
};
using Totals = std::map<AfterMove, Total>;

void Print(Totals const& totals, MoveSummary const& summary, std::string const& to, bool done) {
  std::printf("%s %s -> %s\n", done ? "moved" : "would move", tus::RedactUrl(summary.from).c_str(),
              tus::RedactUrl(to).c_str());
  std::printf("  uploaded, and known as before: %s\n",
              Counted(summary.uploaded, "file", "files").c_str());
  for (auto const& [what, total] : totals) {
    std::printf("  %s: %s, %llu bytes\n", NameOf(what),
                Counted(total.files, "file", "files").c_str(),
                static_cast<unsigned long long>(total.bytes));
  }
}

/// Whether a mount uses `state_dir`. One that is just ending is waited for where the directory is
/// locked.
Result<void> CheckEnded(std::string const& state_dir) {
  auto const table = ReadMountTable();
  for (auto const& entry : ListMounts()) {
    bool const is_mounted = std::ranges::any_of(table, [&](MountLine const& line) {
      return line.mountpoint == entry.mount && OwnerOfTusfs(line);
    });
    if (is_mounted && entry.state_dir == state_dir) {
      return Fail(EBUSY, "'" + entry.mount + "' is mounted: end it first, with 'umount " +
                             entry.mount + "'");
    }
  }
  return {};
}

Result<fs::path> FindState(Options const& options) {
  std::error_code unknown;
  auto mountpoint = fs::weakly_canonical(fs::absolute(options.mountpoint), unknown).string();
  while (mountpoint.size() > 1 && mountpoint.back() == '/') mountpoint.pop_back();
  auto state_dir = StateDirectoryOf(options, mountpoint);
  if (!state_dir) return state_dir;
  if (auto ended = CheckEnded(state_dir->string()); !ended) {
    return Failure(ended.error());
  }
  if (!fs::exists(*state_dir / "catalog", unknown)) {
    return Fail(ENOENT, "there is no state of a mount in '" + state_dir->string() +
                            "': name the directory with --state-dir");
  }
  return state_dir;
}

Result<void> Move(State& state, std::string const& to, bool dry_run, Logger const& logger) {
  Totals totals;
  auto const plan = PlanMove(*state.store, [&](MovedFile const& file) {
    auto& total = totals[file.what];
    ++total.files;
    total.bytes += file.size;
    std::printf("%-24s %14llu  %s\n", NameOf(file.what), static_cast<unsigned long long>(file.size),
                Printable(file.path).c_str());
  });
  if (!plan) return Failure(plan.error());
  if (plan->from == to) {
    return Fail(EINVAL, "the state directory is at " + tus::RedactUrl(to) + " already");
  }
  if (plan->staying > 0) {
    return Fail(EXDEV, "of " + Counted(plan->staying, "file", "files") +
                           " only the old server has the first bytes (trim = confirmed): mount it "
                           "until these are uploaded, or discard them");
  }
  if (!dry_run) {
    // What spool files say of themselves is the old address, too.
    Describer const describer(*state.store, *state.spool, logger);
    auto const name = tus::RedactUrl(plan->from);
    if (auto moved = MoveToEndpoint(*state.store, to, name); !moved) return moved;
  }
  Print(totals, *plan, to, !dry_run);
  return {};
}

Result<void> OpenAndMove(Options options, std::string const& new_url, bool dry_run) {
  auto const from = tus::NormalizeEndpoint(options.url);
  auto const to = tus::NormalizeEndpoint(new_url);
  if (!from || !to) return Fail(EINVAL, (from ? to : from).error().message);
  auto const state_dir = FindState(options);
  if (!state_dir) return Failure(state_dir.error());
  options.state_dir = state_dir->string();
  auto const logger = MakeLogger(options.log_level, true, options.mountpoint);
  SystemClock const clock;
  auto state = OpenState(options, *from, 0, clock, logger, [](Transaction&) {});
  if (!state) return Failure(state.error());
  auto const moved = Move(*state, *to, dry_run, logger);
  auto const ended =
      EndConnection(*state->store, *state->spool,
                    {.handles = HandlesLeft::kClosed, .publish_unknown = options.publish_unknown});
  return moved ? ended : moved;
}

}  // namespace

int MoveState(Options options, std::string const& new_url, bool dry_run) {
  auto const moved = OpenAndMove(std::move(options), new_url, dry_run);
  if (moved) return 0;
  Complain(Describe(moved.error()));
  return ExitStatusFor(moved.error());
}

}  // namespace tusfs
