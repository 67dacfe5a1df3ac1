#include "uploader/endpoint.h"

#include <tusclient/judge.h>

#include <algorithm>
#include <utility>

#include "base/message_ids.h"

namespace tusfs {
namespace {

/// So many uploads in a row are no coincidence.
constexpr int kMostDoubts = 8;

}  // namespace

Endpoint::Endpoint(EndpointOptions options, std::function<double()> random, Clock const& clock,
                   Logger logger)
    : options_(std::move(options)),
      random_(std::move(random)),
      clock_(clock),
      logger_(std::move(logger)),
      profile_(options_.chunks),
      next_probe_(clock.Steady()) {
  state_.since = clock.Wall();
}

Endpoint::Admission Endpoint::Enter() {
  MutexLock lock(mutex_);
  if (state_.reachable) return {Gate::kOpen, {}};
  auto const now = clock_.Steady();
  if (probing_) return {Gate::kWait, now + std::chrono::seconds(1)};
  if (now < next_probe_) return {Gate::kWait, next_probe_};
  probing_ = true;
  trying_ = std::exchange(try_next_, false);
  return {trying_ ? Gate::kTry : Gate::kProbe, {}};
}

void Endpoint::Probed(tus::Result<tus::ServerInfo> const& answer) {
  MutexLock lock(mutex_);
  probing_ = false;
  if (!answer) {
    if (answer.error().code == tus::ErrorCode::kCancelled) return;
    try_next_ = tus::SaysNothing(answer.error()) && (!options_.may_try || options_.may_try());
    Close(answer.error());
    if (try_next_) next_probe_ = clock_.Steady();
    return;
  }
  profile_.Announced(*answer);
  Open();
}

void Endpoint::Tried() {
  MutexLock lock(mutex_);
  probing_ = trying_ = false;
}

void Endpoint::AskAnew() {
  MutexLock lock(mutex_);
  failures_ = 0;
  next_probe_ = clock_.Steady();
}

void Endpoint::Announce() {
  answered_.NotifyAll();
  if (options_.on_change) options_.on_change(state_);
}

void Endpoint::SayOpen() {
  if (!options_.link.empty()) {
    logger_->Info("the server answers through a link link={} defer_length={}", options_.link,
                  profile_.MayDefer());
    return;
  }
  logger_->Tell(LogLevel::kInfo, {.message_id = message_id::kServerBack},
                "server answers as a tus server url={} defer_length={}", options_.url,
                profile_.MayDefer());
}

void Endpoint::SayClosed(tus::Error const& error) {
  if (!options_.link.empty()) {
    logger_->Warn("the server cannot be used through a link link={} error=\"{}\"", options_.link,
                  error.message);
    return;
  }
  logger_->Tell(LogLevel::kWarn, {.message_id = message_id::kServerAway},
                "server cannot be used, uploads wait url={} error=\"{}\"", options_.url,
                error.message);
}

void Endpoint::Open() {
  if (state_.reachable) return;
  SayOpen();
  state_ = {.answered = true,
            .reachable = true,
            .since = clock_.Wall(),
            .changed = clock_.Steady(),
            .error = {},
            .no_parts = state_.no_parts};
  Announce();
}

void Endpoint::Succeeded() {
  MutexLock lock(mutex_);
  failures_ = doubts_ = 0;
  if (trying_) Open();
}

void Endpoint::Doubted(tus::Error const& error) {
  MutexLock lock(mutex_);
  if (++doubts_ < kMostDoubts) return;
  doubts_ = 0;
  Close(error);
}

void Endpoint::Failed(tus::Error const& error) {
  MutexLock lock(mutex_);
  Close(error);
}

void Endpoint::Close(tus::Error const& error) {
  auto const now = clock_.Steady();
  bool const news = state_.reachable || !state_.answered;
  // Threads that fail together speak of one outage.
  if (news || now >= next_probe_) {
    ++failures_;
    next_probe_ = now + options_.retry.Delay(failures_, error, random_);
  }
  if (news) {
    SayClosed(error);
    state_.since = clock_.Wall();
    state_.changed = now;
  }
  state_.answered = true;
  state_.reachable = false;
  state_.error = error.message;
  Announce();
}

Endpoint::State Endpoint::state() const {
  MutexLock lock(mutex_);
  return state_;
}

Endpoint::State Endpoint::AwaitAnswer(SteadyTime deadline) const {
  MutexLock lock(mutex_);
  while (!state_.answered && answered_.WaitUntil(mutex_, deadline)) {
  }
  return state_;
}

bool Endpoint::MayJoin() const {
  auto const info = profile_.Info();
  if (!info || !info->concatenation) return false;
  MutexLock lock(mutex_);
  return state_.no_parts.empty();
}

void Endpoint::LearnNoJoin(std::string const& why) {
  MutexLock lock(mutex_);
  if (!state_.no_parts.empty()) return;
  state_.no_parts = why;
  logger_->Warn(
      "files are not sent in parts any more, until tusfs is restarted url={} reason=\"{}\"",
      options_.url, why);
  if (options_.on_change) options_.on_change(state_);
}

void Endpoint::JoinRefused(std::string const& why) {
  constexpr int kMost = 2;
  if (++refused_joins_ >= kMost) LearnNoJoin("it does not join parts: " + why);
}

void Endpoint::LearnNoDefer() {
  if (!profile_.DeferRefused()) return;
  logger_->Warn("server refuses uploads of unknown length url={}", options_.url);
}

bool Endpoint::LearnTooLarge(std::uint64_t length) {
  auto const before = profile_.MaxBody();
  bool const smaller = profile_.TooLarge(length);
  if (profile_.MaxBody() < before) {
    logger_->Warn("server or proxy refuses large bodies, sending smaller ones url={} bytes={}",
                  options_.url, profile_.MaxBody());
  }
  return smaller;
}

bool Endpoint::LearnNoChecksum() {
  if (!profile_.ChecksumRefused()) return false;
  logger_->Warn("server refuses the checksums that it announces, sending without url={}",
                options_.url);
  return true;
}

}  // namespace tusfs
