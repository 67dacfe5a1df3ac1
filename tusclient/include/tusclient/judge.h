// What happens next to one upload: the protocol's decisions, without any of its doing.
//
// Whoever sends keeps the UploadFacts, shows the judge what came back of each request, and carries
// out the Judgement: Upload (upload.h) does, and so may a program with threads and records of its
// own. Pure functions of their arguments: no I/O, no clock, no lock; any thread.
//
//   came back                      while the end was not sent   once the end may have arrived
//   -----------------------------  ---------------------------  --------------------------------
//   HEAD: an offset                send from there              the same: the end did not arrive
//   HEAD: complete                 start over, delete nothing   as the end was answered: 4xx
//                                                               refused, 5xx unconfirmed, lost
//                                                               complete
//   HEAD: what was never sent      start over                   unconfirmed
//   404, 410, twice or expired     start over                   unconfirmed; refused, if the end
//                                                               was; start over, if that got 404
//   locked, again and again        ask; start over after 10     ask; unconfirmed after 100
//   another 4xx to a HEAD          refused                      unconfirmed; refused, if the end
//                                                               was
//   2xx to a PATCH                 send from its offset         complete, where that is the length
//   409, 423, 5xx, no answer       ask, with backoff            the same
//   401, 403                       ask, with other credentials  the same
//   413                            ask, then a smaller body     the same
//   460                            send again; ask after 3      the same
//   400 to the first bytes of an   start over, with its length  -
//   upload of unknown length
//   another 4xx to a PATCH         refused                      refused
//   not a tus server's answer      ask, and the endpoint as a   the same
//                                  whole is in trouble
//
// "The end" is the request that completes the upload: the last PATCH, with its last byte handed to
// the network. Before that byte has left nothing can have been published. After it has been
// answered with an error a HEAD may say "complete" all the same: a hook has refused what is there.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "tusclient/client.h"
#include "tusclient/error.h"

namespace tus {

/// What is known of an upload. Those marked * have to be on record before the next request goes
/// out, where another process may go on with the upload.
struct UploadFacts {
  /// What became of the request that completes the upload.
  enum class End {
    kNotSent,
    kSent,     ///< its answer is not known: it may have done its work
    kRefused,  ///< it was answered 4xx, which a server may say after it has taken the last byte
    kMissed,   ///< it was answered 404 or 410
    kFailed,   ///< it was answered 5xx
  };

  std::uint64_t confirmed = 0;          ///< * bytes that the server had by its last word
  std::uint64_t announced = 0;          ///< * end of the bytes that ever may have been sent
  std::optional<std::uint64_t> size{};  ///< bytes of the whole body; nothing while it grows
  std::uint64_t floor = 0;              ///< * bytes from 0 on that cannot be sent any more
  End end = End::kNotSent;              ///< *
  std::string end_words{};              ///< * with which it was answered, for a person
  bool complete = false;                ///< * the server has confirmed the whole of it
  bool expired = false;                 ///< the time that the server has set is over
  /// 404 or 410 was answered before, a while ago (10 s), and the endpoint answers as a tus server.
  bool is_missed = false;

  // Kept by the judge.
  bool lost_an_end = false;  ///< an earlier try's answer was lost: it may still arrive
  std::uint64_t most = 0;    ///< bytes that the server ever had
  int locks = 0;             ///< lock time-outs in a row
  int mismatches = 0;        ///< of checksums, in a row
};

/// Whether the upload may be abandoned, made anew, or deleted on the server: never once its end may
/// have arrived, never when it is complete, never when bytes of it are nowhere else.
[[nodiscard]] bool MayBeGivenUp(UploadFacts const& facts);

/// Bytes [begin, end) of the body, in one PATCH.
struct SentRange {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  bool last = false;      ///< completes the upload
  bool checksum = false;  ///< with Upload-Checksum
  bool deferred = false;  ///< neither this request nor an earlier one says the upload's length
  /// Of its bytes, how many were handed to the network; 0 where that is not known.
  std::uint64_t left = 0;
};

struct Judgement {
  enum class Next {
    kSend,         ///< from UploadFacts::confirmed on
    kAsk,          ///< with HEAD
    kComplete,     ///< done
    kRefused,      ///< the server does not want it: why
    kStartOver,    ///< as another upload: why
    kUnconfirmed,  ///< it may have been published, and only a person can find out: why
    kLost,         ///< bytes are needed that cannot be sent any more: why
    kFail,         ///< the request could not be made as it was: the error
  };
  enum class Pause {
    kNone,
    kBackoff,
    kSecondLook,   ///< until an upload that is not found is looked for again, see is_missed
    kCredentials,  ///< until somebody has renewed them
  };
  enum class Lesson { kNone, kSmallerBody, kNoChecksum, kNoDefer };

  Next next = Next::kAsk;
  Pause pause = Pause::kNone;
  Lesson lesson = Lesson::kNone;
  bool endpoint = false;    ///< the trouble is the endpoint's, not this upload's
  bool progressed = false;  ///< the server has more bytes than ever before: the backoff starts over
  bool deletes = false;     ///< kStartOver: the old upload is there, and nobody's
  std::string why{};        ///< a sentence for a person, where something went wrong
};

/// After a HEAD that took `elapsed`. Brings `facts` up to date.
[[nodiscard]] Judgement JudgeStatus(UploadFacts& facts, Result<UploadStatus> const& came,
                                    std::chrono::nanoseconds elapsed);

/// After a PATCH that took `elapsed`. Brings `facts` up to date.
[[nodiscard]] Judgement JudgePatch(UploadFacts& facts, SentRange const& sent,
                                   Result<Patched> const& came, std::chrono::nanoseconds elapsed);

/// After the creation that joins parts (tus: concatenation), which publishes what they make. One of
/// kComplete, kSend (nothing was made: once more, after the pause), kStartOver (a part is not there
/// any more), kRefused, kFail and kUnconfirmed.
[[nodiscard]] Judgement JudgeJoin(Result<Created> const& came);

/// Before a PATCH goes out: what has to be on record then.
void Announce(UploadFacts& facts, SentRange const& range);

/// Whether an upload was not found: 404 or 410, from the tus server or, for some servers say so
/// without Tus-Resumable, from whatever answers in its place.
[[nodiscard]] bool IsMiss(Error const& error);

/// Whether a creation was refused for good.
[[nodiscard]] bool IsRefusedCreation(Error const& error);

/// Whether a creation was refused because something is in its way: for a while, or, as some servers
/// say of a name that is there already, until somebody takes that away.
[[nodiscard]] bool IsTaken(Error const& error);

/// Whether the answer to OPTIONS is a gateway's that answers by itself, as for CORS, or forbids it:
/// a tus server may be behind it all the same.
[[nodiscard]] bool SaysNothing(Error const& error);

/// Whether a rule of the server, or of a firewall before it, does not allow this request: it may be
/// about the one file, or about all.
[[nodiscard]] bool IsDenial(Error const& error);

}  // namespace tus
