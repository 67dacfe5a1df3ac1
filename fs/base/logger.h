// The logger is injected like any collaborator; rooms log for the operator:
// error = a person must act, warn = degraded but handled, info = life cycle, debug = per request.
//
// spdlog is underneath, and is named in logger.cc alone: its headers carry all of a formatter into
// every source that includes them. Thread-safe.
#pragma once

#include <fmt/core.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace spdlog {
class logger;
}

namespace tusfs {

enum class LogLevel { kDebug, kInfo, kWarn, kError };

/// What a line is about, for a log that has fields; the text says it as well. What is empty is not
/// there.
struct LogSubject {
  std::string_view file{};        ///< its path, relative to the mount: any bytes
  std::string upload{};           ///< the uuid, which the server has as tusfsId
  std::string_view message_id{};  ///< of the kind of event: base/message_ids.h
};

class Log {
 public:
  /// Takes a line and its fields apart.
  struct FieldSink {
    std::function<void(LogLevel, std::string_view text, LogSubject const&)> write;
  };

  /// Says what is of `least` or above; nothing where `sink` is null.
  explicit Log(std::shared_ptr<spdlog::logger> sink, LogLevel least = LogLevel::kDebug);
  /// The same, with the fields.
  explicit Log(FieldSink fields, LogLevel least = LogLevel::kDebug);

  template <typename... Args>
  void Error(fmt::format_string<Args...> format, Args&&... args) {
    Write(LogLevel::kError, {}, format, fmt::make_format_args(args...));
  }
  template <typename... Args>
  void Warn(fmt::format_string<Args...> format, Args&&... args) {
    Write(LogLevel::kWarn, {}, format, fmt::make_format_args(args...));
  }
  template <typename... Args>
  void Info(fmt::format_string<Args...> format, Args&&... args) {
    Write(LogLevel::kInfo, {}, format, fmt::make_format_args(args...));
  }
  template <typename... Args>
  void Debug(fmt::format_string<Args...> format, Args&&... args) {
    Write(LogLevel::kDebug, {}, format, fmt::make_format_args(args...));
  }
  /// The same about something.
  template <typename... Args>
  void Tell(LogLevel level, LogSubject const& subject, fmt::format_string<Args...> format,
            Args&&... args) {
    Write(level, subject, format, fmt::make_format_args(args...));
  }

  /// May be changed at any time.
  void SetLeast(LogLevel least) { least_ = least; }
  [[nodiscard]] LogLevel least() const { return least_; }

 private:
  void Write(LogLevel level, LogSubject const& subject, fmt::string_view format,
             fmt::format_args args);

  std::shared_ptr<spdlog::logger> const sink_;
  FieldSink const fields_;
  std::atomic<LogLevel> least_;
};

using Logger = std::shared_ptr<Log>;

}  // namespace tusfs
