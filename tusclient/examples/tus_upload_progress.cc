#include "tus_upload_progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>

#include "tus_upload_text.h"

namespace tus_upload {
namespace {

constexpr std::chrono::milliseconds kBarInterval{100};
constexpr std::chrono::seconds kLineInterval{10};
constexpr double kRateMemory = 3;  // seconds
constexpr std::size_t kBarWidth = 20;
constexpr std::size_t kMinName = 12;

std::size_t Columns() {
  struct winsize size {};
  bool const known = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? size.ws_col : 80;
}

double Fraction(std::uint64_t done, std::uint64_t all) {
  return all == 0 ? 1 : std::min(1.0, static_cast<double>(done) / static_cast<double>(all));
}

double SecondsBetween(std::chrono::steady_clock::time_point from,
                      std::chrono::steady_clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

std::string Bar(double fraction) {
  auto const filled = static_cast<std::size_t>(fraction * kBarWidth);
  return "[" + std::string(filled, '#') + std::string(kBarWidth - filled, '.') + "]";
}

std::string Percent(double fraction) {
  return std::to_string(static_cast<int>(fraction * 100)) + "%";
}

std::string Rate(double bytes_per_second) {
  return Bytes(static_cast<std::uint64_t>(bytes_per_second)) + "/s";
}

}  // namespace

Progress::Progress(Words words) : words_(words), terminal_(::isatty(STDERR_FILENO) != 0) {}

Progress::~Progress() { EraseBar(); }

void Progress::Begin(std::string name, std::optional<std::uint64_t> size) {
  name_ = std::move(name);
  size_ = size;
  position_ = 0;
  confirmed_ = 0;
  located_ = false;
  last_trouble_.clear();
  begun_ = Clock::now();
  shown_ = begun_;
  measured_ = begun_;
  measured_position_ = 0;
  rate_ = 0;
}

void Progress::Sent(std::uint64_t offset) {
  position_ = offset;
  located_ = true;
  Show();
}

void Progress::Confirmed(std::uint64_t offset) {
  confirmed_ = offset;
  if (!std::exchange(located_, true) && offset > 0) {
    Note("goes on after the " + Bytes(offset) + " that the server has");
  }
  if (position_ != offset) {
    position_ = offset;
    measured_position_ = offset;
    measured_ = Clock::now();
  }
  last_trouble_.clear();
  Detail("the server has " + HowFar(offset));
  Show();
}

void Progress::Retry(tus::Error const& error, std::chrono::milliseconds delay) {
  auto const seconds = std::max<std::int64_t>(1, (delay.count() + 500) / 1000);
  auto const sentence = error.message + "; trying again in " + std::to_string(seconds) + " s";
  // An outage is told once, not at each attempt.
  if (error.message == last_trouble_) return Detail(sentence);
  last_trouble_ = error.message;
  Note(sentence);
}

void Progress::Done(tus::Receipt const& receipt) {
  EraseBar();
  auto const seconds = SecondsBetween(begun_, Clock::now());
  auto sentence = "uploaded, " + Bytes(receipt.size);
  if (receipt.sent < receipt.size) sentence += ", of these " + Bytes(receipt.sent) + " now";
  if (seconds >= 1) {
    sentence += ", in " + Duration(std::chrono::seconds(std::llround(seconds))) + " at " +
                Rate(static_cast<double>(receipt.sent) / seconds);
  }
  Note(sentence);
}

void Progress::Note(std::string const& sentence) {
  if (words_ != Words::kFew) Print(Printable(name_) + ": " + Printable(sentence));
}

void Progress::Detail(std::string const& sentence) {
  if (words_ == Words::kMany) Note(sentence);
}

void Progress::Complain(std::string const& sentence) {
  Print("tus-upload: " + Printable(sentence));
}

std::string Progress::HowFar(std::uint64_t offset) const {
  return Bytes(offset) + (size_ ? " of " + Bytes(*size_) : "");
}

void Progress::Measure(Clock::time_point now) {
  auto const elapsed = SecondsBetween(measured_, now);
  auto const moved = position_ > measured_position_ ? position_ - measured_position_ : 0;
  if (elapsed <= 0) return;
  auto const sample = static_cast<double>(moved) / elapsed;
  // In the beginning the average of all there is: a first burst says little.
  auto const weight =
      std::max(1 - std::exp(-elapsed / kRateMemory), elapsed / SecondsBetween(begun_, now));
  rate_ += weight * (sample - rate_);
  measured_ = now;
  measured_position_ = position_;
}

void Progress::Show() {
  auto const now = Clock::now();
  bool const due = now - shown_ >= (terminal_ ? Clock::duration(kBarInterval) : kLineInterval);
  if (words_ == Words::kFew || !due) return;
  shown_ = now;
  Measure(now);
  if (terminal_) return DrawBar();
  Note((size_ ? Percent(Fraction(position_, *size_)) + ", " : "") + HowFar(position_) + " at " +
       Rate(rate_));
}

void Progress::DrawBar() {
  std::string numbers = "  " + HowFar(position_) + "  " + Rate(rate_);
  if (size_ && rate_ >= 1 && *size_ > position_) {
    auto const left = static_cast<double>(*size_ - position_) / rate_;
    if (left < 360'000) numbers += "  " + Duration(std::chrono::seconds(std::llround(left)));
  }
  auto const columns = Columns() - 1;
  if (size_) {
    auto const fraction = Fraction(position_, *size_);
    auto const percent = Percent(fraction);
    numbers = std::string(4 - percent.size(), ' ') + percent + numbers;
    bool const room = numbers.size() + kBarWidth + kMinName + 4 <= columns;
    if (room) numbers = Bar(fraction) + " " + numbers;
  }
  auto const room = columns > numbers.size() + 2 ? columns - numbers.size() - 2 : 1;
  auto const line = Shortened(Printable(name_), room) + "  " + numbers;
  std::fprintf(stderr, "\r%s\033[K", Shortened(line, columns).c_str());
  std::fflush(stderr);
  bar_shown_ = true;
}

void Progress::EraseBar() {
  if (std::exchange(bar_shown_, false)) std::fputs("\r\033[K", stderr);
}

void Progress::Print(std::string const& line) {
  EraseBar();
  std::fprintf(stderr, "%s\n", line.c_str());
}

}  // namespace tus_upload
