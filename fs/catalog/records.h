// What the catalog remembers, as plain data, and its bytes.
//
// Every record begins with a version byte; a release reads the records of the one before it. Enum
// values are on disk and never renumbered.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/error.h"
#include "base/file_digest.h"
#include "base/ids.h"

namespace tusfs {

enum class FileType : std::uint8_t {
  kRegular = 1,
  kDirectory = 2,
  kSymlink = 3,
  kFifo = 4,
  kSocket = 5,
  kCharDevice = 6,
  kBlockDevice = 7,
};

/// How far a regular file's current version is on its way to being published.
enum class Content : std::uint8_t {
  kWriting = 1,      ///< has been written and its writers have not all closed it
  kSettling = 2,     ///< closed cleanly; waiting for the quiet time and for its bytes to be synced
  kFinished = 3,     ///< its bytes are on disk and are what shall be published
  kInterrupted = 4,  ///< its writer did not finish it
  kFailed = 5,       ///< the local disk failed it: the error is sticky for this version
  kUploaded = 6,     ///< the server has confirmed the whole of it
};

/// Whether bytes that were on disk are being written over in place. A power cut then leaves some of
/// the old ones and some of the new ones.
enum class Rewrite : std::uint8_t {
  kNone = 1,
  kBegun = 2,  ///< since it was finished last; known durably before the first of them changes
  kTorn = 3,   ///< and then the power was cut
};

struct Inode {
  InodeId id = 0;  ///< the key, not in the record
  FileType type = FileType::kRegular;
  std::uint32_t mode = 0;  ///< permission bits, 07777
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint32_t links = 0;  ///< 0: unlinked, kept while it is open
  std::uint64_t size = 0;   ///< bytes; may lag behind the spool while the file is open
  FileTime accessed = 0;
  FileTime modified = 0;
  FileTime changed = 0;
  InodeId parent = 0;  ///< of the primary name, under which it is uploaded
  std::string name;
  std::uint64_t next_entry = 3;  ///< directories: sequence of the next name; 1 and 2 are . and ..
  std::string target;            ///< symlinks
  std::uint64_t device = 0;      ///< number of a character or block device

  // Regular files.
  VersionId version = 0;  ///< 0: an uploaded file whose bytes only the server has
  Content content = Content::kUploaded;
  std::string reason;             ///< why it is interrupted or failed, or will be when closed
  std::uint64_t synced_size = 0;  ///< bytes that a power cut leaves whole
  Uuid upload;                    ///< nil: none yet
  bool renamed = false;           ///< has got a name since its bytes changed last
  bool approved = false;          ///< somebody who was asked said: these bytes are complete
  std::uint8_t regrown = 0;       ///< how often it was changed after it was published; at most 255
  std::uint64_t trimmed = 0;  ///< bytes from 0 on that only the server has, of an unfinished one
  FileTime published = 0;     ///< when the server had confirmed the whole of it; 0: not known
  /// When somebody used the bytes of an uploaded file last, about; 0: not known. See kept.h.
  FileTime kept_at = 0;
  /// All of its bytes, as they are, are on disk. Never while it is being written.
  bool synced = false;
  // What a power cut has left of a file that was not; both 0 otherwise, and when it is changed.
  std::uint64_t size_before = 0;  ///< bytes that it had
  std::uint64_t held = 0;         ///< bytes behind `size` that the spool has kept, whole or not
  Rewrite rewrite = Rewrite::kNone;

  /// Nobody may take it for what it was. Of one that is interrupted, or failed.
  [[nodiscard]] bool IsCut() const { return held > 0 || size_before > size; }
};

/// A directory entry. The sequence is the readdir cookie.
struct Entry {
  InodeId inode = 0;
  FileType type = FileType::kRegular;
  std::uint64_t sequence = 0;
};

enum class Verdict : std::uint8_t {
  kNone = 1,     ///< nothing was closed yet
  kClean = 2,    ///< a living writer closed it
  kDied = 3,     ///< the writer was killed or failed
  kUnknown = 4,  ///< nobody can tell
};

struct Handle {
  HandleId id = 0;  ///< the key, not in the record
  InodeId inode = 0;
  std::uint32_t flags = 0;  ///< of open(2)
  bool changed = false;     ///< created, truncated or wrote: its end decides about the file
  bool wrote = false;       ///< at least one WRITE came through it
  bool dirty = false;       ///< was changed, and no close after a WRITE has said clean since
  /// Where the first write that failed began, until it is written after all: while it is set, no
  /// close says clean.
  std::optional<std::uint64_t> failed_write;
  Verdict verdict = Verdict::kNone;
  std::string reason;  ///< of a verdict that is not clean
  std::uint64_t connection = 0;
  /// Processes (pid_t) that wrote through it; before the first WRITE the one that created or
  /// truncated.
  std::set<std::int32_t> writers;
  std::int32_t opener = 0;  ///< the process that opened it for writing; 0: not known
  /// Another writer of the file ended badly while this one was open: its close does not mend that.
  bool beside_bad = false;
};

/// How a request of the kernel ended that must not be executed twice. A successor of a daemon that
/// died over it gets it again. A request keeps its slot until it is answered, so that only the last
/// one of each slot can come again, and that is all that is kept.
struct Reply {
  std::uint32_t slot = 0;        ///< the key, not in the record
  std::uint64_t connection = 0;  ///< another one numbers its requests anew
  std::uint64_t unique = 0;      ///< the request's number in this connection
  InodeId inode = 0;             ///< whose attributes it was answered with
  HandleId handle = 0;           ///< that it opened
};

enum class UploadPhase : std::uint8_t {
  kIntent = 1,       ///< about to be created on the server
  kCreated = 2,      ///< has a URL
  kFinalSent = 3,    ///< the request that completes it may have been sent
  kComplete = 4,     ///< published
  kRefused = 5,      ///< the server said no to its creation or to its completion
  kUnconfirmed = 6,  ///< completion unknown: the answer was lost, then the server forgot it
  kVerifying = 7,    ///< complete; what the server has is being compared with what was sent
  kParts = 8,        ///< has no URL yet: it goes in parts, which are joined at its end (parts.h)
};

/// What became of the request that completes an upload, as tusclient/judge.h has it.
enum class UploadEnd : std::uint8_t {
  kNotSent = 1,
  kSent = 2,     ///< its answer is not known
  kRefused = 3,  ///< it was answered 4xx
  kMissed = 4,   ///< it was answered 404 or 410
  kFailed = 5,   ///< it was answered 5xx
};

struct Upload {
  Uuid id;            ///< the key, not in the record
  InodeId owner = 0;  ///< 0: nobody's any more; to be terminated
  VersionId version = 0;
  UploadPhase phase = UploadPhase::kIntent;
  std::string url;                      ///< secret; empty until created
  std::string path;                     ///< under which it was declared
  std::uint64_t offset = 0;             ///< bytes that the server has confirmed
  std::uint64_t frontier = 0;           ///< end of the bytes ever handed to a PATCH
  std::optional<std::uint64_t> length;  ///< declared
  FileTime created = 0;  ///< 0: at another server, before the state directory was moved
  FileTime expires = 0;  ///< when the server deletes it unless it is complete; 0: it did not say
  /// Ownerless: when nothing was on its way to it any more, and others might adopt it. 0: not yet.
  FileTime at_rest = 0;
  /// No other one was published under its path after it, as far as is known (adoptable.h).
  bool last = false;
  std::string error;    ///< the last one, empty after success
  std::string receipt;  ///< headers and body of the final answer
  UploadEnd end = UploadEnd::kNotSent;
  std::string end_words{};   ///< with which it was answered, for a person
  bool lost_an_end = false;  ///< the answer to an earlier one is not known: it may still arrive
  /// Refused by us, for nothing went on: what the server has of it may still be gone on with.
  bool given_up = false;
  std::string headers{};        ///< secret; "Name: value" lines that go with each request about it
  std::uint32_t requests = 0;   ///< PATCHes that were begun
  std::uint64_t sent = 0;       ///< body bytes of these that left the machine
  WholeDigests digests{};       ///< of the bytes that it was completed with, where they are known
  std::uint64_t handed = 0;     ///< end of the bytes that left the machine, as far as was counted
  std::uint64_t part_size = 0;  ///< bytes of the first of the parts that it goes in; 0: of none
  Uuid whole{};                 ///< of a part: the upload that it is a part of; else nil
  std::uint64_t begin = 0;      ///< of a part: the byte of the file with which it begins

  /// Its offset, frontier, length and digests count from `begin` on.
  [[nodiscard]] bool IsPart() const { return !whole.IsNil(); }
  /// It is what its parts make when they are joined, and they have not been.
  [[nodiscard]] bool HasParts() const { return part_size > 0; }
};

[[nodiscard]] std::string Encode(Inode const& inode);
[[nodiscard]] std::string Encode(Entry const& entry);
[[nodiscard]] std::string Encode(Handle const& handle);
[[nodiscard]] std::string Encode(Upload const& upload);
[[nodiscard]] std::string Encode(Reply const& reply);

/// Errors: EUCLEAN for bytes that are no such record.
[[nodiscard]] Result<Inode> DecodeInode(InodeId id, std::string_view bytes);
[[nodiscard]] Result<Entry> DecodeEntry(std::string_view bytes);
[[nodiscard]] Result<Handle> DecodeHandle(HandleId id, std::string_view bytes);
[[nodiscard]] Result<Upload> DecodeUpload(Uuid const& id, std::string_view bytes);
[[nodiscard]] Result<Reply> DecodeReply(std::uint32_t slot, std::string_view bytes);

}  // namespace tusfs
