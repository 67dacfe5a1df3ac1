// What is known of one server: what OPTIONS announced, corrected by what the server then did.
//
// One profile belongs to one endpoint and is shared by all its uploads. Thread-safe, never blocks.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>

#include "tusclient/checksum.h"
#include "tusclient/client.h"
#include "tusclient/error.h"

namespace tus {

/// How the bytes of an upload are cut into PATCH bodies. All but the last body of an upload obey
/// `multiple`, `least` and `exact`.
struct ChunkRules {
  static constexpr std::uint64_t kUnlimited = std::uint64_t{1} << 62;

  std::uint64_t size = std::uint64_t{32} << 20;  ///< largest body, bytes; kUnlimited: no limit
  /// Of an upload whose bytes are all there, bodies may be longer than `size`, up to this, as long
  /// as one takes about 10 s, and no longer than four times the longest one that was taken: each of
  /// them costs a round trip. Bytes; 0: `size` is the limit.
  std::uint64_t longer = 0;
  std::uint64_t multiple = 1;  ///< bytes
  std::uint64_t least = 1;     ///< smallest body, bytes
  /// Every body ends at a multiple of `size`, whatever the network's speed.
  bool exact = false;
  /// No body is made so long that it would take more than half of this at the measured rate, so
  /// that it takes less than all of it when the network becomes slower. (@tus/server cuts any
  /// request after 300 s.)
  std::chrono::seconds longest{120};

  /// Errors: kInvalidArgument with a sentence about rules that contradict each other.
  [[nodiscard]] Result<void> Check() const;
};

class ServerProfile {
 public:
  explicit ServerProfile(ChunkRules rules = {});

  /// OPTIONS was answered.
  void Announced(ServerInfo const& info);
  /// Nothing before the first announcement.
  [[nodiscard]] std::optional<ServerInfo> Info() const;

  /// Whether uploads may be created before their length is known.
  [[nodiscard]] bool MayDefer() const;
  /// Such a creation was refused; believed only of a server that has never taken one. Returns
  /// whether that is news.
  bool DeferRefused();
  void DeferWorked();

  /// What to send Upload-Checksum with; nothing where the server names none that is known here.
  [[nodiscard]] std::optional<ChecksumAlgorithm> Checksum() const;
  /// A PATCH with a checksum got 400: the announcement was not true. Returns whether that is news.
  bool ChecksumRefused();

  /// The largest upload in bytes, where the server has said so.
  [[nodiscard]] std::optional<std::uint64_t> MaxSize() const;

  // ---- chunks

  [[nodiscard]] ChunkRules const& rules() const { return rules_; }

  /// How many bytes from `offset` on make the next body, as long as that many are there; the last
  /// body of an upload is what is left, where that is less. At least 1.
  [[nodiscard]] std::uint64_t NextChunk(std::uint64_t offset) const;

  /// As NextChunk, of an upload whose bytes are all there.
  [[nodiscard]] std::uint64_t NextLongChunk(std::uint64_t offset) const;

  /// A body of `bytes` was taken in `elapsed`.
  void Measured(std::uint64_t bytes, std::chrono::nanoseconds elapsed);
  /// Bytes per second that one transfer gets, 0 before it was measured.
  [[nodiscard]] std::uint64_t Rate() const;

  /// A body of `length` bytes was too large (413). Returns whether a smaller one may be tried:
  /// down to 64 KiB, and never against the rules. Remembered for all uploads, until some bodies of
  /// that length were taken: then longer ones are tried, each time after more of them.
  bool TooLarge(std::uint64_t length);
  /// Of a body the server has kept nothing when `length` bytes of it had left and the connection
  /// broke: as TooLarge.
  void NothingKept(std::uint64_t length);
  /// Largest body in bytes that was not refused.
  [[nodiscard]] std::uint64_t MaxBody() const;

 private:
  ChunkRules const rules_;
  mutable std::mutex mutex_;
  std::optional<ServerInfo> info_;
  bool defer_refused_ = false;
  bool defer_worked_ = false;
  bool checksum_refused_ = false;
  std::uint64_t max_body_ = ChunkRules::kUnlimited;
  int taken_ = 0;              // bodies of that length, since it became so
  int grows_after_ = 2;        // so many of them
  double rate_ = 0;            // bytes per second
  std::uint64_t longest_ = 0;  // bytes of a body that was taken

  // With mutex_ held.
  [[nodiscard]] std::uint64_t Affordable() const;
  [[nodiscard]] bool Shrink(std::uint64_t length);
  void Grow(std::uint64_t taken);
};

}  // namespace tus
