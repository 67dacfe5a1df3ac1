// What tusfsctl watch shows: a mount, as a picture of lines, or as one line after another.
//
// Pure functions of the daemon's answers. Nothing that is shown has control characters in it but
// the colours, and no line is wider than the terminal.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "control/progress.h"

namespace tusfs {

struct FrameSize {
  std::size_t columns = 80;
  std::size_t rows = 24;
};

/// `told`: a line of a watch that is live; `mount`: its mount point and URL. At most as many lines
/// as there are rows; what needs somebody comes before what is on the way.
[[nodiscard]] std::vector<std::string> WatchFrame(nlohmann::json const& told,
                                                  Progress const& progress, Progress::Time now,
                                                  std::string const& mount, FrameSize size,
                                                  bool with_colours);

/// The same in one line: "41%  3 files, …".
[[nodiscard]] std::string WatchLine(Progress const& progress, Progress::Time now);

/// As much of UTF-8 as fits into so many columns, control characters as \\xHH; what was left out
/// ends with "...".
[[nodiscard]] std::string Fitted(std::string_view text, std::size_t columns);

}  // namespace tusfs
