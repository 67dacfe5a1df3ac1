// STATE_DIR/at-rest: is there while no process uses the state directory, after a mount that has
// ended in order and whose ledger is complete. Without it, what the ledger has may be older than
// what became of the files: nobody may call them safe by it.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "base/error.h"

namespace tusfs {

/// The last word of a mount: `server` is the one that it sent to, as ServerOf has it. One that a
/// power cut has taken away is only missing. Errors: of the disk.
[[nodiscard]] Result<void> NoteRest(std::filesystem::path const& state_dir,
                                    std::string const& server);

/// Before anything in the directory is changed; durable. Errors: of the disk.
[[nodiscard]] Result<void> EndRest(std::filesystem::path const& state_dir);

/// The server; nothing where the directory is in use, or was not left in order.
[[nodiscard]] std::optional<std::string> ServerAtRest(std::filesystem::path const& state_dir);

}  // namespace tusfs
