// What a person is told of how it goes: what is left, how fast it goes, for how long yet, and
// whether it is safe to go. One wording for tusfsctl wait, tusfsctl watch and the page.
//
// Plain data in, text out: the time comes in from outside. One thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "base/beneath.h"

namespace tusfs {

class Progress {
 public:
  using Time = std::chrono::steady_clock::time_point;

  struct Numbers {
    std::uint64_t files = 0;  ///< that are not uploaded yet
    std::uint64_t left = 0;   ///< bytes of these that are not on the way
    std::uint64_t size = 0;   ///< all bytes of these, where that is known
    std::uint64_t stuck = 0;  ///< files that need somebody
    std::uint64_t sent = 0;   ///< bytes over the wire, ever
    bool reachable = true;    ///< the server
    bool paused = false;      ///< by a person
    FilesBeneath beneath{};   ///< of these files, those that are not in the mount yet
  };
  /// What is known at `now`, which is not before the time of the last call.
  void Note(Numbers const& numbers, Time now);

  /// Bytes per second over the last moments; 0 where nothing goes on.
  [[nodiscard]] std::uint64_t Rate(Time now) const;

  /// Of what was to go since nothing was, 0 to 100; 100 while nothing is.
  [[nodiscard]] int Percent() const;

  /// Whether nothing is going and nothing is stuck.
  [[nodiscard]] bool IsSafe() const { return numbers_.files == 0 && numbers_.stuck == 0; }

  /// "Safe to go: …", or what is left, and how many files need somebody.
  [[nodiscard]] std::string Sentence(Time now) const;

  /// At most `width` columns, without a line's end; it leaves out the bar before anything else.
  [[nodiscard]] std::string Line(std::size_t width, Time now) const;

 private:
  [[nodiscard]] std::size_t Part(std::size_t of) const;
  [[nodiscard]] std::string ToGo(Time now) const;

  struct Sample {
    Time at;
    std::uint64_t sent = 0;
  };
  Numbers numbers_;
  std::uint64_t most_left_ = 0;  ///< of which the bar shows what is done
  std::deque<Sample> samples_;
};

/// Of a line of news as a daemon tells them to who looks on (watchers.h).
[[nodiscard]] Progress::Numbers NumbersOf(nlohmann::json const& news);

/// "5 s", "12 min", "3 h 20 min", "2 days".
[[nodiscard]] std::string ShowDuration(std::chrono::seconds duration);

}  // namespace tusfs
