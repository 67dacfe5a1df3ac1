// FUSE requests in memory that outlives the daemon (fs/README.md, "Processes").
//
// A memfd that the keeper makes and keeps, and that each daemon maps. The kernel's requests are
// read straight into it; a request belongs to its slot until its reply is sent, so a successor
// finds what its predecessor had in hand. The pages are touched and locked: no fault can happen
// while the kernel copies a request, and so no kill can tear one.
//
// A slot is free, receiving or replying. Receiving, with a length in the request's header: there
// is a request, executed or not. Replying: it was executed for good, its reply is stored and may
// have been sent; it must not be executed again, because a later request may have passed it.
//
// One daemon maps the slots at a time. Claim and the slots that it gives may be used from any
// thread; a slot is its thread's until it is freed.
#pragma once

#include <sys/uio.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"

struct fuse_in_header;

namespace tusfs {

class RequestSlots {
 public:
  class Slot;

  /// How many threads serve a mount on this machine when no disk is slow.
  [[nodiscard]] static unsigned ThreadCount();
  /// How many there may be; there are a few slots more.
  [[nodiscard]] unsigned MostThreads() const;

  /// Makes the memory, all slots free. Errors: of memfd_create(2) and ftruncate(2).
  [[nodiscard]] static Result<UniqueFd> Create();

  /// Maps what Create made. Errors: EPROTO with a sentence for memory of another layout.
  [[nodiscard]] static Result<RequestSlots> Map(UniqueFd fd);
  RequestSlots(RequestSlots&& other) noexcept;
  RequestSlots& operator=(RequestSlots&&) = delete;
  ~RequestSlots();

  /// Touches the pages of the slots for ThreadCount threads and locks them into memory, for this
  /// process. Errors: of mlock(2); the slots work all the same.
  [[nodiscard]] Result<void> Lock();
  /// Likewise for `threads`, from now on: more, or fewer than before, whose memory is given back.
  /// Whether it could be locked does not matter for those that are added.
  void ServeThreads(unsigned threads);

  /// The kernel connection that the requests belong to, as the catalog numbers it; 0: none yet.
  [[nodiscard]] std::uint64_t connection() const;
  void SetConnection(std::uint64_t connection);

  /// Where the connection is mounted; empty: nobody has said. Its directory cannot be asked while
  /// no daemon answers.
  [[nodiscard]] std::string mountpoint() const;
  void SetMountpoint(std::string const& mountpoint);

  /// The raw FUSE_INIT request of this connection; empty: none has come yet.
  [[nodiscard]] std::span<std::byte const> init() const;
  void SaveInit(std::span<std::byte const> request);

  /// Memory for the requests that are answered later (held_requests.h); zeros when it is made.
  [[nodiscard]] std::span<std::byte> held() const;

  [[nodiscard]] unsigned count() const;
  [[nodiscard]] std::size_t bytes() const { return size_; }  ///< of memory, in all
  /// Of these, what Lock locks.
  [[nodiscard]] std::size_t locked_bytes() const;
  /// Slots that can be claimed: as many as the threads need that there are now.
  [[nodiscard]] unsigned ready() const { return ready_; }

  /// A free slot, now receiving, with no request in it; near `hint`, which is warm. Nothing where
  /// all are taken that there are for the threads.
  [[nodiscard]] std::optional<Slot> Claim(unsigned hint);

  /// What a predecessor left: its unanswered requests, in the order of their numbers. Frees the
  /// slots into which nothing had been read.
  [[nodiscard]] std::vector<Slot> Unanswered();

  /// Requests that successors have found here since the mount was made.
  [[nodiscard]] std::uint64_t replayed() const;
  void CountReplayed(std::uint64_t requests);

 private:
  struct Header;
  struct SlotHeader;
  RequestSlots(UniqueFd fd, std::byte* memory, std::size_t size);
  [[nodiscard]] Header& header() const;
  /// How many slots there are for so many threads.
  [[nodiscard]] unsigned SlotsFor(unsigned threads) const;
  [[nodiscard]] Slot At(unsigned index) const;

  UniqueFd fd_;
  std::byte* memory_;
  std::size_t size_;
  std::atomic<unsigned> ready_ = 0;  ///< slots that are touched; the first ones
};

class RequestSlots::Slot {
 public:
  [[nodiscard]] unsigned index() const { return index_; }

  /// Where a request is read to.
  [[nodiscard]] std::span<std::byte> buffer() const { return buffer_; }
  /// The request's header; its length is 0 while there is none.
  [[nodiscard]] fuse_in_header const& request() const;
  /// The request: as many bytes as its header says, and no more than a slot has.
  [[nodiscard]] std::span<std::byte const> bytes() const;

  /// Executions of the request that were begun; all but the last ended with their daemon.
  [[nodiscard]] std::uint32_t executions() const;
  void BeginExecution() const;

  [[nodiscard]] bool IsFree() const;
  [[nodiscard]] bool IsReplying() const;
  /// Keeps the reply and marks the slot replying. A reply that is too long is not kept: it is of a
  /// request that only reads, and that may be executed again.
  void StoreReply(iovec const* pieces, int count) const;
  [[nodiscard]] std::span<std::byte const> reply() const;

  void Free() const;

 private:
  friend class RequestSlots;
  Slot(unsigned index, SlotHeader& header, std::span<std::byte> buffer)
      : index_(index), header_(&header), buffer_(buffer) {}

  unsigned index_;
  SlotHeader* header_;
  std::span<std::byte> buffer_;
};

}  // namespace tusfs
