#include "joining.h"

#include <algorithm>
#include <atomic>
#include <functional>
#include <optional>
#include <thread>
#include <utility>

#include "fail.h"
#include "pacer.h"
#include "random_key.h"

namespace tus {
namespace {

/// Credentials are renewed by people and by timers.
constexpr std::chrono::milliseconds kUnauthorizedDelay{10'000};
/// A server that loses parts again and again is not fed for ever.
constexpr int kMostRounds = 3;

}  // namespace

std::string JoinKey(std::string const& fingerprint) { return "parts of " + fingerprint; }

Joining::Joining(std::vector<Client*> const& clients, ParallelOptions const& options,
                 DataSource& source, std::vector<Part> parts, std::stop_token stop)
    : clients_(clients),
      options_(options),
      source_(source),
      parts_(std::move(parts)),
      stop_(std::move(stop)),
      idempotency_key_(RandomKey()),
      states_(parts_.size()) {}

Result<Receipt> Joining::Run() {
  for (int round = 1;; ++round) {
    if (auto const sent = SendParts(); !sent) return tl::unexpected(sent.error());
    auto joined = Join();
    if (joined) {
      auto receipt = MakeReceipt(*std::move(joined));
      if (options_.upload.on_completed) options_.upload.on_completed(receipt);
      if (options_.deletes_parts) DeleteParts();
      if (auto const done = ForgetParts(); !done) return tl::unexpected(done.error());
      return receipt;
    }
    if (joined.error().code != ErrorCode::kGone || round == kMostRounds) {
      return tl::unexpected(joined.error());
    }
    if (auto const done = ForgetParts(); !done) return tl::unexpected(done.error());
    states_.assign(parts_.size(), {});
    if (options_.upload.on_restart) options_.upload.on_restart(joined.error().message);
  }
}

// ---- the parts

Result<void> Joining::SendParts() {
  std::stop_source others;
  std::stop_callback const all(stop_, [&] { others.request_stop(); });
  std::atomic<std::size_t> next = 0;
  std::optional<Error> failure;
  auto const work = [&](Client& client) {
    for (auto at = next++; at < parts_.size() && !others.stop_requested(); at = next++) {
      auto const sent = SendPart(client, at, others.get_token());
      if (sent) continue;
      std::lock_guard const lock(mutex_);
      // What the first failure stopped says that it was cancelled.
      if (!others.stop_requested() || !failure) failure = sent.error();
      others.request_stop();
    }
  };
  {
    std::vector<std::jthread> threads;
    for (std::size_t at = 0; at < std::min(clients_.size(), parts_.size()); ++at) {
      threads.emplace_back([&, at] { work(*clients_[at]); });
    }
  }
  if (stop_.stop_requested()) return Fail(ErrorCode::kCancelled, "the upload was cancelled");
  if (failure) return tl::unexpected(*std::move(failure));
  return {};
}

Result<void> Joining::SendPart(Client& client, std::size_t index, std::stop_token stop) {
  for (int round = 1;; ++round) {
    auto receipt = SendOnce(client, index, stop);
    if (receipt) {
      std::lock_guard const lock(mutex_);
      states_[index].url = receipt->url;
      sent_ += receipt->sent;
      resumed_ |= receipt->resumed;
      return {};
    }
    // A part publishes nothing: where nobody knows whether it is complete, another one is.
    if (receipt.error().code != ErrorCode::kUnconfirmed || round == kMostRounds) {
      return tl::unexpected(receipt.error());
    }
    if (auto const done = Forget(parts_[index].Key(options_.upload.fingerprint)); !done)
      return done;
  }
}

Result<Receipt> Joining::SendOnce(Client& client, std::size_t index, std::stop_token stop) {
  PartSource source(source_, parts_[index]);
  auto options = OptionsOf(index);
  std::optional<PartStore> store;
  if (Store() != nullptr) options.store = &store.emplace(*Store());
  return Upload(client, std::move(options)).Send(source, parts_[index].size(), std::move(stop));
}

UploadOptions Joining::OptionsOf(std::size_t index) {
  auto options = options_.upload;
  auto const& whole = options_.upload;
  options.metadata = {};
  options.sha256.clear();
  options.partial = true;
  options.on_completed = nullptr;
  if (Store() != nullptr) options.fingerprint = parts_[index].Key(whole.fingerprint);
  options.on_sent = [this, index](std::uint64_t bytes) {
    Count(&State::sent, index, bytes, options_.upload.on_sent);
  };
  options.on_confirmed = [this, index](std::uint64_t bytes) {
    Count(&State::confirmed, index, bytes, options_.upload.on_confirmed);
  };
  if (whole.on_retry) {
    options.on_retry = [this](Error const& error, std::chrono::milliseconds delay) {
      std::lock_guard const lock(mutex_);
      options_.upload.on_retry(error, delay);
    };
  }
  if (whole.on_restart) {
    options.on_restart = [this](std::string const& why) {
      std::lock_guard const lock(mutex_);
      options_.upload.on_restart(why);
    };
  }
  return options;
}

void Joining::Count(std::uint64_t State::*counter, std::size_t index, std::uint64_t bytes,
                    std::function<void(std::uint64_t)> const& tell) {
  std::lock_guard const lock(mutex_);
  states_[index].*counter = bytes;
  if (!tell) return;
  std::uint64_t sum = 0;
  for (auto const& state : states_) sum += state.*counter;
  tell(sum);
}

// ---- joining them

Result<Created> Joining::Join() {
  Pacer pacer(options_.upload);
  while (true) {
    if (stop_.stop_requested()) return Fail(ErrorCode::kCancelled, "the upload was cancelled");
    auto joined = JoinOnce();
    auto const judgement = JudgeJoin(joined);
    if (judgement.next == Judgement::Next::kComplete) return joined;
    auto error = joined.error();
    error.message = judgement.why;
    if (judgement.next == Judgement::Next::kUnconfirmed) {
      error.code = ErrorCode::kUnconfirmed;
      return tl::unexpected(std::move(error));
    }
    if (judgement.next == Judgement::Next::kStartOver) error.code = ErrorCode::kGone;
    if (auto const done = Forget(JoinKey(options_.upload.fingerprint)); !done) {
      return tl::unexpected(done.error());
    }
    bool const waits_for_nobody =
        judgement.pause == Judgement::Pause::kCredentials && !options_.upload.wait_for_credentials;
    if (judgement.next != Judgement::Next::kSend || waits_for_nobody) {
      return tl::unexpected(std::move(error));
    }
    auto const least = judgement.pause == Judgement::Pause::kCredentials
                           ? kUnauthorizedDelay
                           : std::chrono::milliseconds{0};
    if (auto last = pacer.Failed(error, stop_, least)) return tl::unexpected(*std::move(last));
  }
}

Result<Created> Joining::JoinOnce() {
  ConcatenateRequest request;
  for (auto const& state : states_) request.urls.push_back(state.url);
  request.metadata = options_.upload.metadata;
  request.idempotency_key = idempotency_key_;
  // Not the caller's stop: what was asked for may be done, and the answer alone tells.
  if (auto const recorded = Record(UploadFacts::End::kSent); !recorded) {
    return tl::unexpected(recorded.error());
  }
  return clients_.front()->Concatenate(request);
}

Receipt Joining::MakeReceipt(Created created) const {
  return {.url = std::move(created.url),
          .size = parts_.back().end,
          .sent = sent_,
          .resumed = resumed_,
          .headers = std::move(created.headers),
          .body = std::move(created.body)};
}

// ---- remembering

UrlStore* Joining::Store() const {
  return options_.upload.fingerprint.empty() ? nullptr : options_.upload.store;
}

Result<void> Joining::Record(UploadFacts::End end) {
  if (Store() == nullptr) return {};
  // The joined upload has no URL yet: its first part's stands for it.
  StoredUpload record;
  record.url = states_.front().url;
  record.length = parts_.back().end;
  record.end = end;
  return Store()->Put(JoinKey(options_.upload.fingerprint), record);
}

Result<void> Joining::Forget(std::string const& key) {
  return Store() == nullptr ? Result<void>() : Store()->Remove(key);
}

/// That they may be joined last: parts without it would be joined again, and published twice.
Result<void> Joining::ForgetParts() {
  for (auto const& part : parts_) {
    if (auto const done = Forget(part.Key(options_.upload.fingerprint)); !done) return done;
  }
  return Forget(JoinKey(options_.upload.fingerprint));
}

/// What stays behind where this fails is nobody's, and published nowhere.
void Joining::DeleteParts() {
  for (auto const& state : states_) {
    static_cast<void>(clients_.front()->Terminate(state.url, stop_));
  }
}

}  // namespace tus
