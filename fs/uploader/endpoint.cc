#include "uploader/endpoint.h"

#include <algorithm>
#include <limits>

namespace tusfs {
namespace {

constexpr std::uint64_t kSmallestBody = 64 * 1024;

}  // namespace

Endpoint::Endpoint(std::string url, tus::RetryPolicy retry, std::function<double()> random,
                   Clock const& clock, Logger logger)
    : url_(std::move(url)),
      retry_(retry),
      random_(std::move(random)),
      clock_(clock),
      logger_(std::move(logger)),
      next_probe_(clock.Steady()),
      max_body_(std::numeric_limits<std::uint64_t>::max()) {
  state_.since = clock.Wall();
}

Endpoint::Admission Endpoint::Enter() {
  MutexLock lock(mutex_);
  if (state_.reachable) return {Gate::kOpen, {}};
  auto const now = clock_.Steady();
  if (probing_) return {Gate::kWait, now + std::chrono::seconds(1)};
  if (now < next_probe_) return {Gate::kWait, next_probe_};
  probing_ = true;
  return {Gate::kProbe, {}};
}

void Endpoint::Probed(tus::Result<tus::ServerInfo> const& answer) {
  MutexLock lock(mutex_);
  probing_ = false;
  if (!answer) {
    if (answer.error().code == tus::ErrorCode::kCancelled) return;
    Close(answer.error());
    return;
  }
  info_ = *answer;
  if (!state_.reachable) {
    logger_->info("server answers as a tus server url={} defer_length={}", url_,
                  info_.creation_defer_length);
    state_ = {.answered = true, .reachable = true, .since = clock_.Wall(), .error = {}};
    answered_.NotifyAll();
  }
}

void Endpoint::Succeeded() {
  MutexLock lock(mutex_);
  failures_ = 0;
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
    next_probe_ = now + retry_.Delay(failures_, error, random_);
  }
  if (news) {
    logger_->warn("server cannot be used, uploads wait url={} error=\"{}\"", url_, error.message);
    state_.since = clock_.Wall();
  }
  state_.answered = true;
  state_.reachable = false;
  state_.error = error.message;
  answered_.NotifyAll();
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

bool Endpoint::MayDefer() const {
  MutexLock lock(mutex_);
  return info_.creation_defer_length && !no_defer_;
}

void Endpoint::LearnNoDefer() {
  MutexLock lock(mutex_);
  if (defer_works_) return;
  if (!no_defer_) logger_->warn("server refuses uploads of unknown length url={}", url_);
  no_defer_ = true;
}

void Endpoint::DeferWorks() {
  MutexLock lock(mutex_);
  defer_works_ = true;
}

std::optional<std::uint64_t> Endpoint::MaxSize() const {
  MutexLock lock(mutex_);
  return info_.max_size;
}

std::uint64_t Endpoint::MaxBody() const {
  MutexLock lock(mutex_);
  return max_body_;
}

bool Endpoint::LearnTooLarge(std::uint64_t length) {
  MutexLock lock(mutex_);
  if (length <= kSmallestBody) return false;
  auto const half = std::max(kSmallestBody, length / 2);
  if (half < max_body_) {
    max_body_ = half;
    logger_->warn("server or proxy refuses large bodies, sending smaller ones url={} bytes={}",
                  url_, half);
  }
  return true;
}

}  // namespace tusfs
