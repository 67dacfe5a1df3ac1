// Media Hash Lists as text: ASC MHL 2.0, which is read and written, and MHL 1.1, which is read.
//
// A manifest comes from anybody: entities are refused, a path that leaves its directory is, and
// nothing is believed to be of any size. Pure functions of the text.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "mhl/hashes.h"

namespace tusfs {

enum class HashAction { kOriginal, kVerified, kFailed };

struct MediaHash {
  HashFormat format = HashFormat::kXxh64;
  std::string value{};  ///< as manifests have it: hexadecimal, or C4
  HashAction action = HashAction::kOriginal;

  bool operator==(MediaHash const&) const = default;
};

struct MediaFile {
  std::string path{};                   ///< relative to the directory that has the history
  std::optional<std::uint64_t> size{};  ///< bytes
  FileTime modified = 0;                ///< 0: not said
  std::vector<MediaHash> hashes{};      ///< of formats that are known here
};

struct Manifest {
  FileTime created = 0;
  std::string host{};
  std::string tool{};          ///< its name
  std::string tool_version{};  ///< of the tool
  std::vector<MediaFile> files{};
};

/// Errors: EINVAL with a sentence that has the line.
[[nodiscard]] Result<Manifest> ParseManifest(std::string_view text);

[[nodiscard]] std::string WriteManifest(Manifest const& manifest);

/// One generation of a history, in its chain file.
struct ChainLink {
  std::uint64_t sequence = 0;
  std::string path{};  ///< of the manifest, in the folder
  std::string c4{};    ///< of its bytes
};
/// Errors: EINVAL with a sentence that has the line.
[[nodiscard]] Result<std::vector<ChainLink>> ParseChain(std::string_view text);
[[nodiscard]] std::string WriteChain(std::vector<ChainLink> const& links);

}  // namespace tusfs
