#include "uploader/transfer.h"

#include <algorithm>
#include <cerrno>
#include <span>

#include "base/text.h"
#include "uploader/target.h"

namespace tusfs {
namespace {

/// A name that is taken so often in a row is there, and no creation of it is under way.
constexpr int kMostTaken = 5;
/// Rights are given by people and by timers.
constexpr std::chrono::seconds kAfterDenial{10};

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
  // Nothing that was found out about one body is true of another.
  if (memory.version != 0 && memory.version != work.inode.version) memory = JobMemory{};
  memory.version = work.inode.version;
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
  return memory.recheck ? Ask(work, memory, stop) : Patch(work, memory, stop);
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
  bool const stays_taken = tus::IsTaken(error) && ++memory.taken >= kMostTaken;
  bool const refused = tus::IsRefusedCreation(error) || stays_taken;
  if (stays_taken) memory.taken = 0;
  if (!work.finished() && refused) {
    // It may be this file's name, or the unknown length: the finished file will tell.
    shared_.endpoint.LearnNoDefer();
    memory.after_finish = true;
    return {};
  }
  if (refused) return Refuse(work, error.message, memory);
  if (work.finished() && tus::IsDenial(error)) return Denied(work, error, memory);
  if (error.code == tus::ErrorCode::kInterrupted) {
    shared_.logger->Warn(
        "the answer to an upload's creation was lost, an empty one may be left on the server "
        "path=\"{}\" tusfsId={}",
        Printable(work.path), work.upload->id.ToString());
  }
  // Each further one would leave an upload behind that nobody can find.
  if (error.code == tus::ErrorCode::kProtocol) shared_.endpoint.Failed(error);
  return NoteAndBackOff(work, error, memory);
}

Transfer::Outcome Transfer::Denied(Work const& work, tus::Error const& error, JobMemory& memory) {
  shared_.endpoint.Doubted(error);
  ++memory.failures;
  auto const delay = shared_.options.retry.Delay(memory.failures, error, shared_.random);
  return RefuseFor(std::max<std::chrono::milliseconds>(delay, kAfterDenial), work, error.message,
                   memory);
}

}  // namespace tusfs
