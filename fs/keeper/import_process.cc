#include "keeper/import_process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "keeper/restart_policy.h"

namespace tusfs {
namespace {

constexpr char const* kImportVariable = "TUSFS_IMPORT";

}  // namespace

std::optional<ImportLine> ImportLine::FromEnvironment() {
  auto const* const value = std::getenv(kImportVariable);
  if (value == nullptr) return std::nullopt;
  int link = -1;
  int beneath = -1;
  if (std::sscanf(value, "%d,%d", &link, &beneath) != 2) return std::nullopt;
  // A variable that came from elsewhere names no descriptors of ours.
  if (::fcntl(link, F_SETFD, FD_CLOEXEC) != 0 || ::fcntl(beneath, F_SETFD, FD_CLOEXEC) != 0) {
    return std::nullopt;
  }
  ::unsetenv(kImportVariable);
  return ImportLine{Link(UniqueFd(link)), UniqueFd(beneath)};
}

void ImportProcess::OnServing() {
  if (IsWanted() && !IsRunning() && !start_at_) start_at_ = Clock::now();
}

void ImportProcess::Start(Program const& program, std::vector<std::string> const& arguments) {
  start_at_.reset();
  auto ends = Link::Make();
  auto started = ends ? Result<pid_t>(0) : Result<pid_t>(Failure(ends.error()));
  if (ends) {
    auto const& theirs = ends->second;
    auto const variable = std::string(kImportVariable) + "=" + std::to_string(theirs.fd()) + "," +
                          std::to_string(beneath_.get());
    started = program.Start(arguments, {variable}, {theirs.fd(), beneath_.get()});
  }
  if (!started) {
    start_at_ = Clock::now() + PauseAfter(kMostPauses);
    logger_->Error("what lies beneath the mount is not taken in yet error=\"{}\"",
                   Describe(started.error()));
    return;
  }
  pid_ = *started;
  link_ = std::move(ends->first);
}

std::optional<std::string> ImportProcess::Receive() {
  auto message = link_->Receive();
  if (!message) {
    link_.reset();
    return std::nullopt;
  }
  if (message->word == Word::kBeneath) counts_ = BeneathOf(message->text);
  if (message->word != Word::kStatus) return std::nullopt;
  return std::move(message->text);
}

FilesBeneath ImportProcess::Counts() const {
  if (!IsWanted()) return {.left = counts_.left};
  auto counts = counts_;
  if (counts.Going() == 0) counts.waiting = 1;
  return counts;
}

bool ImportProcess::HasEnded() {
  int status = 0;
  if (pid_ == 0 || ::waitpid(pid_, &status, WNOHANG) != pid_) return false;
  pid_ = 0;
  bool const has_done = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  if (has_done) {
    beneath_.Reset();
  } else if (IsWanted()) {
    failures_ = std::min(failures_ + 1, kMostPauses);
    start_at_ = Clock::now() + PauseAfter(failures_);
    logger_->Warn("who takes in what lies beneath the mount has ended, and is started again");
  }
  return true;
}

void ImportProcess::End() {
  beneath_.Reset();
  start_at_.reset();
  if (pid_ != 0) ::kill(pid_, SIGKILL);
}

}  // namespace tusfs
