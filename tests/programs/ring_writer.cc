// ring-writer FILE SIZE: fills FILE with 'r' through io_uring, whose own descriptors no close(2)
// ever sees. Ends with 77 where this kernel does not allow it.
#include <fcntl.h>
#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

constexpr int kNotAllowed = 77;

class Ring {
 public:
  bool Set() {
    io_uring_params parameters{};
    ring_ = static_cast<int>(::syscall(SYS_io_uring_setup, 1, &parameters));
    if (ring_ < 0) return false;
    auto const map = [this](std::size_t size, off_t what) {
      void* const at = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, ring_, what);
      return at == MAP_FAILED ? nullptr : static_cast<char*>(at);
    };
    auto const& sent = parameters.sq_off;
    auto const& done = parameters.cq_off;
    auto* const queue = map(sent.array + sizeof(std::uint32_t), IORING_OFF_SQ_RING);
    auto* const answers = map(done.cqes + 2 * sizeof(io_uring_cqe), IORING_OFF_CQ_RING);
    entry_ = reinterpret_cast<io_uring_sqe*>(map(sizeof(io_uring_sqe), IORING_OFF_SQES));
    if (queue == nullptr || answers == nullptr || entry_ == nullptr) return false;
    tail_ = reinterpret_cast<std::atomic<std::uint32_t>*>(queue + sent.tail);
    head_ = reinterpret_cast<std::atomic<std::uint32_t>*>(answers + done.head);
    answers_ = reinterpret_cast<io_uring_cqe*>(answers + done.cqes);
    mask_ = *reinterpret_cast<std::uint32_t*>(answers + done.ring_mask);
    int const slot = -1;
    return ::syscall(SYS_io_uring_register, ring_, IORING_REGISTER_FILES, &slot, 1) == 0;
  }

  /// The result of one operation.
  int Do(io_uring_sqe const& operation) {
    *entry_ = operation;
    tail_->fetch_add(1, std::memory_order_release);
    if (::syscall(SYS_io_uring_enter, ring_, 1, 1, IORING_ENTER_GETEVENTS, nullptr, 0) != 1) {
      return -1;
    }
    auto const at = head_->load(std::memory_order_acquire);
    int const result = answers_[at & mask_].res;
    head_->store(at + 1, std::memory_order_release);
    return result;
  }

 private:
  int ring_ = -1;
  io_uring_sqe* entry_ = nullptr;
  std::atomic<std::uint32_t>* tail_ = nullptr;
  std::atomic<std::uint32_t>* head_ = nullptr;
  io_uring_cqe* answers_ = nullptr;
  std::uint32_t mask_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  Ring ring;
  if (!ring.Set()) return kNotAllowed;
  io_uring_sqe open{};
  open.opcode = IORING_OP_OPENAT;
  open.fd = AT_FDCWD;
  open.addr = reinterpret_cast<std::uint64_t>(argv[1]);
  open.open_flags = O_WRONLY | O_CREAT;
  open.len = 0644;
  open.file_index = 1;  // its slot, counted from 1
  if (ring.Do(open) < 0) return 1;
  std::string const bytes(static_cast<std::size_t>(std::strtoull(argv[2], nullptr, 10)), 'r');
  io_uring_sqe write{};
  write.opcode = IORING_OP_WRITE;
  write.flags = IOSQE_FIXED_FILE;
  write.addr = reinterpret_cast<std::uint64_t>(bytes.data());
  write.len = static_cast<std::uint32_t>(bytes.size());
  if (ring.Do(write) != static_cast<int>(bytes.size())) return 1;
  io_uring_sqe close{};
  close.opcode = IORING_OP_CLOSE;
  close.file_index = 1;
  if (ring.Do(close) < 0) return 1;
  std::puts("closed");
  std::fflush(stdout);
  ::pause();  // it lives on
  return 0;
}
