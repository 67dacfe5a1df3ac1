// How far something is and how fast it goes, for a bar or a line. Knows no terminal and no clock.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace tus_upload {

/// For one thread at a time. Positions and sizes are bytes.
class Meter {
 public:
  using Clock = std::chrono::steady_clock;

  void Begin(Clock::time_point now, std::optional<std::uint64_t> size);
  /// A part that was at `from` is at `to`, because its bytes went over the network …
  void Move(std::uint64_t from, std::uint64_t to);
  /// … or for another reason, which says nothing about the rate.
  void Jump(std::uint64_t from, std::uint64_t to);
  /// A part of the size has another one.
  void Resize(std::uint64_t from, std::uint64_t to);
  /// Takes the rate since the last time into the average.
  void Measure(Clock::time_point now);

  [[nodiscard]] std::uint64_t position() const { return position_; }
  [[nodiscard]] std::optional<std::uint64_t> size() const { return size_; }
  [[nodiscard]] Clock::time_point begun() const { return begun_; }

  /// "45%, 18.0 MiB of 40.0 MiB at 3.0 MiB/s"
  [[nodiscard]] std::string Words() const;
  /// `title` and a bar, in at most `columns`.
  [[nodiscard]] std::string Line(std::string const& title, std::size_t columns) const;

 private:
  std::optional<std::uint64_t> size_;
  std::uint64_t position_ = 0;
  Clock::time_point begun_;
  Clock::time_point measured_;
  std::uint64_t measured_position_ = 0;
  double rate_ = 0;  // bytes per second

  [[nodiscard]] std::string Numbers() const;
};

}  // namespace tus_upload
