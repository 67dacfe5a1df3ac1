#include "control/progress.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "control/answers.h"

namespace tusfs {
namespace {

using std::chrono::seconds;

constexpr seconds kWindow{15};        // that the rate is taken over
constexpr seconds kLeastOfWindow{1};  // before that it says nothing
constexpr seconds kLongestForecast{100 * 24 * 3600};
constexpr std::size_t kBar = 24;

}  // namespace

std::string ShowDuration(seconds duration) {
  auto const count = duration.count();
  if (count < 60) return std::to_string(count) + " s";
  if (count < 3600) return std::to_string(count / 60) + " min";
  if (count < 48 * 3600) {
    return std::to_string(count / 3600) + " h " + std::to_string(count / 60 % 60) + " min";
  }
  return std::to_string(count / (24 * 3600)) + " days";
}

void Progress::Note(Numbers const& numbers, Time now) {
  // Another daemon may count from somewhere else.
  if (numbers.sent < numbers_.sent) samples_.clear();
  numbers_ = numbers;
  most_left_ = std::max({most_left_, numbers.left, numbers.size});
  if (numbers.files == 0) most_left_ = 0;
  samples_.push_back({now, numbers.sent});
  // One that is older is kept, so that the window is full.
  while (samples_.size() > 2 && samples_[1].at <= now - kWindow) samples_.pop_front();
}

std::uint64_t Progress::Rate(Time now) const {
  if (samples_.empty()) return 0;
  // Where nothing has changed for so long, nothing goes on.
  if (now - samples_.back().at > kWindow) return 0;
  auto const elapsed = std::chrono::duration<double>(now - samples_.front().at);
  if (elapsed < kLeastOfWindow) return 0;
  auto const sent = samples_.back().sent - samples_.front().sent;
  return static_cast<std::uint64_t>(static_cast<double>(sent) / elapsed.count());
}

std::size_t Progress::Part(std::size_t of) const {
  if (most_left_ == 0) return 0;
  auto const done = most_left_ - std::min(most_left_, numbers_.left);
  auto const share = static_cast<double>(done) / static_cast<double>(most_left_);
  return static_cast<std::size_t>(share * static_cast<double>(of));
}

int Progress::Percent() const { return numbers_.files == 0 ? 100 : static_cast<int>(Part(100)); }

std::string Progress::ToGo(Time now) const {
  auto text = Counted(numbers_.files, "file, ", "files, ") + ShowBytes(numbers_.left) + " to go";
  if (numbers_.beneath.Going() > 0) text += " (" + Describe(numbers_.beneath) + ")";
  if (numbers_.paused) return text + ", sending is paused";
  if (!numbers_.reachable) return text + ", the server does not answer";
  auto const rate = Rate(now);
  if (rate == 0) return text;
  text += ", " + ShowBytes(rate) + "/s";
  auto const left = seconds(numbers_.left / rate);
  if (left < kLongestForecast) text += ", " + ShowDuration(left) + " left";
  return text;
}

std::string Progress::Sentence(Time now) const {
  if (IsSafe()) return "Safe to go: everything is on the server";
  auto const left = numbers_.files == 0 ? Describe(numbers_.beneath) : std::string();
  auto const stuck = Counted(numbers_.stuck, "file needs you", "files need you") +
                     (left.empty() ? "" : " (" + left + ")");
  if (numbers_.files == 0) return stuck + "; the rest is on the server";
  return ToGo(now) + (numbers_.stuck == 0 ? "" : "; " + stuck);
}

std::string Progress::Line(std::size_t width, Time now) const {
  auto const bar = "[" + std::string(Part(kBar), '#') + std::string(kBar - Part(kBar), '.') + "] ";
  auto const text = std::to_string(Part(100)) + "%  " + ToGo(now);
  if (bar.size() + text.size() <= width) return bar + text;
  return text.substr(0, width);
}

Progress::Numbers NumbersOf(nlohmann::json const& news) {
  return {.files = NumberOf(news, "going"),
          .left = NumberOf(news, "left"),
          .size = NumberOf(news, "size"),
          .stuck = NumberOf(news, "stuck"),
          .sent = NumberOf(news, "sent"),
          .reachable = news.value("reachable", true),
          .paused = news.value("paused", false),
          .beneath = BeneathIn(news)};
}

}  // namespace tusfs
