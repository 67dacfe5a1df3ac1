// The memory that outlives daemons: RequestSlots and HeldRequests over bytes that another version,
// or a daemon that went wrong, has left. It is refused, or what can be done is done: nothing is
// read or written outside of it, and everybody who waits is answered.
//
// An input is a sequence of changes to the memory of a new mount:
//
//     u8 place, u16 position, u8 size, bytes
//
// Little endian. Place 0 is the page at the front, 1 to 7 the slots' own pages, 9 to 15 their
// requests, 16 to 31 what is held, from entry 64 * (place - 16) on; 32: the memory then ends at
// page `position`.
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "fuse/wire.h"
#include "fuse_memory.h"
#include "fuzz_target.h"
#include "small_mount.h"
#include "testing/wait_for.h"

namespace tusfs {
namespace {

using tus::fuzz::Require;
using Bytes = std::span<std::byte const>;

constexpr std::size_t kMostChanges = 64;
constexpr std::chrono::seconds kPatience{5};

/// The memory of a new mount, and changes to it. Its layout is told from its sizes.
class Memory {
 public:
  Memory() {
    auto const slots = MapSlots(fd_);
    size_ = slots.bytes();
    count_ = slots.count();
    held_at_ = size_ - (HeldRequests::MemorySize() + page_ - 1) / page_ * page_;
    stride_ = (held_at_ - page_) / count_;
  }

  void Change(Bytes& input) {
    auto const place = Take(input);
    auto const low = Take(input);
    auto const position = low + (std::size_t{Take(input)} << 8);
    std::size_t const wanted = Take(input);
    auto const bytes = input.first(std::min(wanted, input.size()));
    input = input.subspan(bytes.size());
    if (place == kEnd) {
      auto const end = static_cast<off_t>(std::min(position * page_, 2 * size_));
      Require(::ftruncate(fd_.get(), end) == 0, "memory can be cut");
      return;
    }
    auto const at = PositionOf(place) + position;
    if (at + bytes.size() > size_) return;
    Require(WriteFully(fd_.get(), bytes, at).has_value(), "memory can be written");
  }

  [[nodiscard]] UniqueFd const& fd() const { return fd_; }

 private:
  static constexpr std::uint8_t kRequests = 8;
  static constexpr std::uint8_t kHeld = 16;
  static constexpr std::uint8_t kEnd = 32;

  static std::uint8_t Take(Bytes& input) {
    if (input.empty()) return 0;
    auto const byte = static_cast<std::uint8_t>(input.front());
    input = input.subspan(1);
    return byte;
  }

  [[nodiscard]] std::size_t PositionOf(std::uint8_t place) const {
    if (place == 0) return 0;
    if (place >= kHeld) return held_at_ + place % 16U * (HeldRequests::MemorySize() / 16);
    auto const slot = page_ + (place % 8U + 7U) % 8U % count_ * stride_;
    return place < kRequests ? slot : slot + page_;
  }

  std::size_t const page_ = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  UniqueFd const fd_ = RequestSlots::Create().value();
  std::size_t size_ = 0;
  std::size_t count_ = 0;
  std::size_t held_at_ = 0;
  std::size_t stride_ = 0;
};

/// A kernel that listens and says nothing.
class SilentDevice {
 public:
  SilentDevice() {
    int ends[2];
    Require(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0,
            "a pair of sockets");
    daemon_ = UniqueFd(ends[0]);
    kernel_ = UniqueFd(ends[1]);
  }

  [[nodiscard]] UniqueFd TakeDaemonsEnd() { return std::move(daemon_); }

 private:
  UniqueFd daemon_;
  UniqueFd kernel_;
};

/// Serves until nothing is held any more.
void AnswerHeld(FuseServer& server, HeldRequests const& held) {
  std::thread serving([&] { server.Serve(); });
  bool const answered = tusfs_testing::WaitFor([&] { return held.count() == 0; }, kPatience);
  server.Stop();
  serving.join();
  Require(answered, "what is held is answered one day");
}

void TakeOver(RequestSlots& slots) {
  SmallMount mount;
  mount.AddFile("clip.mov", "some bytes");
  SilentDevice device;
  auto const server =
      FuseServer::Attach(device.TakeDaemonsEnd(), slots, mount.filesystem(), QuietLogger()).value();
  server->TakeOver();
  for (unsigned i = 0; i < slots.ready(); ++i) {
    Require(slots.Claim(i).has_value(), "a slot is free when what was in it is answered or held");
  }
  Require(slots.Unanswered().empty(), "a slot that was claimed has no request");
  HeldRequests const held(slots.held());
  if (held.count() > 0) AnswerHeld(*server, held);
}

/// What is read of a request's own bytes.
void ReadWire(Bytes request) {
  auto const opcode = HeaderOf(request).opcode;
  Require(!DropsPrivileges(request) || opcode == FUSE_WRITE || opcode == FUSE_SETATTR ||
              opcode == FUSE_OPEN,
          "a change takes privileges away, and nothing else does");
  Require(InterruptedBy(request) == 0 || opcode == FUSE_INTERRUPT,
          "a request is interrupted by FUSE_INTERRUPT");
  std::byte header[sizeof(fuse_out_header)] = {};
  std::vector<std::byte> answer(request.size() % (sizeof(fuse_init_out) + 1));
  iovec pieces[] = {{header, sizeof header}, {answer.data(), answer.size()}};
  TakeOverPrivileges(request, pieces);
}

void Run(Bytes input) {
  SilenceLibfuse();
  ReadWire(input);
  Memory memory;
  for (std::size_t i = 0; i < kMostChanges && !input.empty(); ++i) memory.Change(input);
  auto slots = RequestSlots::Map(Duplicate(memory.fd()));
  if (!slots) {
    Require(slots.error().code == EPROTO, "memory of another layout is refused");
    tus::fuzz::RequirePresentable(slots.error().context);
    return;
  }
  Require(slots->mountpoint().size() < slots->bytes(), "the mount point is a text");
  TakeOver(*slots);
}

}  // namespace
}  // namespace tusfs

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  tusfs::Run(std::as_bytes(std::span(data, size)));
  return 0;
}
