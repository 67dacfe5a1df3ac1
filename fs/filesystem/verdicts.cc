#include "filesystem/verdicts.h"

#include <algorithm>

#include "catalog/tables.h"
#include "filesystem/attributes.h"

namespace tusfs {
namespace {

// By thread or by process, as it is known; nothing for one that did not write.
std::optional<pid_t> WriterThatIs(Handle const& record, Caller const& caller,
                                  ProcessTable const& processes) {
  if (record.writers.contains(caller.pid)) return caller.pid;
  auto const process = processes.ProcessOf(caller.pid);
  if (record.writers.contains(process)) return process;
  return std::nullopt;
}

}  // namespace

// Whoever did not write (a shell that opened the file for its command) has no say, unless it is
// killed: its next command would have written on.
Verdicts::Closing Verdicts::JudgeClose(ActiveFile& file, OpenHandle const& handle,
                                       Caller const& caller) const {
  auto const& record = handle.record;
  Closing closing{.record = record};
  auto& next = closing.record;
  auto const writer =
      record.changed ? WriterThatIs(record, caller, processes_) : std::optional<pid_t>();
  bool const is_writer = record.changed && (record.writers.empty() || writer);
  if (!is_writer) {
    auto const killed = JudgeOpener(record, caller);
    if (!killed) return closing;
    closing.has_say = true;
    next.verdict = killed->verdict;
    next.reason = killed->reason;
    return closing;
  }
  closing.has_say = true;
  if (record.failed_write) {
    next.dirty = false;  // whoever closes it, and however
  } else {
    auto judgement = JudgeWriter(file, record, caller, writer.value_or(caller.pid));
    closing.is_doubtful = judgement.is_doubtful;
    // dd closes a duplicate before it writes: that says nothing.
    if (record.wrote || judgement.verdict != Verdict::kClean) {
      next.verdict = judgement.verdict;
      next.reason = std::move(judgement.reason);
      next.dirty = false;
    }
  }
  // A shell keeps one handle for many commands: the last of them is enough to remember.
  if (!next.dirty && writer) next.writers = {*writer};
  closing.is_clean = next.verdict == Verdict::kClean && !next.dirty;
  return closing;
}

Judgement Verdicts::JudgeWriter(ActiveFile& file, Handle const& record, Caller const& caller,
                                pid_t process) const {
  auto judgement = processes_.JudgeClose(caller.pid);
  if (judgement.verdict == Verdict::kUnknown && rules_.publish_unknown) {
    judgement = {Verdict::kClean, {}};
  }
  bool const is_judged = judgement.verdict != Verdict::kClean || judgement.executes;
  if (is_judged || !record.changed) return judgement;
  // A thread may be called anything; its process is what the program is called.
  auto const name = process == caller.pid ? judgement.name : processes_.NameOf(process);
  return JudgeCopy(file, process, name);
}

std::optional<Judgement> Verdicts::JudgeOpener(Handle const& record, Caller const& caller) const {
  bool const may_be = record.changed && record.opener != 0 && caller.pid > 0;
  if (!may_be || record.opener != processes_.ProcessOf(caller.pid)) return std::nullopt;
  auto judgement = processes_.JudgeClose(caller.pid);
  if (!judgement.killed) return std::nullopt;
  judgement.reason = "the program that had it open for others was killed";
  return judgement;
}

// A copying program whose source failed goes on with its next file, and says so much later; whoever
// sets the size first leaves a file of the right size.
Judgement Verdicts::JudgeCopy(ActiveFile& file, pid_t process, std::string const& name) const {
  if (SetsSizeFirst(name) && file.version->HasHoles()) {
    return {Verdict::kDied, "not all of it was written, by a program that sets the size first"};
  }
  auto inode = store_.Read([&](View const& view) { return GetInode(view, file.inode); });
  if (!inode) return {Verdict::kClean, {}};
  CatchUp(*inode, file.version.get());
  return processes_.JudgeCopy(process, name, {inode->name, inode->size, inode->changed});
}

bool Verdicts::LiveOn(std::set<std::int32_t> const& writers) const {
  return std::all_of(writers.begin(), writers.end(), [this](pid_t writer) {
    return processes_.JudgeClose(writer).verdict == Verdict::kClean;
  });
}

std::optional<std::string> Verdicts::WhyEndedBadly(OpenHandle const& handle) const {
  auto const& record = handle.record;
  if (record.dirty && record.wrote && !rules_.publish_unknown) {
    bool const is_known = handle.last_thread != 0 && !record.failed_write;
    if (is_known && record.verdict != Verdict::kDied && LiveOn(record.writers)) return std::nullopt;
    return "nobody who wrote to it has closed it";
  }
  // Without words it says nothing, and takes nothing back of what another has left.
  if (record.verdict == Verdict::kClean || record.reason.empty()) return std::nullopt;
  return record.reason;
}

}  // namespace tusfs
