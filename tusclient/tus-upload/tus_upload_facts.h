// What the metadata of an upload can say about a file.
#pragma once

#include <tusclient/preset.h>

#include <cstdint>
#include <string>

namespace tus_upload {

/// The path that {path} stands for: `file` without what leads out of the current directory.
[[nodiscard]] std::string InnerPath(std::string const& file);

/// The MIME type that /etc/mime.types has for the name's extension, else application/octet-stream.
[[nodiscard]] std::string TypeOf(std::string const& name);

/// Of this machine; empty where it has none.
[[nodiscard]] std::string HostName();

/// `id` is for {id}.
[[nodiscard]] tus::FileFacts FactsOf(std::string const& file, std::uint64_t size, std::string id);

}  // namespace tus_upload
