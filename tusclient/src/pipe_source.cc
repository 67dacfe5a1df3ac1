#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <deque>
#include <memory>
#include <optional>
#include <system_error>

#include "fail.h"
#include "tusclient/checksum.h"
#include "tusclient/data_source.h"

namespace tus {
namespace {

constexpr std::size_t kBlock = std::size_t{256} << 10;

using Clock = std::chrono::steady_clock;

tl::unexpected<Error> Trouble(int code) {
  return Fail(ErrorCode::kSource,
              "the input cannot be read: " + std::system_category().message(code));
}

/// Becomes readable when a wait is to be cut short.
class Waker {
 public:
  Waker() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  ~Waker() {
    if (fd_ >= 0) ::close(fd_);
  }
  Waker(Waker const&) = delete;
  Waker& operator=(Waker const&) = delete;

  void Wake() const {
    std::uint64_t const one = 1;
    [[maybe_unused]] auto const written = ::write(fd_, &one, sizeof one);
  }
  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_;
};

}  // namespace

/// What was read of the pipe and not released, in blocks.
class PipeSource::Window {
 public:
  explicit Window(int fd) : fd_(fd) {}

  Result<std::size_t> ReadAt(std::uint64_t offset, std::span<std::byte> out) const {
    if (offset >= end_) return 0;
    if (offset < begin_ || offset < released_) {
      return Fail(ErrorCode::kSource, "bytes of the input cannot be read again");
    }
    auto const& block = blocks_[static_cast<std::size_t>((offset - begin_) / kBlock)];
    auto const skip = static_cast<std::size_t>((offset - begin_) % kBlock);
    auto const there = std::min<std::uint64_t>(kBlock - skip, end_ - offset);
    auto const count = std::min(out.size(), static_cast<std::size_t>(there));
    std::copy_n(block.get() + skip, count, out.begin());
    return count;
  }

  Result<Extent> Await(std::uint64_t from, std::uint64_t end, std::chrono::milliseconds patience,
                       std::stop_token const& stop) {
    // poll would wait forever for a descriptor that is none.
    if (fd_ < 0) return Trouble(EBADF);
    Waker const waker;
    if (waker.fd() < 0) return Trouble(errno);
    std::stop_callback const wake(stop, [&] { waker.Wake(); });
    auto const start = Clock::now();
    while (end_ < end && !ended_) {
      std::optional<std::chrono::milliseconds> left;
      if (end_ > from) {
        left =
            patience - std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start);
        if (left->count() <= 0) break;
      }
      auto const readable = WaitReadable(waker, left, stop);
      if (!readable) return tl::unexpected(readable.error());
      if (!*readable) continue;
      if (auto const read = ReadSome(end - end_); !read) return tl::unexpected(read.error());
    }
    return Extent{.end = end_, .ended = ended_};
  }

  void Release(std::uint64_t offset) {
    released_ = std::max(released_, offset);
    while (begin_ + kBlock <= std::min(released_, end_)) {
      blocks_.pop_front();
      begin_ += kBlock;
    }
  }

  [[nodiscard]] std::string Sha256() const { return hasher_.Digest(); }

 private:
  // Not filled with zeros: a pipe that is read in small pieces would pay for each of them.
  using Block = std::unique_ptr<std::byte[]>;

  int fd_;
  std::deque<Block> blocks_;  // of kBlock bytes
  std::uint64_t begin_ = 0;   // of the first block
  std::uint64_t end_ = 0;
  std::uint64_t released_ = 0;
  bool ended_ = false;
  Hasher hasher_{ChecksumAlgorithm::kSha256};

  Result<bool> WaitReadable(Waker const& waker, std::optional<std::chrono::milliseconds> left,
                            std::stop_token const& stop) const {
    std::array<pollfd, 2> fds{pollfd{.fd = fd_, .events = POLLIN, .revents = 0},
                              pollfd{.fd = waker.fd(), .events = POLLIN, .revents = 0}};
    constexpr std::int64_t kLongest = 60'000;
    auto const timeout = std::min<std::int64_t>(left ? left->count() : kLongest, kLongest);
    auto const ready = ::poll(fds.data(), fds.size(), static_cast<int>(timeout));
    auto const code = errno;
    if (stop.stop_requested()) return Fail(ErrorCode::kCancelled, "the request was cancelled");
    if (ready < 0 && code != EINTR) return Trouble(code);
    return ready > 0 && fds[0].revents != 0;
  }

  Result<void> ReadSome(std::uint64_t most) {
    auto const used = static_cast<std::size_t>((end_ - begin_) % kBlock);
    if ((end_ - begin_) / kBlock == blocks_.size()) {
      blocks_.push_back(std::make_unique_for_overwrite<std::byte[]>(kBlock));
    }
    auto* const free = blocks_.back().get() + used;
    auto const wanted = static_cast<std::size_t>(std::min<std::uint64_t>(kBlock - used, most));
    auto const count = ::read(fd_, free, wanted);
    if (count < 0) {
      bool const again = errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK;
      return again ? Result<void>() : Trouble(errno);
    }
    ended_ = count == 0;
    hasher_.Update(std::span(free, static_cast<std::size_t>(count)));
    end_ += static_cast<std::uint64_t>(count);
    Release(released_);  // what was released before it came
    return {};
  }
};

PipeSource::PipeSource(int fd) : window_(std::make_unique<Window>(fd)) {}
PipeSource::~PipeSource() = default;

Result<std::size_t> PipeSource::ReadAt(std::uint64_t offset, std::span<std::byte> out) {
  return window_->ReadAt(offset, out);
}

Result<GrowingSource::Extent> PipeSource::Await(std::uint64_t from, std::uint64_t end,
                                                std::chrono::milliseconds patience,
                                                std::stop_token stop) {
  return window_->Await(from, end, patience, stop);
}

void PipeSource::Release(std::uint64_t offset) { window_->Release(offset); }

std::string PipeSource::Sha256() const { return window_->Sha256(); }

}  // namespace tus
