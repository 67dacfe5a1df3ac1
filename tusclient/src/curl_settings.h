// What CurlTransportOptions mean for a libcurl handle, and whether the files they name can be read.
#pragma once

#include <optional>

#include "easy_options.h"
#include "tusclient/transport.h"

namespace tus {

/// Everything that is the same for each request of a transport.
void ApplySettings(EasyOptions& easy, CurlTransportOptions const& settings);

/// The error that Perform returns where a file cannot be read: kUnreachable, for `netrc_file` (may
/// be empty) kUnauthorized. libcurl says less about it, and nothing about a missing netrc file.
[[nodiscard]] std::optional<Error> FileTrouble(CurlTransportOptions const& settings,
                                               std::string const& netrc_file);

}  // namespace tus
