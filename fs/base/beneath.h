// How many files lie beneath the mount and are not in it yet (--import): as the importer tells the
// keeper, the keeper the daemon, and the daemon whoever asks it.
//
// Plain values and pure functions of them.
#pragma once

#include <cstdint>
#include <string>

namespace tusfs {

struct FilesBeneath {
  std::uint64_t waiting = 0;  ///< that are being taken in, or wait for whoever writes to them
  std::uint64_t failed = 0;   ///< that could not be taken in, and are tried again
  std::uint64_t left = 0;     ///< for a person: they are not tried again

  /// Those that get into the mount without anybody doing anything, as far as one can tell.
  [[nodiscard]] std::uint64_t Going() const { return waiting + failed; }
  [[nodiscard]] std::uint64_t All() const { return Going() + left; }
  bool operator==(FilesBeneath const&) const = default;
};

/// For a line between two processes.
[[nodiscard]] std::string ToText(FilesBeneath const& beneath);
/// What ToText has made; zeros of anything else.
[[nodiscard]] FilesBeneath BeneathOf(std::string const& text);

/// For a person: "1 file beneath the mount is not taken in yet, 2 files are left beneath the
/// mount"; empty where there is nothing to say.
[[nodiscard]] std::string Describe(FilesBeneath const& beneath);

}  // namespace tusfs
