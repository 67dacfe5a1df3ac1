// Files that go in parts (tus: concatenation): which parts there are, and how they are joined.
//
// A growing file gets a part when all of its bytes are written, a finished one all that it lacks.
// Parts are sent by jobs of their own (transfer_part.cc), in any order; the request that joins them
// publishes the file, under the name that it has then. Nobody can be asked what became of that
// request when its answer is lost: then a person has to say.
#include <algorithm>
#include <cerrno>
#include <set>

#include "base/text.h"
#include "catalog/life.h"
#include "uploader/facts.h"
#include "uploader/inherited_metadata.h"
#include "uploader/target.h"
#include "uploader/transfer.h"

namespace tusfs {
namespace {

/// Of a server none of whose URLs is known yet.
constexpr std::size_t kUsualUrl = 64;
/// So often a server may say that a part is missing which it has.
constexpr int kMostMisses = 3;

// As it stands in the header that joins them: the path alone, on the endpoint's own server. Of
// another origin it is longer than that.
std::size_t LengthOfUrl(std::string const& url) {
  auto const host = url.find("://");
  auto const path = host == std::string::npos ? host : url.find('/', host + 3);
  return path == std::string::npos ? url.size() : url.size() - path;
}

std::size_t LongestUrl(std::vector<Upload> const& parts, bool is_elsewhere) {
  std::size_t longest = 0;
  for (auto const& part : parts) {
    longest = std::max(longest, is_elsewhere ? part.url.size() : LengthOfUrl(part.url));
  }
  return longest;
}

bool IsMade(Upload const& part) { return !part.url.empty(); }
bool IsSent(Upload const& part) { return part.offset == part.length; }

std::vector<Upload> NotOf(std::vector<ByteRange> const& layout, std::vector<Upload> const& parts) {
  std::vector<Upload> others;
  for (auto const& part : parts) {
    bool const fits = std::find(layout.begin(), layout.end(), RangeOf(part)) != layout.end();
    if (!fits) others.push_back(part);
  }
  return others;
}

std::vector<Upload> NotWithin(std::uint64_t size, std::vector<Upload> const& parts) {
  std::vector<Upload> others;
  for (auto const& part : parts) {
    if (RangeOf(part).end > size) others.push_back(part);
  }
  return others;
}

std::optional<ByteRange> FirstMissing(std::vector<ByteRange> const& layout,
                                      std::vector<Upload> const& parts) {
  for (auto const& range : layout) {
    bool const is_there = std::any_of(
        parts.begin(), parts.end(), [&](Upload const& part) { return part.begin == range.begin; });
    if (!is_there) return range;
  }
  return std::nullopt;
}

// Of a growing file that is `size` bytes long: its parts that may have been written, and the next
// one. The last one that may be has all that is left, so that it waits for the end.
std::vector<ByteRange> Reached(std::uint64_t part_size, std::size_t most, std::uint64_t size) {
  std::vector<ByteRange> reached;
  while (reached.size() + 1 < most && (reached.empty() || reached.back().begin < size)) {
    reached.push_back(GridPart(part_size, reached.size()));
  }
  return reached;
}

}  // namespace

// ---- beginning

bool Transfer::MayGoInParts(Work const& work, JobMemory const& memory) const {
  return shared_.options.part_size > 0 && !memory.parts.never && work.inode.trimmed == 0 &&
         !shared_.options.create.IsSet() && shared_.endpoint.MayJoin();
}

std::optional<Transfer::Outcome> Transfer::BeginParts(Work const& work, JobMemory& memory) {
  if (!MayGoInParts(work, memory)) return std::nullopt;
  auto const part_size = shared_.options.part_size;
  auto const size = work.finished() ? work.inode.size : work.version->size();
  auto const most = shared_.endpoint.profile().MaxSize();
  bool const is_too_large = most && size > *most;
  if (work.finished() && (size <= part_size || is_too_large)) return std::nullopt;
  auto const inherited = InheritedBy(work);
  if (!inherited) return Postpone(inherited.error());
  bool const is_declarable = !WhyNotDeclarable(work, *inherited);
  if (work.finished() && !is_declarable) return std::nullopt;
  if (!work.finished()) {
    if (memory.after_finish || is_too_large || !is_declarable) return Outcome{};
    // What turns out to be small goes in one, under its final name.
    if (!work.version->NotifyAt(part_size + 1)) return Outcome{.next = {}, .bytes_left = size};
  }
  auto const begun = ledger_.BeginParts(work, part_size);
  return begun ? Now(size) : Postpone(begun.error());
}

Transfer::Outcome Transfer::GoInOne(Work const& work, std::string const& why, JobMemory& memory) {
  memory.parts.never = true;
  return StartOver(work, "it cannot go in parts: " + why, memory);
}

// ---- the parts

Transfer::Outcome Transfer::SendParts(Work const& work, JobMemory& memory, std::stop_token stop) {
  auto const& whole = *work.upload;
  if (whole.path != work.path) {
    auto const renamed = ledger_.RenameParts(work);
    return renamed ? Now() : Postpone(renamed.error());
  }
  auto const most = shared_.endpoint.profile().MaxSize();
  if (work.finished() && most && work.inode.size > *most) return RefuseSize(work, *most, memory);
  auto const parts = ledger_.PartsOf(work);
  if (!parts) return Postpone(parts.error());
  for (auto const& part : *parts) {
    if (part.phase == UploadPhase::kRefused) return PartRefused(work, *parts, part, memory);
  }
  if (memory.parts.asks) return AskForParts(work, *parts, memory, stop);
  if (memory.parts.scheduled != whole.id) {
    memory.parts.scheduled = whole.id;
    for (auto const& part : *parts) {
      if (!IsSent(part)) shared_.send_part(work.inode.id, part.id);
    }
  }
  bool const is_complete = work.finished() && std::all_of(parts->begin(), parts->end(), IsSent);
  if (is_complete && !parts->empty() && RangeOf(parts->back()).end == work.inode.size &&
      whole.offset == work.inode.size) {
    return Join(work, *parts, memory, std::move(stop));
  }
  return MakeParts(work, *parts, memory, stop);
}

Transfer::Outcome Transfer::MakeParts(Work const& work, std::vector<Upload> const& parts,
                                      JobMemory& memory, std::stop_token const& stop) {
  auto const& whole = *work.upload;
  Outcome const idle{.next = std::nullopt, .bytes_left = work.LeftFrom(whole.offset)};
  bool const is_known = std::any_of(parts.begin(), parts.end(), IsMade);
  bool const is_elsewhere = std::any_of(parts.begin(), parts.end(),
                                        [this](Upload const& part) { return IsElsewhere(part); });
  auto const most = MostParts(is_known ? LongestUrl(parts, is_elsewhere) : kUsualUrl);
  if (most == 0) return GoInOne(work, "the server's URLs are too long", memory);
  // Only the first one before it is known how many there may be.
  bool const may_make = is_known || parts.empty();
  if (work.finished()) {
    auto const layout = LayOut(whole.part_size, most, work.inode.size);
    auto const others = NotOf(layout, parts);
    if (!others.empty()) return TakeAway(work, others);
    auto const missing = FirstMissing(layout, parts);
    return missing && may_make ? MakePart(work, *missing, stop) : idle;
  }
  auto const others = NotWithin(work.version->size(), parts);
  if (!others.empty()) return TakeAway(work, others);
  auto const most_bytes = shared_.endpoint.profile().MaxSize();
  bool const is_too_large = most_bytes && work.version->size() > *most_bytes;
  if (!may_make || is_too_large) return idle;
  auto const written = FirstWritten(work, parts, most);
  if (!written) return Postpone(written.error());
  return *written ? MakePart(work, **written, stop) : idle;
}

// A head that is patched each second is not sent each second: what has been changed once waits for
// the end.
Result<std::optional<ByteRange>> Transfer::FirstWritten(Work const& work,
                                                        std::vector<Upload> const& parts,
                                                        std::size_t most) const {
  auto const changed = ledger_.ChangedParts(work);
  if (!changed) return Failure(changed.error());
  std::set<std::uint64_t> begun(changed->begin(), changed->end());
  for (auto const& part : parts) begun.insert(part.begin);
  auto& version = *work.version;
  std::optional<ByteRange> first;
  for (auto const& range : Reached(work.upload->part_size, most, version.size())) {
    if (begun.contains(range.begin)) continue;
    if (version.NotifyWhenWritten({range.begin, range.end}) && !first) first = range;
  }
  return first;
}

Transfer::Outcome Transfer::MakePart(Work const& work, ByteRange const& range,
                                     std::stop_token const& stop) {
  auto const adopted = AdoptPart(work, range, stop);
  if (!adopted) return Postpone(adopted.error());
  if (*adopted || stop.stop_requested()) return Now();
  auto const made = ledger_.MakePart(work, range);
  if (!made) return Postpone(made.error());
  if (*made) shared_.send_part(work.inode.id, **made);
  return Now();
}

Result<bool> Transfer::AdoptPart(Work const& work, ByteRange const& range,
                                 std::stop_token const& stop) {
  if (shared_.options.adopt_timeout.count() == 0) return false;
  auto const candidates = ledger_.AdoptableParts(work, range);
  if (!candidates) return Failure(candidates.error());
  for (auto const& part : *candidates) {
    auto const equal = IsEqual(work, part, stop);
    if (!equal) return Failure(equal.error());
    if (!*equal) {
      work.version->Release({part.begin, part.begin + part.frontier});  // nothing was sent of it
      continue;
    }
    auto const adopted = ledger_.AdoptPart(work, part);
    if (!adopted || !*adopted) return adopted;
    shared_.logger->Tell(
        LogLevel::kInfo, {.file = work.path, .upload = part.id.ToString()},
        "the server has bytes of this file already path=\"{}\" tusfsId={} begin={} bytes={}",
        Printable(work.path), part.id.ToString(), part.begin, part.offset);
    shared_.send_part(work.inode.id, part.id);
    return true;
  }
  return false;
}

// All that may ever have been sent to it: the server may have any of that.
Result<bool> Transfer::IsEqual(Work const& work, Upload const& part,
                               std::stop_token const& stop) const {
  auto& version = *work.version;
  if (!version.Claim({part.begin, part.begin + part.frontier})) return false;
  for (std::uint64_t at = 0; at < part.frontier && !stop.stop_requested(); at += kDigestBlock) {
    auto const sent = ledger_.DigestOf(part.id, at / kDigestBlock);
    if (!sent) return Failure(sent.error());
    if (!*sent || (*sent)->length < std::min(kDigestBlock, part.frontier - at)) return false;
    auto const own = version.DigestOf((part.begin + at) / kDigestBlock, (*sent)->length);
    if (!own && own.error().code == ENODATA) return false;
    if (!own) return Failure(own.error());
    if (*own != **sent) return false;
  }
  return !stop.stop_requested();
}

Transfer::Outcome Transfer::TakeAway(Work const& work, std::vector<Upload> const& parts) {
  auto const ownerless = ledger_.TakeAwayParts(work, parts);
  if (!ownerless) return Postpone(ownerless.error());
  for (auto const& id : *ownerless) shared_.terminate(id);
  return Now();
}

// ---- trouble

Transfer::Outcome Transfer::PartRefused(Work const& work, std::vector<Upload> const& parts,
                                        Upload const& part, JobMemory& memory) {
  bool const is_known = std::any_of(parts.begin(), parts.end(), IsMade);
  // It may be the parts that this server does not want; if it is the file, that will be said again.
  if (!is_known && !part.given_up) return GoInOne(work, part.error, memory);
  if (!part.given_up) return Refuse(work, part.error, memory);
  tus::Error const error{.code = tus::ErrorCode::kTransient, .message = part.error};
  return RefuseForNow(work, error, memory);
}

Transfer::Outcome Transfer::GoOnInParts(Work const& work, JobMemory& memory) {
  memory.parts.scheduled = {};
  auto const goes_on = ledger_.GoOnInParts(work);
  return goes_on ? Now() : Postpone(goes_on.error());
}

Transfer::Outcome Transfer::AskForParts(Work const& work, std::vector<Upload> const& parts,
                                        JobMemory& memory, std::stop_token const& stop) {
  std::vector<Upload> gone;
  bool is_less = false;
  for (auto const& part : parts) {
    if (!IsMade(part) || !IsSent(part)) continue;
    auto const status = client_.Head(part.url, stop);
    if (!status && MayLeaveLink(status.error(), memory)) return LeaveLink(status.error(), memory);
    if (!status && !tus::IsMiss(status.error()))
      return NoteAndBackOff(work, status.error(), memory);
    if (!status) {
      gone.push_back(part);
    } else if (status->offset < *part.length) {
      is_less = true;
      auto const rewound = ledger_.RewindPart(work, part, status->offset);
      if (!rewound) return Postpone(rewound.error());
      shared_.send_part(work.inode.id, part.id);
    }
  }
  shared_.endpoint.Succeeded();
  memory.parts.asks = false;
  if (!gone.empty()) {
    memory.parts.misses = 0;
    return TakeAway(work, gone);
  }
  if (is_less) return Now();
  if (++memory.parts.misses >= kMostMisses) {
    memory.parts.misses = 0;
    return Refuse(work, "the server has all of its parts, and does not find them to join them",
                  memory);
  }
  return BackOff({.code = tus::ErrorCode::kLocked, .message = "parts are not found"}, memory);
}

// ---- joining them

Transfer::Outcome Transfer::Join(Work const& work, std::vector<Upload> const& parts,
                                 JobMemory& memory, std::stop_token stop) {
  auto const inherited = InheritedBy(work);
  if (!inherited) return Postpone(inherited.error());
  if (auto const why = WhyNotDeclarable(work, *inherited)) return Refuse(work, *why, memory);
  auto joined = work;
  joined.upload->length = work.inode.size;
  auto const sha1 = Sha1Of(joined);
  if (!sha1 && sha1.error().code == tus::ErrorCode::kCancelled) return Now();
  if (!sha1) return LostBytes(work.inode.id, work.version->id(), sha1.error().message);
  tus::ConcatenateRequest request;
  for (auto const& part : parts) request.urls.push_back(part.url);
  request.metadata = WithInherited(
      MetadataFor(TemplatesFor(work.path), *joined.upload, work.inode.modified, *sha1), *inherited);
  std::string urls;
  for (auto const& url : request.urls) urls += "\n" + url;
  request.idempotency_key = IdempotencyKeyOf(*joined.upload, urls);
  // Once it has gone out, its answer alone tells what became of it.
  if (stop.stop_requested()) return Now();
  request.stop = std::move(stop);
  if (!shared_.in_flight.JoinBegun(work.inode.id)) return {};  // the next daemon does it
  auto const outcome = AskToJoin(work, request, memory);
  shared_.in_flight.JoinEnded(work.inode.id);
  return outcome;
}

Transfer::Outcome Transfer::AskToJoin(Work const& work, tus::ConcatenateRequest const& request,
                                      JobMemory& memory) {
  auto const announced = ledger_.AnnounceJoin(work);
  if (!announced) return Postpone(announced.error());
  if (!*announced) return Now();
  auto const answer = client_.Concatenate(request);
  if (answer) {
    memory.parts.url = answer->url;
    memory.parts.receipt = ReceiptOf(answer->headers, answer->body);
    return Joined(work, memory);
  }
  return NotJoined(work, tus::JudgeJoin(answer), answer.error(), memory);
}

Transfer::Outcome Transfer::Joined(Work const& work, JobMemory& memory) {
  shared_.endpoint.Succeeded();
  shared_.endpoint.JoinWorked();
  auto const ended =
      ledger_.Joined(work, memory.parts.url, memory.parts.receipt, shared_.options.delete_parts);
  if (!ended) return Postpone(ended.error());
  memory.parts = {};
  if (*ended) {
    for (auto const& part : **ended) shared_.terminate(part);
  }
  return Now();
}

Transfer::Outcome Transfer::NotJoined(Work const& work, tus::Judgement const& judgement,
                                      tus::Error const& error, JobMemory& memory) {
  using Next = tus::Judgement::Next;
  // Either the file has changed, or tusfs ends: whoever looks next finds what was announced.
  if (error.code == tus::ErrorCode::kCancelled) return Now();
  if (judgement.next == Next::kUnconfirmed) {
    shared_.endpoint.LearnNoJoin("the answer to a join did not arrive: " + error.message);
    return Unconfirmed(work, judgement.why);
  }
  bool const has_begun = judgement.next == Next::kRefused && error.http_status != 501;
  auto const missed = ledger_.MissedJoin(work, has_begun ? judgement.why : std::string());
  if (!missed) return Postpone(missed.error());
  if (!*missed) return Now();
  if (has_begun) {
    shared_.endpoint.JoinRefused(judgement.why);
    return Refuse(work, "its parts were not joined: " + judgement.why, memory);
  }
  if (judgement.next == Next::kStartOver) {
    memory.parts.asks = true;
    return Now();
  }
  if (judgement.next == Next::kSend) {
    if (MayLeaveLink(error, memory)) return LeaveLink(error, memory);
    if (!tus::IsDenial(error)) return NoteAndBackOff(work, error, memory);
    shared_.endpoint.Doubted(error);
    return RefuseForNow(work, error, memory);
  }
  if (error.http_status == 501) shared_.endpoint.LearnNoJoin(error.message);
  return GoInOne(work, judgement.why, memory);
}

}  // namespace tusfs
