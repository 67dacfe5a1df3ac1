// The last lines that tusfs has logged on this machine, as the journal has them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace tusfs {

struct LogEntry {
  std::string time;   ///< 2026-11-29T22:10:00Z
  std::string level;  ///< error, warn, info or debug
  std::string mount;  ///< whose it is; may be empty
  std::string file;   ///< which file it is about, relative to the mount: any bytes; may be empty
  std::string text;
};

/// Of what `journalctl -o json` prints, a line each; what cannot be read is left out.
[[nodiscard]] std::vector<LogEntry> ParseJournal(std::string_view lines);

/// At most 1000, the oldest first. Errors: a phrase with why the journal cannot be read, ENODATA
/// where this user may see nothing of it.
[[nodiscard]] Result<std::vector<LogEntry>> ReadJournal();

}  // namespace tusfs
