// How a file gets its upload: created here (tus: creation), or by the create command.
#include <tusclient/hex.h>

#include <algorithm>
#include <cerrno>
#include <span>

#include "base/text.h"
#include "uploader/facts.h"
#include "uploader/inherited_metadata.h"
#include "uploader/small.h"
#include "uploader/target.h"
#include "uploader/transfer.h"
#include "uploader/version_source.h"

namespace tusfs {
namespace {

/// A name that is taken so often in a row, for so long, is there, and no creation of it is under
/// way.
constexpr int kMostTaken = 5;
constexpr std::chrono::seconds kLongestTaken{10};
/// Rights are given by people and by timers.
constexpr std::chrono::seconds kAfterDenial{10};

// Copies get the time of their source at the end: before it, nobody knows.
std::optional<FileTime> TimeOf(Work const& work) {
  return work.finished() ? std::optional(work.inode.modified) : std::nullopt;
}

}  // namespace

Result<tus::Metadata> Transfer::InheritedBy(Work const& work) const {
  return shared_.store.Read([&](View const& view) { return InheritedMetadata(view, work.inode); });
}

std::optional<std::string> Transfer::WhyNotDeclarable(Work const& work,
                                                      tus::Metadata const& inherited) const {
  Upload declared;
  declared.path = work.path;
  if (work.finished()) declared.length = work.inode.size;
  return WhyNotSendable(
      WithInherited(MetadataFor(TemplatesFor(work.path), declared, TimeOf(work)), inherited));
}

Transfer::Outcome Transfer::Create(Work const& work, JobMemory& memory) {
  auto const inherited = InheritedBy(work);
  if (!inherited) return Postpone(inherited.error());
  auto const not_declarable = WhyNotDeclarable(work, *inherited);
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
  auto const sha1 = Sha1Of(created);
  if (!sha1 && sha1.error().code == tus::ErrorCode::kCancelled) return Now();
  if (!sha1) return LostBytes(work.inode.id, work.version->id(), sha1.error().message);
  request.metadata = WithInherited(
      MetadataFor(TemplatesFor(upload.path), upload, TimeOf(work), *sha1), *inherited);
  request.idempotency_key = IdempotencyKeyOf(upload);
  if (shared_.options.create.IsSet()) {
    auto const told = AskHowToCreate(created, request.metadata);
    if (!told) return NotAnswered(created, told.error(), memory);
    if (told->upload_url) {
      auto const made = tus::Created{.url = *told->upload_url};
      if (auto const outcome = NotKept(created, made, told->headers)) return *outcome;
      memory.recheck = true;  // what it has already, the server knows
      return Now(work.inode.size);
    }
    request.metadata = told->metadata;
    request.headers = told->headers;
    if (auto const why = WhyNotSendable(request.metadata)) return Refuse(created, *why, memory);
  }
  // Not cancelled with its file: whoever cannot tell an upload's URL can never remove it.
  request.stop = end_;
  auto const answer = client_.Create(request);
  if (!answer) return CreateFailed(created, answer.error(), memory);
  shared_.endpoint.Succeeded();
  if (auto const outcome = NotKept(created, *answer, request.headers)) return *outcome;
  memory.recheck = false;
  if (work.finished() && work.inode.size == 0) return Complete(created, "", memory);
  return {.next = shared_.clock.Steady(), .bytes_left = work.inode.size, .goes_on = IsSmall(work)};
}

// Empty where nobody asks for it, or the file still grows.
tus::Result<std::string> Transfer::Sha1Of(Work const& work) const {
  if (!work.finished() || !tus::NeedSha1(TemplatesFor(work.upload->path))) return std::string();
  VersionSource source(*work.version);
  return tus::DigestOf(source, tus::ChecksumAlgorithm::kSha1, 0, work.inode.size, end_)
      .map([](std::string const& digest) { return tus::EncodeHex(digest); });
}

std::optional<Transfer::Outcome> Transfer::NotKept(Work const& work, tus::Created const& made,
                                                   std::vector<tus::Header> const& headers) {
  auto const& upload = *work.upload;
  auto const recorded = ledger_.Created(work, made, TextOf(headers));
  if (!recorded) return Postpone(recorded.error());
  if (!*recorded) {
    auto const kept = ledger_.CreatedForNobody(upload, made, TextOf(headers));
    if (!kept) return Postpone(kept.error());
    shared_.terminate(upload.id);
    return Now();
  }
  shared_.logger->Debug("upload created path=\"{}\" tusfsId={}", Printable(upload.path),
                        upload.id.ToString());
  return std::nullopt;
}

// ---- by a program

Result<CreateAnswer> Transfer::AskHowToCreate(Work const& work, tus::Metadata metadata) const {
  auto const& upload = *work.upload;
  CreateQuestion question;
  question.facts = FactsFor(upload, TimeOf(work));
  question.metadata = std::move(metadata);
  question.upload_url = upload.url;
  return AskCreateCommand(shared_.options.create, question, end_);
}

Transfer::Outcome Transfer::NotAnswered(Work const& work, Error const& error, JobMemory& memory) {
  if (error.code == ECANCELED) return Now();
  return RefuseForNow(work, {.code = tus::ErrorCode::kTransient, .message = Describe(error)},
                      memory);
}

Transfer::Outcome Transfer::RenewLater(Work const& work, tus::Error const& error,
                                       JobMemory& memory) {
  memory.creation.renew = work.upload->id;
  memory.recheck = true;
  if (auto noted = ledger_.NoteError(work, error.message); !noted) return Postpone(noted.error());
  ++memory.trouble.failures;
  return {.next = shared_.clock.Steady() +
                  shared_.options.retry.Delay(memory.trouble.failures, error, shared_.random)};
}

Transfer::Outcome Transfer::Renew(Work const& work, JobMemory& memory) {
  auto const& upload = *work.upload;
  auto const inherited = InheritedBy(work);
  if (!inherited) return Postpone(inherited.error());
  auto const told = AskHowToCreate(
      work,
      WithInherited(MetadataFor(TemplatesFor(upload.path), upload, TimeOf(work)), *inherited));
  if (!told && told.error().code == ECANCELED) return Now();
  if (!told) {
    // What the server has of it stays its own, whatever the program says.
    tus::Error const error{.code = tus::ErrorCode::kTransient, .message = Describe(told.error())};
    return MayBePublished(upload) ? NoteAndBackOff(work, error, memory)
                                  : FailFor(work, error.message, PauseAfter(error, memory), memory);
  }
  memory.creation.renew = {};
  memory.trouble.refused_until.reset();
  auto const headers = told->headers.empty() ? upload.headers : TextOf(told->headers);
  auto const recorded = ledger_.Renewed(work, told->upload_url, headers);
  return recorded ? Now(work.inode.size) : Postpone(recorded.error());
}

// ---- refused

Transfer::Outcome Transfer::CreateFailed(Work const& work, tus::Error const& error,
                                         JobMemory& memory) {
  if (MayLeaveLink(error, memory)) return LeaveLink(error, memory);
  bool const stays_taken = tus::IsTaken(error) && StaysTaken(memory);
  bool const refused = tus::IsRefusedCreation(error) || stays_taken;
  if (!work.finished() && refused) {
    // It may be this file's name, or the unknown length: the finished file will tell.
    shared_.endpoint.LearnNoDefer();
    memory.after_finish = true;
    return {};
  }
  if (refused) return Refuse(work, error.message, memory);
  if (work.finished() && tus::IsDenial(error)) return Denied(work, error, memory);
  if (error.code == tus::ErrorCode::kInterrupted) {
    shared_.logger->Tell(
        LogLevel::kWarn, About(work),
        "the answer to an upload's creation was lost, an empty one may be left on the server "
        "path=\"{}\" tusfsId={}",
        Printable(work.path), work.upload->id.ToString());
  }
  // Each further one would leave an upload behind that nobody can find.
  if (error.code == tus::ErrorCode::kProtocol) shared_.endpoint.Failed(error);
  return NoteAndBackOff(work, error, memory);
}

bool Transfer::StaysTaken(JobMemory& memory) const {
  auto& creation = memory.creation;
  auto const now = shared_.clock.Steady();
  if (!creation.taken_since) creation.taken_since = now;
  if (++creation.taken < kMostTaken || now < *creation.taken_since + kLongestTaken) return false;
  creation.taken = 0;
  creation.taken_since.reset();
  return true;
}

Transfer::Outcome Transfer::Denied(Work const& work, tus::Error const& error, JobMemory& memory) {
  shared_.endpoint.Doubted(error);
  return RefuseForNow(work, error, memory);
}

Transfer::Outcome Transfer::RefuseForNow(Work const& work, tus::Error const& error,
                                         JobMemory& memory) {
  auto const pause = PauseAfter(error, memory);
  return RefuseFor(pause, work, error.message, memory);
}

std::chrono::milliseconds Transfer::PauseAfter(tus::Error const& error, JobMemory& memory) const {
  ++memory.trouble.failures;
  auto const delay = shared_.options.retry.Delay(memory.trouble.failures, error, shared_.random);
  return std::max<std::chrono::milliseconds>(delay, kAfterDenial);
}

}  // namespace tusfs
