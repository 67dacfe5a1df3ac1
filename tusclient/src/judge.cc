#include "tusclient/judge.h"

#include <algorithm>

namespace tus {
namespace {

using End = UploadFacts::End;
using Lesson = Judgement::Lesson;
using Next = Judgement::Next;
using Pause = Judgement::Pause;

constexpr int kMostMismatches = 3;
constexpr int kMostLocks = 10;
/// A server that works on what it has may keep it locked for long. Each of these takes the time of
/// a lock's time-out (20 s) and of a backoff.
constexpr int kMostLocksAtEnd = 100;
/// Servers wait 20 s for the lock of an upload; nothing else makes them wait so long and fail.
constexpr std::chrono::seconds kLockWait{10};

Judgement Ask(Pause pause, std::string why = {}) {
  return {.next = Next::kAsk, .pause = pause, .why = std::move(why)};
}

Judgement Say(Next next, std::string why) { return {.next = next, .why = std::move(why)}; }

bool MayHaveEnded(UploadFacts const& facts) { return facts.end != End::kNotSent || facts.complete; }

Judgement Unconfirmed(UploadFacts const& facts, std::string why) {
  if (facts.end == End::kFailed) why += " (its last bytes were answered: " + facts.end_words + ")";
  return Say(Next::kUnconfirmed, std::move(why));
}

/// As another upload, where that is harmless.
Judgement StartOver(UploadFacts const& facts, std::string const& why, bool deletes) {
  if (MayHaveEnded(facts)) {
    return Unconfirmed(facts, "its last bytes were sent, and it may have been published: " + why);
  }
  if (facts.floor > 0) {
    return Say(Next::kLost, "its first " + std::to_string(facts.floor) +
                                " bytes cannot be read again, and " + why);
  }
  auto judgement = Say(Next::kStartOver, why);
  judgement.deletes = deletes;
  return judgement;
}

Judgement Completed(UploadFacts& facts) {
  switch (facts.end) {
    case End::kRefused:
    case End::kMissed:
      return Say(Next::kRefused, facts.end_words);
    case End::kFailed:
      return Unconfirmed(facts, "the server says that it has all of it");
    case End::kNotSent:
      // The creation of an empty upload is its end too.
      // And what was lost may have arrived late.
      if (facts.size == 0 || facts.complete || facts.lost_an_end) break;
      return StartOver(facts, "the server completed it before it was finished", false);
    case End::kSent:
      break;
  }
  facts.complete = true;
  return {.next = Next::kComplete};
}

bool IsLocked(UploadFacts const& facts, Error const& error, std::chrono::nanoseconds elapsed) {
  if (error.code == ErrorCode::kLocked) return true;
  // The answer to a HEAD has no words: a 500 is for the lock when it took as long, and after one
  // that was.
  return error.http_status == 500 && error.code == ErrorCode::kTransient &&
         (facts.locks > 0 || elapsed >= kLockWait);
}

Judgement Locked(UploadFacts& facts, Error const& error) {
  ++facts.locks;
  bool const ended = MayHaveEnded(facts);
  // Where bytes are nowhere else there is nothing to do but to wait.
  bool const goes_on = facts.locks < (ended ? kMostLocksAtEnd : kMostLocks) || facts.floor > 0;
  if (goes_on) return Ask(Pause::kBackoff, error.message);
  facts.locks = 0;
  return StartOver(facts, "the server keeps it locked", true);
}

// A proxy that is being redeployed answers 404 too, so the server is asked twice.
Judgement Gone(UploadFacts& facts, Error const& error) {
  if (!facts.is_missed && !facts.expired) return Ask(Pause::kSecondLook, error.message);
  if (facts.end == End::kRefused) return Say(Next::kRefused, facts.end_words);
  // Both say that it was not there when its end came.
  if (facts.end == End::kMissed) facts.end = End::kNotSent;
  auto const why = facts.expired ? "the server has deleted it unfinished, its time was over with " +
                                       std::to_string(facts.confirmed) + " bytes"
                                 : std::string("the server does not know it any more");
  return StartOver(facts, why, false);
}

/// What both requests have in common; nothing where it depends on which it was.
std::optional<Judgement> JudgeTrouble(UploadFacts& facts, Error const& error,
                                      std::chrono::nanoseconds elapsed) {
  if (IsLocked(facts, error, elapsed)) return Locked(facts, error);
  facts.locks = 0;
  switch (error.code) {
    case ErrorCode::kUnreachable:
    case ErrorCode::kNotTus: {
      if (IsMiss(error)) return Gone(facts, error);
      auto judgement = Ask(Pause::kBackoff, error.message);
      judgement.endpoint = true;
      return judgement;
    }
    case ErrorCode::kInterrupted:
    case ErrorCode::kTransient:
    case ErrorCode::kLocked:
    case ErrorCode::kProtocol:  // one odd answer says nothing about the next one
      return Ask(Pause::kBackoff, error.message);
    case ErrorCode::kUnauthorized:
      return Ask(Pause::kCredentials, error.message);
    case ErrorCode::kGone:
      return Gone(facts, error);
    case ErrorCode::kCancelled:
      return Ask(Pause::kNone);
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kSource:
    case ErrorCode::kUnconfirmed:
      return Say(Next::kFail, error.message);
    case ErrorCode::kTooLarge:
    case ErrorCode::kChecksumMismatch:
    case ErrorCode::kRefused:
      break;
  }
  return std::nullopt;
}

/// What a PATCH that was to complete the upload, and was not answered 2xx, can have done to it.
End EndAfter(UploadFacts const& facts, SentRange const& sent, Error const& error) {
  // A transport that counted nothing may have sent everything.
  bool const all_left = sent.left == 0 || sent.left >= sent.end - sent.begin;
  if (!all_left || error.code == ErrorCode::kUnreachable) return End::kNotSent;
  // What is no status of HTTP was broken on its way.
  bool const is_status = error.http_status >= 400 && error.http_status < 600;
  bool const is_word = is_status && error.code != ErrorCode::kNotTus;
  if (!is_word) return End::kSent;
  // Who waited for a lock in vain has done nothing, and whoever holds it may.
  if (error.code == ErrorCode::kLocked && error.http_status >= 500) return End::kSent;
  switch (error.http_status) {
    case 408:
    case 425:
    case 429:
      return End::kSent;  // no word about the bytes
    case 409:
    case 423:
      // The ordinary way to learn that an earlier try has arrived.
      return facts.lost_an_end ? End::kSent : End::kRefused;
    case 404:
    case 410:
      return facts.lost_an_end ? End::kSent : End::kMissed;
    default:
      break;
  }
  if (error.http_status >= 500) return End::kFailed;
  return error.code == ErrorCode::kTransient ? End::kSent : End::kRefused;
}

void NoteEnd(UploadFacts& facts, SentRange const& sent, Error const& error) {
  if (!sent.last) return;
  facts.end = EndAfter(facts, sent, error);
  facts.lost_an_end = facts.lost_an_end || facts.end == End::kSent;
  bool const answered = facts.end != End::kNotSent && facts.end != End::kSent;
  facts.end_words = answered ? error.message : std::string();
}

}  // namespace

bool MayBeGivenUp(UploadFacts const& facts) { return !MayHaveEnded(facts) && facts.floor == 0; }

void Announce(UploadFacts& facts, SentRange const& range) {
  facts.announced = std::max(facts.announced, range.end);
  if (range.last && facts.end == End::kNotSent) facts.end = End::kSent;
}

bool IsMiss(Error const& error) {
  if (error.code == ErrorCode::kGone) return true;
  return error.code == ErrorCode::kNotTus && (error.http_status == 404 || error.http_status == 410);
}

bool IsRefusedCreation(Error const& error) {
  return error.code == ErrorCode::kRefused || error.code == ErrorCode::kTooLarge ||
         error.code == ErrorCode::kGone;
}

bool IsTaken(Error const& error) {
  return (error.http_status == 409 || error.http_status == 423) && error.code != ErrorCode::kNotTus;
}

bool SaysNothing(Error const& error) {
  return error.http_status != 0 && (error.http_status < 500 || error.http_status == 501);
}

bool IsDenial(Error const& error) { return error.http_status == 403 || error.http_status == 406; }

Judgement JudgeStatus(UploadFacts& facts, Result<UploadStatus> const& came,
                      std::chrono::nanoseconds elapsed) {
  if (!came) {
    auto const& error = came.error();
    if (auto const judgement = JudgeTrouble(facts, error, elapsed)) return *judgement;
    if (error.code == ErrorCode::kChecksumMismatch) return Ask(Pause::kBackoff, error.message);
    if (facts.end == End::kRefused) return Say(Next::kRefused, facts.end_words);
    if (MayHaveEnded(facts)) {
      return Unconfirmed(
          facts, "the answer to its last bytes was lost, and the server does not say how it is: " +
                     error.message);
    }
    return Say(Next::kRefused, error.message);
  }
  auto const& status = *came;
  facts.locks = 0;
  bool const other_length = status.length && facts.size && *status.length != *facts.size;
  if (other_length || status.offset > std::max(facts.announced, facts.confirmed)) {
    auto const why = other_length
                         ? "the server says that it is " + std::to_string(*status.length) +
                               " bytes long, and the file is " + std::to_string(*facts.size)
                         : "what the server has is not what was sent to it";
    return StartOver(facts, why, !status.Complete());
  }
  if (status.Complete()) return Completed(facts);
  // What completes it has not arrived. From behind a proxy it may still come.
  facts.lost_an_end = facts.lost_an_end || facts.end == End::kSent;
  facts.end = End::kNotSent;
  facts.end_words.clear();
  facts.complete = false;
  facts.confirmed = status.offset;
  if (status.offset < facts.floor) {
    return Say(Next::kLost,
               "the server has lost bytes that it had confirmed, and that cannot be read again");
  }
  bool const progressed = status.offset > facts.most;
  facts.most = std::max(facts.most, status.offset);
  return {.next = Next::kSend, .progressed = progressed};
}

Judgement JudgePatch(UploadFacts& facts, SentRange const& sent, Result<Patched> const& came,
                     std::chrono::nanoseconds elapsed) {
  if (came) {
    facts.locks = facts.mismatches = 0;
    facts.confirmed = came->offset;
    bool const progressed = came->offset > facts.most;
    facts.most = std::max(facts.most, came->offset);
    if (sent.last && came->offset == sent.end) {
      facts.complete = true;
      return {.next = Next::kComplete, .progressed = progressed};
    }
    bool const is_short = came->offset != sent.end;
    // A server may take back between two answers what it has confirmed, again and again.
    bool const is_empty = sent.end == sent.begin;
    bool const stands = !is_empty && (came->offset == sent.begin || (is_short && !progressed));
    // Whether a length that came with a short answer counts as declared only the server knows.
    bool const asks = stands || (sent.last && is_short);
    if (!stands) {
      return {.next = asks ? Next::kAsk : Next::kSend, .progressed = progressed};
    }
    auto judgement = Ask(Pause::kBackoff, "the server takes no more bytes at the moment");
    judgement.progressed = progressed;
    return judgement;
  }
  auto const& error = came.error();
  NoteEnd(facts, sent, error);
  if (auto const judgement = JudgeTrouble(facts, error, elapsed)) return *judgement;
  switch (error.code) {
    case ErrorCode::kTooLarge: {
      auto judgement = Ask(Pause::kNone, error.message);
      judgement.lesson = Lesson::kSmallerBody;
      return judgement;
    }
    case ErrorCode::kChecksumMismatch:
      if (sent.last) facts.end = End::kNotSent;  // nothing of the body was kept
      if (++facts.mismatches % kMostMismatches == 0) return Ask(Pause::kBackoff, error.message);
      return {.next = Next::kSend, .why = error.message};
    default:
      break;
  }
  if (sent.checksum && error.http_status == 400) {
    auto judgement = Ask(Pause::kNone, error.message);
    judgement.lesson = Lesson::kNoChecksum;
    return judgement;
  }
  // Some servers take the creation of an upload of unknown length, and then no bytes of it.
  if (sent.deferred && sent.begin == 0 && error.http_status == 400) {
    auto judgement = StartOver(facts, "the server wants the length with the first bytes", true);
    judgement.lesson = Lesson::kNoDefer;
    return judgement;
  }
  return Say(Next::kRefused, error.message);
}

Judgement JudgeJoin(Result<Created> const& came) {
  if (came) return Say(Next::kComplete, {});
  auto const& error = came.error();
  Judgement again{.next = Next::kSend, .pause = Pause::kBackoff, .why = error.message};
  auto const unconfirmed =
      Say(Next::kUnconfirmed, "its parts may have been joined and published: " + error.message);
  switch (error.code) {
    case ErrorCode::kUnreachable:
    case ErrorCode::kLocked:
    case ErrorCode::kChecksumMismatch:
      return again;
    case ErrorCode::kUnauthorized:
      again.pause = Pause::kCredentials;
      return again;
    case ErrorCode::kTransient:
    case ErrorCode::kNotTus:
      // Who says 501 or 503 has not begun. Of any other 5xx, as a proxy's that waited long enough,
      // nobody knows.
      if (error.http_status == 501) return Say(Next::kRefused, error.message);
      return error.http_status < 500 || error.http_status == 503 ? again : unconfirmed;
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kSource:
      return Say(Next::kFail, error.message);
    case ErrorCode::kGone:
    case ErrorCode::kTooLarge:
    case ErrorCode::kRefused:
      // Not the endpoint: it has taken the parts.
      if (error.http_status == 404 || error.http_status == 410) {
        return Say(Next::kStartOver, "the server does not have all of its parts any more");
      }
      return Say(Next::kRefused, error.message);
    case ErrorCode::kCancelled:
    case ErrorCode::kInterrupted:
    case ErrorCode::kUnconfirmed:
    case ErrorCode::kProtocol:
      break;
  }
  return unconfirmed;
}

}  // namespace tus
