#include "filesystem/finish_command.h"

#include <algorithm>
#include <cerrno>

#include "base/message_ids.h"
#include "base/run_program.h"
#include "base/text.h"
#include "base/thread_name.h"
#include "catalog/namespace.h"
#include "catalog/tables.h"

namespace tusfs {

FinishCommand::FinishCommand(Store& store, Spool& spool, PublishRules const& rules,
                             Clock const& clock, std::function<void(InodeId)> settle,
                             FinishCommandOptions options, Logger logger)
    : store_(store),
      spool_(spool),
      rules_(rules),
      clock_(clock),
      settle_(std::move(settle)),
      options_(options),
      logger_(std::move(logger)) {}

void FinishCommand::Start() {
  thread_ = std::jthread([this](std::stop_token stop) {
    NameThread("finish command");
    Run(stop);
  });
}

void FinishCommand::Stop() {
  thread_.request_stop();
  {
    MutexLock lock(mutex_);
    changed_.NotifyAll();
  }
  if (thread_.joinable()) thread_.join();
}

void FinishCommand::Ask(InodeId inode) {
  MutexLock lock(mutex_);
  auto& row = rows_[inode];
  row.due = clock_.Steady();
  row.refusals = 0;
  row.again = true;
  changed_.NotifyAll();
}

std::optional<std::string> FinishCommand::LastAnswer(InodeId inode) const {
  MutexLock lock(mutex_);
  auto const found = rows_.find(inode);
  if (found == rows_.end() || found->second.answer.empty()) return std::nullopt;
  return found->second.answer;
}

void FinishCommand::Run(std::stop_token stop) {
  while (auto const inode = TakeDue(stop)) {
    auto const question = Look(*inode);
    if (!question && question.error().code == ENOENT) {
      Forget(*inode);
      continue;
    }
    if (!question) {  // too many open files, or the like
      Postpone(*inode, "it cannot be asked: " + Describe(question.error()));
      continue;
    }
    auto argv = rules_.finish_command;
    argv.push_back(rules_.mount + "/" + question->path);
    auto const ran = RunProgram({.argv = argv, .timeout = options_.timeout}, stop);
    if (stop.stop_requested()) return;
    if (!ran) {
      logger_->Tell(LogLevel::kInfo, {.file = question->path, .message_id = message_id::kHeldBack},
                    "the command does not call a file complete path=\"{}\" answer=\"{}\"",
                    Printable(question->path), Describe(ran.error()));
      Postpone(*inode, "it " + Describe(ran.error()));
      continue;
    }
    bool const approved = Approve(*question);
    Forget(*inode);
    if (approved) settle_(*inode);
  }
}

std::optional<InodeId> FinishCommand::TakeDue(std::stop_token const& stop) {
  MutexLock lock(mutex_);
  while (!stop.stop_requested()) {
    auto const first = std::min_element(
        rows_.begin(), rows_.end(), [](auto& a, auto& b) { return a.second.due < b.second.due; });
    if (first == rows_.end()) {
      changed_.Wait(mutex_);
    } else if (first->second.due > clock_.Steady()) {
      changed_.WaitUntil(mutex_, first->second.due);
    } else {
      first->second.again = false;
      return first->first;
    }
  }
  return std::nullopt;
}

Result<FinishCommand::Question> FinishCommand::Look(InodeId id) const {
  auto question = store_.Read([&](View const& view) -> Result<Question> {
    auto const inode = GetInode(view, id);
    if (!inode) return Failure(inode.error());
    auto path = PathOf(view, *inode);
    if (!path) return Failure(path.error());
    bool const waits = rules_.Settles(*inode) && rules_.HoldOf(*inode, *path) == Hold::kCommand;
    if (!waits) return Fail(ENOENT);
    auto version = spool_.Find(inode->version, inode->size, inode->trimmed);
    if (!version) return Failure(version.error());
    return Question{id, std::move(*path), std::move(*version), 0};
  });
  if (question) question->changes = question->version->changes();
  return question;
}

// False where the file is another one by now: its next close asks again.
bool FinishCommand::Approve(Question const& question) {
  auto const approved = store_.Update([&](Transaction& transaction) -> Result<bool> {
    auto inode = GetInode(transaction, question.inode);
    if (!inode) return Failure(inode.error());
    auto const path = PathOf(transaction, *inode);
    bool const same = path && *path == question.path && rules_.Settles(*inode) &&
                      inode->version == question.version->id() &&
                      question.version->changes() == question.changes;
    if (!same) return false;
    inode->approved = true;
    PutInode(transaction, *inode);
    return true;
  });
  return approved.value_or(false);
}

void FinishCommand::Postpone(InodeId inode, std::string answer) {
  MutexLock lock(mutex_);
  auto const found = rows_.find(inode);
  if (found == rows_.end()) return;
  auto& row = found->second;
  row.answer = std::move(answer);
  if (row.again) return;  // at once
  auto pause = options_.first_pause;
  for (int times = 0; times < row.refusals && pause < options_.longest_pause; ++times) pause *= 2;
  ++row.refusals;
  row.due = clock_.Steady() + std::min(pause, options_.longest_pause);
}

void FinishCommand::Forget(InodeId inode) {
  MutexLock lock(mutex_);
  auto const found = rows_.find(inode);
  if (found != rows_.end() && !found->second.again) rows_.erase(found);
}

}  // namespace tusfs
