// Asking the server how an upload is, and carrying out what the judge of the protocol
// (tusclient/judge.h) makes of an answer. Nothing here decides by status or message.
#include <utility>

#include "base/text.h"
#include "uploader/facts.h"
#include "uploader/transfer.h"

namespace tusfs {
namespace {

using Next = tus::Judgement::Next;
using Pause = tus::Judgement::Pause;

}  // namespace

Transfer::Outcome Transfer::Ask(Work const& work, JobMemory& memory, std::stop_token stop) {
  auto const asked = shared_.clock.Steady();
  auto const status = client_.Head(work.upload->url, stop, HeadersOf(*work.upload));
  if (!status && MayLeaveLink(status.error(), memory)) return LeaveLink(status.error(), memory);
  auto facts = FactsOf(work, memory, shared_.clock.Wall());
  bool const is_whole_part = work.IsPart() && status && status->Complete() &&
                             status->offset == work.size() && facts.announced == work.size();
  if (is_whole_part) {
    shared_.endpoint.Succeeded();
    auto const recorded = ledger_.Confirmed(work, {.offset = status->offset});
    return recorded ? Now() : Postpone(recorded.error());
  }
  if (status) {
    shared_.endpoint.Succeeded();
    memory.server.gone_at.reset();
    auto const cut = std::exchange(memory.server.cut_left, 0);
    if (cut > 0 && status->offset <= memory.server.cut_at)
      shared_.endpoint.profile().NothingKept(cut);
    if (status->Complete() && !work.finished()) return {};  // its end will tell
  } else if (tus::IsMiss(status.error())) {
    if (auto const wait = SecondLook(work, status.error(), memory, stop)) return *wait;
    facts.is_missed = true;
  }
  auto const judgement = tus::JudgeStatus(facts, status, shared_.clock.Steady() - asked);
  Remember(facts, memory);
  if (status && judgement.next == Next::kSend) {
    auto const recorded = ledger_.Incomplete(work, *status, facts);
    if (!recorded) return Postpone(recorded.error());
  }
  bool const refused_before = work.upload->phase == UploadPhase::kRefused;
  if (status && status->Complete() && refused_before && judgement.next == Next::kRefused) {
    return Unconfirmed(
        work, "the server refused it, and says now that it has all of it: " + judgement.why);
  }
  auto const* const error = status ? nullptr : &status.error();
  return CarryOut(work, judgement, error, work.LeftFrom(facts.confirmed), memory);
}

Transfer::Outcome Transfer::StartOverOrFail(Work const& work, std::string const& why,
                                            JobMemory& memory) {
  auto const& upload = *work.upload;
  bool const has_expired = upload.expires != 0 && upload.expires < shared_.clock.Wall();
  if (has_expired) NoteExpiry(work, memory);
  if (HasStalled(memory)) {
    return GiveUpTrying(work, memory.trouble.warning.empty() ? why : memory.trouble.warning,
                        memory);
  }
  // What a program makes again and again, and nothing goes into it, somebody should look at.
  bool const is_useless = shared_.options.create.IsSet() && upload.offset == 0;
  if (is_useless && upload.phase == UploadPhase::kCreated) return Refuse(work, why, memory);
  return StartOver(work, why, memory, GiveUpFor::kOtherBytes);
}

void Transfer::NoteExpiry(Work const& work, JobMemory& memory) const {
  constexpr FileTime kSecond = 1'000'000'000;
  if (++memory.expiry.deleted < 2) return;
  auto const& upload = *work.upload;
  memory.trouble.warning =
      "the server has deleted it " + std::to_string(memory.expiry.deleted) +
      " times before its end, last " + std::to_string((upload.expires - upload.created) / kSecond) +
      " s after its creation with " + std::to_string(upload.offset) + " of " +
      std::to_string(work.inode.size) +
      " bytes: it needs a faster link, fewer files at once (--transfers), or a server that waits "
      "longer";
  shared_.logger->Tell(LogLevel::kWarn, About(work),
                       "an upload expires again and again path=\"{}\" error=\"{}\"",
                       Printable(work.path), memory.trouble.warning);
}

// A proxy that is being redeployed answers 404 too, so the server is asked twice, and then whether
// it is one.
std::optional<Transfer::Outcome> Transfer::SecondLook(Work const& work, tus::Error const& error,
                                                      JobMemory& memory, std::stop_token stop) {
  bool const is_first = !memory.server.gone_at;
  auto const now = shared_.clock.Steady();
  if (is_first) memory.server.gone_at = now;
  auto const believed = *memory.server.gone_at + shared_.options.gone_after;
  bool const expired = work.upload->expires != 0 && work.upload->expires < shared_.clock.Wall();
  bool const waits = now < believed && !expired;
  // What does not answer as a tus server may be another one altogether.
  bool const asks = !waits || (is_first && error.code == tus::ErrorCode::kNotTus);
  if (asks) {
    auto const info = client_.Options(std::move(stop));
    // A server that has never told by OPTIONS what it is cannot be asked so now.
    bool const tells = shared_.endpoint.profile().Info().has_value();
    bool const is_trouble = !info && (tells || !tus::SaysNothing(info.error()));
    if (is_trouble) return BackOff(info.error(), memory);
  }
  if (waits) return Outcome{.next = believed};
  memory.server.gone_at.reset();
  return std::nullopt;
}

Transfer::Outcome Transfer::CarryOut(Work const& work, tus::Judgement const& judgement,
                                     tus::Error const* error, std::uint64_t bytes_left,
                                     JobMemory& memory) {
  if (judgement.progressed) {
    memory.trouble.failures = memory.trouble.links_left = 0;
    memory.trouble.stalled_since.reset();
  }
  switch (judgement.next) {
    case Next::kSend:
    case Next::kAsk:
      break;
    case Next::kComplete:
      return Complete(work, "", memory);
    case Next::kRefused:
      return Refuse(work, judgement.why, memory);
    case Next::kLost:
      return Refuse(work, judgement.why + " (trim=confirmed)", memory);
    case Next::kStartOver:
      return StartOverOrFail(work, judgement.why, memory);
    case Next::kUnconfirmed:
      return Unconfirmed(work, judgement.why);
    case Next::kFail:
      if (error->code == tus::ErrorCode::kSource) {
        return LostBytes(work.inode.id, work.version->id(), error->message);
      }
      return Refuse(work, error->message, memory);
  }
  memory.recheck = judgement.next == Next::kAsk;
  if (judgement.pause == Pause::kNone) return Now(bytes_left);
  if (judgement.pause == Pause::kSecondLook) {
    if (!memory.server.gone_at) memory.server.gone_at = shared_.clock.Steady();
    return {.next = *memory.server.gone_at + shared_.options.gone_after, .bytes_left = bytes_left};
  }
  // Headers of its own are asked for again; the endpoint's credentials are another matter.
  bool const renews = judgement.pause == Pause::kCredentials && shared_.options.create.IsSet();
  if (renews) return RenewLater(work, *error, memory);
  auto trouble = error != nullptr ? *error : tus::Error{.code = tus::ErrorCode::kTransient};
  trouble.message = judgement.why;
  bool const asks = memory.recheck;
  // The words of a refusal stay until there is another answer.
  bool const is_refused = work.upload->phase == UploadPhase::kRefused;
  auto const outcome = is_refused ? BackOff(trouble, memory, IsElsewhere(*work.upload))
                                  : NoteAndBackOff(work, trouble, memory);
  memory.recheck = asks;
  return outcome;
}

// A file that the server has refused before.
Transfer::Outcome Transfer::TryAgain(Work const& work, JobMemory& memory, std::stop_token stop) {
  bool const in_parts = work.upload->HasParts();
  auto const kept = WhyNotGivenUp(work.inode, *work.upload, GiveUpFor::kTrouble);
  if (!kept && !in_parts && work.upload->path != work.path) {
    return StartOver(work, "it has another name now", memory);
  }
  bool const is_renamed = in_parts && work.upload->path != work.path;
  if (!is_renamed && memory.trouble.refused_until &&
      shared_.clock.Steady() < *memory.trouble.refused_until) {
    return {.next = memory.trouble.refused_until};
  }
  bool const goes_on = work.upload->given_up && !work.upload->url.empty();
  if ((kept || goes_on) && memory.creation.renew == work.upload->id) return Renew(work, memory);
  if (kept || goes_on) return Ask(work, memory, std::move(stop));
  // The program that makes it gets the same id for each try.
  bool const is_programs = shared_.options.create.IsSet() && !in_parts;
  if (is_programs && work.upload->url.empty()) return Create(work, memory);
  // What it is will be refused again; without words somebody wants it tried.
  auto const end = work.upload->end;
  bool const is_content = end == UploadEnd::kRefused || end == UploadEnd::kMissed;
  bool const is_wanted = work.upload->error.empty() || shared_.options.retry_refused;
  if (is_content && !is_wanted && !is_renamed) return {};
  bool const was_not_joined = end == UploadEnd::kRefused && is_wanted;
  if (in_parts && (was_not_joined || shared_.options.part_size == 0)) {
    return GoInOne(work, was_not_joined ? work.upload->end_words : "--parts is off", memory);
  }
  if (in_parts) return GoOnInParts(work, memory);
  return StartOver(work, "it was refused before, trying again", memory);
}

}  // namespace tusfs
