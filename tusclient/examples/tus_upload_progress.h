// What a person sees: a bar on a terminal, lines elsewhere, all of it on standard error, so that
// standard output is for upload URLs. For one thread.
#pragma once

#include <tusclient/error.h>
#include <tusclient/upload.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace tus_upload {

class Progress {
 public:
  enum class Words { kFew, kNormal, kMany };

  explicit Progress(Words words);
  ~Progress();  // leaves no half bar behind
  Progress(Progress const&) = delete;
  Progress& operator=(Progress const&) = delete;

  /// What follows is about `name`, of `size` bytes where that is known.
  void Begin(std::string name, std::optional<std::uint64_t> size);
  void Sent(std::uint64_t offset);
  void Confirmed(std::uint64_t offset);
  void Retry(tus::Error const& error, std::chrono::milliseconds delay);
  void Done(tus::Receipt const& receipt);

  /// A line about what was begun last.
  void Note(std::string const& sentence);
  /// Likewise, for those who want to know everything.
  void Detail(std::string const& sentence);
  /// Shown whatever was asked for.
  void Complain(std::string const& sentence);

  /// Bytes of what was begun last that the server has.
  [[nodiscard]] std::uint64_t confirmed() const { return confirmed_; }
  /// "12.0 MiB of 40.0 MiB", or the first alone while the size is not known.
  [[nodiscard]] std::string HowFar(std::uint64_t offset) const;

 private:
  using Clock = std::chrono::steady_clock;

  Words const words_;
  bool const terminal_;
  std::string name_;
  std::optional<std::uint64_t> size_;
  std::uint64_t position_ = 0;
  std::uint64_t confirmed_ = 0;
  bool located_ = false;  ///< the server has said where it is
  bool bar_shown_ = false;
  std::string last_trouble_;
  Clock::time_point begun_;
  Clock::time_point shown_;
  Clock::time_point measured_;
  std::uint64_t measured_position_ = 0;
  double rate_ = 0;  // bytes per second

  void Measure(Clock::time_point now);
  void Show();
  void DrawBar();
  void EraseBar();
  void Print(std::string const& line);
};

}  // namespace tus_upload
