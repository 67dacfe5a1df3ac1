#include "tus_upload_meter.h"

#include <algorithm>
#include <cmath>

#include "tus_upload_text.h"

namespace tus_upload {
namespace {

constexpr double kRateMemory = 3;  // seconds
constexpr std::size_t kBarWidth = 20;
constexpr std::size_t kMinName = 12;

double Fraction(std::uint64_t done, std::uint64_t all) {
  return all == 0 ? 1 : std::min(1.0, static_cast<double>(done) / static_cast<double>(all));
}

double SecondsBetween(Meter::Clock::time_point from, Meter::Clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

std::string Bar(double fraction) {
  auto const filled = static_cast<std::size_t>(fraction * kBarWidth);
  return "[" + std::string(filled, '#') + std::string(kBarWidth - filled, '.') + "]";
}

std::string Percent(double fraction) {
  return std::to_string(static_cast<int>(fraction * 100)) + "%";
}

}  // namespace

void Meter::Begin(Clock::time_point now, std::optional<std::uint64_t> size) {
  *this = Meter();
  size_ = size;
  begun_ = now;
  measured_ = now;
}

// Unsigned, these are right whichever way something moves.
void Meter::Move(std::uint64_t from, std::uint64_t to) { position_ += to - from; }

void Meter::Jump(std::uint64_t from, std::uint64_t to) {
  position_ += to - from;
  measured_position_ += to - from;
}

void Meter::Resize(std::uint64_t from, std::uint64_t to) {
  if (size_) *size_ += to - from;
}

void Meter::Measure(Clock::time_point now) {
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

std::string Meter::Words() const {
  return (size_ ? Percent(Fraction(position_, *size_)) + ", " : "") + HowFar(position_, size_) +
         " at " + Rate(rate_);
}

std::string Meter::Numbers() const {
  auto numbers = "  " + HowFar(position_, size_) + "  " + Rate(rate_);
  if (!size_ || rate_ < 1 || *size_ <= position_) return numbers;
  auto const left = static_cast<double>(*size_ - position_) / rate_;
  if (left < 360'000) numbers += "  " + Duration(std::chrono::seconds(std::llround(left)));
  return numbers;
}

std::string Meter::Line(std::string const& title, std::size_t columns) const {
  auto numbers = Numbers();
  if (size_) {
    auto const fraction = Fraction(position_, *size_);
    auto const percent = Percent(fraction);
    numbers = std::string(4 - percent.size(), ' ') + percent + numbers;
    bool const room = numbers.size() + kBarWidth + kMinName + 4 <= columns;
    if (room) numbers = Bar(fraction) + " " + numbers;
  }
  auto const room = columns > numbers.size() + 2 ? columns - numbers.size() - 2 : 1;
  return Shortened(Shortened(title, room) + "  " + numbers, columns);
}

}  // namespace tus_upload
