#include "fuse_memory.h"

#include <fuse_log.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdarg>
#include <cstring>

#include "fuzz_target.h"

namespace tusfs {

using tus::fuzz::Require;

void SilenceLibfuse() {
  ::fuse_set_log_func([](fuse_log_level, char const*, va_list) {});
}

std::vector<std::byte> GoodInit() {
  fuse_init_in init{};
  init.major = FUSE_KERNEL_VERSION;
  init.minor = FUSE_KERNEL_MINOR_VERSION;
  init.max_readahead = 128 * 1024;
  init.flags = FUSE_ASYNC_READ | FUSE_BIG_WRITES | FUSE_DO_READDIRPLUS | FUSE_MAX_PAGES |
               FUSE_HANDLE_KILLPRIV_V2 | FUSE_INIT_EXT;
  fuse_in_header header{};
  header.len = sizeof header + sizeof init;
  header.opcode = FUSE_INIT;
  header.unique = 2;
  std::vector<std::byte> request(header.len);
  std::memcpy(request.data(), &header, sizeof header);
  std::memcpy(request.data() + sizeof header, &init, sizeof init);
  return request;
}

UniqueFd Duplicate(UniqueFd const& fd) { return UniqueFd(::dup(fd.get())); }

RequestSlots MapSlots(UniqueFd const& fd) { return RequestSlots::Map(Duplicate(fd)).value(); }

fuse_in_header HeaderOf(std::span<std::byte const> bytes) {
  fuse_in_header header{};
  std::memcpy(&header, bytes.data(), std::min(bytes.size(), sizeof header));
  return header;
}

bool WantsAnswer(fuse_in_header const& request) {
  return request.opcode != FUSE_FORGET && request.opcode != FUSE_BATCH_FORGET &&
         request.opcode != FUSE_INTERRUPT && request.opcode != FUSE_NOTIFY_REPLY;
}

UniqueFd MakeSink() { return UniqueFd(::memfd_create("sink", MFD_CLOEXEC)); }

std::vector<fuse_out_header> AnswersIn(UniqueFd const& sink) {
  struct stat status {};
  Require(::fstat(sink.get(), &status) == 0, "there is a sink");
  std::vector<fuse_out_header> answers;
  for (std::uint64_t at = 0; at < static_cast<std::uint64_t>(status.st_size);) {
    fuse_out_header header{};
    auto const bytes = std::as_writable_bytes(std::span(&header, 1));
    Require(ReadFully(sink.get(), bytes, at).value_or(0) == bytes.size(), "an answer has a header");
    Require(header.len >= sizeof header, "an answer is as long as it says");
    Require(header.error <= 0 && header.error > -1000, "an answer has an errno or none");
    Require(header.error == 0 || header.len == sizeof header, "an error is all that is said");
    at += header.len;
    Require(at <= static_cast<std::uint64_t>(status.st_size), "an answer is as long as it says");
    answers.push_back(header);
  }
  return answers;
}

}  // namespace tusfs
