#include "sending.h"

#include <algorithm>
#include <array>
#include <random>
#include <utility>

#include "fail.h"

namespace tus {
namespace {

constexpr int kMaxMismatches = 3;
constexpr int kMaxLockTimeouts = 10;
/// Servers wait 20 s for the lock of an upload; nothing else makes them wait so long and fail.
constexpr std::chrono::seconds kLockWait{10};
/// Credentials are renewed by people and by timers.
constexpr std::chrono::milliseconds kUnauthorizedDelay{10'000};
constexpr std::chrono::hours kForEver{24 * 365};

std::string MakeKey() {
  std::random_device device;
  std::string key;
  for (int i = 0; i < 32; ++i) key += "0123456789abcdef"[device() % 16];
  return key;
}

bool HasExpired(Expiry const& expires) {
  return expires && std::chrono::system_clock::now() > *expires;
}

std::string SizeSentence(std::uint64_t most) {
  return "the server takes uploads of at most " + std::to_string(most) + " bytes";
}

}  // namespace

Sending::Sending(Client& client, ServerProfile& profile, UploadOptions const& options,
                 DataSource& source, GrowingSource* growing, std::optional<std::uint64_t> length,
                 std::stop_token stop)
    : client_(client),
      profile_(profile),
      options_(options),
      source_(source),
      growing_(growing),
      stop_(std::move(stop)),
      pacer_(options),
      length_(length),
      idempotency_key_(MakeKey()) {}

Result<Receipt> Sending::Run() {
  if (auto const recalled = Recall(); !recalled) return tl::unexpected(recalled.error());
  while (state_ != State::kComplete) {
    if (stop_.stop_requested()) return Fail(ErrorCode::kCancelled, "the upload was cancelled");
    auto const step = Step();
    if (step) continue;
    if (auto final_error = Handle(step.error())) return tl::unexpected(*std::move(final_error));
  }
  if (auto const forgotten = Forget(); !forgotten) return tl::unexpected(forgotten.error());
  return std::move(receipt_);
}

Result<void> Sending::Step() {
  asked_ = options_.now();
  if (!asked_server_) return AskServer();
  switch (state_) {
    case State::kNoUrl:
      return Create();
    case State::kUnknown:
      return Ask();
    case State::kReady:
      return SendChunk();
    case State::kComplete:
      break;
  }
  return {};
}

// ---- beginning

Result<void> Sending::Recall() {
  if (options_.store == nullptr || options_.fingerprint.empty()) return {};
  auto const found = options_.store->Find(options_.fingerprint);
  if (!found) return tl::unexpected(found.error());
  if (!*found || (*found)->url.empty()) return {};
  stored_ = **found;
  // What was sent before of a growing source is compared; of any other the fingerprint says it.
  frontier_ = growing_ != nullptr ? stored_.checked_length : length_.value_or(0);
  replayed_ = growing_ == nullptr;
  receipt_.resumed = true;
  state_ = State::kUnknown;
  return {};
}

Result<void> Sending::AskServer() {
  if (profile_.Info()) {
    asked_server_ = true;
    return {};
  }
  auto const info = client_.Options(stop_);
  if (info) profile_.Announced(*info);
  // Announcements are hints: a proxy that answers OPTIONS itself need not keep a file back.
  auto const code = info ? ErrorCode::kRefused : info.error().code;
  bool const can_do_without = code == ErrorCode::kRefused || code == ErrorCode::kProtocol ||
                              (code == ErrorCode::kNotTus && growing_ == nullptr);
  if (!info && !can_do_without) return tl::unexpected(info.error());
  asked_server_ = true;
  return {};
}

Result<void> Sending::Create() {
  auto const first = NextRange();  // may find the end of a growing source
  if (!first) return tl::unexpected(first.error());
  if (!length_ && !profile_.MayDefer()) {
    return Fail(ErrorCode::kRefused,
                "the server does not take uploads whose size is not known yet");
  }
  auto const most = profile_.MaxSize();
  if (most && length_.value_or(first->end) > *most) {
    return Fail(ErrorCode::kTooLarge, SizeSentence(*most));
  }
  auto const info = profile_.Info().value_or(ServerInfo{});
  bool const whole =
      length_ && info.creation_with_upload && *length_ <= options_.creation_with_upload;
  CreateRequest request;
  request.length = length_;
  request.metadata = options_.metadata;
  request.idempotency_key = idempotency_key_;
  request.stop = stop_;
  if (whole) {
    request.source = &source_;
    request.body_length = *length_;
    request.on_sent = CountSent(0);
  }
  auto created = client_.Create(request);
  if (!created) {
    if (!length_ && created.error().code == ErrorCode::kRefused) profile_.DeferRefused();
    return tl::unexpected(created.error());
  }
  if (!length_) profile_.DeferWorked();
  stored_ = {.url = created->url,
             .length = length_,
             .final_sent = whole,
             .expires = created->expires,
             .checked_length = 0,
             .checked_sha256 = {}};
  offset_ = created->offset;
  frontier_ = request.body_length;
  replayed_ = true;
  state_ = State::kReady;
  if (length_ && offset_ == *length_) {
    Complete(std::move(created->headers), std::move(created->body));
    return {};
  }
  return Remember();
}

// ---- asking where the server is

Result<void> Sending::Ask() {
  auto const status = client_.Head(stored_.url, stop_);
  if (!status) return tl::unexpected(status.error());
  gone_since_.reset();
  lock_timeouts_ = 0;
  return Reconcile(*status);
}

Result<void> Sending::Reconcile(UploadStatus const& status) {
  bool const other_length = status.length && length_ && *status.length != *length_;
  if (other_length || status.offset > frontier_) {
    return StartOverOrFail("what the server has is not what was sent to it");
  }
  if (status.Complete()) {
    if (!stored_.final_sent && *status.length > 0) {
      stored_.url.clear();  // published by somebody: not ours to delete
      return StartOverOrFail("the server completed it before it was finished");
    }
    if (growing_ == nullptr || length_) {
      Complete({}, {});
      return {};
    }
    // An earlier process sent the end, which is all that it had handed over by then.
    if (status.offset < frontier_) {
      stored_.url.clear();  // what is published is never deleted
      return StartOverOrFail("the server completed it with fewer bytes than were sent to it");
    }
    length_ = status.length;  // the bytes are still compared
  }
  if (status.offset < released_) {
    return Fail(ErrorCode::kSource,
                "the server has lost bytes that it had confirmed, and that cannot be read again");
  }
  stored_.length = status.length;
  if (status.expires) stored_.expires = status.expires;
  offset_ = status.offset;
  if (!replayed_) {
    if (auto compared = CompareReplayed(); !compared) return compared;
  }
  if (status.Complete()) {
    Complete({}, {});
    return {};
  }
  state_ = State::kReady;
  if (options_.on_confirmed) options_.on_confirmed(offset_);
  return {};
}

/// A pipe that is fed again has to bring the bytes that the server has already.
Result<void> Sending::CompareReplayed() {
  growing_->Release(offset_);
  released_ = offset_;
  auto const wanted = stored_.checked_length;
  if (wanted > 0) {
    auto const extent = growing_->Await(wanted - 1, wanted, kForEver, stop_);
    if (!extent) return tl::unexpected(extent.error());
    if (extent->end != wanted || growing_->Sha256() != stored_.checked_sha256) {
      if (auto const forgotten = Forget(); !forgotten) return forgotten;
      return Fail(ErrorCode::kSource,
                  "these are not the bytes of the upload that was interrupted; begin a new one by "
                  "sending them again");
    }
  }
  replayed_ = true;
  return {};
}

// ---- sending

Result<Sending::Range> Sending::NextRange() {
  auto const chunk = profile_.NextChunk(offset_);
  if (!length_) return NextRangeOfGrowing(chunk);
  auto const end = *length_ - offset_ > chunk ? offset_ + chunk : *length_;
  return Range{.begin = offset_, .end = end, .last = end == *length_};
}

Result<Sending::Range> Sending::NextRangeOfGrowing(std::uint64_t chunk) {
  auto const& rules = profile_.rules();
  bool const whole_chunks = rules.exact || rules.multiple > 1 || rules.least > 1;
  auto const patience = whole_chunks ? kForEver : options_.patience;
  // The last byte stays here until the length is known: it is what completes the upload.
  auto const extent = growing_->Await(offset_ + 1, offset_ + chunk + 1, patience, stop_);
  if (!extent) return tl::unexpected(extent.error());
  if (extent->ended) {
    length_ = extent->end;
    return NextRange();
  }
  return Range{.begin = offset_, .end = std::min(offset_ + chunk, extent->end - 1), .last = false};
}

Result<void> Sending::SendChunk() {
  auto const range = NextRange();
  if (!range) return tl::unexpected(range.error());
  if (auto const most = profile_.MaxSize(); most && range->end > *most) {
    last_body_ = 0;  // a smaller one would not help
    return Fail(ErrorCode::kTooLarge, SizeSentence(*most));
  }
  bool const grew = growing_ != nullptr && range->end > stored_.checked_length;
  if (grew) {
    auto const extent = growing_->Await(0, range->end, kForEver, stop_);
    if (!extent) return tl::unexpected(extent.error());
    stored_.checked_length = extent->end;
    stored_.checked_sha256 = growing_->Sha256();
  }
  bool const first_final = range->last && !std::exchange(stored_.final_sent, range->last);
  if (grew || first_final) {
    if (auto remembered = Remember(); !remembered) return remembered;
  }
  frontier_ = std::max(frontier_, range->end);

  PatchRequest request;
  request.url = stored_.url;
  request.offset = range->begin;
  request.length = range->end - range->begin;
  if (range->last && !stored_.length) request.declare_length = range->end;
  request.source = &source_;
  if (options_.checksums && request.length > 0) request.checksum = profile_.Checksum();
  if (range->last) {
    request.sha256 = growing_ != nullptr ? growing_->Sha256() : options_.sha256;
  }
  request.on_sent = CountSent(range->begin);
  request.stop = stop_;
  last_body_ = request.length;
  last_had_checksum_ = request.checksum.has_value();

  auto const start = options_.now();
  auto patched = client_.Patch(request);
  if (!patched) return tl::unexpected(patched.error());
  profile_.Measured(request.length, options_.now() - start);
  return Confirmed(*range, *std::move(patched));
}

Result<void> Sending::Confirmed(Range const& range, Patched answer) {
  mismatches_ = 0;
  lock_timeouts_ = 0;
  offset_ = answer.offset;
  if (answer.expires) stored_.expires = answer.expires;
  bool const progressed = offset_ > best_;
  if (progressed) {
    best_ = offset_;
    pacer_.Progressed();
  }
  if (growing_ != nullptr) {
    growing_->Release(offset_);
    released_ = offset_;
  }
  if (options_.on_confirmed) options_.on_confirmed(offset_);
  if (range.last && offset_ == range.end) {
    Complete(std::move(answer.headers), std::move(answer.body));
    return {};
  }
  // Whether a length that came with a short answer counts as declared only the server knows.
  if (range.last) state_ = State::kUnknown;
  // A server may take back between two answers what it has confirmed, again and again.
  if (offset_ == range.begin || (range.last && !progressed)) {
    return Fail(ErrorCode::kTransient, "the server takes no more bytes at the moment");
  }
  return {};
}

void Sending::Complete(std::vector<Header> headers, std::string body) {
  receipt_.url = stored_.url;
  receipt_.size = length_.value_or(0);
  receipt_.headers = std::move(headers);
  receipt_.body = std::move(body);
  state_ = State::kComplete;
}

std::function<void(std::uint64_t)> Sending::CountSent(std::uint64_t from) {
  return [this, at = from](std::uint64_t bytes) mutable {
    receipt_.sent += bytes;
    at += bytes;
    if (options_.on_sent) options_.on_sent(at);
  };
}

// ---- failures

std::optional<Error> Sending::Handle(Error const& error) {
  bool const has_url = state_ != State::kNoUrl;
  bool const of_chunk = state_ == State::kReady;
  if (has_url) state_ = State::kUnknown;
  // The answer to a HEAD has no words: a 500 is for the lock when it took as long, and after one
  // that was.
  bool const waited = lock_timeouts_ > 0 || options_.now() - asked_ >= kLockWait;
  bool const locked = error.message.find("ERR_LOCK_TIMEOUT") != std::string::npos ||
                      (error.http_status == 500 && waited);
  lock_timeouts_ = locked ? lock_timeouts_ + 1 : 0;
  switch (error.code) {
    case ErrorCode::kUnreachable:
    case ErrorCode::kInterrupted:
    case ErrorCode::kNotTus:
    case ErrorCode::kTransient:
      if (has_url && lock_timeouts_ >= kMaxLockTimeouts) {
        lock_timeouts_ = 0;
        if (auto final_error = StartOver("the server keeps it locked")) return final_error;
      }
      return Retry(error);
    case ErrorCode::kUnauthorized:
      if (!options_.wait_for_credentials) return error;
      return Retry(error, kUnauthorizedDelay);
    case ErrorCode::kChecksumMismatch:
      return of_chunk ? Mismatch(error) : Retry(error);
    case ErrorCode::kGone:
      return has_url ? Gone(error) : error;
    case ErrorCode::kTooLarge:
      if (of_chunk && last_body_ > 0 && profile_.TooLarge(last_body_)) return std::nullopt;
      return Refused(error);
    case ErrorCode::kRefused:
      if (of_chunk && error.http_status == 400 && last_had_checksum_ &&
          profile_.ChecksumRefused()) {
        return std::nullopt;
      }
      return Refused(error);
    case ErrorCode::kCancelled:
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kSource:
    case ErrorCode::kUnconfirmed:
    case ErrorCode::kProtocol:
      break;
  }
  return error;
}

std::optional<Error> Sending::Retry(Error const& error, std::chrono::milliseconds least) {
  return pacer_.Failed(error, stop_, least);
}

std::optional<Error> Sending::Mismatch(Error const& error) {
  if (++mismatches_ % kMaxMismatches == 0) return Retry(error);
  state_ = State::kReady;  // nothing of the chunk was kept
  return std::nullopt;
}

/// After a refusal a HEAD may say "complete" all the same, and nobody shall believe that later.
std::optional<Error> Sending::Refused(Error const& error) {
  if (auto const forgotten = Forget(); !forgotten) return forgotten.error();
  return error;
}

// A proxy that is being redeployed answers 404 too, so the server is asked twice.
std::optional<Error> Sending::Gone(Error const& error) {
  auto const now = options_.now();
  if (!gone_since_) gone_since_ = now;
  auto const believed = *gone_since_ + options_.gone_after;
  if (now < believed && !HasExpired(stored_.expires)) {
    return Retry(error, std::chrono::ceil<std::chrono::milliseconds>(believed - now));
  }
  if (auto const info = client_.Options(stop_); !info) return Handle(info.error());
  gone_since_.reset();
  if (stored_.final_sent) {
    return MakeError(ErrorCode::kUnconfirmed,
                     "the answer to the last bytes was lost, and the server does not know the "
                     "upload any more: it may have taken it",
                     error.http_status);
  }
  stored_.url.clear();
  if (auto final_error = StartOver("the server does not know it any more")) return final_error;
  return Retry(error);
}

std::optional<Error> Sending::StartOver(std::string const& why) {
  if (released_ > 0) {
    if (auto const forgotten = Forget(); !forgotten) return forgotten.error();
    return MakeError(
        ErrorCode::kSource,
        "the upload cannot start over, because its bytes cannot be read again: " + why);
  }
  // What stays behind where this fails expires on the server.
  if (!stored_.url.empty()) static_cast<void>(client_.Terminate(stored_.url, stop_));
  if (auto const forgotten = Forget(); !forgotten) return forgotten.error();
  stored_ = {};
  offset_ = 0;
  frontier_ = 0;
  replayed_ = true;
  receipt_.resumed = false;
  idempotency_key_ = MakeKey();
  state_ = State::kNoUrl;
  if (options_.on_restart) options_.on_restart(why);
  return std::nullopt;
}

/// A server that never gets it right is not asked without pause.
Result<void> Sending::StartOverOrFail(std::string const& why) {
  if (auto final_error = StartOver(why)) return tl::unexpected(*std::move(final_error));
  return Fail(ErrorCode::kTransient, "the upload starts over: " + why);
}

// ---- remembering

Result<void> Sending::Remember() {
  if (options_.store == nullptr || options_.fingerprint.empty()) return {};
  return options_.store->Put(options_.fingerprint, stored_);
}

Result<void> Sending::Forget() {
  if (options_.store == nullptr || options_.fingerprint.empty()) return {};
  return options_.store->Remove(options_.fingerprint);
}

}  // namespace tus
