#include "program/journal_log.h"

#include <sys/uio.h>
#include <syslog.h>
#include <systemd/sd-journal.h>

#include <memory>
#include <utility>

namespace tusfs {
namespace {

int PriorityOf(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return LOG_DEBUG;
    case LogLevel::kInfo:
      return LOG_INFO;
    case LogLevel::kWarn:
      return LOG_WARNING;
    case LogLevel::kError:
      break;
  }
  return LOG_ERR;
}

}  // namespace

std::vector<std::string> JournalFields(LogLevel level, std::string_view text,
                                       LogSubject const& subject, std::string const& mount) {
  std::vector<std::string> fields;
  auto const add = [&](std::string_view name, std::string_view value) {
    if (!value.empty()) fields.push_back(std::string(name) + "=" + std::string(value));
  };
  add("MESSAGE", text);
  add("PRIORITY", std::to_string(PriorityOf(level)));
  add("SYSLOG_IDENTIFIER", "tusfs");
  add("TUSFS_MOUNT", mount);
  add("TUSFS_FILE", subject.file);
  add("TUSFS_UPLOAD", subject.upload);
  add("MESSAGE_ID", subject.message_id);
  return fields;
}

Logger MakeJournalLogger(LogLevel least, std::string mount) {
  auto write = [mount = std::move(mount)](LogLevel level, std::string_view text,
                                          LogSubject const& subject) {
    auto fields = JournalFields(level, text, subject, mount);
    std::vector<iovec> parts;
    parts.reserve(fields.size());
    for (auto& field : fields) parts.push_back({field.data(), field.size()});
    // There is nowhere else to say that it failed.
    static_cast<void>(::sd_journal_sendv(parts.data(), static_cast<int>(parts.size())));
  };
  return std::make_shared<Log>(Log::FieldSink{std::move(write)}, least);
}

}  // namespace tusfs
