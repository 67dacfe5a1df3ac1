// What the options mean for uploads: rules of the server, credentials, the way to it.
#pragma once

#include <tusclient/bandwidth.h>
#include <tusclient/credentials.h>
#include <tusclient/preset.h>
#include <tusclient/transport.h>

#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "options/options.h"
#include "uploader/uploader.h"

namespace tusfs {

struct UploadRules {
  tus::ChunkRules chunks;
  bool defer_length = true;
  std::vector<tus::MetadataTemplate> metadata;
  std::vector<tus::Header> headers{};
};

/// A preset's rules, changed by what was given beside it. Errors: EINVAL with a sentence.
[[nodiscard]] Result<UploadRules> UploadRulesOf(Options const& options);

/// Nothing where none were configured. Nothing is read yet.
[[nodiscard]] std::unique_ptr<tus::Credentials> MakeCredentials(Options const& options);

/// What an uploader of the mount at `url` (normalised) goes by. `credentials`, which may be null,
/// and `bandwidth` outlive it. Transports of a link are not to outlive the link's way. Errors:
/// EINVAL with a sentence.
[[nodiscard]] Result<UploaderOptions> UploaderOptionsOf(Options const& options,
                                                        std::string const& url,
                                                        tus::Credentials* credentials,
                                                        tus::BandwidthLimit& bandwidth);

}  // namespace tusfs
