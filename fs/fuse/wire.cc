#include "fuse/wire.h"

#include <linux/fuse.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>

namespace tusfs {
namespace {

// The body behind the header; the kernel of an older protocol may send less of it.
template <typename Body>
Body BodyOf(std::span<std::byte const> request) {
  Body body{};
  request = request.subspan(sizeof(fuse_in_header));
  std::memcpy(&body, request.data(), std::min(request.size(), sizeof body));
  return body;
}

std::optional<fuse_in_header> HeaderOf(std::span<std::byte const> request) {
  if (request.size() < sizeof(fuse_in_header)) return std::nullopt;
  fuse_in_header header{};
  std::memcpy(&header, request.data(), sizeof header);
  return header;
}

}  // namespace

bool DropsPrivileges(std::span<std::byte const> request) {
  auto const header = HeaderOf(request);
  if (!header) return false;
  switch (header->opcode) {
    case FUSE_WRITE:
      return (BodyOf<fuse_write_in>(request).write_flags & FUSE_WRITE_KILL_SUIDGID) != 0;
    case FUSE_SETATTR:
      return (BodyOf<fuse_setattr_in>(request).valid & FATTR_KILL_SUIDGID) != 0;
    case FUSE_OPEN:
      return (BodyOf<fuse_open_in>(request).open_flags & FUSE_OPEN_KILL_SUIDGID) != 0;
    default:
      return false;
  }
}

void TakeOverPrivileges(std::span<std::byte const> request, std::span<iovec> answer) {
  auto const header = HeaderOf(request);
  if (!header || header->opcode != FUSE_INIT || answer.size() < 2) return;
  if ((BodyOf<fuse_init_in>(request).flags & FUSE_HANDLE_KILLPRIV_V2) == 0) return;
  auto& body = answer[1];
  if (body.iov_len < FUSE_COMPAT_22_INIT_OUT_SIZE) return;
  auto* const flags = static_cast<std::byte*>(body.iov_base) + offsetof(fuse_init_out, flags);
  std::uint32_t value = 0;
  std::memcpy(&value, flags, sizeof value);
  value |= FUSE_HANDLE_KILLPRIV_V2;
  std::memcpy(flags, &value, sizeof value);
}

std::uint64_t InterruptedBy(std::span<std::byte const> request) {
  auto const header = HeaderOf(request);
  if (!header || header->opcode != FUSE_INTERRUPT) return 0;
  return BodyOf<fuse_interrupt_in>(request).unique;
}

}  // namespace tusfs
