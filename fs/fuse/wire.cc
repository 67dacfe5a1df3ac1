#include "fuse/wire.h"

#include <linux/fuse.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>

namespace tusfs {
namespace {

// An INIT of before FUSE_INIT_EXT.
constexpr std::size_t kOldInitSize = offsetof(fuse_init_in, flags2);

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

/// What stands behind the header of a request.
struct Shape {
  std::size_t fields = 0;  ///< bytes
  int names = 0;           ///< each with a zero at its end
};

Shape ShapeOf(std::uint32_t opcode) {
  switch (opcode) {
    case FUSE_LOOKUP:
    case FUSE_UNLINK:
    case FUSE_RMDIR:
    case FUSE_REMOVEXATTR:
      return {.fields = 0, .names = 1};
    case FUSE_SYMLINK:
      return {.fields = 0, .names = 2};
    case FUSE_MKNOD:
      return {.fields = sizeof(fuse_mknod_in), .names = 1};
    case FUSE_MKDIR:
      return {.fields = sizeof(fuse_mkdir_in), .names = 1};
    case FUSE_CREATE:
      return {.fields = sizeof(fuse_create_in), .names = 1};
    case FUSE_LINK:
      return {.fields = sizeof(fuse_link_in), .names = 1};
    case FUSE_RENAME:
      return {.fields = sizeof(fuse_rename_in), .names = 2};
    case FUSE_RENAME2:
      return {.fields = sizeof(fuse_rename2_in), .names = 2};
    case FUSE_SETXATTR:
      return {.fields = FUSE_COMPAT_SETXATTR_IN_SIZE, .names = 1};
    case FUSE_GETXATTR:
      return {.fields = sizeof(fuse_getxattr_in), .names = 1};
    case FUSE_LISTXATTR:
      return {.fields = sizeof(fuse_getxattr_in)};
    case FUSE_GETATTR:
      return {.fields = sizeof(fuse_getattr_in)};
    case FUSE_SETATTR:
      return {.fields = sizeof(fuse_setattr_in)};
    case FUSE_OPEN:
    case FUSE_OPENDIR:
      return {.fields = sizeof(fuse_open_in)};
    case FUSE_READ:
    case FUSE_READDIR:
    case FUSE_READDIRPLUS:
      return {.fields = sizeof(fuse_read_in)};
    case FUSE_WRITE:
      return {.fields = sizeof(fuse_write_in)};
    case FUSE_FLUSH:
      return {.fields = sizeof(fuse_flush_in)};
    case FUSE_RELEASE:
    case FUSE_RELEASEDIR:
      return {.fields = sizeof(fuse_release_in)};
    case FUSE_FSYNC:
    case FUSE_FSYNCDIR:
      return {.fields = sizeof(fuse_fsync_in)};
    case FUSE_FALLOCATE:
      return {.fields = sizeof(fuse_fallocate_in)};
    case FUSE_LSEEK:
      return {.fields = sizeof(fuse_lseek_in)};
    case FUSE_INIT:
      return {.fields = kOldInitSize};
    default:
      return {};  // has no fields, or is refused without a look at them
  }
}

/// Bytes that follow fields and names.
std::size_t DataSize(std::span<std::byte const> request, std::uint32_t opcode) {
  if (opcode == FUSE_WRITE) return BodyOf<fuse_write_in>(request).size;
  if (opcode == FUSE_SETXATTR) return BodyOf<fuse_setxattr_in>(request).size;
  return 0;
}

}  // namespace

bool IsWhole(std::span<std::byte const> request) {
  auto const header = HeaderOf(request);
  if (!header || header->len != request.size()) return false;
  auto const shape = ShapeOf(header->opcode);
  auto rest = request.subspan(sizeof(fuse_in_header));
  if (rest.size() < shape.fields) return false;
  rest = rest.subspan(shape.fields);
  for (int name = 0; name < shape.names; ++name) {
    auto const end = std::ranges::find(rest, std::byte{0});
    if (end == rest.end()) return false;
    rest = rest.subspan(static_cast<std::size_t>(end - rest.begin()) + 1);
  }
  return rest.size() >= DataSize(request, header->opcode);
}

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
