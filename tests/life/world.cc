#include "world.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <exception>

#include "base/fakes.h"
#include "randomness.h"

namespace tusfs_life {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;

constexpr milliseconds kShortest{20};
constexpr milliseconds kLongest{600'000};
constexpr int kMostTurnsInAMoment = 400;
constexpr int kMostTurns = 6000;
/// As long as the longest wait of the program: an upload to adopt is kept for a day.
constexpr hours kLongLife{27};

std::filesystem::path RootOfDisk() { return "/dev/shm/tusfs-life." + std::to_string(::getpid()); }

}  // namespace

World::World(History const& history)
    : history_(history),
      disk_(RootOfDisk(), [this] { return clock_.Wall(); }),
      server_(
          history.server, [this] { return clock_.Wall(); },
          [this](std::int64_t time) { clock_.Advance(std::chrono::nanoseconds(time)); }),
      machine_(disk_, server_, clock_, history.seed, tusfs::QuietLogger()),
      random_(history.seed) {
  SeedRandomness(history.seed);
  machine_.settings = history.settings;
  server_.is_asker_dead = [this] { return disk_.dead(); };
  server_.meanwhile = [this] { Meanwhile(); };
}

void World::Break(std::string const& sentence, std::source_location const& where) {
  throw Broken{{sentence, std::string(where.file_name()) + ":" + std::to_string(where.line())}};
}

World::Verdict World::Run() {
  try {
    MountAgain();
    for (auto const& step : history_.steps) {
      if (talks) std::printf("%s\n", Describe(step).c_str());
      try {
        if (std::exchange(waits_for_meanwhile_, false)) {
          meanwhile_ = step;
          continue;
        }
        Do(step);
        Drain();
      } catch (MountGone const&) {
        Crash(death_);
      }
      CheckServer();
    }
    Finish();
    return {};
  } catch (Broken const& broken) {
    return broken.verdict;
  }
}

void World::Do(Step const& step) {
  if (step.kind < Kind::kPublish) {
    DoProgram(step);
  } else if (step.kind <= Kind::kReclaim) {
    DoPerson(step);
  } else {
    DoMachine(step);
  }
}

// What would wait for the body's end cuts it, and happens right afterwards.
void World::Meanwhile() {
  if (!meanwhile_ || disk_.dies_soon()) return;
  auto const step = *std::exchange(meanwhile_, std::nullopt);
  switch (step.kind) {
    case Kind::kMore:
    case Kind::kWriteAt:
    case Kind::kRewrite:
    case Kind::kAppend:
    case Kind::kTruncate:
      right_after_ = step;
      server_.CutThisBody();
      break;
    case Kind::kCopiesAtOnce:
      break;
    default:
      if (step.kind < Kind::kPublish) DoProgram(step);
  }
}

// ---- time

void World::Tick() {
  machine_.Tick();
  LookForDeath();
  model_.SyncedBefore(now() - std::chrono::nanoseconds(milliseconds(100)).count());
}

void World::Drain() {
  int turns = 0;
  int in_a_moment = 0;
  auto moment = clock_.Steady();
  while (machine_.Turn()) {
    LookForDeath();
    if (right_after_) DoProgram(*std::exchange(right_after_, std::nullopt));
    CheckServer();
    if (clock_.Steady() != moment) in_a_moment = 0;
    moment = clock_.Steady();
    if (++in_a_moment > kMostTurnsInAMoment) Break("a thread runs round in circles");
    if (++turns > kMostTurns) {
      auto const& log = server_.log();
      Break("the server is asked without an end: " + log[log.size() - 2] + "; " + log.back());
    }
    Tick();
  }
  LookForDeath();
}

void World::Pass(std::chrono::nanoseconds time) {
  auto const end = clock_.Steady() + std::chrono::duration_cast<tusfs::SteadyTime::duration>(time);
  std::chrono::nanoseconds stride = kShortest;
  while (clock_.Steady() < end) {
    clock_.Advance(std::min<std::chrono::nanoseconds>(stride, end - clock_.Steady()));
    auto const before = server_.requests();
    Tick();
    Drain();
    stride = server_.requests() != before
                 ? std::chrono::nanoseconds(kShortest)
                 : std::min<std::chrono::nanoseconds>(stride * 2, kLongest);
  }
}

// ---- death

void World::LookForDeath() {
  if (!disk_.dead()) return;
  if (death_ != Death::kDaemon) throw MountGone{};
  Succeed();
}

// A call of the disk that fails is the end of one successor, and not of the next.
void World::Succeed() {
  while (true) {
    disk_.Die();
    machine_.Bury();
    disk_.Revive();
    auto const failed = disk_.failed();
    auto const taken = machine_.TakeOver();
    if (taken && !disk_.dead()) return;
    if (disk_.failed() > failed) continue;
    Break("no successor can take over" + (taken ? "" : ": " + tusfs::Describe(taken.error())));
  }
}

// What it leaves depends on the seed and on how many there were, not on what a shorter history
// leaves out.
void World::CutPower() {
  std::mt19937_64 random(history_.seed * 1000 + ++cuts_);
  disk_.CutPower(random);
}

void World::Crash(Death death, std::uint64_t again) {
  disk_.Die();
  machine_.Bury();
  bool const power_failed = death == Death::kPower;
  cut_at_ = now();
  if (power_failed) {
    CutPower();
    machine_.Reboot();
  }
  disk_.Revive();
  clock_.Advance(std::chrono::seconds(30));
  MountAgain(death, again);
  Reconcile(power_failed);
}

void World::MountAgain(Death death, std::uint64_t changes) {
  if (changes > 0) disk_.DieAfter(changes);
  auto failed = disk_.failed();
  auto mounted = machine_.Mount();
  bool again = disk_.dead();
  if (again && death == Death::kPower) {
    machine_.Bury();
    CutPower();
    machine_.Reboot();
  }
  // As in Succeed.
  while (again || (!mounted && disk_.failed() > failed)) {
    machine_.Bury();
    disk_.Revive();
    failed = disk_.failed();
    mounted = machine_.Mount();
    again = false;
  }
  disk_.Revive();
  if (!mounted) Break("it cannot be mounted: " + tusfs::Describe(mounted.error()));
}

// Whoever kills it soon may do so while it ends.
void World::EndOrderly(bool reboots, bool by_power_switch) {
  bool const busy = std::any_of(programs_.begin(), programs_.end(),
                                [](auto const& row) { return row.second.file != nullptr; });
  auto const ended = machine_.End(busy);
  for (auto& [number, program] : programs_) {
    if (!program.file) continue;
    program.file->writers.clear();
    program.file->bad = true;
    program.file->fate = Fate::kHold;
    program = {};
  }
  readers_.clear();
  if (disk_.dead()) return Crash(death_ == Death::kDaemon ? Death::kAll : death_);
  if (!ended) Break("the mount does not end: " + tusfs::Describe(ended.error()));
  disk_.Revive();
  if (reboots) {
    if (by_power_switch) {
      CutPower();
    } else {
      disk_.SyncAll();
    }
    machine_.Reboot();
    clock_.Advance(std::chrono::seconds(60));
  }
  MountAgain();
  model_.Synced();
  ShortenFailed();
  CheckTree();
}

void World::FailDisk(std::uint32_t how) {
  bool const in_catalog = how >= 3;
  bool const is_sync = how == 1 || how == 4;
  disk_.Fail(is_sync ? Disk::Call::kSync : Disk::Call::kWrite, in_catalog ? "/catalog/" : "/spool/",
             how == 2 ? ENOSPC : EIO, how == 2 ? 3 : 1);
  if (in_catalog) death_ = Death::kDaemon;
  disk_failed_ = disk_failed_ || how != 2;
}

void World::DoMachine(Step const& step) {
  bool const busy = std::any_of(programs_.begin(), programs_.end(),
                                [](auto const& row) { return row.second.file != nullptr; });
  switch (step.kind) {
    case Kind::kWait:
      Pass(milliseconds(step.a));
      break;
    case Kind::kServer:
      server_.Next(static_cast<Mishap>(step.a % static_cast<std::uint32_t>(Mishap::kCount)),
                   static_cast<int>(step.b));
      break;
    case Kind::kServerDown:
      server_.SetDown(true);
      break;
    case Kind::kServerUp:
      server_.SetDown(false);
      break;
    case Kind::kWipe:
      server_.Wipe(step.a != 0);
      server_forgot_ = true;
      for (auto& [key, times] : allowed_) ++times;
      break;
    case Kind::kUmount:
      if (!busy) EndOrderly(false, false);
      break;
    case Kind::kReboot:
      if (!busy) EndOrderly(true, step.a != 0);
      break;
    case Kind::kStop:
      EndOrderly(false, false);
      break;
    case Kind::kUpgrade:
      disk_.Die();
      death_ = Death::kDaemon;
      Succeed();
      break;
    case Kind::kKillAll:
      Crash(Death::kAll, step.c % 4 == 0 ? step.c % 40 : 0);
      break;
    case Kind::kPowerCut:
      Crash(Death::kPower, step.c % 4 == 0 ? step.c % 40 : 0);
      break;
    case Kind::kMeanwhile:
      waits_for_meanwhile_ = true;
      break;
    case Kind::kDiskFails:
      FailDisk(step.a % 5);
      break;
    case Kind::kDieSoon:
      disk_.DieAfter(step.b);
      death_ = static_cast<Death>(step.a % 3);
      break;
    case Kind::kClockJump:
      clock_.Jump(
          std::chrono::seconds(step.b != 0 ? -static_cast<int>(step.a) : static_cast<int>(step.a)));
      break;
    case Kind::kRemount:
      if (busy) break;
      machine_.settings.adopts = (step.a & 1) != 0;
      machine_.settings.verifies = (step.a & 2) != 0;
      machine_.settings.holds = (step.a & 8) != 0;
      if (!machine_.settings.holds) AllowHeld();
      EndOrderly(false, false);
      break;
    default:
      break;
  }
}

// ---- the end

void World::Finish() {
  disk_.Revive();
  disk_.Heal();
  server_.Heal();
  meanwhile_.reset();
  for (auto& [number, program] : programs_) {
    if (program.file) Close(program);
  }
  for (auto& [number, reader] : readers_) {
    if (reader.file)
      DoReader(
          {.kind = Kind::kCloseReader, .a = static_cast<std::uint32_t>(number), .b = 0, .c = 0});
  }
  CheckTree();
  Pass(kLongLife);
  CheckServer();
  CheckTree();
  CheckReports();
  for (int round = 0; round < 4; ++round) People();
  CheckEnd();
}

}  // namespace tusfs_life
