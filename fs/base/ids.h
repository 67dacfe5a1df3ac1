// The numbers by which rooms speak of the same thing. None is ever reused, not after a crash.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>

namespace tusfs {

using InodeId = std::uint64_t;    ///< also the FUSE nodeid; 0 is "none"
using VersionId = std::uint64_t;  ///< a body of bytes in the spool; 0 is "none"
using HandleId = std::uint64_t;   ///< an open file (fh)

constexpr InodeId kRootInode = 1;

/// Identity of an upload, made before the server is asked for one.
struct Uuid {
  std::array<std::uint8_t, 16> bytes{};

  [[nodiscard]] bool IsNil() const { return *this == Uuid{}; }
  /// The usual 36 characters.
  [[nodiscard]] std::string ToString() const;
  /// A random one (version 4), from the kernel.
  [[nodiscard]] static Uuid Random();

  auto operator<=>(Uuid const&) const = default;
};

}  // namespace tusfs
