#include "base/logger.h"

#include <spdlog/logger.h>

namespace tusfs {

Log::Log(std::shared_ptr<spdlog::logger> sink, LogLevel least)
    : sink_(std::move(sink)), least_(least) {}

Log::Log(FieldSink fields, LogLevel least) : fields_(std::move(fields)), least_(least) {}

void Log::Write(LogLevel level, LogSubject const& subject, fmt::string_view format,
                fmt::format_args args) {
  if (level < least_) return;
  if (fields_.write) fields_.write(level, fmt::vformat(format, args), subject);
  if (!sink_) return;
  auto const severity = [level] {
    switch (level) {
      case LogLevel::kDebug:
        return spdlog::level::debug;
      case LogLevel::kInfo:
        return spdlog::level::info;
      case LogLevel::kWarn:
        return spdlog::level::warn;
      case LogLevel::kError:
        break;
    }
    return spdlog::level::err;
  }();
  if (!sink_->should_log(severity)) return;
  sink_->log(severity, spdlog::string_view_t(fmt::vformat(format, args)));
}

}  // namespace tusfs
