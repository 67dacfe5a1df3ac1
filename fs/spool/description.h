// What a spool file says of itself, in an extended attribute: enough to find its file again when
// the catalog is lost (fs/README.md, "The catalog").
//
// It is written soon after the catalog has changed, not with it: it is for a disaster, and is not
// asked otherwise. Bytes of names are kept as they are.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace tusfs {

struct Description {
  /// On disk, never renumbered.
  enum class State : char {
    kUnfinished = 'w',
    kFinished = 'f',  ///< its bytes were synced, and may have been published since then
    kUploaded = 'u',
  };
  State state = State::kUnfinished;
  std::string path;        ///< relative to the mount
  std::uint32_t mode = 0;  ///< permission bits
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  FileTime modified = 0;
  std::uint64_t trimmed = 0;  ///< bytes from 0 on that are not here
  std::string url;            ///< of its upload, a secret; empty: none

  bool operator==(Description const&) const = default;
};

constexpr char const* kDescriptionName = "user.tusfs.file";

/// The directory for what has lost its name.
constexpr char const* kLostAndFound = "lost+found";

[[nodiscard]] std::string Encode(Description const& description);
/// Nothing for what Encode does not give.
[[nodiscard]] std::optional<Description> DecodeDescription(std::string_view text);

/// Whether a path of a description leads to a place beneath the directory that it is joined to.
[[nodiscard]] bool IsPlainPath(std::string_view path);

}  // namespace tusfs
