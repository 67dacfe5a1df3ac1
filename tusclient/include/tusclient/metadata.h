// Upload-Metadata (tus 1.0, creation extension): keys and base64 values.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tusclient/error.h"

namespace tus {

/// Pairs in the order in which they are sent. Values are arbitrary bytes.
using Metadata = std::vector<std::pair<std::string, std::string>>;

/// Encodes to the header's value: `key base64[,key base64]…`, padded base64, no space after a
/// comma. Errors: kInvalidArgument for a key that is empty, repeated, not printable ASCII, or has
/// a space or comma.
[[nodiscard]] Result<std::string> EncodeMetadata(Metadata const& metadata);

/// Decodes a header's value; tolerant of spaces after commas and of keys without a value.
/// Errors: kProtocol for anything else, such as bad base64.
[[nodiscard]] Result<Metadata> DecodeMetadata(std::string_view header);

}  // namespace tus
