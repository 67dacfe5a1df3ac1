// FuseServer and its callbacks: requests of the kernel, on a filesystem that is not mounted. They
// come from slots, as a daemon that died has left them, and so go through the code that takes over
// and the code that serves.
//
// An input is a sequence of requests, each as the kernel writes it: fuse_in_header, whose length
// says where the next one begins, fields, names, bytes. One of FUSE_INIT at the beginning is the
// one that was saved; otherwise a good one was. Numbers of inodes and handles are counted from the
// start, so that an input can know them: the first file that is made has inode 2 and handle 1.
//
// What the kernel limits, and libfuse does not, is limited here as well: how much a read asks for.
// Requests that are not whole (fuse/wire.h) are refused before libfuse sees them, because it reads
// names and bytes without a look at the length.
#include <sanitizer/asan_interface.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <string>

#include "fuse_memory.h"
#include "fuzz_target.h"
#include "small_mount.h"

namespace tusfs {
namespace {

using tus::fuzz::Require;
using Bytes = std::span<std::byte const>;

constexpr std::size_t kMostRequests = 64;
constexpr std::uint32_t kLargestRead = 1 << 20;

/// Cuts the first request off; its header may lie about its length.
Bytes TakeRequest(Bytes& input) {
  auto const length = std::max<std::size_t>(HeaderOf(input).len, sizeof(fuse_in_header));
  auto const request = input.first(std::min(length, input.size()));
  input = input.subspan(request.size());
  return request;
}

void LimitRead(std::span<std::byte> request) {
  auto const opcode = HeaderOf(request).opcode;
  if (opcode != FUSE_READ && opcode != FUSE_READDIR && opcode != FUSE_READDIRPLUS) return;
  auto const at = sizeof(fuse_in_header) + offsetof(fuse_read_in, size);
  std::uint32_t size = 0;
  std::memcpy(&size, request.data() + at, sizeof size);
  size = std::min(size, kLargestRead);
  std::memcpy(request.data() + at, &size, sizeof size);
}

class Connection {
 public:
  void SaveInit(Bytes request) { slots_.SaveInit(request); }

  /// Whether there was room for it.
  bool Receive(Bytes request) {
    auto const slot = slots_.Claim(0);
    if (!slot) return false;
    std::ranges::copy(request, slot->buffer().begin());
    LimitRead(slot->buffer());
    auto const header = HeaderOf(slot->buffer());
    if (header.len == 0) {
      slot->Free();
      return true;
    }
    Guard(*slot);
    if (WantsAnswer(header)) {
      ++expected_[header.unique];
    } else {
      ++possible_[header.unique];  // libfuse answers some of FUSE_INTERRUPT
    }
    return true;
  }

  /// A daemon comes, executes what is there, and dies.
  void Serve() {
    auto const server =
        FuseServer::Attach(Duplicate(sink_), slots_, mount_.filesystem(), logger_).value();
    server->TakeOver();
    for (auto const guarded : std::exchange(guarded_, {})) {
      ASAN_UNPOISON_MEMORY_REGION(guarded.data(), guarded.size());
    }
    for (unsigned i = 0; i < slots_.ready(); ++i) Require(slots_.Claim(i).has_value(), kAnswered);
    // What was claimed has no request.
    Require(slots_.Unanswered().empty(), kAnswered);
  }

  void RequireOneAnswerEach() {
    for (auto const& held : HeldRequests(slots_.held()).All()) ++answers_[held.unique];
    for (auto const& answer : AnswersIn(sink_)) ++answers_[answer.unique];
    for (auto const& [unique, count] : expected_) {
      Require(answers_[unique] >= count, kAnswered, std::to_string(unique));
    }
    for (auto const& [unique, count] : answers_) {
      Require(count <= expected_[unique] + possible_[unique], "no request is answered twice",
              std::to_string(unique));
    }
  }

 private:
  /// Lets the address sanitizer see whoever reads behind a request.
  void Guard(RequestSlots::Slot const& slot) {
    auto const size = std::max(slot.bytes().size(), sizeof(fuse_in_header));
    guarded_.push_back(slot.buffer().subspan(size));
    ASAN_POISON_MEMORY_REGION(guarded_.back().data(), guarded_.back().size());
  }

  static constexpr auto kAnswered = "every request is answered or held";

  Logger const logger_ = QuietLogger();
  SmallMount mount_;
  UniqueFd const sink_ = MakeSink();
  UniqueFd const memory_ = RequestSlots::Create().value();
  RequestSlots slots_ = MapSlots(memory_);
  std::vector<std::span<std::byte>> guarded_;
  std::map<std::uint64_t, int> expected_;
  std::map<std::uint64_t, int> possible_;
  std::map<std::uint64_t, int> answers_;
};

void Serve(Bytes input) {
  SilenceLibfuse();
  Connection connection;
  if (HeaderOf(input).opcode == FUSE_INIT) {
    connection.SaveInit(TakeRequest(input));
  } else {
    connection.SaveInit(GoodInit());
  }
  for (std::size_t i = 0; i < kMostRequests && !input.empty(); ++i) {
    auto const request = TakeRequest(input);
    if (connection.Receive(request)) continue;
    connection.Serve();
    connection.Receive(request);
  }
  connection.Serve();
  connection.RequireOneAnswerEach();
}

}  // namespace
}  // namespace tusfs

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  tusfs::Serve(std::as_bytes(std::span(data, size)));
  return 0;
}
