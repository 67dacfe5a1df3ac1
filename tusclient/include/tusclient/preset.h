// Metadata by templates, and the published rules of hosted services.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tusclient/error.h"
#include "tusclient/metadata.h"
#include "tusclient/server_profile.h"
#include "tusclient/transport.h"

namespace tus {

/// What templates can speak of.
struct FileFacts {
  std::string path{};  ///< {path}; {name} is what follows its last slash
  std::string type{};  ///< {type}, a MIME type
  std::optional<std::int64_t>
      modified{};  ///< {mtime}, seconds since 1970; while it is not known: none
  std::optional<std::uint64_t> size{};  ///< {size}, bytes; empty text while it is not known
  std::string id{};                     ///< {id}, stable for one upload
  std::string sha1{};        ///< {sha1} of all bytes, in hex; empty while it is not known
  std::string host{};        ///< {host}, the name of the machine
  std::string machine_id{};  ///< {machine-id}, stable for one installation
};

/// A metadata key and its value, in which {path} {name} {type} {mtime} {size} {id} {sha1} {host}
/// {machine-id} stand for the file's facts, and {{ and }} for braces. A value that is empty in the
/// end is left out, and so is one with {sha1} or {mtime} while that is not known.
struct MetadataTemplate {
  std::string key{};
  std::string value{};
};

/// Errors: kInvalidArgument with a sentence, for a key that metadata cannot have, braces that do
/// not match, and names that are not among the facts.
[[nodiscard]] Result<void> CheckTemplates(std::span<MetadataTemplate const> templates);

/// Whether one of them has {sha1}, for which the file has to be read.
[[nodiscard]] bool NeedSha1(std::span<MetadataTemplate const> templates);

/// Whether one of them has {machine-id}, which not everybody can say.
[[nodiscard]] bool NeedMachineId(std::span<MetadataTemplate const> templates);

/// Templates that CheckTemplates accepted.
[[nodiscard]] Metadata Expand(std::span<MetadataTemplate const> templates, FileFacts const& facts);

/// What a hosted service publishes of its tus endpoint.
struct Preset {
  std::string name{};
  ChunkRules chunks;
  /// Whether the service takes uploads of unknown length; else a file is sent when it is finished.
  bool defer_length = true;
  std::vector<MetadataTemplate> metadata{};
  std::vector<std::string> required{};  ///< keys that the user has to add
  std::vector<Header> headers{};        ///< for each request
};

/// "cloudflare-stream", "supabase", "opencloud".
[[nodiscard]] std::span<Preset const> Presets();
/// Errors: kInvalidArgument naming those that there are.
[[nodiscard]] Result<Preset> FindPreset(std::string_view name);

}  // namespace tus
