#include "fuse/request_slots.h"

#include <fcntl.h>
#include <linux/fuse.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <thread>

#include "fuse/held_requests.h"

namespace tusfs {
namespace {

constexpr std::uint64_t kMagic = 0x73746f6c73667574;  // "tufslots"
constexpr std::uint32_t kLayout = 2;
constexpr unsigned kFewestThreads = 4;
constexpr unsigned kMostThreads = 16;
// For requests that waited and are executed again. Four threads and these are 7.6 MiB, with those
// that are held: an unprivileged user may lock 8 MiB on Debian.
constexpr unsigned kSpareSlots = 3;
// Of the rest there is only the address until calls wait for a slow disk.
constexpr unsigned kMostSlots = 64;
constexpr std::size_t kLongestReply = 512;  // the longest of a request that changes something: 160
constexpr std::size_t kLongestInit = 512;
constexpr std::size_t kLongestMountpoint = 2048;

enum class SlotState : std::uint32_t { kFree = 0, kReceiving = 1, kReplying = 2 };

std::size_t PageSize() { return static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)); }

// What libfuse reads with: a request of 256 pages, and a header.
std::size_t BufferSize() { return 256 * PageSize() + 4096; }

std::size_t HeldSize() {
  return (HeldRequests::MemorySize() + PageSize() - 1) / PageSize() * PageSize();
}

}  // namespace

struct RequestSlots::Header {
  std::uint64_t magic;
  std::uint32_t layout;
  std::uint32_t count;
  std::uint64_t stride;
  std::atomic<std::uint64_t> connection;
  std::atomic<std::uint64_t> replayed;
  std::atomic<std::uint32_t> init_size;
  std::byte init[kLongestInit];
  char mountpoint[kLongestMountpoint];
};

struct RequestSlots::SlotHeader {
  std::atomic<SlotState> state;
  std::atomic<std::uint32_t> executions;
  std::uint32_t reply_size;
  std::byte reply[kLongestReply];
};

unsigned RequestSlots::ThreadCount() {
  return std::clamp(2 * std::thread::hardware_concurrency(), kFewestThreads, kMostThreads);
}

Result<UniqueFd> RequestSlots::Create() {
  static_assert(std::atomic<std::uint64_t>::is_always_lock_free);
  static_assert(sizeof(Header) <= 4096 && sizeof(SlotHeader) <= 4096);
  auto const count = kMostSlots;
  auto const stride = PageSize() + BufferSize();
  UniqueFd fd(::memfd_create("tusfs-slots", MFD_CLOEXEC));
  if (!fd) return FailErrno("memfd_create");
  auto const size = PageSize() + count * stride + HeldSize();
  if (::ftruncate(fd.get(), static_cast<off_t>(size)) != 0) return FailErrno("request slots");
  Header header{};
  header.magic = kMagic;
  header.layout = kLayout;
  header.count = count;
  header.stride = stride;
  auto const* const bytes = reinterpret_cast<std::byte const*>(&header);
  if (auto written = WriteFully(fd.get(), std::span(bytes, sizeof header), 0); !written) {
    return Failure(written.error());
  }
  return fd;
}

Result<RequestSlots> RequestSlots::Map(UniqueFd fd) {
  auto const other = [](std::string const& what) {
    return Fail(EPROTO,
                "the request slots are of another tusfs (" + what + "): unmount, and mount again");
  };
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return FailErrno("request slots");
  auto const size = static_cast<std::size_t>(status.st_size);
  if (size < sizeof(Header)) return other("too small");
  void* const memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  if (memory == MAP_FAILED) return FailErrno("request slots");
  RequestSlots slots(std::move(fd), static_cast<std::byte*>(memory), size);
  auto const& header = slots.header();
  if (header.magic != kMagic || header.layout != kLayout) return other("layout");
  if (header.count == 0 || header.count > kMostSlots ||
      header.stride != PageSize() + BufferSize() ||
      size < PageSize() + header.count * header.stride + HeldSize()) {
    return other("sizes");
  }
  return slots;
}

RequestSlots::RequestSlots(UniqueFd fd, std::byte* memory, std::size_t size)
    : fd_(std::move(fd)), memory_(memory), size_(size) {
  if (size >= sizeof(Header)) ready_ = SlotsFor(ThreadCount());
}

RequestSlots::RequestSlots(RequestSlots&& other) noexcept
    : fd_(std::move(other.fd_)),
      memory_(std::exchange(other.memory_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      ready_(other.ready_.load()) {}

RequestSlots::~RequestSlots() {
  if (memory_ != nullptr) ::munmap(memory_, size_);
}

unsigned RequestSlots::SlotsFor(unsigned threads) const {
  return std::min(threads + kSpareSlots, count());
}

unsigned RequestSlots::MostThreads() const {
  return count() > kSpareSlots ? count() - kSpareSlots : 1;
}

std::size_t RequestSlots::locked_bytes() const {
  return PageSize() + SlotsFor(ThreadCount()) * header().stride + HeldSize();
}

namespace {

Result<void> TouchAndLock(std::byte* memory, std::size_t size) {
  for (std::size_t at = 0; at < size; at += PageSize()) {
    auto& byte = *reinterpret_cast<std::byte volatile*>(memory + at);
    byte = byte;  // a page that was only read would still fault when it is written
  }
  if (::mlock(memory, size) != 0) return FailErrno("mlock");
  return {};
}

}  // namespace

Result<void> RequestSlots::Lock() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_MEMLOCK, &limit);
  }
  auto locked = TouchAndLock(memory_, PageSize() + ready_ * header().stride);
  if (locked) locked = TouchAndLock(held().data(), HeldSize());
  return locked;
}

void RequestSlots::ServeThreads(unsigned threads) {
  auto const wanted = SlotsFor(threads);
  auto const stride = header().stride;
  for (auto i = ready_.load(); i < wanted; ++i) {
    static_cast<void>(TouchAndLock(memory_ + PageSize() + i * stride, stride));
  }
  auto const before = ready_.exchange(wanted);
  for (auto i = wanted; i < before; ++i) {
    auto const slot = At(i);
    // Whoever has it just now keeps it; it is touched anew when it is needed.
    auto expected = SlotState::kFree;
    if (!slot.header_->state.compare_exchange_strong(expected, SlotState::kReceiving)) continue;
    auto* const buffer = slot.buffer_.data();
    ::munlock(buffer, slot.buffer_.size());
    ::fallocate(fd_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, buffer - memory_,
                static_cast<off_t>(slot.buffer_.size()));
    slot.Free();
  }
}

RequestSlots::Header& RequestSlots::header() const {
  return *std::launder(reinterpret_cast<Header*>(memory_));
}

std::uint64_t RequestSlots::connection() const { return header().connection; }
void RequestSlots::SetConnection(std::uint64_t connection) { header().connection = connection; }

std::string RequestSlots::mountpoint() const {
  return {header().mountpoint, ::strnlen(header().mountpoint, kLongestMountpoint)};
}

void RequestSlots::SetMountpoint(std::string const& mountpoint) {
  auto const size = std::min(mountpoint.size(), kLongestMountpoint - 1);
  std::memcpy(header().mountpoint, mountpoint.data(), size);
}

std::span<std::byte const> RequestSlots::init() const {
  return {header().init, std::min<std::size_t>(header().init_size, kLongestInit)};
}

void RequestSlots::SaveInit(std::span<std::byte const> request) {
  auto const size = std::min(request.size(), kLongestInit);
  std::copy_n(request.data(), size, header().init);
  header().init_size = static_cast<std::uint32_t>(size);
}

std::span<std::byte> RequestSlots::held() const {
  return {memory_ + PageSize() + count() * header().stride, HeldRequests::MemorySize()};
}

unsigned RequestSlots::count() const { return header().count; }
std::uint64_t RequestSlots::replayed() const { return header().replayed; }
void RequestSlots::CountReplayed(std::uint64_t requests) { header().replayed += requests; }

RequestSlots::Slot RequestSlots::At(unsigned index) const {
  auto* const start = memory_ + PageSize() + index * header().stride;
  return {index,
          *std::launder(reinterpret_cast<SlotHeader*>(start)),
          {start + PageSize(), BufferSize()}};
}

std::optional<RequestSlots::Slot> RequestSlots::Claim(unsigned hint) {
  unsigned const ready = ready_;
  for (unsigned i = 0; i < ready; ++i) {
    auto const slot = At((hint + i) % ready);
    if (!slot.IsFree()) continue;
    auto expected = SlotState::kFree;
    if (slot.header_->state.compare_exchange_strong(expected, SlotState::kReceiving)) return slot;
  }
  return std::nullopt;
}

std::vector<RequestSlots::Slot> RequestSlots::Unanswered() {
  std::vector<Slot> slots;
  for (unsigned i = 0; i < count(); ++i) {
    auto const slot = At(i);
    if (slot.IsFree() || slot.request().len == 0) {
      slot.Free();
    } else {
      slots.push_back(slot);
    }
  }
  std::ranges::sort(slots, {}, [](Slot const& slot) { return slot.request().unique; });
  return slots;
}

fuse_in_header const& RequestSlots::Slot::request() const {
  return *std::launder(reinterpret_cast<fuse_in_header const*>(buffer_.data()));
}

std::span<std::byte const> RequestSlots::Slot::bytes() const {
  return buffer_.first(std::min<std::size_t>(request().len, buffer_.size()));
}

std::uint32_t RequestSlots::Slot::executions() const { return header_->executions; }
void RequestSlots::Slot::BeginExecution() const { ++header_->executions; }

bool RequestSlots::Slot::IsFree() const { return header_->state == SlotState::kFree; }
bool RequestSlots::Slot::IsReplying() const { return header_->state == SlotState::kReplying; }

void RequestSlots::Slot::StoreReply(iovec const* pieces, int count) const {
  std::size_t size = 0;
  for (int i = 0; i < count; ++i) size += pieces[i].iov_len;
  if (size > kLongestReply) return;
  auto* to = header_->reply;
  for (int i = 0; i < count; ++i) {
    to = std::copy_n(static_cast<std::byte const*>(pieces[i].iov_base), pieces[i].iov_len, to);
  }
  header_->reply_size = static_cast<std::uint32_t>(size);
  header_->state = SlotState::kReplying;
}

std::span<std::byte const> RequestSlots::Slot::reply() const {
  return {header_->reply, std::min<std::size_t>(header_->reply_size, kLongestReply)};
}

// The length goes first: a slot that is claimed has no request until one is read.
void RequestSlots::Slot::Free() const {
  std::uint32_t const none = 0;
  std::memcpy(buffer_.data() + offsetof(fuse_in_header, len), &none, sizeof none);
  header_->executions = 0;
  header_->state = SlotState::kFree;
}

}  // namespace tusfs
