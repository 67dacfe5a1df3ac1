// Sending: which bytes go out next, and the request that carries them.
#include <algorithm>
#include <numeric>
#include <span>

#include "base/text.h"
#include "catalog/life.h"
#include "uploader/facts.h"
#include "uploader/small.h"
#include "uploader/transfer.h"
#include "uploader/version_source.h"

namespace tusfs {
namespace {

constexpr FileTime kSecond = 1'000'000'000;
constexpr std::uint64_t kCountedAtOnce = std::uint64_t{4} << 20;
/// A body through one of several links is not made to take longer.
constexpr std::chrono::duration<std::uint64_t> kLongestOnLink{5};
/// Parts of one file may have all connections, so that others have to get in between.
constexpr std::uint64_t kLongestOfPart = std::uint64_t{32} << 20;
/// An upload is refreshed so long before it expires, or a tenth of its life, if that is less.
constexpr FileTime kRefreshMargin = 300 * kSecond;
/// Then it is awaited, and what is wrong with the disk is said.
constexpr std::chrono::seconds kLongestAhead{1};

// How many bytes of the version from `offset` to `end` at most have digests that need not be read
// for. What there is of a last, shorter block is read soon.
std::uint64_t KnownFrom(Version const& version, std::uint64_t offset, std::uint64_t end) {
  end = std::min(version.size(), end);
  for (auto block = offset / kDigestBlock; block < end / kDigestBlock; ++block) {
    if (!version.KnowsDigest(block)) return std::max(block * kDigestBlock, offset) - offset;
  }
  return end - offset;
}

}  // namespace

std::optional<Range> Transfer::Available(Work const& work, JobMemory& memory, std::uint64_t offset,
                                         std::optional<SteadyTime>& look_again) const {
  auto const& profile = shared_.endpoint.profile();
  auto const& rules = profile.rules();
  if (work.finished()) return NextOfFinished(work, offset);
  auto const chunk = profile.NextChunk(offset);
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

// A body with a checksum is read before it is sent, and no server keeps a part of it.
Range Transfer::NextOfFinished(Work const& work, std::uint64_t offset) const {
  auto const& profile = shared_.endpoint.profile();
  auto length = profile.NextChunk(offset);
  bool const has_checksum = shared_.options.checksums && profile.Checksum();
  if (!has_checksum) {
    auto longest = profile.NextLongChunk(offset);
    if (work.IsPart()) longest = std::min(longest, kLongestOfPart);
    auto const most = std::min(work.size(), offset + longest);
    auto const known = KnownFrom(*work.version, work.begin() + offset, work.begin() + most);
    bool const is_rest = known == work.size() - offset;
    auto const multiple = profile.rules().multiple;
    length = std::max(length, is_rest ? known : known / multiple * multiple);
  }
  auto const end = std::min(work.size(), offset + length);
  // The end of a part publishes nothing.
  return {offset, end, end == work.size() && !work.IsPart()};
}

Transfer::Outcome Transfer::Patch(Work const& work, JobMemory& memory, std::stop_token stop) {
  std::optional<SteadyTime> look_again;
  auto range = Available(work, memory, work.upload->offset, look_again);
  if (!range) {
    memory.trouble.stalled_since.reset();  // there is nothing that the server could take
    auto const refresh = RefreshAt(work, memory);
    if (refresh && *refresh <= shared_.clock.Steady()) return Refresh(work, memory, stop);
    if (refresh && (!look_again || *refresh < *look_again)) look_again = refresh;
    return {.next = look_again, .bytes_left = work.LeftFrom(work.upload->offset)};
  }
  LinkHold hold(shared_.link);
  range = FitToLink(work, *range, hold);
  if (MayBeSentNow(work, memory)) {
    memory.announced = {};
    auto unsent = work;  // as it was before that: nothing of it has left
    life::Create(*unsent.upload);
    unsent.upload->end = UploadEnd::kNotSent;
    return SendAndJudge(unsent, *range, memory, std::move(stop));
  }
  auto const when_durable = AnnounceAhead(work, *range, memory);
  auto const announced = ledger_.Announce(work, *range, when_durable);
  if (!announced || !*announced) memory.announced = {};
  if (!announced && announced.error().code == ENODATA) {
    return LostBytes(work.inode.id, work.version->id(), announced.error().context);
  }
  if (!announced) return Postpone(announced.error());
  if (!*announced) return Now();
  if (when_durable) {
    return {.next = shared_.clock.Steady() + kLongestAhead,
            .bytes_left = work.inode.size,
            .keeps_turn = true};
  }
  memory.announced = {};
  return SendAndJudge(work, *range, memory, std::move(stop));
}

// What has a link for long keeps it from another file, and from a link that is better by then.
Range Transfer::FitToLink(Work const& work, Range range, LinkHold& hold) const {
  auto const& profile = shared_.endpoint.profile();
  auto const& rules = profile.rules();
  auto const length = range.end - range.begin;
  if (shared_.link == nullptr || rules.exact) return range;
  auto const chunk = profile.NextChunk(work.upload->offset);
  auto const granule = std::min(std::lcm(Version::kGranule, rules.multiple), chunk);
  auto const smallest = (std::max(granule, rules.least) + granule - 1) / granule * granule;
  auto const rate = profile.Rate();
  auto const in_time = rate == 0 ? chunk : std::max(rate * kLongestOnLink.count(), smallest);
  auto const held = hold.Take(std::min({length, chunk, in_time}));
  if (held == length) return range;
  auto const fitting = std::max(held / granule * granule, smallest);
  if (fitting >= length) return range;
  return {range.begin, range.begin + fitting, false};
}

Transfer::Outcome Transfer::SendAndJudge(Work const& work, Range const& range, JobMemory& memory,
                                         std::stop_token stop) {
  tus::SentRange sent{.begin = range.begin, .end = range.end, .last = range.last};
  auto facts = FactsOf(work, memory, shared_.clock.Wall());
  tus::Announce(facts, sent);
  auto const asked = shared_.clock.Steady();
  auto const answer = SendRange(work, sent, memory, std::move(stop));
  auto const elapsed = shared_.clock.Steady() - asked;
  // What was announced stays on record: the server is asked through another link.
  if (!answer && MayLeaveLink(answer.error(), memory)) return LeaveLink(answer.error(), memory);
  auto const judgement = tus::JudgePatch(facts, sent, answer, elapsed);
  Remember(facts, memory);
  if (!answer) return PatchFailed(work, sent, facts, judgement, answer.error(), memory);

  shared_.endpoint.Succeeded();
  auto& profile = shared_.endpoint.profile();
  if (sent.end > sent.begin) profile.Measured(sent.end - sent.begin, elapsed);
  if (!work.upload->length && answer->offset > 0) profile.DeferWorked();
  if (judgement.next == tus::Judgement::Next::kComplete) {
    return Complete(work, ReceiptOf(answer->headers, answer->body), memory);
  }
  auto const recorded = ledger_.Confirmed(work, *answer, memory.trouble.warning);
  if (!recorded) return Postpone(recorded.error());
  return CarryOut(work, judgement, nullptr, work.LeftFrom(answer->offset), memory);
}

FileDigest* Transfer::DigestFor(Work const& work, JobMemory& memory) const {
  if (work.IsPart()) return nullptr;
  auto& passed = memory.passed;
  if (passed.upload != work.upload->id) {
    passed.upload = work.upload->id;
    passed.digest = std::make_shared<FileDigest>(shared_.options.sha256);
  }
  return passed.digest.get();
}

tus::Result<tus::Patched> Transfer::SendRange(Work const& work, tus::SentRange& range,
                                              JobMemory& memory, std::stop_token stop) {
  VersionSource source(*work.version, DigestFor(work, memory), work.begin());
  std::uint64_t counted = 0;
  auto const count = [&] {
    if (auto const kept =
            ledger_.Count(work, range.begin + range.left, range.left - counted, shared_.link);
        !kept) {
      shared_.logger->Warn("counters not kept error=\"{}\"", Describe(kept.error()));
    }
    counted = range.left;
  };
  tus::PatchRequest request;
  request.url = work.upload->url;
  request.headers = HeadersOf(*work.upload);
  request.offset = range.begin;
  request.length = range.end - range.begin;
  request.source = &source;
  request.on_sent = [&](std::uint64_t bytes) {
    range.left += bytes;
    if (shared_.link != nullptr) shared_.link->Sent(bytes);
    if (!work.IsPart()) shared_.in_flight.Reached(work.inode.id, range.begin + range.left);
    // A body may be long, and the daemon die over it.
    if (range.left - counted >= kCountedAtOnce) count();
  };
  request.stop = std::move(stop);
  if (range.last && !work.upload->length) request.declare_length = range.end;
  if (shared_.options.checksums) request.checksum = shared_.endpoint.profile().Checksum();
  range.checksum = request.checksum.has_value();
  range.deferred = !work.upload->length && !request.declare_length;
  auto answer = client_.Patch(request);
  if (!work.IsPart()) shared_.in_flight.Ended(work.inode.id);
  count();
  return answer;
}

Transfer::Outcome Transfer::PatchFailed(Work const& work, tus::SentRange const& sent,
                                        tus::UploadFacts const& facts,
                                        tus::Judgement const& judgement, tus::Error const& error,
                                        JobMemory& memory) {
  memory.recheck = judgement.next != tus::Judgement::Next::kSend;
  if (error.code == tus::ErrorCode::kInterrupted) {
    memory.server.cut_at = sent.begin;
    memory.server.cut_left = sent.left;
  }
  if (sent.last) {
    auto const noted = ledger_.NoteEnd(work, facts);
    if (!noted) return Postpone(noted.error());
    if (!*noted) return Now();  // it is another file by now
  }
  switch (judgement.lesson) {
    case tus::Judgement::Lesson::kNone:
      break;
    case tus::Judgement::Lesson::kSmallerBody:
      if (shared_.endpoint.LearnTooLarge(sent.end - sent.begin)) return Now();
      return Refuse(work, error.message, memory);
    case tus::Judgement::Lesson::kNoChecksum:
      if (shared_.endpoint.LearnNoChecksum()) return Now();
      return Refuse(work, error.message, memory);
    case tus::Judgement::Lesson::kNoDefer:
      shared_.endpoint.LearnNoDefer();
      memory.after_finish = !work.finished();
      break;
  }
  if (judgement.next == tus::Judgement::Next::kAsk && error.code != tus::ErrorCode::kCancelled) {
    shared_.logger->Tell(LogLevel::kInfo, About(work),
                         "upload interrupted, it will go on path=\"{}\" offset={} error=\"{}\"",
                         Printable(work.path), sent.begin, error.message);
  }
  return CarryOut(work, judgement, &error, work.LeftFrom(facts.confirmed), memory);
}

// ---- against expiry

std::optional<SteadyTime> Transfer::RefreshAt(Work const& work, JobMemory const& memory) const {
  auto const& upload = *work.upload;
  if (upload.expires == 0 || upload.expires == memory.expiry.refreshed) return std::nullopt;
  auto const margin =
      std::clamp<FileTime>((upload.expires - upload.created) / 10, 0, kRefreshMargin);
  auto const left = upload.expires - margin - shared_.clock.Wall();
  return shared_.clock.Steady() + std::chrono::nanoseconds(std::max<FileTime>(left, 0));
}

Transfer::Outcome Transfer::Refresh(Work const& work, JobMemory& memory, std::stop_token stop) {
  memory.expiry.refreshed = work.upload->expires;  // once, unless the server moves it
  auto const at = work.upload->offset;
  return SendAndJudge(work, {at, at, false}, memory, std::move(stop));
}

}  // namespace tusfs
