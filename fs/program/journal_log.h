// The log as the journal has it: each line with its fields.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/logger.h"

namespace tusfs {

/// "NAME=VALUE" of each field of a line: MESSAGE, PRIORITY, SYSLOG_IDENTIFIER, and, where they say
/// something, TUSFS_MOUNT, TUSFS_FILE, TUSFS_UPLOAD, MESSAGE_ID. A value may have any bytes in it:
/// the journal is told its length.
[[nodiscard]] std::vector<std::string> JournalFields(LogLevel level, std::string_view text,
                                                     LogSubject const& subject,
                                                     std::string const& mount);

/// Writes to the journal of this machine. A line that it does not take is lost, as it is for every
/// program.
[[nodiscard]] Logger MakeJournalLogger(LogLevel least, std::string mount);

}  // namespace tusfs
