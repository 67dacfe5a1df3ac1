#include "filesystem/settler.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/text.h"
#include "base/thread_name.h"
#include "catalog/life.h"
#include "catalog/namespace.h"
#include "catalog/tables.h"
#include "content/why_not_whole.h"
#include "filesystem/companions.h"

namespace tusfs {
namespace {

constexpr std::size_t kMostAtOnce = 64;  // each holds a descriptor
constexpr std::size_t kSyncThreads = 4;
constexpr std::size_t kLargestGroup = kMostAtOnce / kSyncThreads;
constexpr std::uint64_t kQuickSize = 1024 * 1024;  // bytes
constexpr int kTicks = 40;                         // of the grid, in a quiet time
constexpr std::chrono::milliseconds kLongestTick{50};
/// Of files that wait for others: as many are looked at as cost little, however many there are.
constexpr std::chrono::milliseconds kLookPause{500};
constexpr std::chrono::microseconds kLookPauseOfEach{1000};

// Its writers have closed it, and it is neither on its way nor lost.
bool Waits(Inode const& inode) { return inode.type == FileType::kRegular && life::IsClosed(inode); }

/// The size is that of the beginning: what is changed meanwhile is settled again.
class VersionBytes : public ByteSource {
 public:
  explicit VersionBytes(Version const& version) : version_(version), size_(version.size()) {}

  [[nodiscard]] std::uint64_t size() const override { return size_; }
  [[nodiscard]] Result<std::size_t> ReadAt(std::uint64_t offset,
                                           std::span<std::byte> out) const override {
    return version_.Read(offset, out);
  }

 private:
  Version const& version_;
  std::uint64_t const size_;
};

void NoteSynced(Inode& inode, bool finishes) {
  inode.synced = true;
  inode.synced_size = inode.size;
  // What a power cut has torn waits for somebody's word, on disk or not.
  if (finishes || inode.rewrite == Rewrite::kBegun) inode.rewrite = Rewrite::kNone;
}

}  // namespace

Settler::Settler(Store& store, Spool& spool, PublishRules const& rules, Clock const& clock,
                 SettleTimes times, Listeners listeners, Logger logger)
    : store_(store),
      spool_(spool),
      rules_(rules),
      clock_(clock),
      times_(times),
      listeners_(std::move(listeners)),
      logger_(std::move(logger)),
      held_back_(logger_),
      after_(store, rules, logger_),
      syncs_(kSyncThreads, kMostAtOnce) {}

std::chrono::milliseconds SettleTimes::QuietTimeOf(
    Inode const& inode, std::optional<std::chrono::milliseconds> by_rule) const {
  if (inode.approved) return std::chrono::milliseconds(0);
  auto const least = by_rule.value_or(quiet);
  auto time = least;
  for (int times = 0; times < inode.regrown && time < limit; ++times) time *= 2;
  return std::max(least, std::min(time, limit));
}

void Settler::Start() {
  thread_ = std::jthread([this](std::stop_token stop) {
    NameThread("settler");
    Run(stop);
  });
}

void Settler::Stop() {
  thread_.request_stop();
  {
    MutexLock lock(mutex_);
    changed_.NotifyAll();
  }
  syncs_.Stop();  // before it: it may wait for room there
  if (thread_.joinable()) thread_.join();
}

void Settler::Restart(InodeId inode) {
  MutexLock lock(mutex_);
  auto const now = clock_.Steady();
  Set(inode, {now, now + FirstLook()});
}

void Settler::LookAgain(InodeId inode) {
  auto const quiet = QuietTimeOf(inode);
  auto const each = kLookPauseOfEach * static_cast<std::int64_t>(after_.Count());
  auto const now = clock_.Steady();
  MutexLock lock(mutex_);
  if (waits_.contains(inode)) return;  // its quiet time has just started over
  Set(inode, {now - quiet, now + std::max<std::chrono::microseconds>(kLookPause, each)});
}

void Settler::Hurry(InodeId inode) {
  MutexLock lock(mutex_);
  auto const now = clock_.Steady();
  Set(inode, {now, now});
}

void Settler::Set(InodeId inode, Wait const& wait) {
  auto const [row, is_new] = waits_.try_emplace(inode, wait);
  if (!is_new) {
    order_.erase({row->second.deadline, inode});
    row->second = wait;
  }
  order_.emplace(wait.deadline, inode);
  // It matters to the thread only where it is the first.
  if (order_.begin()->second == inode) changed_.NotifyOne();
}

void Settler::Run(std::stop_token stop) {
  while (!stop.stop_requested()) {
    AwaitDue(stop);
    auto candidates = Choose(KeepDue(TakeDue()));
    // The disk begins with all of them, so that the first to wait for it waits for many.
    for (auto const& candidate : candidates) candidate.version->BeginSync();
    for (auto& group : Divide(std::move(candidates))) {
      syncs_.Add([this, group = std::move(group)] { Sync(group); });
    }
  }
}

bool Settler::SettleDue() {
  auto const due = TakeDue();
  if (due.empty()) return false;
  if (auto const kept = KeepDue(due); !kept.empty()) Settle(kept);
  return true;
}

void Settler::AwaitDue(std::stop_token const& stop) {
  MutexLock lock(mutex_);
  while (!stop.stop_requested()) {
    if (order_.empty()) {
      changed_.Wait(mutex_);
    } else if (auto const look = NextLook(); look <= clock_.Steady()) {
      return;
    } else {
      changed_.WaitUntil(mutex_, look);
    }
  }
}

SteadyTime Settler::NextLook() const {
  auto const& [deadline, inode] = *order_.begin();
  auto const tick = std::min(FirstLook() / kTicks, kLongestTick);
  bool const is_hurried = waits_.at(inode).since == deadline;
  if (is_hurried || tick.count() == 0) return deadline;
  auto const beyond = deadline.time_since_epoch() % tick;
  return beyond.count() == 0 ? deadline : deadline + (tick - beyond);
}

std::vector<std::pair<InodeId, SteadyTime>> Settler::TakeDue() {
  MutexLock lock(mutex_);
  auto const now = clock_.Steady();
  std::vector<std::pair<InodeId, SteadyTime>> due;
  while (!order_.empty() && order_.begin()->first <= now && due.size() < kMostAtOnce) {
    auto const row = waits_.find(order_.begin()->second);
    due.emplace_back(row->first, row->second.since);
    waits_.erase(row);
    order_.erase(order_.begin());
  }
  return due;
}

std::chrono::milliseconds Settler::FirstLook() const {
  return rules_.by_path.ShortestSettle(times_.quiet);
}

std::chrono::milliseconds Settler::QuietTimeOf(InodeId id) const {
  auto const time = store_.Read([&](View const& view) -> Result<std::chrono::milliseconds> {
    auto const inode = GetInode(view, id);
    if (!inode) return Failure(inode.error());
    auto const path = PathOf(view, *inode).value_or(inode->name);
    return times_.QuietTimeOf(*inode, rules_.by_path.SettleOf(path));
  });
  return time.value_or(std::chrono::milliseconds(0));
}

std::vector<InodeId> Settler::KeepDue(std::vector<std::pair<InodeId, SteadyTime>> const& due) {
  std::vector<InodeId> kept;
  for (auto const& [id, since] : due) {
    auto const deadline = since + QuietTimeOf(id);
    MutexLock lock(mutex_);
    if (waits_.contains(id)) continue;  // its quiet time has just started over
    if (deadline > clock_.Steady()) {
      Set(id, {since, deadline});
    } else {
      kept.push_back(id);
    }
  }
  return kept;
}

void Settler::Settle(std::vector<InodeId> const& inodes) {
  for (auto& group : Divide(Choose(inodes))) Sync(std::move(group));
}

bool Settler::Candidate::IsQuick() const { return !is_checked && version->size() <= kQuickSize; }

std::vector<Settler::Group> Settler::Divide(Group candidates) {
  std::vector<Group> groups;
  Group quick;
  for (auto& candidate : candidates) {
    bool const is_quick = candidate.IsQuick();
    auto& group = is_quick ? quick : groups.emplace_back();
    group.push_back(std::move(candidate));
    if (quick.size() == kLargestGroup) groups.push_back(std::exchange(quick, {}));
  }
  if (!quick.empty()) groups.push_back(std::move(quick));
  return groups;
}

void Settler::Sync(Group group) {
  std::vector<Finding> findings;
  findings.reserve(group.size());
  for (auto& candidate : group) findings.push_back(Examine(std::move(candidate)));
  Finish(std::move(findings));
}

Settler::Finding Settler::Examine(Candidate candidate) {
  auto const version = candidate.version;
  Finding finding{.candidate = std::move(candidate), .synced = version->Sync()};
  if (!finding.synced) spool_.LetGo(version->id());
  if (finding.synced && finding.candidate.is_checked) {
    // Nothing is known against bytes that cannot be read: they may have been trimmed.
    auto why = WhyNotWhole(VersionBytes(*version), finding.candidate.path);
    if (why) finding.why_part = *std::move(why);
  }
  return finding;
}

Settler::Group Settler::Choose(std::vector<InodeId> const& inodes) {
  Group candidates;
  AfterRules::Others others;
  for (auto const id : inodes) {
    Look look{.candidate = {.inode = id, .finishes = false}};
    auto const looked = LookAt(look);
    auto& candidate = look.candidate;
    if (look.is_directory) VisitFilesBeneath(id);
    if (!candidate.finishes) after_.Forget(id);
    if (look.hold == Hold::kCommand) listeners_.ask(id);
    if (look.hold == Hold::kCompanion) Restart(id);  // nobody tells when that one goes
    if (!looked && looked.error().code == ENOENT) {
      Finish({{.candidate = candidate, .synced = looked}});
    } else if (!looked) {
      logger_->Tell(LogLevel::kWarn, {.file = candidate.path},
                    "file cannot be settled now path=\"{}\" error=\"{}\"",
                    Printable(candidate.path), looked.error().context);
      Restart(id);
    } else if (candidate.version) {
      candidate.changes = candidate.version->changes();
      // It is looked at again when it was written to again.
      bool const is_whole = look.hold != Hold::kWritten || !candidate.version->HasHoles();
      candidate.finishes = candidate.finishes && is_whole;
      if (is_whole && look.hold == Hold::kWritten) look.hold = Hold::kNone;
      if (candidate.finishes && IsAfterOthers(candidate, others)) {
        candidate.finishes = candidate.is_checked = false;
        look.hold = Hold::kAfter;
        LookAgain(id);
      }
      held_back_.Note(id, look.hold, candidate.path);
      bool const is_done = look.hold == Hold::kAfter && candidate.is_synced;
      if (!is_done) candidates.push_back(std::move(candidate));
    } else {
      held_back_.Note(id, look.hold, candidate.path);
    }
  }
  return candidates;
}

bool Settler::IsAfterOthers(Candidate const& candidate, AfterRules::Others& others) {
  if (candidate.is_approved) {
    after_.Forget(candidate.inode);
    return false;
  }
  auto const holds = after_.Holds(candidate.inode, candidate.path, others);
  if (!holds) {
    logger_->Tell(LogLevel::kWarn, {.file = candidate.path},
                  "it cannot be seen whom a file waits for path=\"{}\" error=\"{}\"",
                  Printable(candidate.path), Describe(holds.error()));
  }
  return holds.value_or(true);  // it is looked at again
}

Result<void> Settler::LookAt(Look& look) {
  auto& candidate = look.candidate;
  return store_.Read([&](View const& view) -> Result<void> {
    auto const inode = GetInode(view, candidate.inode);
    if (!inode) return {};
    look.is_directory = inode->type == FileType::kDirectory;
    if (!Waits(*inode)) return {};
    candidate.path = PathOf(view, *inode).value_or(inode->name);
    candidate.is_approved = inode->approved;
    candidate.is_synced = inode->synced;
    if (rules_.Settles(*inode)) {
      look.hold = rules_.HoldOf(*inode, candidate.path);
      if (look.hold == Hold::kNone && !inode->approved && CompanionOf(view, *inode)) {
        look.hold = Hold::kCompanion;
      }
      candidate.finishes = look.hold == Hold::kNone || look.hold == Hold::kWritten;
      candidate.is_checked =
          candidate.finishes && rules_.CheckOf(*inode, candidate.path) == ContentCheck::kMedia;
    }
    if (!candidate.finishes && inode->synced) return {};
    // Found inside the look: the record's size is that of a version that nobody has open.
    auto version = spool_.Find(inode->version, inode->size, inode->trimmed);
    if (!version) return Failure(version.error());
    candidate.version = *std::move(version);
    return {};
  });
}

void Settler::VisitFilesBeneath(InodeId directory) {
  std::vector<InodeId> directories{directory};
  while (!directories.empty()) {
    auto const at = directories.back();
    directories.pop_back();
    std::uint64_t cookie = 0;
    for (bool more = true; more;) {
      more = false;
      std::size_t seen = 0;
      std::vector<InodeId> files;
      // Pages, so that nobody else waits for long.
      auto const visited = store_.Read([&](View const& view) {
        return VisitEntries(view, at, cookie, [&](std::string_view, Entry const& entry) {
          if (entry.type == FileType::kDirectory) directories.push_back(entry.inode);
          auto const inode = GetInode(view, entry.inode);
          bool const is_work =
              inode && inode->type == FileType::kRegular && !life::IsUploaded(*inode);
          if (is_work) files.push_back(entry.inode);
          cookie = entry.sequence;
          return !(more = ++seen == kPage);
        });
      });
      if (!visited) {
        logger_->Warn("files of a moved directory not looked at path=\"{}\" error=\"{}\"",
                      Printable(PathForLog(store_, at)), Describe(visited.error()));
      }
      for (auto const file : files) {
        Restart(file);
        listeners_.nudge(file);
      }
    }
  }
}

void Settler::Finish(std::vector<Finding> findings) {
  if (Put(findings)) {
    for (auto const& finding : findings) Tell(finding);
  } else if (findings.size() == 1) {
    Restart(
        findings.front().candidate.inode);  // the catalog's trouble: nobody else would try again
  } else {
    // What is wrong with one of them keeps no other one back.
    for (auto& finding : findings) Finish({std::move(finding)});
  }
}

Result<void> Settler::Put(std::vector<Finding>& findings) {
  return store_.Update([&](Transaction& transaction) -> Result<void> {
    for (auto& finding : findings) {
      if (auto put = Put(transaction, finding); !put) return put;
    }
    return {};
  });
}

Result<void> Settler::Put(Transaction& transaction, Finding& finding) const {
  auto const& candidate = finding.candidate;
  finding.is_part = finding.is_finished = false;
  auto inode = GetInode(transaction, candidate.inode);
  if (!inode && inode.error().code == ENOENT) return {};
  if (!inode) return Failure(inode.error());
  // A writer may have come while the disk was busy; its close starts the quiet time anew.
  if (!(candidate.finishes ? rules_.Settles(*inode) : Waits(*inode))) return {};
  if (auto const& version = candidate.version) {
    bool const same = inode->version == version->id() && version->changes() == candidate.changes;
    if (!same) return {};
    if (version->size() != inode->size) {
      // An interrupted one may just be getting another size, whose end starts the time anew too.
      if (life::IsInterrupted(*inode)) return {};
      finding.synced = Fail(EIO, "the spool has " + std::to_string(version->size()) +
                                     " bytes of its " + std::to_string(inode->size));
    }
  }
  // Somebody may just have said that it is good as it is.
  finding.is_part = finding.synced && finding.why_part && !inode->approved;
  finding.is_finished = finding.synced && candidate.finishes && !finding.is_part;
  if (!finding.synced) life::Fail(*inode, Describe(finding.synced.error()));
  if (finding.synced) NoteSynced(*inode, finding.is_finished);
  if (finding.is_finished) life::Finish(*inode);
  if (finding.is_part) life::TurnOutPart(*inode, *finding.why_part);
  PutInode(transaction, *inode);
  return {};
}

void Settler::Tell(Finding const& finding) {
  auto const& candidate = finding.candidate;
  if (finding.is_finished) listeners_.nudge(candidate.inode);
}

}  // namespace tusfs
