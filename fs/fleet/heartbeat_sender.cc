#include "fleet/heartbeat_sender.h"

#include <tusclient/upload.h>

#include <algorithm>
#include <cerrno>
#include <span>
#include <utility>

#include "base/thread_name.h"

namespace tusfs {
namespace {

constexpr std::chrono::milliseconds kLongestTry{60'000};
/// A mount that has just come up knows little of its server.
constexpr std::chrono::seconds kBeforeTheFirst{5};

}  // namespace

HeartbeatSender::HeartbeatSender(HeartbeatOptions options,
                                 std::function<Result<std::string>()> make, Logger logger)
    : options_(std::move(options)), make_(std::move(make)), logger_(std::move(logger)) {}

void HeartbeatSender::Start() {
  thread_ = std::jthread([this](std::stop_token const& stop) {
    NameThread("heartbeat");
    Run(stop);
  });
}

void HeartbeatSender::Stop() {
  thread_.request_stop();
  {
    MutexLock lock(mutex_);
    stopped_.NotifyAll();
  }
  if (thread_.joinable()) thread_.join();
}

void HeartbeatSender::Run(std::stop_token const& stop) {
  auto next = std::chrono::steady_clock::now() + std::min(kBeforeTheFirst, options_.interval);
  while (!stop.stop_requested()) {
    {
      MutexLock lock(mutex_);
      while (!stop.stop_requested() && stopped_.WaitUntil(mutex_, next)) {
      }
    }
    if (stop.stop_requested()) return;
    Tell(Send(stop));
    next = std::max(next + options_.interval, std::chrono::steady_clock::now());
  }
}

Result<void> HeartbeatSender::Send(std::stop_token const& stop) {
  auto const text = make_();
  if (!text) return Failure(text.error());
  auto const transport = options_.make_transport();
  tus::Client client(options_.client, *transport);
  tus::UploadOptions upload;
  upload.metadata = options_.metadata();
  upload.give_up = std::min<std::chrono::milliseconds>(options_.interval / 2, kLongestTry);
  upload.creation_with_upload = text->size();
  tus::MemorySource source(std::as_bytes(std::span(*text)));
  auto const sent = tus::Upload(client, std::move(upload)).Send(source, text->size(), stop);
  if (!sent) return Fail(EIO, sent.error().message);
  return {};
}

// Once for as long as it stays so.
void HeartbeatSender::Tell(Result<void> const& sent) {
  auto const why = sent ? std::string() : Describe(sent.error());
  if (why == std::exchange(told_, why)) return;
  if (sent) {
    logger_->Info("heartbeats arrive again");
  } else {
    logger_->Warn("a heartbeat did not arrive, the next one is tried in its time error=\"{}\"",
                  why);
  }
}

}  // namespace tusfs
