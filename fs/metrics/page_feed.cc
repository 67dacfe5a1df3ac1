#include "metrics/page_feed.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <utility>

#include "base/thread_name.h"
#include "control/answers.h"

namespace tusfs {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds kLinger{30};         // a page without scripts is loaded again before
constexpr seconds kFirstPatience{10};  // for the first line: files may have to be counted
constexpr milliseconds kBetweenTold{1000};
constexpr seconds kUntilNoRate{16};    // after which Progress says that nothing goes on
constexpr seconds kBetweenWatches{5};  // to look again, where too many do
constexpr std::size_t kLongestLine = 4 * 1024 * 1024;

SteadyTime Steady() { return std::chrono::steady_clock::now(); }

}  // namespace

PageFeed::Reader::Reader(PageFeed& feed) : feed_(feed) {
  MutexLock lock(feed_.mutex_);
  number_ = ++feed_.readers_ever_;
  feed_.readers_.push_back(number_);
  if (feed_.readers_.size() > kMostReaders) feed_.readers_.pop_front();
  feed_.changed_.NotifyAll();
  ::eventfd_write(feed_.wake_.get(), 1);
}

PageFeed::Reader::~Reader() {
  MutexLock lock(feed_.mutex_);
  std::erase(feed_.readers_, number_);
  feed_.asked_at_ = Steady();
  ::eventfd_write(feed_.wake_.get(), 1);
}

Result<std::unique_ptr<PageFeed>> PageFeed::Start(Watch watch) {
  UniqueFd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake) return FailErrno("eventfd");
  return std::unique_ptr<PageFeed>(new PageFeed(std::move(watch), std::move(wake)));
}

PageFeed::PageFeed(Watch watch, UniqueFd wake)
    : watch_(std::move(watch)), wake_(std::move(wake)), thread_([this] {
        NameThread("page feed");
        Run();
      }) {}

PageFeed::~PageFeed() { Stop(); }

void PageFeed::Stop() {
  MutexLock lock(mutex_);
  is_stopped_ = true;
  changed_.NotifyAll();
  ::eventfd_write(wake_.get(), 1);
}

bool PageFeed::Holds(Reader const& reader) const {
  return std::find(readers_.begin(), readers_.end(), reader.number_) != readers_.end();
}

bool PageFeed::IsToBeTold(Reader const& reader) const { return !is_stopped_ && Holds(reader); }

bool PageFeed::IsReplaced(Reader const& reader) const {
  MutexLock lock(mutex_);
  return !Holds(reader);
}

std::optional<PageNews> PageFeed::Now() {
  MutexLock lock(mutex_);
  auto const now = Steady();
  asked_at_ = now;
  was_asked_ = true;
  changed_.NotifyAll();
  while (!news_ && !is_stopped_) {
    if (!changed_.WaitUntil(mutex_, now + kFirstPatience) && Steady() >= now + kFirstPatience)
      break;
  }
  return is_stopped_ ? std::nullopt : news_;
}

std::optional<PageNews> PageFeed::Await(Reader& reader) {
  MutexLock lock(mutex_);
  auto const next = reader.told_at_ + kBetweenTold;
  while (IsToBeTold(reader) && (!news_ || news_->number == reader.seen_)) changed_.Wait(mutex_);
  // What comes in a moment is told together.
  while (IsToBeTold(reader) && Steady() < next) changed_.WaitUntil(mutex_, next);
  if (!IsToBeTold(reader) || !news_) return std::nullopt;
  reader.seen_ = news_->number;
  reader.told_at_ = Steady();
  return news_;
}

bool PageFeed::IsWanted(SteadyTime now) const {
  return !is_stopped_ && (!readers_.empty() || (was_asked_ && now - asked_at_ < kLinger));
}

// ---- the feed's own thread

void PageFeed::Run() {
  while (AwaitWanted()) {
    Look();
    MutexLock lock(mutex_);
    news_.reset();  // it gets old
    progress_ = {};
    if (!is_stopped_ && IsWanted(Steady())) changed_.WaitUntil(mutex_, Steady() + kBetweenWatches);
  }
}

bool PageFeed::AwaitWanted() {
  MutexLock lock(mutex_);
  while (!is_stopped_ && !IsWanted(Steady())) changed_.Wait(mutex_);
  return !is_stopped_;
}

void PageFeed::Look() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return;
  UniqueFd const ours(ends[0]);
  UniqueFd theirs(ends[1]);
  if (!watch_(theirs)) return;
  std::string text;
  while (Receive(ours.get(), text)) {
  }
}

// Somebody who left is waited for no longer than kLinger; a rate that has gone is said so.
int PageFeed::Patience() const {
  MutexLock lock(mutex_);
  auto until = SteadyTime::max();
  auto const now = Steady();
  if (readers_.empty()) until = asked_at_ + kLinger;
  if (progress_.Rate(now) > 0) until = std::min(until, now + kUntilNoRate);
  if (until == SteadyTime::max()) return -1;
  auto const left = std::chrono::ceil<milliseconds>(until - now);
  return static_cast<int>(std::max<milliseconds::rep>(left.count(), 0));
}

bool PageFeed::Receive(int connection, std::string& text) {
  pollfd waiting[] = {{connection, POLLIN, 0}, {wake_.get(), POLLIN, 0}};
  auto const polled = ::poll(waiting, 2, Patience());
  eventfd_t woken = 0;
  if (waiting[1].revents != 0) ::eventfd_read(wake_.get(), &woken);
  {
    MutexLock lock(mutex_);
    if (!IsWanted(Steady())) return false;
    if (polled == 0 && news_) Tell();
  }
  if (waiting[0].revents == 0) return true;
  char piece[16 * 1024];
  auto const n = ::recv(connection, piece, sizeof piece, MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return true;
  if (n <= 0 || text.size() > kLongestLine) return false;
  text.append(piece, static_cast<std::size_t>(n));
  for (auto end = text.find('\n'); end != std::string::npos; end = text.find('\n')) {
    auto line = json::parse(text.substr(0, end), nullptr, false);
    text.erase(0, end + 1);
    if (!JudgeAnswer(line)) return false;
    Hear(std::move(line));
  }
  return true;
}

void PageFeed::Hear(json line) {
  MutexLock lock(mutex_);
  progress_.Note(NumbersOf(line), Steady());
  if (!news_) news_.emplace();
  news_->told = std::move(line);
  Tell();
}

void PageFeed::Tell() {
  auto const now = Steady();
  news_->sentence = progress_.Sentence(now);
  news_->is_safe = progress_.IsSafe();
  news_->percent = progress_.Percent();
  news_->number = ++number_;
  changed_.NotifyAll();
}

}  // namespace tusfs
