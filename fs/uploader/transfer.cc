#include "uploader/transfer.h"

#include <algorithm>
#include <cerrno>
#include <numeric>
#include <span>

#include "base/text.h"
#include "uploader/target.h"

namespace tusfs {
namespace {

constexpr std::size_t kLargestReceiptHead = 8192;
constexpr std::size_t kLargestReceiptBody = 4096;
constexpr int kMaxMismatches = 3;
constexpr int kMaxLockWaits = 10;
/// Servers wait 20 s for the lock of an upload; nothing else makes them wait so long and fail.
constexpr std::chrono::seconds kLockWait{10};
constexpr FileTime kSecond = 1'000'000'000;
/// An upload is refreshed so long before it expires, or a tenth of its life, if that is less.
constexpr FileTime kRefreshMargin = 300 * kSecond;

// The uploader's view of a version, for tusclient.
class VersionSource : public tus::DataSource {
 public:
  explicit VersionSource(Version const& version) : version_(version) {}

  tus::Result<std::size_t> ReadAt(std::uint64_t offset, std::span<std::byte> out) override {
    auto got = version_.Read(offset, out);
    if (got) return *got;
    tus::Error error;
    error.code = tus::ErrorCode::kSource;
    error.message = Describe(got.error());
    return tl::unexpected(error);
  }

 private:
  Version const& version_;
};

std::string ReceiptOf(tus::Patched const& answer) {
  std::string receipt;
  for (auto const& header : answer.headers) {
    auto const line = header.name + ": " + header.value + "\n";
    if (receipt.size() + line.size() <= kLargestReceiptHead) receipt += line;
  }
  return receipt + "\n" + answer.body.substr(0, kLargestReceiptBody);
}

/// The same for every try at one creation: another length or name is another one.
std::string IdempotencyKeyOf(Upload const& upload) {
  auto const text = upload.id.ToString() + "\n" +
                    (upload.length ? std::to_string(*upload.length) : "deferred") + "\n" +
                    upload.path;
  tus::Hasher hasher(tus::ChecksumAlgorithm::kSha256);
  hasher.Update(std::as_bytes(std::span(text)));
  std::string key;
  for (char const character : hasher.Digest().substr(0, 16)) {
    auto const byte = static_cast<unsigned char>(character);
    key += "0123456789abcdef"[byte >> 4];
    key += "0123456789abcdef"[byte & 15];
  }
  return key;
}

// Of a file whose first bytes only the server has: why it can never be whole again.
std::optional<std::string> WhyNotWhole(Work const& work) {
  bool const has_upload = work.upload && !work.upload->url.empty();
  if (work.inode.trimmed == 0 || has_upload) return std::nullopt;
  return "the upload that had its first " + std::to_string(work.inode.trimmed) +
         " bytes is lost, and they are not here any more (trim=confirmed)";
}

std::uint64_t BytesLeft(Inode const& inode, std::uint64_t offset) {
  return inode.size > offset ? inode.size - offset : 0;
}

}  // namespace

Transfer::Transfer(Shared& shared, tus::ClientOptions client,
                   std::unique_ptr<tus::HttpTransport> transport, std::stop_token end)
    : shared_(shared),
      ledger_(shared.store, shared.spool, shared.rules, shared.clock, shared.logger),
      transport_(std::move(transport)),
      client_(std::move(client), *transport_),
      end_(std::move(end)) {}

void Transfer::Probe(std::stop_token stop) { shared_.endpoint.Probed(client_.Options(stop)); }

Transfer::Outcome Transfer::Step(JobKey const& key, JobMemory& memory, std::stop_token stop) {
  return key.inode != 0 ? Send(key.inode, memory, stop) : Terminate(key.upload, memory, stop);
}

// ---- deciding

Transfer::Outcome Transfer::Send(InodeId id, JobMemory& memory, std::stop_token stop) {
  auto looked = ledger_.Look(id);
  if (!looked && looked.error().code == EAGAIN) return Now();
  if (!looked && looked.error().code == ENODATA) {
    return LostBytes(id, std::nullopt, looked.error().context);
  }
  if (!looked) return Postpone(looked.error());
  if (!*looked) return Over();
  auto const& work = **looked;
  bool const streams =
      work.inode.content == Content::kWriting || work.inode.content == Content::kSettling;
  if (!streams && !work.finished()) return Over();
  if (work.ignored && !MayBePublished(work.upload)) {
    return work.upload ? GiveUp(work) : Over();
  }
  if (auto const why = WhyNotWhole(work)) return LostBytes(id, work.inode.version, *why);
  if (!work.upload) {
    auto const adopting = Adopt(work, memory, stop);
    return adopting ? *adopting : Create(work, memory);
  }

  switch (work.upload->phase) {
    case UploadPhase::kComplete:
      return work.finished() ? Complete(work, work.upload->receipt) : Outcome{};
    case UploadPhase::kVerifying:
      return work.finished() ? Verify(work, memory, stop) : Outcome{};
    case UploadPhase::kUnconfirmed:
      return {};
    case UploadPhase::kRefused:
      return TryAgain(work, memory, stop);
    case UploadPhase::kIntent:
      return Create(work, memory);
    case UploadPhase::kCreated:
    case UploadPhase::kFinalSent:
      break;
  }
  // What cannot be sent again keeps the name that it was declared under.
  bool const can_start_over = !WhyNotGivenUp(work.inode, *work.upload, GiveUpFor::kTrouble);
  if (work.upload->path != work.path && can_start_over) {
    return StartOver(work, "it was renamed, and tus has no rename", memory, GiveUpFor::kTrouble,
                     true);
  }
  auto const most = shared_.endpoint.profile().MaxSize();
  if (work.finished() && most && work.inode.size > *most) return RefuseSize(work, *most, memory);
  if (work.finished() && work.upload->length && *work.upload->length != work.inode.size) {
    return StartOver(work, "its length was declared otherwise, and is declared once only", memory,
                     GiveUpFor::kOtherBytes);
  }
  return memory.recheck ? Recheck(work, memory, stop) : Patch(work, memory, stop);
}

std::optional<Range> Transfer::Available(Work const& work, JobMemory& memory, std::uint64_t offset,
                                         std::optional<SteadyTime>& look_again) const {
  auto const& profile = shared_.endpoint.profile();
  auto const& rules = profile.rules();
  auto const chunk = profile.NextChunk(offset);
  if (work.finished()) {
    auto const end = std::min(work.inode.size, offset + chunk);
    return Range{offset, end, end == work.inode.size};
  }
  bool const declared = work.upload && work.upload->length;
  if (memory.after_finish || declared || !shared_.endpoint.MayDefer()) return std::nullopt;
  // Servers notice only at the end that a file of unknown length has grown too large.
  auto const most = shared_.endpoint.profile().MaxSize();
  if (most && work.version->size() > *most) return std::nullopt;
  auto const granule =
      rules.exact ? chunk : std::min(std::lcm(Version::kGranule, rules.multiple), chunk);
  auto const whole_chunk = chunk / granule * granule;
  // The last byte stays here until the length is known: it is what publishes the file.
  auto const held_back = std::max<std::uint64_t>(work.version->prefix(), 1) - 1;
  auto const sendable = held_back > offset ? (held_back - offset) / granule * granule : 0;
  if (sendable >= whole_chunk) {
    memory.hold_until.reset();
    return Range{offset, offset + whole_chunk, false};
  }
  auto const now = shared_.clock.Steady();
  if (sendable < std::max<std::uint64_t>(rules.least, 1)) {
    memory.hold_until.reset();
    auto const enough = std::max(granule, rules.least);
    if (work.version->NotifyAt(offset + enough + 1)) look_again = now;
    return std::nullopt;
  }
  if (!memory.hold_until) memory.hold_until = now + shared_.options.patience;
  if (now >= *memory.hold_until) {
    memory.hold_until.reset();
    return Range{offset, offset + sendable, false};
  }
  look_again = work.version->NotifyAt(offset + whole_chunk + 1) ? now : *memory.hold_until;
  return std::nullopt;
}

// ---- creating

std::optional<std::string> Transfer::WhyNotDeclarable(Work const& work) const {
  Upload declared;
  declared.path = work.path;
  if (work.finished()) declared.length = work.inode.size;
  return WhyNotSendable(MetadataFor(shared_.options.metadata, declared, work.inode.modified));
}

Transfer::Outcome Transfer::Create(Work const& work, JobMemory& memory) {
  auto const not_declarable = WhyNotDeclarable(work);
  if (not_declarable && !work.finished()) return {};  // its end, or a rename, will tell
  if (!work.finished()) {
    std::optional<SteadyTime> look_again;
    if (!Available(work, memory, 0, look_again)) {
      return {.next = look_again, .bytes_left = work.inode.size};
    }
  }
  auto const intended = ledger_.Intend(work);
  if (!intended) return Postpone(intended.error());
  if (!*intended) return Now();
  auto const& upload = **intended;
  Work created = work;
  created.upload = upload;
  created.inode.upload = upload.id;
  if (not_declarable) return Refuse(created, *not_declarable, memory);

  auto const most = shared_.endpoint.profile().MaxSize();
  if (work.finished() && most && work.inode.size > *most) {
    return RefuseSize(created, *most, memory);
  }
  tus::CreateRequest request;
  request.length = upload.length;
  request.metadata = MetadataFor(shared_.options.metadata, upload, work.inode.modified);
  request.idempotency_key = IdempotencyKeyOf(upload);
  // Not cancelled with its file: whoever cannot tell an upload's URL can never remove it.
  request.stop = end_;
  auto const answer = client_.Create(request);
  if (!answer) return CreateFailed(created, answer.error(), memory);
  shared_.endpoint.Succeeded();
  if (!upload.length) shared_.endpoint.profile().DeferWorked();
  auto const recorded = ledger_.Created(created, *answer);
  if (!recorded) return Postpone(recorded.error());
  if (!*recorded) {
    auto const kept = ledger_.CreatedForNobody(upload, *answer);
    if (!kept) return Postpone(kept.error());
    shared_.terminate(upload.id);
    return Now();
  }
  shared_.logger->Debug("upload created path=\"{}\" tusfsId={}", Printable(upload.path),
                        upload.id.ToString());
  memory.recheck = false;
  if (work.finished() && work.inode.size == 0) return Complete(created, "");
  return Now(work.inode.size);
}

Transfer::Outcome Transfer::CreateFailed(Work const& work, tus::Error const& error,
                                         JobMemory& memory) {
  bool const refused = error.code == tus::ErrorCode::kRefused ||
                       error.code == tus::ErrorCode::kTooLarge ||
                       error.code == tus::ErrorCode::kGone;
  if (!work.finished() && refused) {
    // It may be this file's name, or the unknown length: the finished file will tell.
    shared_.endpoint.LearnNoDefer();
    memory.after_finish = true;
    return {};
  }
  if (refused) return Refuse(work, error.message, memory);
  if (error.code == tus::ErrorCode::kInterrupted) {
    shared_.logger->Warn(
        "the answer to an upload's creation was lost, an empty one may be left on the server "
        "path=\"{}\" tusfsId={}",
        Printable(work.path), work.upload->id.ToString());
  }
  return NoteAndBackOff(work, error, memory);
}

// ---- asking where the server is

Transfer::Outcome Transfer::TryAgain(Work const& work, JobMemory& memory, std::stop_token stop) {
  auto const kept = WhyNotGivenUp(work.inode, *work.upload, GiveUpFor::kTrouble);
  if (!kept && work.upload->path != work.path) {
    return StartOver(work, "it has another name now", memory);
  }
  if (memory.refused_until && shared_.clock.Steady() < *memory.refused_until) {
    return {.next = memory.refused_until};
  }
  if (kept) return Recheck(work, memory, std::move(stop));
  return StartOver(work, "it was refused before, trying again", memory);
}

Transfer::Outcome Transfer::Recheck(Work const& work, JobMemory& memory, std::stop_token stop) {
  auto const asked = shared_.clock.Steady();
  auto const status = client_.Head(work.upload->url, stop);
  if (status) return Reconcile(work, *status, memory);
  if (status.error().code == tus::ErrorCode::kGone) return Gone(work, memory, stop);
  bool const is_locked = StaysLocked(status.error(), asked, memory);
  if (is_locked && !WhyNotGivenUp(work.inode, *work.upload, GiveUpFor::kTrouble)) {
    return StartOver(work, "the server keeps it locked", memory);
  }
  if (status.error().code != tus::ErrorCode::kRefused) {
    // The words of a refusal stay until there is another answer.
    bool const is_refused = work.upload->phase == UploadPhase::kRefused;
    return is_refused ? BackOff(status.error(), memory)
                      : NoteAndBackOff(work, status.error(), memory);
  }
  if (work.upload->phase == UploadPhase::kFinalSent) {
    return Unconfirmed(work,
                       "the answer to the last request was lost, and the server does not say "
                       "how the upload is: " +
                           status.error().message);
  }
  return Refuse(work, status.error().message, memory);
}

Transfer::Outcome Transfer::Reconcile(Work const& work, tus::UploadStatus const& status,
                                      JobMemory& memory) {
  shared_.endpoint.Succeeded();
  memory.gone_at.reset();
  memory.lock_waits = 0;
  auto const& upload = *work.upload;
  bool const other_length = status.length && work.finished() && *status.length != work.inode.size;
  if (other_length || status.offset > std::max(upload.frontier, upload.offset)) {
    constexpr auto kWhy = "what the server has is not what was sent to it";
    // What it calls complete may have been published.
    if (status.Complete() && MayBePublished(work.upload)) return Unconfirmed(work, kWhy);
    return StartOver(work, kWhy, memory, GiveUpFor::kOtherBytes);
  }
  if (status.offset < work.inode.trimmed) {
    return Refuse(work,
                  "the server has lost what it had confirmed: of the first " +
                      std::to_string(work.inode.trimmed) +
                      " bytes, which are not here any more (trim=confirmed), it has " +
                      std::to_string(status.offset),
                  memory);
  }
  if (status.Complete()) {
    if (!work.finished()) return {};
    if (upload.phase == UploadPhase::kRefused) {
      return Unconfirmed(work, "the server refused it, and says now that it has all of it");
    }
    // All that it has was sent of this file, and nothing is left: it is published, though the
    // server may have called it incomplete in between.
    return Complete(work, "");
  }
  memory.recheck = false;
  auto const recorded = ledger_.Incomplete(work, status);
  if (!recorded) return Postpone(recorded.error());
  return Now(BytesLeft(work.inode, status.offset));
}

// A proxy that is being redeployed answers 404 too, so the server is asked twice.
Transfer::Outcome Transfer::Gone(Work const& work, JobMemory& memory, std::stop_token stop) {
  auto const now = shared_.clock.Steady();
  if (!memory.gone_at) memory.gone_at = now;
  auto const believed = *memory.gone_at + shared_.options.gone_after;
  bool const expired = work.upload->expires != 0 && work.upload->expires < shared_.clock.Wall();
  if (now < believed && !expired) return {.next = believed};
  if (auto const info = client_.Options(stop); !info) return BackOff(info.error(), memory);
  memory.gone_at.reset();
  if (work.upload->phase == UploadPhase::kVerifying) {
    return Unconfirmed(work,
                       "the server has confirmed all of it, and does not know it any more: it "
                       "cannot be verified");
  }
  bool const all_sent = work.finished() && work.upload->frontier >= work.inode.size;
  bool const may_be_published =
      work.upload->phase == UploadPhase::kFinalSent ||
      (work.upload->phase == UploadPhase::kRefused && work.upload->frontier > 0 && all_sent);
  if (!may_be_published) {
    return StartOver(work, "the server does not know it any more", memory);
  }
  return Unconfirmed(work,
                     "the last request may have completed it, and the server does not know the "
                     "upload any more: it may have been published");
}

// ---- sending

Transfer::Outcome Transfer::Patch(Work const& work, JobMemory& memory, std::stop_token stop) {
  std::optional<SteadyTime> look_again;
  auto const range = Available(work, memory, work.upload->offset, look_again);
  if (!range) {
    auto const refresh = RefreshAt(work, memory);
    if (refresh && *refresh <= shared_.clock.Steady()) return Refresh(work, memory, stop);
    if (refresh && (!look_again || *refresh < *look_again)) look_again = refresh;
    return {.next = look_again, .bytes_left = BytesLeft(work.inode, work.upload->offset)};
  }
  auto const announced = ledger_.Announce(work, *range);
  if (!announced && announced.error().code == ENODATA) {
    return LostBytes(work.inode.id, work.version->id(), announced.error().context);
  }
  if (!announced) return Postpone(announced.error());
  if (!*announced) return Now();
  auto const asked = shared_.clock.Steady();
  auto const answer = SendRange(work, *range, stop);
  if (!answer) return PatchFailed(work, *range, answer.error(), asked, memory);
  shared_.endpoint.profile().Measured(range->end - range->begin, shared_.clock.Steady() - asked);
  return Confirmed(work, *range, *answer, memory);
}

tus::Result<tus::Patched> Transfer::SendRange(Work const& work, Range const& range,
                                              std::stop_token stop) {
  VersionSource source(*work.version);
  std::uint64_t sent = 0;
  tus::PatchRequest request;
  request.url = work.upload->url;
  request.offset = range.begin;
  request.length = range.end - range.begin;
  request.source = &source;
  request.on_sent = [&sent](std::uint64_t bytes) { sent += bytes; };
  request.stop = std::move(stop);
  if (range.last && !work.upload->length) request.declare_length = range.end;
  if (shared_.options.checksums) request.checksum = shared_.endpoint.profile().Checksum();
  auto answer = client_.Patch(request);
  auto const known = std::clamp(work.upload->frontier, range.begin, range.end) - range.begin;
  if (auto counted = ledger_.Count(sent, std::min(sent, known)); !counted) {
    shared_.logger->Warn("counters not kept error=\"{}\"", Describe(counted.error()));
  }
  return answer;
}

std::optional<SteadyTime> Transfer::RefreshAt(Work const& work, JobMemory const& memory) const {
  auto const& upload = *work.upload;
  if (upload.expires == 0 || upload.expires == memory.refreshed) return std::nullopt;
  auto const margin =
      std::clamp<FileTime>((upload.expires - upload.created) / 10, 0, kRefreshMargin);
  auto const left = upload.expires - margin - shared_.clock.Wall();
  return shared_.clock.Steady() + std::chrono::nanoseconds(std::max<FileTime>(left, 0));
}

Transfer::Outcome Transfer::Refresh(Work const& work, JobMemory& memory, std::stop_token stop) {
  Range const nothing{work.upload->offset, work.upload->offset, false};
  memory.refreshed = work.upload->expires;  // once, unless the server moves it
  auto const asked = shared_.clock.Steady();
  auto const answer = SendRange(work, nothing, std::move(stop));
  if (!answer) return PatchFailed(work, nothing, answer.error(), asked, memory);
  auto const recorded = ledger_.Confirmed(work, *answer);
  return recorded ? Now() : Postpone(recorded.error());
}

Transfer::Outcome Transfer::Confirmed(Work const& work, Range const& range,
                                      tus::Patched const& answer, JobMemory& memory) {
  shared_.endpoint.Succeeded();
  memory.mismatches = 0;
  memory.lock_waits = 0;
  if (range.last && answer.offset == range.end) return Complete(work, ReceiptOf(answer));
  // A short answer: the server's state around the declared length has to be asked for.
  memory.recheck = answer.offset != range.end;
  auto const recorded = ledger_.Confirmed(work, answer);
  if (!recorded) return Postpone(recorded.error());
  // Nor more in the end, where it takes bytes back again and again.
  bool const is_short = answer.offset != range.end;
  bool const progressed = answer.offset > memory.most;
  memory.most = std::max(memory.most, answer.offset);
  if (answer.offset == range.begin || (is_short && !progressed)) {
    return NoteAndBackOff(work,
                          {.code = tus::ErrorCode::kTransient,
                           .http_status = 0,
                           .retry_after = std::nullopt,
                           .message = "the server takes no more bytes at the moment"},
                          memory);
  }
  memory.failures = 0;
  return Now(BytesLeft(work.inode, answer.offset));
}

Transfer::Outcome Transfer::PatchFailed(Work const& work, Range const& range,
                                        tus::Error const& error, SteadyTime asked,
                                        JobMemory& memory) {
  memory.recheck = true;
  switch (error.code) {
    case tus::ErrorCode::kSource:
      return LostBytes(work.inode.id, work.version->id(), error.message);
    case tus::ErrorCode::kCancelled:
      return Now();
    case tus::ErrorCode::kTooLarge:
      if (shared_.endpoint.LearnTooLarge(range.end - range.begin)) return Now();
      return Refuse(work, error.message, memory);
    case tus::ErrorCode::kChecksumMismatch:
      return Mismatch(work, error, memory);
    case tus::ErrorCode::kRefused:
      if (error.http_status == 400 && shared_.options.checksums &&
          shared_.endpoint.profile().Checksum() && shared_.endpoint.LearnNoChecksum()) {
        return Now();
      }
      return Refuse(work, error.message, memory);
    default:
      if (StaysLocked(error, asked, memory) &&
          !WhyNotGivenUp(work.inode, *work.upload, GiveUpFor::kTrouble)) {
        return StartOver(work, "the server keeps it locked", memory);
      }
      shared_.logger->Info("upload interrupted, it will go on path=\"{}\" offset={} error=\"{}\"",
                           Printable(work.path), range.begin, error.message);
      return NoteAndBackOff(work, error, memory);
  }
}

/// The chunk arrived damaged, and nothing of it was kept.
Transfer::Outcome Transfer::Mismatch(Work const& work, tus::Error const& error, JobMemory& memory) {
  memory.recheck = ++memory.mismatches % kMaxMismatches == 0;
  if (!memory.recheck) return Now(BytesLeft(work.inode, work.upload->offset));
  shared_.logger->Warn("bytes arrive damaged at the server path=\"{}\" times={} error=\"{}\"",
                       Printable(work.path), memory.mismatches, error.message);
  return NoteAndBackOff(work, error, memory);
}

bool Transfer::StaysLocked(tus::Error const& error, SteadyTime asked, JobMemory& memory) const {
  // The answer to a HEAD has no words.
  bool const locked = error.message.find("ERR_LOCK_TIMEOUT") != std::string::npos ||
                      (error.http_status == 500 && shared_.clock.Steady() - asked >= kLockWait);
  memory.lock_waits = locked ? memory.lock_waits + 1 : 0;
  if (memory.lock_waits < kMaxLockWaits) return false;
  memory.lock_waits = 0;
  return true;
}

// ---- ownerless uploads

Transfer::Outcome Transfer::Terminate(Uuid const& id, JobMemory& memory, std::stop_token stop) {
  auto const upload = ledger_.FindOwnerless(id);
  if (!upload) return Postpone(upload.error());
  if (!*upload) return Over();
  auto const until =
      ledger_.Rest(**upload, std::chrono::nanoseconds(shared_.options.adopt_timeout).count());
  if (!until) return Postpone(until.error());
  if (auto const left = until->value_or(0) - shared_.clock.Wall(); *until && left > 0) {
    return {.next = shared_.clock.Steady() + std::chrono::nanoseconds(left)};
  }
  if (auto retired = ledger_.Retire(**upload); !retired) return Postpone(retired.error());
  return End(**upload, memory, std::move(stop));
}

Transfer::Outcome Transfer::End(Upload const& upload, JobMemory& memory, std::stop_token stop) {
  // What is published belongs to the ingest and is never deleted from here.
  if (upload.phase == UploadPhase::kComplete) {
    auto const dropped = ledger_.Forget(upload);
    return dropped ? Over() : Postpone(dropped.error());
  }
  auto const status = client_.Head(upload.url, stop);
  bool const is_final = !status && (status.error().code == tus::ErrorCode::kGone ||
                                    status.error().code == tus::ErrorCode::kRefused);
  if (!status && !is_final) return BackOff(status.error(), memory);
  if (status && !status->Complete()) {
    auto const ended = client_.Terminate(upload.url, stop);
    if (!ended && ended.error().code != tus::ErrorCode::kRefused) {
      return BackOff(ended.error(), memory);
    }
    if (!ended) {
      shared_.logger->Info("the server keeps an abandoned upload tusfsId={} error=\"{}\"",
                           upload.id.ToString(), ended.error().message);
    }
  }
  auto const dropped = ledger_.Forget(upload);
  return dropped ? Over() : Postpone(dropped.error());
}

}  // namespace tusfs
