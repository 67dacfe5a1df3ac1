#include "uploader/transfer.h"

#include <algorithm>
#include <cerrno>

#include "base/text.h"
#include "uploader/target.h"

namespace tusfs {
namespace {

constexpr std::size_t kLargestReceiptHead = 8192;
constexpr std::size_t kLargestReceiptBody = 4096;

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

std::uint64_t BytesLeft(Inode const& inode, std::uint64_t offset) {
  return inode.size > offset ? inode.size - offset : 0;
}

}  // namespace

Transfer::Transfer(Shared& shared, std::string const& url,
                   std::unique_ptr<tus::HttpTransport> transport)
    : shared_(shared),
      ledger_(shared.store, shared.spool, shared.clock),
      transport_(std::move(transport)),
      client_(tus::ClientOptions{.endpoint = url, .headers = {}}, *transport_) {}

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
  if (!work.upload) return Create(work, memory, stop);

  switch (work.upload->phase) {
    case UploadPhase::kComplete:
      return work.finished() ? Complete(work, work.upload->receipt) : Outcome{};
    case UploadPhase::kUnconfirmed:
      return {};
    case UploadPhase::kRefused:
      if (memory.refused_until && shared_.clock.Steady() < *memory.refused_until) {
        return {.next = memory.refused_until};
      }
      return StartOver(work, "it was refused before, trying again");
    case UploadPhase::kIntent:
      return Create(work, memory, stop);
    case UploadPhase::kCreated:
    case UploadPhase::kFinalSent:
      break;
  }
  if (work.upload->path != work.path && work.upload->phase == UploadPhase::kCreated) {
    return StartOver(work, "it was renamed, and tus has no rename");
  }
  auto const most = shared_.endpoint.MaxSize();
  if (work.finished() && most && work.inode.size > *most) return RefuseSize(work, *most, memory);
  if (work.finished() && work.upload->length && *work.upload->length != work.inode.size) {
    return StartOver(work, "its length was declared otherwise, and is declared once only");
  }
  return memory.recheck ? Recheck(work, memory, stop) : Patch(work, memory, stop);
}

std::optional<Range> Transfer::Available(Work const& work, JobMemory& memory, std::uint64_t offset,
                                         std::optional<SteadyTime>& look_again) const {
  auto const chunk = std::min(shared_.options.chunk_size, shared_.endpoint.MaxBody());
  if (work.finished()) {
    auto const end = std::min(work.inode.size, offset + chunk);
    return Range{offset, end, end == work.inode.size};
  }
  bool const declared = work.upload && work.upload->length;
  if (memory.after_finish || declared || !shared_.endpoint.MayDefer()) return std::nullopt;
  // Servers notice only at the end that a file of unknown length has grown too large.
  auto const most = shared_.endpoint.MaxSize();
  if (most && work.version->size() > *most) return std::nullopt;
  auto const granule = std::min(Version::kGranule, chunk);
  auto const whole_chunk = chunk / granule * granule;
  // The last byte stays here until the length is known: it is what publishes the file.
  auto const held_back = std::max<std::uint64_t>(work.version->prefix(), 1) - 1;
  auto const sendable = held_back > offset ? (held_back - offset) / granule * granule : 0;
  if (sendable >= whole_chunk) {
    memory.hold_until.reset();
    return Range{offset, offset + whole_chunk, false};
  }
  auto const now = shared_.clock.Steady();
  if (sendable == 0) {
    memory.hold_until.reset();
    if (work.version->NotifyAt(offset + granule + 1)) look_again = now;
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

Transfer::Outcome Transfer::Create(Work const& work, JobMemory& memory, std::stop_token stop) {
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

  auto const most = shared_.endpoint.MaxSize();
  if (work.finished() && most && work.inode.size > *most) {
    return RefuseSize(created, *most, memory);
  }
  auto const answer = client_.Create({.length = upload.length,
                                      .metadata = MetadataFor(upload, work.inode.modified),
                                      .stop = stop});
  if (!answer) return CreateFailed(created, answer.error(), memory);
  shared_.endpoint.Succeeded();
  if (!upload.length) shared_.endpoint.DeferWorks();
  auto const recorded = ledger_.Created(created, answer->url, answer->offset);
  if (!recorded) return Postpone(recorded.error());
  if (!*recorded) {
    auto const kept = ledger_.CreatedForNobody(upload, answer->url);
    if (!kept) return Postpone(kept.error());
    shared_.terminate(upload.id);
    return Now();
  }
  shared_.logger->debug("upload created path=\"{}\" tusfsId={}", Printable(upload.path),
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
    shared_.logger->warn(
        "the answer to an upload's creation was lost, an empty one may be left on the server "
        "path=\"{}\" tusfsId={}",
        Printable(work.path), work.upload->id.ToString());
  }
  return NoteAndBackOff(work, error, memory);
}

// ---- asking where the server is

Transfer::Outcome Transfer::Recheck(Work const& work, JobMemory& memory, std::stop_token stop) {
  auto const status = client_.Head(work.upload->url, stop);
  if (status) return Reconcile(work, *status, memory);
  if (status.error().code == tus::ErrorCode::kGone) return Gone(work, memory, stop);
  if (status.error().code != tus::ErrorCode::kRefused) {
    return NoteAndBackOff(work, status.error(), memory);
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
  auto const& upload = *work.upload;
  bool const other_length = status.length && work.finished() && *status.length != work.inode.size;
  if (other_length || status.offset > std::max(upload.frontier, upload.offset)) {
    return StartOver(work, "what the server has is not what was sent to it");
  }
  if (status.Complete()) {
    if (!work.finished()) return {};
    // The creation of an empty upload is its completion too.
    if (upload.phase == UploadPhase::kFinalSent || work.inode.size == 0) return Complete(work, "");
    return StartOver(work, "the server completed it before it was finished");
  }
  memory.recheck = false;
  auto const recorded = ledger_.Incomplete(work, status.offset, status.length);
  if (!recorded) return Postpone(recorded.error());
  return Now(BytesLeft(work.inode, status.offset));
}

// A proxy that is being redeployed answers 404 too, so the server is asked twice.
Transfer::Outcome Transfer::Gone(Work const& work, JobMemory& memory, std::stop_token stop) {
  auto const now = shared_.clock.Steady();
  if (!memory.gone_at) memory.gone_at = now;
  auto const believed = *memory.gone_at + shared_.options.gone_after;
  if (now < believed) return {.next = believed};
  if (auto const info = client_.Options(stop); !info) return BackOff(info.error(), memory);
  memory.gone_at.reset();
  if (work.upload->phase != UploadPhase::kFinalSent) {
    return StartOver(work, "the server does not know it any more");
  }
  return Unconfirmed(work,
                     "the answer to the last request was lost, and the server does not know "
                     "the upload any more: it may have been published");
}

// ---- sending

Transfer::Outcome Transfer::Patch(Work const& work, JobMemory& memory, std::stop_token stop) {
  std::optional<SteadyTime> look_again;
  auto const range = Available(work, memory, work.upload->offset, look_again);
  if (!range) {
    return {.next = look_again, .bytes_left = BytesLeft(work.inode, work.upload->offset)};
  }
  auto const announced = ledger_.Announce(work, *range);
  if (!announced) return Postpone(announced.error());
  if (!*announced) return Now();

  VersionSource source(*work.version);
  std::uint64_t sent = 0;
  tus::PatchRequest request{.url = work.upload->url,
                            .offset = range->begin,
                            .length = range->end - range->begin,
                            .declare_length = std::nullopt,
                            .source = &source,
                            .on_sent = [&sent](std::uint64_t bytes) { sent += bytes; },
                            .stop = stop};
  if (range->last && !work.upload->length) request.declare_length = range->end;
  auto const answer = client_.Patch(request);
  auto const known = std::clamp(work.upload->frontier, range->begin, range->end) - range->begin;
  if (auto counted = ledger_.Count(sent, std::min(sent, known)); !counted) {
    shared_.logger->warn("counters not kept error=\"{}\"", Describe(counted.error()));
  }
  if (!answer) return PatchFailed(work, *range, answer.error(), memory);
  return Confirmed(work, *range, *answer, memory);
}

Transfer::Outcome Transfer::Confirmed(Work const& work, Range const& range,
                                      tus::Patched const& answer, JobMemory& memory) {
  shared_.endpoint.Succeeded();
  if (range.last && answer.offset == range.end) return Complete(work, ReceiptOf(answer));
  // A short answer: the server's state around the declared length has to be asked for.
  memory.recheck = answer.offset != range.end;
  auto const recorded = ledger_.Confirmed(work, answer.offset);
  if (!recorded) return Postpone(recorded.error());
  if (answer.offset == range.begin) {
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
                                        tus::Error const& error, JobMemory& memory) {
  memory.recheck = true;
  switch (error.code) {
    case tus::ErrorCode::kSource:
      return LostBytes(work.inode.id, work.version->id(), error.message);
    case tus::ErrorCode::kCancelled:
      return Now();
    case tus::ErrorCode::kTooLarge:
      if (shared_.endpoint.LearnTooLarge(range.end - range.begin)) return Now();
      return Refuse(work, error.message, memory);
    case tus::ErrorCode::kRefused:
      return Refuse(work, error.message, memory);
    default:
      shared_.logger->info("upload interrupted, it will go on path=\"{}\" offset={} error=\"{}\"",
                           Printable(work.path), range.begin, error.message);
      return NoteAndBackOff(work, error, memory);
  }
}

// ---- ownerless uploads

Transfer::Outcome Transfer::Terminate(Uuid const& id, JobMemory& memory, std::stop_token stop) {
  auto const upload = ledger_.FindOwnerless(id);
  if (!upload) return Postpone(upload.error());
  if (!*upload) return Over();
  // What is published belongs to the ingest and is never deleted from here.
  auto const status = client_.Head((*upload)->url, stop);
  bool const is_final = !status && (status.error().code == tus::ErrorCode::kGone ||
                                    status.error().code == tus::ErrorCode::kRefused);
  if (!status && !is_final) return BackOff(status.error(), memory);
  if (status && !status->Complete()) {
    auto const ended = client_.Terminate((*upload)->url, stop);
    if (!ended && ended.error().code != tus::ErrorCode::kRefused) {
      return BackOff(ended.error(), memory);
    }
    if (!ended) {
      shared_.logger->info("the server keeps an abandoned upload tusfsId={} error=\"{}\"",
                           id.ToString(), ended.error().message);
    }
  }
  auto const dropped = ledger_.Forget(id);
  return dropped ? Over() : Postpone(dropped.error());
}

// ---- how a step ends

Transfer::Outcome Transfer::Now(std::uint64_t bytes_left) const {
  return {.next = shared_.clock.Steady(), .bytes_left = bytes_left};
}

Transfer::Outcome Transfer::Complete(Work const& work, std::string const& receipt) {
  auto const recorded = ledger_.Complete(work, receipt);
  if (!recorded) return Postpone(recorded.error());
  if (!*recorded) return Now();  // it is another file by now
  shared_.logger->info("uploaded path=\"{}\" size={}", Printable(work.path), work.inode.size);
  return Over();
}

Transfer::Outcome Transfer::StartOver(Work const& work, std::string const& why) {
  shared_.logger->warn("upload starts over path=\"{}\" confirmed={} reason=\"{}\"",
                       Printable(work.path), work.upload->offset, why);
  auto const ownerless = ledger_.StartOver(work);
  if (!ownerless) return Postpone(ownerless.error());
  if (*ownerless) shared_.terminate(**ownerless);
  return Now();
}

Transfer::Outcome Transfer::Unconfirmed(Work const& work, std::string const& why) {
  shared_.logger->error("completion unknown path=\"{}\" tusfsId={}", Printable(work.path),
                        work.upload->id.ToString());
  auto const recorded = ledger_.Stuck(work, UploadPhase::kUnconfirmed, why);
  return recorded ? Outcome{} : Postpone(recorded.error());
}

Transfer::Outcome Transfer::Refuse(Work const& work, std::string const& why, JobMemory& memory) {
  shared_.logger->error("the server refuses a file, its bytes are kept path=\"{}\" error=\"{}\"",
                        Printable(work.path), why);
  auto const recorded = ledger_.Stuck(work, UploadPhase::kRefused, why);
  if (!recorded) return Postpone(recorded.error());
  memory.recheck = true;
  memory.refused_until = shared_.clock.Steady() + shared_.options.retry_failed;
  return {.next = memory.refused_until};
}

Transfer::Outcome Transfer::RefuseSize(Work const& work, std::uint64_t most, JobMemory& memory) {
  return Refuse(work, "the server takes at most " + std::to_string(most) + " bytes a file", memory);
}

Transfer::Outcome Transfer::LostBytes(InodeId id, std::optional<VersionId> version,
                                      std::string const& why) {
  shared_.logger->error("upload stopped, its bytes cannot be read inode={} error=\"{}\"", id, why);
  auto const recorded = ledger_.LostBytes(id, version, why);
  return recorded ? Over() : Postpone(recorded.error());
}

Transfer::Outcome Transfer::BackOff(tus::Error const& error, JobMemory& memory) {
  memory.recheck = true;
  if (error.code == tus::ErrorCode::kCancelled) return Now();
  if (tus::IsOutage(error.code) || error.code == tus::ErrorCode::kUnauthorized) {
    shared_.endpoint.Failed(error);
  }
  // Without a connection it is the endpoint that backs off; what came back for one upload may be
  // about that one alone.
  if (error.code == tus::ErrorCode::kUnreachable) return Now();
  ++memory.failures;
  return {.next = shared_.clock.Steady() +
                  shared_.options.retry.Delay(memory.failures, error, shared_.random)};
}

Transfer::Outcome Transfer::NoteAndBackOff(Work const& work, tus::Error const& error,
                                           JobMemory& memory) {
  if (auto noted = ledger_.NoteError(work, error.message); !noted) {
    shared_.logger->warn("error not kept path=\"{}\" error=\"{}\"", Printable(work.path),
                         Describe(noted.error()));
  }
  return BackOff(error, memory);
}

Transfer::Outcome Transfer::Postpone(Error const& error) {
  shared_.logger->error("upload postponed, the catalog or the spool cannot be used error=\"{}\"",
                        Describe(error));
  return {.next = shared_.clock.Steady() + shared_.options.retry.max};
}

}  // namespace tusfs
