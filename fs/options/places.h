// Where to, and where at: the URL, which may lie in a file because a secret is in it, and the mount
// point.
#pragma once

#include <string>

#include "base/error.h"
#include "options/given.h"
#include "options/options.h"

namespace tusfs {

/// Takes the words of the command line, empty where there is none, over what the file of --config
/// has said, and reads the URL of --url-file; `given` is told where they are from. Errors: EINVAL,
/// and of reading, with a sentence.
[[nodiscard]] Result<void> SetPlaces(Options& options, std::string url, std::string mountpoint,
                                     Given& given);

/// Whether the URL is one that can be mounted. Errors: EINVAL with a sentence that has no secret.
[[nodiscard]] Result<void> CheckUrl(Options const& options);

/// What mount(8), df(1) and everybody else may see as the mount's source: of its URL, all but
/// secrets, or the word that stands for it.
[[nodiscard]] std::string SourceOf(Options const& options);

}  // namespace tusfs
