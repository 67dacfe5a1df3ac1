#include "sending.h"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "fail.h"
#include "random_key.h"

namespace tus {
namespace {

/// Credentials are renewed by people and by timers.
constexpr std::chrono::milliseconds kUnauthorizedDelay{10'000};
constexpr std::chrono::hours kForEver{24 * 365};
constexpr int kMostTaken = 5;

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
      idempotency_key_(RandomKey()) {}

Result<Receipt> Sending::Run() {
  if (auto const recalled = Recall(); !recalled) return tl::unexpected(recalled.error());
  while (state_ != State::kComplete) {
    if (stop_.stop_requested()) return Fail(ErrorCode::kCancelled, "the upload was cancelled");
    if (auto const step = Step(); !step) return tl::unexpected(step.error());
  }
  if (options_.on_completed) options_.on_completed(receipt_);
  if (auto const forgotten = Forget(); !forgotten) return tl::unexpected(forgotten.error());
  return std::move(receipt_);
}

Result<void> Sending::Step() {
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

Result<void> Sending::TakeUp(std::string const& url) {
  asked_server_ = true;
  state_ = State::kUnknown;
  Hasher hasher(ChecksumAlgorithm::kSha256);
  hasher.Update(std::as_bytes(std::span(options_.fingerprint)));
  auto const body = hasher.Digest();
  auto const found = Remembers() ? options_.store->Find(url) : std::nullopt;
  if (!found) return tl::unexpected(found.error());
  if (*found && (*found)->checked_sha256 != body) {
    return Fail(ErrorCode::kRefused,
                "this upload was begun with another file, or with this one before it was changed");
  }
  if (*found) {
    stored_ = **found;
    facts_.announced = length_.value_or(0);
    facts_.end = stored_.end;
    facts_.end_words = stored_.end_words;
    receipt_.resumed = true;
    return {};
  }
  // What the server has of it already was not sent from here, and is not taken for this file's.
  stored_ = {.url = url, .length = {}, .checked_sha256 = body};
  return Remember();
}

Result<void> Sending::Recall() {
  if (!options_.upload_url.empty()) return TakeUp(options_.upload_url);
  if (!Remembers()) return {};
  auto const found = options_.store->Find(options_.fingerprint);
  if (!found) return tl::unexpected(found.error());
  if (!*found || (*found)->url.empty()) return {};
  stored_ = **found;
  // What was sent before of a growing source is compared; of any other the fingerprint says it.
  facts_.announced = growing_ != nullptr ? stored_.checked_length : length_.value_or(0);
  facts_.end = stored_.end;
  facts_.end_words = stored_.end_words;
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
  bool const says_nothing = !info && growing_ == nullptr && SaysNothing(info.error());
  bool const can_do_without =
      code == ErrorCode::kRefused || code == ErrorCode::kProtocol || says_nothing;
  if (!info && !can_do_without) return Trouble(info.error());
  asked_server_ = true;
  return {};
}

Result<void> Sending::Create() {
  facts_.confirmed = 0;
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
  request.partial = options_.partial;
  request.idempotency_key = idempotency_key_;
  request.stop = stop_;
  if (whole) {
    request.source = &source_;
    request.body_length = *length_;
    request.on_sent = CountSent(0);
  }
  auto created = client_.Create(request);
  if (!created) {
    auto error = created.error();
    if (!length_ && error.code == ErrorCode::kRefused) profile_.DeferRefused();
    // A name that is taken so often in a row is there, and no creation of it is under way.
    if (IsTaken(error) && ++taken_ >= kMostTaken) error.code = ErrorCode::kRefused;
    return Trouble(error);
  }
  stored_ = {.url = created->url,
             .length = length_,
             .end = whole ? UploadFacts::End::kSent : UploadFacts::End::kNotSent,
             .end_words = {},
             .expires = created->expires,
             .checked_length = 0,
             .checked_sha256 = {}};
  facts_ = {.confirmed = created->offset,
            .announced = request.body_length,
            .end = stored_.end,
            .most = std::max(facts_.most, created->offset)};
  replayed_ = true;
  state_ = State::kReady;
  if (length_ && created->offset == *length_) {
    Complete(std::move(created->headers), std::move(created->body));
    return {};
  }
  return Remember();
}

// ---- asking where the server is

Result<void> Sending::Ask() {
  auto const start = options_.now();
  auto const status = client_.Head(stored_.url, stop_);
  if (status) return TakeStatus(*status);
  if (IsMiss(status.error())) {
    auto const missed = IsMissed();
    if (!missed) return Trouble(missed.error());
    facts_.is_missed = *missed;
  }
  facts_.size = length_;
  return CarryOut(JudgeStatus(facts_, status, options_.now() - start), &status.error());
}

Result<void> Sending::TakeStatus(UploadStatus const& status) {
  gone_since_.reset();
  if (status.Complete() && !length_ && facts_.end == UploadFacts::End::kSent) {
    // An earlier process sent the end, which is all that it had handed over by then.
    if (status.offset < facts_.announced) {
      // What is published is never deleted.
      return StartOver({.next = Judgement::Next::kStartOver,
                        .why = "the server completed it with fewer bytes than were sent to it"},
                       nullptr);
    }
    length_ = status.length;  // the bytes are still compared
  }
  facts_.size = length_;
  auto const judgement = JudgeStatus(facts_, status, {});
  if (judgement.next != Judgement::Next::kSend && judgement.next != Judgement::Next::kComplete) {
    return CarryOut(judgement, nullptr);
  }
  stored_.length = status.length;
  if (status.expires) stored_.expires = status.expires;
  facts_.confirmed = status.offset;
  if (!replayed_) {
    if (auto compared = CompareReplayed(); !compared) return compared;
  }
  if (judgement.next == Judgement::Next::kComplete) {
    Complete({}, {});
    return {};
  }
  if (options_.on_confirmed) options_.on_confirmed(status.offset);
  return CarryOut(judgement, nullptr);
}

/// A pipe that is fed again has to bring the bytes that the server has already.
Result<void> Sending::CompareReplayed() {
  growing_->Release(facts_.confirmed);
  facts_.floor = facts_.confirmed;
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

Result<SentRange> Sending::NextRange() {
  auto const at = facts_.confirmed;
  auto const chunk = profile_.NextChunk(at);
  if (!length_) return NextRangeOfGrowing(chunk);
  auto const end = *length_ - at > chunk ? at + chunk : *length_;
  return SentRange{.begin = at, .end = end, .last = end == *length_};
}

Result<SentRange> Sending::NextRangeOfGrowing(std::uint64_t chunk) {
  auto const at = facts_.confirmed;
  auto const& rules = profile_.rules();
  bool const whole_chunks = rules.exact || rules.multiple > 1 || rules.least > 1;
  auto const patience = whole_chunks ? kForEver : options_.patience;
  // The last byte stays here until the length is known: it is what completes the upload.
  auto const extent = growing_->Await(at + 1, at + chunk + 1, patience, stop_);
  if (!extent) return tl::unexpected(extent.error());
  if (extent->ended) {
    length_ = extent->end;
    return NextRange();
  }
  return SentRange{.begin = at, .end = std::min(at + chunk, extent->end - 1), .last = false};
}

Result<void> Sending::SendChunk() {
  auto range = NextRange();
  if (!range) return tl::unexpected(range.error());
  if (auto const most = profile_.MaxSize(); most && range->end > *most) {
    return Trouble(MakeError(ErrorCode::kTooLarge, SizeSentence(*most)));
  }
  bool const grew = growing_ != nullptr && range->end > stored_.checked_length;
  if (grew) {
    auto const extent = growing_->Await(0, range->end, kForEver, stop_);
    if (!extent) return tl::unexpected(extent.error());
    stored_.checked_length = extent->end;
    stored_.checked_sha256 = growing_->Sha256();
  }
  facts_.size = length_;
  Announce(facts_, *range);
  if (grew || stored_.end != facts_.end) {
    if (auto remembered = Remember(); !remembered) return remembered;
  }

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
  range->checksum = request.checksum.has_value();
  range->deferred = !stored_.length && !request.declare_length;
  request.on_sent = [&left = range->left, count = CountSent(range->begin)](std::uint64_t bytes) {
    left += bytes;
    count(bytes);
  };
  request.stop = stop_;
  last_body_ = request.length;

  auto const start = options_.now();
  auto patched = client_.Patch(request);
  auto const elapsed = options_.now() - start;
  auto const judgement = JudgePatch(facts_, *range, patched, elapsed);
  if (stored_.end != facts_.end) {
    if (auto remembered = Remember(); !remembered) return remembered;
  }
  if (!patched) return CarryOut(judgement, &patched.error());
  profile_.Measured(request.length, elapsed);
  // Some servers take such a creation, and then no bytes.
  if (!stored_.length && patched->offset > 0) profile_.DeferWorked();
  if (auto confirmed = Confirmed(*patched); !confirmed) return confirmed;
  if (judgement.next != Judgement::Next::kComplete) return CarryOut(judgement, nullptr);
  Complete(std::move(patched->headers), std::move(patched->body));
  return {};
}

Result<void> Sending::Confirmed(Patched const& answer) {
  if (answer.expires) stored_.expires = answer.expires;
  if (growing_ != nullptr) {
    growing_->Release(answer.offset);
    facts_.floor = answer.offset;
  }
  if (options_.on_confirmed) options_.on_confirmed(answer.offset);
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

// ---- carrying out

Result<void> Sending::CarryOut(Judgement const& judgement, Error const* error) {
  if (judgement.progressed) pacer_.Progressed();
  auto const as_error = [&](ErrorCode code) {
    auto said = error != nullptr ? *error : Error{};
    if (said.code != ErrorCode::kTooLarge) said.code = code;
    said.message = judgement.why;
    return said;
  };
  switch (judgement.next) {
    case Judgement::Next::kSend:
      state_ = State::kReady;
      return Pause(judgement, as_error(ErrorCode::kTransient));
    case Judgement::Next::kAsk:
      state_ = State::kUnknown;
      return Pause(judgement, error != nullptr ? *error : as_error(ErrorCode::kTransient));
    case Judgement::Next::kStartOver:
      // Where the source has ended by then, its length is known.
      if (judgement.lesson == Judgement::Lesson::kNoDefer) {
        static_cast<void>(profile_.DeferRefused());
        return StartOver(judgement, nullptr);
      }
      return StartOver(judgement, error);
    case Judgement::Next::kRefused:
      // A HEAD may say "complete" all the same, and nobody shall believe that later.
      if (auto forgotten = Forget(); !forgotten) return forgotten;
      return tl::unexpected(as_error(ErrorCode::kRefused));
    case Judgement::Next::kLost:
      if (auto forgotten = Forget(); !forgotten) return forgotten;
      return tl::unexpected(as_error(ErrorCode::kSource));
    case Judgement::Next::kUnconfirmed:
      return tl::unexpected(as_error(ErrorCode::kUnconfirmed));
    case Judgement::Next::kFail:
      return tl::unexpected(*error);
    case Judgement::Next::kComplete:
      break;
  }
  return {};
}

Result<void> Sending::Pause(Judgement const& judgement, Error const& error) {
  bool const can_learn =
      judgement.lesson == Judgement::Lesson::kNone ||
      (judgement.lesson == Judgement::Lesson::kNoChecksum ? profile_.ChecksumRefused()
                                                          : profile_.TooLarge(last_body_));
  if (!can_learn) return Trouble(error);
  switch (judgement.pause) {
    case Judgement::Pause::kNone:
      return {};
    case Judgement::Pause::kBackoff:
      return Retry(error);
    case Judgement::Pause::kCredentials:
      if (!options_.wait_for_credentials) return tl::unexpected(error);
      return Retry(error, kUnauthorizedDelay);
    case Judgement::Pause::kSecondLook:
      break;
  }
  auto const left = gone_since_ ? *gone_since_ + options_.gone_after - options_.now()
                                : std::chrono::steady_clock::duration(options_.gone_after);
  return Retry(error, std::chrono::ceil<std::chrono::milliseconds>(left));
}

Result<bool> Sending::IsMissed() {
  auto const now = options_.now();
  if (!gone_since_) gone_since_ = now;
  facts_.expired = HasExpired(stored_.expires);
  if (now < *gone_since_ + options_.gone_after && !facts_.expired) return false;
  auto const info = client_.Options(stop_);
  // A server that has never told by OPTIONS what it is cannot be asked so now.
  bool const is_trouble = !info && (profile_.Info() || !SaysNothing(info.error()));
  if (is_trouble) return tl::unexpected(info.error());
  gone_since_.reset();
  return true;
}

Result<void> Sending::Trouble(Error const& error) {
  switch (error.code) {
    case ErrorCode::kUnreachable:
    case ErrorCode::kInterrupted:
    case ErrorCode::kNotTus:
    case ErrorCode::kTransient:
    case ErrorCode::kLocked:
    case ErrorCode::kChecksumMismatch:
      return Retry(error);
    case ErrorCode::kUnauthorized:
      if (!options_.wait_for_credentials) break;
      return Retry(error, kUnauthorizedDelay);
    case ErrorCode::kTooLarge:
    case ErrorCode::kRefused:
      if (auto forgotten = Forget(); !forgotten) return forgotten;
      break;
    case ErrorCode::kGone:
    case ErrorCode::kCancelled:
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kSource:
    case ErrorCode::kUnconfirmed:
    case ErrorCode::kProtocol:
      break;
  }
  return tl::unexpected(error);
}

Result<void> Sending::Retry(Error const& error, std::chrono::milliseconds least) {
  if (auto final_error = pacer_.Failed(error, stop_, least)) return tl::unexpected(*final_error);
  return {};
}

Result<void> Sending::StartOver(Judgement const& judgement, Error const* error) {
  if (!options_.upload_url.empty()) {
    if (auto forgotten = Forget(); !forgotten) return forgotten;
    return Fail(ErrorCode::kRefused,
                judgement.why + "; it was made elsewhere, where another one is to be had");
  }
  // What stays behind where this fails expires on the server.
  if (judgement.deletes) static_cast<void>(client_.Terminate(stored_.url, stop_));
  if (auto forgotten = Forget(); !forgotten) return forgotten;
  stored_ = {};
  facts_ = {.most = facts_.most};  // what was had before is no progress
  replayed_ = true;
  receipt_.resumed = false;
  idempotency_key_ = RandomKey();
  state_ = State::kNoUrl;
  if (options_.on_restart) options_.on_restart(judgement.why);
  // A server that never gets it right is not asked without pause.
  return Retry(error != nullptr
                   ? *error
                   : MakeError(ErrorCode::kTransient, "the upload starts over: " + judgement.why));
}

// ---- remembering

bool Sending::Remembers() const {
  return options_.store != nullptr && !options_.fingerprint.empty();
}

std::string const& Sending::StoreKey() const {
  return options_.upload_url.empty() ? options_.fingerprint : options_.upload_url;
}

Result<void> Sending::Remember() {
  stored_.end = facts_.end;
  stored_.end_words = facts_.end_words;
  if (!Remembers()) return {};
  return options_.store->Put(StoreKey(), stored_);
}

Result<void> Sending::Forget() {
  if (!Remembers()) return {};
  return options_.store->Remove(StoreKey());
}

}  // namespace tus
