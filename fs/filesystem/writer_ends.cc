#include "filesystem/writer_ends.h"

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

// A child is known by its executable to be of its parent's program.
std::vector<std::pair<pid_t, WriterEnds::Writer>> WriterEnds::FamilyOf(pid_t process) const {
  std::vector<std::pair<pid_t, Writer>> family;
  auto names = processes_.NamesOf(process);
  while (family.size() < kLargestFamily) {
    auto const executable = names.executable;
    auto const parent = executable.empty() ? 0 : processes_.ParentOf(process);
    auto of_parent = parent > 1 ? processes_.NamesOf(parent) : ProgramNames();
    bool const is_one = parent > 1 && of_parent.executable == executable;
    family.emplace_back(process, Writer{std::move(names), is_one ? parent : 0});
    if (!is_one) break;
    process = parent;
    names = std::move(of_parent);
  }
  return family;
}

void WriterEnds::Closed(pid_t thread, InodeId file) {
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
  Closing const closing{clock_.Steady(), file, process};
  last_.erase(file);
  for (auto at = writers_.find(process); at != writers_.end();
       at = writers_.find(at->second.parent)) {
    at->second.closed.push_back(closing);
    last_[file] = closing;
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
      if (IsLast(row.closed.front())) last_.erase(row.closed.front().file);
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
  return found != last_.end() && found->second.process == closing.process &&
         found->second.when == closing.when;
}

void WriterEnds::TakeIn(ProcessEnd const& end) {
  ProgramNames names;
  auto const files = TakeSuspects(end, names);
  if (files.empty()) return;
  auto const& program = names.process.empty() ? names.executable : names.process;
  auto const why = DescribeEnd(program, end.status) + " after it had closed it";
  for (auto const file : files) Interrupt(file, why);
}

std::vector<InodeId> WriterEnds::TakeSuspects(ProcessEnd const& end, ProgramNames& names) {
  MutexLock lock(mutex_);
  auto node = writers_.extract(end.process);
  if (node.empty()) return {};
  auto& writer = node.mapped();
  names = writer.names;
  auto const suspect = failures_.Judge(names, end.status);
  if (suspect == FailureTable::Suspect::kLast && !writer.closed.empty()) {
    writer.closed.erase(writer.closed.begin(), std::prev(writer.closed.end()));
  }
  std::set<InodeId> files;
  auto const settled = clock_.Steady() - watched_;
  for (auto const& closing : writer.closed) {
    bool const counts = suspect != FailureTable::Suspect::kNothing;
    if (counts && IsLast(closing) && closing.when > settled) files.insert(closing.file);
  }
  return {files.begin(), files.end()};
}

void WriterEnds::Interrupt(InodeId file, std::string const& why) {
  std::string path;
  auto const interrupted = store_.Update([&](Transaction& transaction) -> Result<bool> {
    auto inode = GetInode(transaction, file);
    if (!inode && inode.error().code == ENOENT) return false;
    if (!inode) return Failure(inode.error());
    // Under another name than it was written under: whoever gave it that knew what he did.
    bool const is_done = inode->renamed || inode->approved || inode->links == 0;
    if (is_done || !(life::IsSettling(*inode) || life::IsBeingWritten(*inode))) return false;
    path = PathOf(transaction, *inode).value_or(inode->name);
    life::TurnOutPart(*inode, why);
    PutInode(transaction, *inode);
    return true;
  });
  if (!interrupted) {
    logger_->Error("how a writer ended is not on record inode={} end=\"{}\" error=\"{}\"", file,
                   why, Describe(interrupted.error()));
  } else if (*interrupted) {
    logger_->Warn("file is interrupted path=\"{}\" reason=\"{}\"", Printable(path), why);
  }
}

}  // namespace tusfs
