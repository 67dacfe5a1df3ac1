#include "uploader/transfer.h"

#include <algorithm>
#include <cerrno>

#include "catalog/life.h"
#include "uploader/small.h"

namespace tusfs {
namespace {

constexpr char const* kJoinLost =
    "its parts may have been joined and published: the answer of the server did not arrive";

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
  return key.inode != 0 ? Send(key.inode, memory, stop) : StepOfUpload(key.upload, memory, stop);
}

// ---- what is wanted for its path

Verification Transfer::VerificationOf(Work const& work) const {
  // Under the name that was declared: that is what the server has.
  auto const& path = work.upload ? work.upload->path : work.path;
  return shared_.rules.by_path.VerifyOf(path).value_or(shared_.options.verify);
}

std::vector<tus::MetadataTemplate> Transfer::TemplatesFor(std::string const& path) const {
  return shared_.rules.by_path.MetadataOf(shared_.options.metadata, path);
}

bool Transfer::Streams(Work const& work) const {
  auto const start = shared_.rules.by_path.StartOfFile(work.path);
  return life::MayGrow(work.inode) && start != StartOf::kClosed;
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
  if (IsAnnouncedAhead(work, memory)) {
    // Not under a name that it had a moment ago, as in Ledger::Announce.
    bool const is_the_same = work.finished() && !work.ignored && work.upload->path == work.path;
    if (!is_the_same) return TakeBack(work, memory);
  }
  if (!Streams(work) && !work.finished()) return Over();
  if (work.ignored && !MayBePublished(work.upload)) {
    // Parts have no name: they wait for another one.
    bool const is_given_up = work.upload && !work.upload->HasParts();
    return is_given_up ? GiveUp(work) : Over();
  }
  if (auto const why = WhyNotWhole(work)) return LostBytes(id, work.inode.version, *why);
  if (!work.upload) {
    if (auto const adopting = Adopt(work, memory, stop)) return *adopting;
    auto const in_parts = BeginParts(work, memory);
    return in_parts ? *in_parts : Create(work, memory);
  }

  switch (work.upload->phase) {
    case UploadPhase::kComplete:
      return work.finished() ? Complete(work, work.upload->receipt, memory) : Outcome{};
    case UploadPhase::kVerifying:
      return work.finished() ? Verify(work, memory, stop) : Outcome{};
    case UploadPhase::kUnconfirmed:
      return {};
    case UploadPhase::kRefused:
      return TryAgain(work, memory, stop);
    case UploadPhase::kIntent:
      return Create(work, memory);
    case UploadPhase::kParts:
      return SendParts(work, memory, stop);
    case UploadPhase::kFinalSent:
      // It has no URL to ask for.
      if (!work.upload->HasParts()) break;
      if (!memory.parts.url.empty()) return Joined(work, memory);
      return Unconfirmed(work, kJoinLost);
    case UploadPhase::kCreated:
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
  if (memory.creation.renew == work.upload->id) return Renew(work, memory);
  return memory.recheck ? Ask(work, memory, stop) : Patch(work, memory, stop);
}

}  // namespace tusfs
