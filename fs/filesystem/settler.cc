#include "filesystem/settler.h"

#include <algorithm>
#include <cerrno>

#include "base/text.h"
#include "base/thread_name.h"
#include "catalog/life.h"
#include "catalog/namespace.h"
#include "catalog/tables.h"
#include "filesystem/companions.h"

namespace tusfs {
namespace {

constexpr std::size_t kMostAtOnce = 64;  // each holds a descriptor
constexpr std::size_t kSyncThreads = 4;

// Its writers have closed it, and it is neither on its way nor lost.
bool Waits(Inode const& inode) { return inode.type == FileType::kRegular && life::IsClosed(inode); }

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
      syncs_(kSyncThreads, kMostAtOnce) {}

std::chrono::milliseconds SettleTimes::QuietTimeOf(Inode const& inode) const {
  if (inode.approved) return std::chrono::milliseconds(0);
  auto time = quiet;
  for (int times = 0; times < inode.regrown && time < limit; ++times) time *= 2;
  return std::max(quiet, std::min(time, limit));
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
  Set(inode, {now, now + times_.quiet});
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
    for (auto& candidate : Choose(KeepDue(TakeDue()))) {
      // The disk begins with all of them, so that the first to wait for it waits for many.
      candidate.version->BeginSync();
      syncs_.Add([this, candidate = std::move(candidate)] { Sync(candidate); });
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
    } else if (order_.begin()->first <= clock_.Steady()) {
      return;
    } else {
      changed_.WaitUntil(mutex_, order_.begin()->first);
    }
  }
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

std::vector<InodeId> Settler::KeepDue(std::vector<std::pair<InodeId, SteadyTime>> const& due) {
  std::vector<InodeId> kept;
  for (auto const& [id, since] : due) {
    auto const inode = store_.Read([id = id](View const& view) { return GetInode(view, id); });
    auto const deadline = inode ? since + times_.QuietTimeOf(*inode) : since;
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
  for (auto const& candidate : Choose(inodes)) Sync(candidate);
}

void Settler::Sync(Candidate const& candidate) {
  auto const synced = candidate.version->Sync();
  if (!synced) spool_.LetGo(candidate.version->id());
  if (Finish(candidate, synced)) listeners_.nudge(candidate.inode);
}

std::vector<Settler::Candidate> Settler::Choose(std::vector<InodeId> const& inodes) {
  std::vector<Candidate> candidates;
  for (auto const id : inodes) {
    std::string path;
    bool is_directory = false;
    bool finishes = false;
    auto hold = Hold::kNone;
    auto version = store_.Read([&](View const& view) -> Result<std::shared_ptr<Version>> {
      auto const inode = GetInode(view, id);
      if (!inode) return nullptr;
      is_directory = inode->type == FileType::kDirectory;
      if (!Waits(*inode)) return nullptr;
      path = PathOf(view, *inode).value_or(inode->name);
      if (rules_.Settles(*inode)) {
        hold = rules_.HoldOf(*inode, path);
        if (hold == Hold::kNone && !inode->approved && CompanionOf(view, *inode)) {
          hold = Hold::kCompanion;
        }
        finishes = hold == Hold::kNone || hold == Hold::kWritten;
      }
      if (!finishes && inode->synced) return nullptr;
      // Found inside the look: the record's size is that of a version that nobody has open.
      return spool_.Find(inode->version, inode->size, inode->trimmed);
    });
    if (is_directory) VisitFilesBeneath(id);
    if (hold == Hold::kCommand) listeners_.ask(id);
    if (hold == Hold::kCompanion) Restart(id);  // nobody tells when that one goes
    if (!version && version.error().code == ENOENT) {
      Finish({id, nullptr, 0, finishes}, Failure(version.error()));
    } else if (!version) {
      logger_->Warn("file cannot be settled now path=\"{}\" error=\"{}\"", Printable(path),
                    version.error().context);
      Restart(id);
    } else if (*version) {
      auto const changes = (*version)->changes();
      // It is looked at again when it was written to again.
      bool const is_whole = hold != Hold::kWritten || !(*version)->HasHoles();
      candidates.push_back({id, std::move(*version), changes, finishes && is_whole});
    }
  }
  return candidates;
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
        logger_->Warn("files of a moved directory not looked at inode={} error=\"{}\"", at,
                      Describe(visited.error()));
      }
      for (auto const file : files) {
        Restart(file);
        listeners_.nudge(file);
      }
    }
  }
}

bool Settler::Finish(Candidate const& candidate, Result<void> const& synced) {
  auto verdict = synced;  // of the disk, and of what there is
  auto const finished = store_.Update([&](Transaction& transaction) -> Result<bool> {
    auto inode = GetInode(transaction, candidate.inode);
    if (!inode && inode.error().code == ENOENT) return false;
    if (!inode) return Failure(inode.error());
    // A writer may have come while the disk was busy; its close starts the quiet time anew.
    if (!(candidate.finishes ? rules_.Settles(*inode) : Waits(*inode))) return false;
    if (auto const& version = candidate.version) {
      bool const same = inode->version == version->id() && version->changes() == candidate.changes;
      if (!same) return false;
      if (version->size() != inode->size) {
        // An interrupted one may just be getting another size, whose end starts the time anew too.
        if (life::IsInterrupted(*inode)) return false;
        verdict = Fail(EIO, "the spool has " + std::to_string(version->size()) + " bytes of its " +
                                std::to_string(inode->size));
      }
    }
    if (verdict) {
      inode->synced = true;
      inode->synced_size = inode->size;
      // What a power cut has torn waits for somebody's word, on disk or not.
      if (candidate.finishes || inode->rewrite == Rewrite::kBegun) {
        inode->rewrite = Rewrite::kNone;
      }
      if (candidate.finishes) life::Finish(*inode);
    } else {
      life::Fail(*inode, Describe(verdict.error()));
    }
    PutInode(transaction, *inode);
    return verdict && candidate.finishes;
  });
  if (!verdict) {
    logger_->Error("file failed on the local disk and will not be published inode={} error=\"{}\"",
                   candidate.inode, Describe(verdict.error()));
  }
  if (!finished) Restart(candidate.inode);  // the catalog's trouble: nobody else would try again
  return finished.value_or(false);
}

}  // namespace tusfs
