#include "base/logger.h"

#include <spdlog/logger.h>

namespace tusfs {

Log::Log(std::shared_ptr<spdlog::logger> sink) : sink_(std::move(sink)) {}

void Log::Write(Level level, fmt::string_view format, fmt::format_args args) {
  if (!sink_) return;
  auto const severity = [level] {
    switch (level) {
      case Level::kDebug:
        return spdlog::level::debug;
      case Level::kInfo:
        return spdlog::level::info;
      case Level::kWarn:
        return spdlog::level::warn;
      case Level::kError:
        break;
    }
    return spdlog::level::err;
  }();
  if (!sink_->should_log(severity)) return;
  sink_->log(severity, spdlog::string_view_t(fmt::vformat(format, args)));
}

}  // namespace tusfs
