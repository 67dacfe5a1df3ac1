#include "filesystem/writer_ends.h"

#include <signal.h>
#include <sys/wait.h>

#include <iterator>
#include <set>

#include "base/text.h"
#include "base/thread_name.h"
#include "catalog/life.h"
#include "catalog/namespace.h"
#include "catalog/tables.h"

namespace tusfs {
namespace {

constexpr std::size_t kMostWriters = 1024;  // each holds a descriptor
constexpr std::size_t kLargestFamily = 8;
constexpr FileTime kJustNow = 2'000'000'000;

// Somebody has set its time to that of what it is a copy of.
bool HasItsTime(Inode const& inode) { return inode.modified < inode.changed - kJustNow; }

}  // namespace

WriterEnds::WriterEnds(Store& store, ProcessTable const& processes, ProcessEnds& ends,
                       Clock const& clock, Options const& options, Logger logger)
    : store_(store),
      processes_(processes),
      ends_(ends),
      clock_(clock),
      failures_(options.failures),
      watched_(options.watched),
      logger_(std::move(logger)) {}

void WriterEnds::Start() {
  thread_ = std::jthread([this](std::stop_token const& stop) {
    NameThread("writer-ends");
    std::stop_callback const wake(stop, [this] { ends_.Wake(); });
    Run(stop);
  });
}

void WriterEnds::Stop() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

void WriterEnds::Run(std::stop_token const& stop) {
  while (!stop.stop_requested()) WaitForEnds(std::nullopt);
}

bool WriterEnds::IsKnown(pid_t process) const {
  MutexLock lock(mutex_);
  return writers_.contains(process);
}

// A worker is known by its executable to be of its parent's program.
std::vector<std::pair<pid_t, WriterEnds::Writer>> WriterEnds::FamilyOf(pid_t process) const {
  std::vector<std::pair<pid_t, Writer>> family;
  auto names = processes_.NamesOf(process);
  auto const* const rule = failures_.Find(names);
  bool const has_others = rule != nullptr && rule->many_processes;
  while (family.size() < kLargestFamily) {
    auto const executable = names.executable;
    auto const parent = executable.empty() ? 0 : processes_.ParentOf(process);
    auto of_parent = parent > 1 ? processes_.NamesOf(parent) : ProgramNames();
    bool const is_worker = parent > 1 && of_parent.executable == executable;
    bool const goes_on = is_worker && has_others;
    family.emplace_back(process, Writer{std::move(names), goes_on ? parent : 0, is_worker});
    if (!goes_on) break;
    process = parent;
    names = std::move(of_parent);
  }
  return family;
}

void WriterEnds::Closed(pid_t thread, InodeId file, Kind kind) {
  if (thread <= 0 || watched_.count() == 0) return;
  // Of a process that closes many files /proc is asked once.
  auto const process = IsKnown(thread) ? thread : processes_.ProcessOf(thread);
  auto const family =
      IsKnown(process) ? std::vector<std::pair<pid_t, Writer>>() : FamilyOf(process);
  MutexLock lock(mutex_);
  for (auto const& [member, writer] : family) {
    if (writers_.contains(member) || writers_.size() >= kMostWriters) continue;
    if (!ends_.Watch(member)) continue;
    writers_.emplace(member, writer);
    // The thread waits for ever while nobody is watched.
    if (writers_.size() == 1) ends_.Wake();
  }
  Closing const closing{clock_.Steady(), file, process, kind};
  if (kind != Kind::kEmpty) last_.erase(file);
  for (auto at = writers_.find(process); at != writers_.end();
       at = writers_.find(at->second.parent)) {
    at->second.closed.push_back(closing);
    if (kind != Kind::kEmpty) last_[file] = closing;
  }
}

void WriterEnds::WaitForEnds(std::optional<SteadyTime> deadline) {
  auto const prune_at = Prune();
  if (!deadline || (prune_at && *prune_at < *deadline)) deadline = prune_at;
  for (auto const& end : ends_.Wait(deadline)) TakeIn(end);
}

std::optional<SteadyTime> WriterEnds::Prune() {
  MutexLock lock(mutex_);
  auto const settled = clock_.Steady() - watched_;
  for (auto writer = writers_.begin(); writer != writers_.end();) {
    auto& [process, row] = *writer;
    for (; !row.closed.empty() && row.closed.front().when <= settled; row.closed.pop_front()) {
      auto const& closing = row.closed.front();
      if (closing.kind != Kind::kEmpty && IsLast(closing)) last_.erase(closing.file);
    }
    if (row.closed.empty()) {
      ends_.Forget(process);
      writer = writers_.erase(writer);
    } else {
      ++writer;
    }
  }
  if (writers_.empty()) return std::nullopt;
  return clock_.Steady() + watched_;
}

bool WriterEnds::IsLast(Closing const& closing) const {
  auto const found = last_.find(closing.file);
  if (closing.kind == Kind::kEmpty)
    return found == last_.end() || found->second.when <= closing.when;
  return found != last_.end() && found->second.process == closing.process &&
         found->second.when == closing.when;
}

void WriterEnds::TakeIn(ProcessEnd const& end) {
  ProgramNames names;
  auto const files = TakeSuspects(end, names);
  if (files.empty()) return;
  auto const& program = names.process.empty() ? names.executable : names.process;
  auto const why = DescribeEnd(program, end.status) + " after it had closed it";
  auto const* const rule = failures_.Find(names);
  for (auto const file : files) Interrupt(file, why, rule != nullptr && rule->renames);
}

// Python's pools end their workers by SIGTERM when all is done.
FailureTable::Suspect WriterEnds::Judge(Writer const& writer, int status) const {
  bool const is_dismissed = writer.is_worker && WIFSIGNALED(status) &&
                            (WTERMSIG(status) == SIGTERM || WTERMSIG(status) == SIGKILL);
  return is_dismissed ? FailureTable::Suspect::kNothing : failures_.Judge(writer.names, status);
}

std::vector<InodeId> WriterEnds::TakeSuspects(ProcessEnd const& end, ProgramNames& names) {
  using Suspect = FailureTable::Suspect;
  MutexLock lock(mutex_);
  auto node = writers_.extract(end.process);
  if (node.empty()) return {};
  auto const& writer = node.mapped();
  names = writer.names;
  auto const suspect = Judge(writer, end.status);
  bool const is_known = failures_.Find(names) != nullptr;
  std::set<InodeId> files;
  auto const settled = clock_.Steady() - watched_;
  for (auto const& closing : writer.closed) {
    if (!IsLast(closing) || closing.when <= settled) continue;
    bool const is_newest = &closing == &writer.closed.back();
    bool const counts = suspect == Suspect::kAll || (suspect == Suspect::kLast && is_newest) ||
                        (suspect != Suspect::kNothing && closing.kind == Kind::kDoubtful) ||
                        (suspect == Suspect::kDoubtful && closing.kind == Kind::kEmpty && is_known);
    if (counts) files.insert(closing.file);
  }
  return {files.begin(), files.end()};
}

void WriterEnds::Interrupt(InodeId file, std::string const& why, bool program_renames) {
  auto const interrupted = store_.Update([&](Transaction& transaction) -> Result<bool> {
    auto inode = GetInode(transaction, file);
    if (!inode && inode.error().code == ENOENT) return false;
    if (!inode) return Failure(inode.error());
    // Under another name than it was written under: whoever gave it that knew what he did.
    bool const is_finished = inode->renamed && (!program_renames || HasItsTime(*inode));
    bool const is_done = is_finished || inode->approved || inode->links == 0;
    if (is_done || !(life::IsSettling(*inode) || life::IsBeingWritten(*inode))) return false;
    life::TurnOutPart(*inode, why);
    PutInode(transaction, *inode);
    return true;
  });
  if (!interrupted) {
    auto const path = PathForLog(store_, file);
    logger_->Tell(LogLevel::kError, {.file = path},
                  "how a writer ended is not on record path=\"{}\" end=\"{}\" error=\"{}\"",
                  Printable(path), why, Describe(interrupted.error()));
  }
}

}  // namespace tusfs
