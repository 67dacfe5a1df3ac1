// Under which name and with which metadata a file is uploaded. Pure functions of a path.
#pragma once

#include <tusclient/preset.h>

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/records.h"

namespace tusfs {

/// The name that a program will give to the temporary file `name` when it has finished, where the
/// form says so; tusfs(1), "WHEN A FILE IS PUBLISHED", has them. "" where it is known to be
/// temporary, and its final name is not known before the rename (".goutputstream-XXXXXX",
/// ".pureftpd-upload.…"). Nothing for other names, which are those, too, of which no name would be
/// left: "....XXXXXX" →
/// "..".
[[nodiscard]] std::optional<std::string> FinalNameOf(std::string_view name);

/// Whether it is one of ".NAME.XXXXXX", in which rsync writes.
[[nodiscard]] bool IsRsyncTemporary(std::string_view name);

/// The path under which the file at `path` (relative to the mount) is declared to the server.
[[nodiscard]] std::string TargetPath(std::string_view path);

/// The MIME type that the system's table (/etc/mime.types) has for the name's extension,
/// "application/octet-stream" where it has none.
[[nodiscard]] std::string MimeTypeOf(std::string_view name);

/// filename, filetype, relativePath, mtime (seconds) and tusfsId (the upload's uuid).
[[nodiscard]] std::vector<tus::MetadataTemplate> DefaultMetadata();

/// `path` with its control characters, '%' and the bytes that are no UTF-8 as %XX.
[[nodiscard]] std::string PercentEncode(std::string_view path);

/// What is known of an upload that is about to be created; its path is as MetadataFor sends it.
[[nodiscard]] tus::FileFacts FactsFor(Upload const& upload, std::optional<FileTime> modified);

/// What `templates` make of an upload that is about to be created. A path that is UTF-8 without
/// control characters goes as it is; another one percent-encoded, and tusfsEncoding=percent is
/// added, by which a server knows.
/// `sha1`: in hex, of a file whose bytes are known.
[[nodiscard]] tus::Metadata MetadataFor(std::span<tus::MetadataTemplate const> templates,
                                        Upload const& upload, std::optional<FileTime> modified,
                                        std::string const& sha1 = {});

/// Why a server cannot be told this, for a person; nothing where it can.
[[nodiscard]] std::optional<std::string> WhyNotSendable(tus::Metadata const& metadata);

}  // namespace tusfs
