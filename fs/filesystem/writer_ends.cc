#include "filesystem/writer_ends.h"

#include "base/text.h"
#include "base/thread_name.h"
#include "catalog/life.h"
#include "catalog/namespace.h"
#include "catalog/tables.h"

namespace tusfs {
namespace {

constexpr std::size_t kMostWriters = 1024;  // each holds a descriptor

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

void WriterEnds::Closed(pid_t thread, InodeId file) {
  if (thread <= 0 || watched_.count() == 0) return;
  // Of a process that closes many files /proc is asked once.
  auto const process = IsKnown(thread) ? thread : processes_.ProcessOf(thread);
  auto const names = IsKnown(process) ? ProgramNames() : processes_.NamesOf(process);
  MutexLock lock(mutex_);
  auto writer = writers_.find(process);
  if (writer == writers_.end()) {
    closed_by_.erase(file);
    if (writers_.size() >= kMostWriters || !ends_.Watch(process)) return;
    writer = writers_.try_emplace(process, Writer{names, {}}).first;
    // The thread waits for ever while nobody is watched.
    if (writers_.size() == 1) ends_.Wake();
  }
  writer->second.closed.emplace_back(clock_.Steady(), file);
  closed_by_[file] = process;
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
    for (; !row.closed.empty() && row.closed.front().first <= settled; row.closed.pop_front()) {
      auto const file = row.closed.front().second;
      bool const again = row.closed.size() > 1 && row.closed[1].second == file;
      if (IsOf(process, file) && !again) closed_by_.erase(file);
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

bool WriterEnds::IsOf(pid_t process, InodeId file) const {
  auto const found = closed_by_.find(file);
  return found != closed_by_.end() && found->second == process;
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
  std::vector<InodeId> files;
  auto const settled = clock_.Steady() - watched_;
  for (auto row = writer.closed.rbegin(); row != writer.closed.rend(); ++row) {
    auto const& [when, file] = *row;
    bool const counts = suspect == FailureTable::Suspect::kAll ||
                        (suspect == FailureTable::Suspect::kLast && row == writer.closed.rbegin());
    bool const is_of_it = IsOf(end.process, file);
    if (is_of_it) closed_by_.erase(file);  // so that it is taken once
    if (counts && is_of_it && when > settled) files.push_back(file);
  }
  return files;
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
