// The logger is injected like any collaborator; rooms log for the operator:
// error = a person must act, warn = degraded but handled, info = life cycle, debug = per request.
//
// spdlog is underneath, and is named in logger.cc alone: its headers carry all of a formatter into
// every source that includes them. Thread-safe.
#pragma once

#include <fmt/core.h>

#include <atomic>
#include <memory>
#include <utility>

namespace spdlog {
class logger;
}

namespace tusfs {

enum class LogLevel { kDebug, kInfo, kWarn, kError };

class Log {
 public:
  /// Says what is of `least` or above; nothing where `sink` is null.
  explicit Log(std::shared_ptr<spdlog::logger> sink, LogLevel least = LogLevel::kDebug);

  template <typename... Args>
  void Error(fmt::format_string<Args...> format, Args&&... args) {
    Write(LogLevel::kError, format, fmt::make_format_args(args...));
  }
  template <typename... Args>
  void Warn(fmt::format_string<Args...> format, Args&&... args) {
    Write(LogLevel::kWarn, format, fmt::make_format_args(args...));
  }
  template <typename... Args>
  void Info(fmt::format_string<Args...> format, Args&&... args) {
    Write(LogLevel::kInfo, format, fmt::make_format_args(args...));
  }
  template <typename... Args>
  void Debug(fmt::format_string<Args...> format, Args&&... args) {
    Write(LogLevel::kDebug, format, fmt::make_format_args(args...));
  }

  /// May be changed at any time.
  void SetLeast(LogLevel least) { least_ = least; }
  [[nodiscard]] LogLevel least() const { return least_; }

 private:
  void Write(LogLevel level, fmt::string_view format, fmt::format_args args);

  std::shared_ptr<spdlog::logger> const sink_;
  std::atomic<LogLevel> least_;
};

using Logger = std::shared_ptr<Log>;

}  // namespace tusfs
