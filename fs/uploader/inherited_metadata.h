// Metadata that a person says of a directory, for all that is written beneath it: its extended
// attributes "user.tus.meta.KEY".
//
// Those of the file itself and of every directory that it is in count, the nearest first; an empty
// value leaves KEY out. They stand above the templates (TransferOptions::metadata), but for what
// tusfs itself goes by: tusfsId and tusfsEncoding. Functions of the catalog alone.
#pragma once

#include <tusclient/metadata.h>

#include <optional>
#include <string>
#include <string_view>

#include "catalog/records.h"
#include "catalog/store.h"

namespace tusfs {

constexpr std::string_view kMetadataPrefix = "user.tus.meta.";

/// Inside the caller's look. Errors: EUCLEAN for a damaged record.
[[nodiscard]] Result<tus::Metadata> InheritedMetadata(View const& view, Inode const& inode);

/// `metadata` with what is inherited in it.
[[nodiscard]] tus::Metadata WithInherited(tus::Metadata metadata, tus::Metadata const& inherited);

/// Why no file can have metadata of this attribute's name; nothing where one can, or where the
/// attribute says none.
[[nodiscard]] std::optional<std::string> WhyNoMetadataKey(std::string_view attribute);

}  // namespace tusfs
