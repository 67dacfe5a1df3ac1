// The text of one record of a FileUrlStore.
//
// Records outlive the program that wrote them, and other programs' too: what is read is whatever
// the file holds.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "tusclient/url_store.h"

namespace tus {

[[nodiscard]] std::string EncodeRecord(std::string const& fingerprint, StoredUpload const& upload);

/// Nothing for what is no whole record of `fingerprint`.
[[nodiscard]] std::optional<StoredUpload> DecodeRecord(std::string_view text,
                                                       std::string const& fingerprint);

}  // namespace tus
