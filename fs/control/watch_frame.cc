#include "control/watch_frame.h"

#include <algorithm>
#include <array>
#include <cwchar>

#include "base/text.h"
#include "control/answers.h"
#include "control/check.h"

namespace tusfs {
namespace {

using nlohmann::json;

constexpr std::size_t kWidestBar = 40;
constexpr std::size_t kFileBar = 10;
constexpr std::string_view kLeftOut = "...";
constexpr std::string_view kPlain = "\x1b[0m";

struct Character {
  std::size_t bytes = 1;
  std::size_t columns = 1;
};

// Of UTF-8; a byte that is none is a character by itself.
Character FirstOf(std::string_view text) {
  std::mbstate_t state{};
  wchar_t wide = 0;
  auto const bytes = std::mbrtowc(&wide, text.data(), text.size(), &state);
  if (bytes == 0 || bytes > text.size()) return {};
  return {.bytes = bytes, .columns = static_cast<std::size_t>(std::max(::wcwidth(wide), 0))};
}

std::size_t ColumnsOf(std::string_view text) {
  std::size_t columns = 0;
  while (!text.empty()) {
    auto const first = FirstOf(text);
    columns += first.columns;
    text.remove_prefix(first.bytes);
  }
  return columns;
}

std::string Cut(std::string_view text, std::size_t columns) {
  std::string cut;
  while (!text.empty()) {
    auto const first = FirstOf(text);
    if (first.columns > columns) break;
    columns -= first.columns;
    cut += text.substr(0, first.bytes);
    text.remove_prefix(first.bytes);
  }
  return cut;
}

std::string BarOf(std::uint64_t done, std::uint64_t all, std::size_t width) {
  auto const share =
      all == 0 ? 0 : static_cast<double>(std::min(done, all)) / static_cast<double>(all);
  auto const filled = static_cast<std::size_t>(share * static_cast<double>(width));
  return "[" + std::string(filled, '#') + std::string(width - filled, '.') + "]";
}

class Frame {
 public:
  Frame(FrameSize size, bool with_colours) : size_(size), with_colours_(with_colours) {}

  void Add(std::string const& text, char const* colour = "") {
    auto const line = Fitted(text, size_.columns);
    bool const is_coloured = with_colours_ && *colour != '\0';
    lines_.push_back(is_coloured ? colour + line + std::string(kPlain) : line);
  }
  [[nodiscard]] std::size_t left() const {
    return size_.rows - std::min(size_.rows, lines_.size());
  }
  [[nodiscard]] std::vector<std::string> Take() {
    if (lines_.size() > size_.rows) lines_.resize(size_.rows);
    return std::move(lines_);
  }

 private:
  FrameSize const size_;
  bool const with_colours_;
  std::vector<std::string> lines_;
};

char const* ColourOf(Progress const& progress, json const& told) {
  if (progress.IsSafe()) return "\x1b[1;32m";
  return NumberOf(told, "stuck") > 0 ? "\x1b[1;33m" : "\x1b[1m";
}

void AddNeeds(Frame& frame, json const& told, std::string const& mount) {
  auto const& files = told.at("stuck_files");
  if (files.empty()) return;
  frame.Add("");
  frame.Add("Needs you (tusfsctl list --stuck has all of it)", "\x1b[33m");
  std::size_t shown = 0;
  for (auto const& file : files) {
    // What is on the way has room, too.
    if (frame.left() < 6 && shown > 0) break;
    auto const path = TextOf(file, "path");
    auto const error = TextOf(file, "error");
    frame.Add("  " + path + "  -- " + TextOf(file, "state") + (error.empty() ? "" : ": " + error));
    frame.Add("      " + AdviceFor(file, mount + "/" + path));
    ++shown;
  }
  auto const stuck = NumberOf(told, "stuck") - BeneathIn(told).left;  // which is no file of it
  if (stuck > shown) {
    frame.Add("  and " + std::to_string(stuck - shown) + " more: see tusfsctl list --stuck");
  }
}

void AddSending(Frame& frame, json const& told) {
  auto const& files = told.at("sending");
  if (files.empty()) return;
  frame.Add("");
  frame.Add("On the way");
  for (auto const& file : files) {
    auto const size = NumberOf(file, "size");
    auto const gone = std::min(NumberOf(file, "offset") + NumberOf(file, "sending"), size);
    frame.Add("  " + BarOf(gone, size, kFileBar) + " " + ShowBytes(gone) + " of " +
              ShowBytes(size) + "  " + TextOf(file, "path"));
  }
}

void AddServer(Frame& frame, json const& told) {
  auto const& server = told.at("server");
  auto const error = TextOf(server, "error");
  bool const answers = told.value("reachable", false);
  frame.Add("");
  frame.Add(std::string("The server ") + (answers ? "answers" : "does not answer") + " since " +
                TextOf(server, "since") + (error.empty() ? "" : ": " + error),
            answers ? "" : "\x1b[31m");
}

}  // namespace

std::string Fitted(std::string_view text, std::size_t columns) {
  auto const shown = Printable(text);
  if (ColumnsOf(shown) <= columns) return shown;
  if (columns <= kLeftOut.size()) return Cut(shown, columns);
  return Cut(shown, columns - kLeftOut.size()) + std::string(kLeftOut);
}

std::vector<std::string> WatchFrame(json const& told, Progress const& progress, Progress::Time now,
                                    std::string const& mount, FrameSize size, bool with_colours) {
  Frame frame(size, with_colours);
  frame.Add(mount);
  frame.Add(progress.Sentence(now), ColourOf(progress, told));
  if (NumberOf(told, "going") > 0) {
    auto const percent = static_cast<std::uint64_t>(progress.Percent());
    auto const width = std::min(kWidestBar, size.columns - std::min<std::size_t>(size.columns, 8));
    frame.Add(BarOf(percent, 100, width) + " " + std::to_string(percent) + "%");
  }
  AddNeeds(frame, told, mount);
  AddSending(frame, told);
  AddServer(frame, told);
  return frame.Take();
}

std::string WatchLine(Progress const& progress, Progress::Time now) {
  auto const percent = std::to_string(progress.Percent()) + "%  ";
  return (progress.IsSafe() ? "" : percent) + progress.Sentence(now);
}

}  // namespace tusfs
