// Requests that are answered later: a write whose caller is to write no more for now, and a call
// that waits for bytes which only the server has.
//
// They lie in the memory of the request slots, which outlives the daemon, so that their slots are
// free for others and a successor still answers them. A reply is held when its request was executed
// for good; a request when it has to be executed again. Any thread.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/ids.h"

namespace tusfs {

/// A write that was done and not answered.
struct HeldWrite {
  HandleId handle = 0;
  std::uint64_t offset = 0;
};

class HeldRequests {
 public:
  static constexpr std::size_t kCount = 1024;
  static constexpr std::size_t kLongest = 384;  ///< bytes of a reply or a request
  /// Bytes of memory that they need.
  [[nodiscard]] static std::size_t MemorySize();

  /// `memory`: zeros, or what a predecessor has left; outlives this.
  explicit HeldRequests(std::span<std::byte> memory) : memory_(memory) {}

  enum class Kind : std::uint32_t { kReply = 1, kRequest = 2 };
  /// One that is held. A copy, but for its bytes, which stay until it is freed.
  struct Held {
    std::size_t index = 0;
    Kind kind = Kind::kReply;
    std::uint64_t unique = 0;
    InodeId inode = 0;
    pid_t thread = 0;  ///< that waits for the answer; 0 where it cannot be seen
    bool interrupted = false;
    HeldWrite write;
    std::span<std::byte const> bytes;  ///< the reply, or the request
  };

  /// Frees what a predecessor had begun to hold when it died: its slot has it still.
  void Recover();
  /// False where all are taken, or the bytes are too many: nothing was held.
  [[nodiscard]] bool Hold(Held const& held);
  /// In the order of their requests' numbers.
  [[nodiscard]] std::vector<Held> All() const;
  [[nodiscard]] bool Has(std::uint64_t unique) const { return Find(unique).has_value(); }
  /// The kernel says that a signal has come for the caller. False where it is not held.
  bool NoteInterrupt(std::uint64_t unique);
  void Free(std::size_t index);
  [[nodiscard]] std::size_t count() const;

 private:
  struct Entry;
  [[nodiscard]] Entry& At(std::size_t index) const;
  [[nodiscard]] std::optional<std::size_t> Find(std::uint64_t unique) const;

  std::span<std::byte> const memory_;
};

/// Whether a signal that ends it has come for a thread, or the thread is no more.
[[nodiscard]] bool IsBeingKilled(pid_t thread);

}  // namespace tusfs
