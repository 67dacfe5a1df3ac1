// The history of a directory: the folder ascmhl/ with a manifest for each generation, and the chain
// of these.
//
// Whoever adds a generation has read those before it; what is there is never changed. One thread.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/error.h"
#include "mhl/manifest.h"

namespace tusfs {

struct History {
  std::vector<ChainLink> links{};
  /// The first hash of each format that the generations have of a path.
  std::map<std::string, std::vector<MediaHash>> known{};
};

/// Of `directory`; an empty one where it has none. Errors: EINVAL with a sentence, where a manifest
/// cannot be read or is not what the chain says that it was.
[[nodiscard]] Result<History> ReadHistory(std::filesystem::path const& directory);

/// Marks each hash of the manifest by what the history has: "original" where it is the first of its
/// path, "verified" where one of its format is the same, "failed" where it is another. The paths of
/// the last.
[[nodiscard]] std::vector<std::string> MarkActions(History const& history, Manifest& manifest);

/// Writes the manifest as the next generation, and the chain. The manifest's path. Errors: of the
/// disk.
[[nodiscard]] Result<std::filesystem::path> AddGeneration(std::filesystem::path const& directory,
                                                          std::string const& name,
                                                          History const& history,
                                                          Manifest const& manifest);

}  // namespace tusfs
