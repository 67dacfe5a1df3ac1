// What the options mean for uploads: rules of the server, credentials, the way to it.
#pragma once

#include <tusclient/bandwidth.h>
#include <tusclient/credentials.h>
#include <tusclient/preset.h>
#include <tusclient/transport.h>

#include <memory>
#include <vector>

#include "base/error.h"
#include "options/options.h"
#include "uploader/create_command.h"

namespace tusfs {

struct UploadRules {
  tus::ChunkRules chunks;
  bool defer_length = true;
  std::vector<tus::MetadataTemplate> metadata;
  std::vector<tus::Header> headers{};
};

/// A preset's rules, changed by what was given beside it. Errors: EINVAL with a sentence.
[[nodiscard]] Result<UploadRules> UploadRulesOf(Options const& options);

[[nodiscard]] CreateCommandOptions CreateCommandOf(Options const& options);

/// Nothing where none were configured. Nothing is read yet.
[[nodiscard]] std::unique_ptr<tus::Credentials> MakeCredentials(Options const& options);

/// `bandwidth` outlives the transports.
[[nodiscard]] tus::CurlTransportOptions TransportOptionsOf(Options const& options,
                                                           tus::BandwidthLimit& bandwidth);

}  // namespace tusfs
