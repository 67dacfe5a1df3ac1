// What became of a file, as plain data, and its bytes: a row of the ledger (fs/proof), and of the
// catalog until the ledger has it (proofs.h).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/block_digest.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file_digest.h"
#include "base/ids.h"

namespace tusfs {

/// What became of a body of bytes. On disk: never renumbered.
enum class Fate : std::uint8_t {
  kUploaded = 1,     ///< the server has confirmed the whole of it
  kAccepted = 2,     ///< a person said that the server has it
  kUnconfirmed = 3,  ///< nobody can tell whether it was published
  kRefused = 4,      ///< the server has said no, or took no more of it
  kDiscarded = 5,    ///< a person gave it up
  kDropped = 6,      ///< it was given up to make room
  kRemoved = 7,      ///< its last name was removed before it was uploaded
};

/// How it is known that the server has it. On disk: never renumbered.
enum class ProvedBy : std::uint8_t {
  kNothing = 1,
  kOffset = 2,    ///< the offset that the server has confirmed
  kHead = 3,      ///< and its length, asked for afterwards
  kDownload = 4,  ///< and its bytes, read back and compared
  kPerson = 5,    ///< somebody said so
};

struct Proof {
  Uuid id;  ///< of the row
  Fate fate = Fate::kUploaded;
  ProvedBy proved = ProvedBy::kNothing;
  InodeId inode = 0;
  std::string path;        ///< relative to the mount, that it had then
  std::uint64_t size = 0;  ///< bytes
  FileTime modified = 0;   ///< its time of modification
  FileTime begun = 0;      ///< when its upload was made; 0: it has none
  FileTime at = 0;         ///< when this became of it: for uploaded, when the server had confirmed
  Uuid upload;             ///< nil: none
  std::uint32_t requests = 0;  ///< PATCHes that it took
  std::uint64_t sent = 0;      ///< body bytes that left the machine for it
  std::string root;            ///< RootOf its blocks; empty: not known
  WholeDigests digests;
  std::string receipt;  ///< headers and body of the final answer
  std::string server;   ///< ServerOf its endpoint; empty where an older release did not say it
  std::string reason;   ///< for what is not uploaded, for a person; may be empty
};

/// An endpoint's URL without what may be secret in it: user, password and all behind "?" or "#".
[[nodiscard]] std::string ServerOf(std::string_view url);

/// One digest of the digests of all blocks of a file, in their order: 16 bytes.
[[nodiscard]] std::string RootOf(std::vector<BlockDigest> const& blocks);

/// Whether they are those of all blocks of a file of `size` bytes.
[[nodiscard]] bool AreOf(std::vector<BlockDigest> const& blocks, std::uint64_t size);

[[nodiscard]] std::string Encode(Proof const& proof);
/// Into `proof`, whose memory is used again: a ledger has very many. False for what is none.
[[nodiscard]] bool DecodeProof(std::string_view bytes, Proof& proof);

}  // namespace tusfs
