#include "tus_upload_progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <optional>
#include <utility>

#include "tus_upload_text.h"

namespace tus_upload {
namespace {

constexpr std::chrono::milliseconds kBarInterval{100};
constexpr std::chrono::seconds kLineInterval{10};

std::size_t Columns() {
  struct winsize size {};
  bool const known = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? size.ws_col : 80;
}

}  // namespace

/// Methods without a lock of their own are called with the mutex held.
class Progress::File : public FileReport {
 public:
  File(Progress& all, std::string name, std::uint64_t planned)
      : all_(all), name_(std::move(name)), counted_(planned) {}
  ~File() override;

  void Begin(std::optional<std::uint64_t> size) override;
  void Sent(std::uint64_t offset) override;
  void Confirmed(std::uint64_t offset) override;
  void Retry(tus::Error const& error, std::chrono::milliseconds delay) override;
  void Restart(std::string const& why) override { Note("starts over from its first byte: " + why); }
  void Note(std::string const& sentence) override;
  void Detail(std::string const& sentence) override;
  void Done(tus::Receipt const& receipt) override;
  void WasDone(std::uint64_t, std::string const&) override {
    Note("was uploaded before this command was interrupted");
  }
  void Abandoned(bool there) override {
    Note(there ? "its unfinished upload is deleted" : "no unfinished upload is known");
  }
  void Failed(std::string const& sentence, tus::Error const*) override { all_.Complain(sentence); }
  [[nodiscard]] std::uint64_t confirmed() const override { return confirmed_; }

 private:
  Progress& all_;
  std::string const name_;
  std::uint64_t counted_;  ///< bytes of the sum that are this file's
  std::uint64_t confirmed_ = 0;
  bool located_ = false;  ///< the server has said where it is
  std::string last_trouble_;
  Meter meter_;
  Clock::time_point shown_;

  void Show();
  void Count(std::uint64_t size);
};

// What is not going to be sent any more is no part of the sum.
Progress::File::~File() {
  std::lock_guard const lock(all_.mutex_);
  Count(meter_.position());
  ++all_.ended_;
}

void Progress::File::Begin(std::optional<std::uint64_t> size) {
  std::lock_guard const lock(all_.mutex_);
  shown_ = Clock::now();
  meter_.Begin(shown_, size);
  Count(size.value_or(0));
}

void Progress::File::Sent(std::uint64_t offset) {
  std::lock_guard const lock(all_.mutex_);
  all_.sum_.Move(meter_.position(), offset);
  meter_.Move(meter_.position(), offset);
  located_ = true;
  Show();
}

void Progress::File::Confirmed(std::uint64_t offset) {
  confirmed_ = offset;
  if (!std::exchange(located_, true) && offset > 0) {
    Note("goes on after the " + Bytes(offset) + " that the server has");
  }
  last_trouble_.clear();
  Detail("the server has " + HowFar(offset, meter_.size()));
  std::lock_guard const lock(all_.mutex_);
  all_.sum_.Jump(meter_.position(), offset);
  meter_.Jump(meter_.position(), offset);
  Show();
}

void Progress::File::Retry(tus::Error const& error, std::chrono::milliseconds delay) {
  auto const seconds = std::max<std::int64_t>(1, (delay.count() + 500) / 1000);
  auto const sentence = error.message + "; trying again in " + std::to_string(seconds) + " s";
  // An outage is told once, not at each attempt.
  if (error.message == last_trouble_) return Detail(sentence);
  last_trouble_ = error.message;
  Note(sentence);
}

void Progress::File::Done(tus::Receipt const& receipt) {
  auto const seconds = std::chrono::duration<double>(Clock::now() - meter_.begun()).count();
  auto sentence = "uploaded, " + Bytes(receipt.size);
  if (receipt.sent < receipt.size) sentence += ", of these " + Bytes(receipt.sent) + " now";
  if (seconds >= 1) {
    sentence += ", in " + Duration(std::chrono::seconds(std::llround(seconds))) + " at " +
                Rate(static_cast<double>(receipt.sent) / seconds);
  }
  Note(sentence);
}

void Progress::File::Note(std::string const& sentence) {
  std::lock_guard const lock(all_.mutex_);
  if (all_.words_ != Words::kFew) all_.Print(Printable(name_) + ": " + Printable(sentence));
}

void Progress::File::Detail(std::string const& sentence) {
  if (all_.words_ == Words::kMany) Note(sentence);
}

void Progress::File::Show() {
  auto const now = Clock::now();
  if (all_.words_ == Words::kFew) return;
  if (all_.terminal_ && all_.together_) return all_.ShowSum(now);
  bool const due = now - shown_ >= (all_.terminal_ ? Clock::duration(kBarInterval) : kLineInterval);
  if (!due) return;
  shown_ = now;
  meter_.Measure(now);
  if (all_.terminal_) return all_.DrawBar(meter_, Printable(name_));
  all_.Print(Printable(name_) + ": " + meter_.Words());
}

void Progress::File::Count(std::uint64_t size) {
  all_.sum_.Resize(std::exchange(counted_, size), size);
}

Progress::Progress(Words words, unsigned jobs)
    : words_(words), jobs_(jobs), terminal_(::isatty(STDERR_FILENO) != 0) {}

Progress::~Progress() { EraseBar(); }

void Progress::Planned(std::size_t files, std::uint64_t bytes) {
  std::lock_guard const lock(mutex_);
  together_ = jobs_ > 1 && files > 1;
  files_ = files;
  sum_shown_ = Clock::now();
  sum_.Begin(sum_shown_, bytes);
}

std::unique_ptr<FileReport> Progress::Open(std::string name, std::uint64_t planned) {
  return std::make_unique<File>(*this, std::move(name), planned);
}

void Progress::Skipped(std::string const& name, std::string const& why) {
  std::lock_guard const lock(mutex_);
  if (words_ != Words::kFew) Print(Printable(name) + ": " + Printable(why));
}

void Progress::Failed(std::string const&, std::string const& sentence) { Complain(sentence); }

void Progress::Complain(std::string const& sentence) {
  std::lock_guard const lock(mutex_);
  Print("tus-upload: " + Printable(sentence));
}

void Progress::ShowSum(Clock::time_point now) {
  if (now - sum_shown_ < kBarInterval) return;
  sum_shown_ = now;
  sum_.Measure(now);
  DrawBar(sum_, std::to_string(ended_) + " of " + std::to_string(files_) + " files");
}

void Progress::DrawBar(Meter const& meter, std::string const& title) {
  std::fprintf(stderr, "\r%s\033[K", meter.Line(title, Columns() - 1).c_str());
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
