#include "filesystem/process_ends.h"

#include <arpa/inet.h>
#include <linux/connector.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>

#include "filesystem/writer.h"

namespace tusfs {
namespace {

constexpr std::chrono::milliseconds kTold{500};  // the connector tells at once, if it does

// ---- PIDFD_GET_INFO, which the headers of Debian 12 do not have

struct PidfdInfo {
  std::uint64_t mask;
  std::uint64_t cgroup;
  std::array<std::uint32_t, 11> ids;
  std::int32_t exit_code;
};
constexpr std::uint64_t kInfoExit = 1 << 3;
constexpr unsigned long kGetInfo = _IOWR(0xFF, 11, PidfdInfo);

// Only when nobody will wait for it any more.
std::optional<int> AskPidfd(int pidfd) {
  PidfdInfo info{};
  info.mask = kInfoExit;
  if (::ioctl(pidfd, kGetInfo, &info) != 0 || (info.mask & kInfoExit) == 0) return std::nullopt;
  return info.exit_code;
}

// ---- the process connector

constexpr std::uint32_t kProcesses = 1;  // CN_IDX_PROC, CN_VAL_PROC
constexpr std::uint32_t kListen = 1;
constexpr std::uint32_t kIgnore = 2;
constexpr std::uint32_t kExit = 0x80000000;

struct ExitEvent {
  std::uint32_t what;
  std::uint32_t processor;
  std::uint64_t time;
  std::int32_t thread;
  std::int32_t process;
  std::uint32_t status;
};
constexpr std::uint32_t kEventAt = NLMSG_HDRLEN + sizeof(cn_msg);
constexpr std::uint32_t kThreadAt = kEventAt + offsetof(ExitEvent, thread);
constexpr std::uint32_t kProcessAt = kEventAt + offsetof(ExitEvent, process);

// What else happens on the machine, and the ends of threads, never leave the kernel.
bool FilterEndsOfProcesses(int socket) {
  std::array<sock_filter, 8> program{{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kEventAt),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(kExit), 0, 4),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kThreadAt),
      BPF_STMT(BPF_MISC | BPF_TAX, 0),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kProcessAt),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_X, 0, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, 0),
      BPF_STMT(BPF_RET | BPF_K, ~0U),
  }};
  sock_fprog const filter{.len = program.size(), .filter = program.data()};
  return ::setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) == 0;
}

UniqueFd OpenConnector() {
  UniqueFd socket(
      ::socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_CONNECTOR));
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = kProcesses;
  auto const* const generic = reinterpret_cast<sockaddr const*>(&address);
  bool const opened = socket && FilterEndsOfProcesses(socket.get()) &&
                      ::bind(socket.get(), generic, sizeof address) == 0;
  return opened ? std::move(socket) : UniqueFd();
}

void Tell(int connector, std::uint32_t operation) {
  std::array<char, NLMSG_SPACE(sizeof(cn_msg) + sizeof operation)> bytes{};
  nlmsghdr header{};
  header.nlmsg_len = NLMSG_LENGTH(sizeof(cn_msg) + sizeof operation);
  header.nlmsg_type = NLMSG_DONE;
  cn_msg message{};
  message.id = {kProcesses, kProcesses};
  message.len = sizeof operation;
  std::memcpy(bytes.data(), &header, sizeof header);
  std::memcpy(bytes.data() + NLMSG_HDRLEN, &message, sizeof message);
  std::memcpy(bytes.data() + kEventAt, &operation, sizeof operation);
  // Where it is refused, nothing is told: FindTeller finds that out.
  [[maybe_unused]] auto const sent = ::send(connector, bytes.data(), header.nlmsg_len, 0);
}

// The next end of a process that the connector tells of; nothing where none is there.
std::optional<ExitEvent> ReadEnd(int connector) {
  std::array<char, 1024> bytes;
  while (true) {
    auto const size = ::recv(connector, bytes.data(), bytes.size(), 0);
    if (size < 0 && (errno == EINTR || errno == ENOBUFS)) continue;  // some were lost
    if (size < 0) return std::nullopt;
    if (static_cast<std::size_t>(size) < kEventAt + sizeof(ExitEvent)) continue;
    ExitEvent event;
    std::memcpy(&event, bytes.data() + kEventAt, sizeof event);
    if (event.what == kExit) return event;
  }
}

// ---- trying

struct Child {
  pid_t process = -1;
  UniqueFd pidfd;
};

// One that has ended, and nobody waits for any more.
Child MakeEndedChild() {
  Child child;
  child.process = ::fork();
  if (child.process == 0) ::_exit(1);
  if (child.process < 0) return child;
  child.pidfd = OpenPidfd(child.process);
  while (::waitpid(child.process, nullptr, 0) < 0 && errno == EINTR) continue;
  return child;
}

void AddTo(int epoll, int fd, std::uint32_t events, std::int64_t name) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = static_cast<std::uint64_t>(name);
  [[maybe_unused]] auto const added = ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

// What is no number of a process.
constexpr std::int64_t kWake = -1;
constexpr std::int64_t kConnector = -2;

}  // namespace

bool KernelProcessEnds::HasConnector() {
  auto const connector = OpenConnector();
  if (!connector) return false;
  Tell(connector.get(), kListen);
  auto const child = MakeEndedChild();
  bool tells = false;
  auto const deadline = std::chrono::steady_clock::now() + kTold;
  while (!tells && child.process > 0 && std::chrono::steady_clock::now() < deadline) {
    pollfd ready{.fd = connector.get(), .events = POLLIN, .revents = 0};
    if (::poll(&ready, 1, static_cast<int>(kTold.count())) <= 0) break;
    while (auto const end = ReadEnd(connector.get()))
      tells = tells || end->process == child.process;
  }
  Tell(connector.get(), kIgnore);
  return tells;
}

KernelProcessEnds::Teller KernelProcessEnds::FindTeller() {
  auto const child = MakeEndedChild();
  if (!child.pidfd) return Teller::kNobody;  // before Linux 5.3
  if (AskPidfd(child.pidfd.get())) return Teller::kPidfd;
  return HasConnector() ? Teller::kConnector : Teller::kNobody;
}

KernelProcessEnds::KernelProcessEnds(Teller teller)
    : teller_(teller),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      connector_(teller == Teller::kConnector ? OpenConnector() : UniqueFd()) {
  AddTo(epoll_.get(), wake_.get(), EPOLLIN, kWake);
  if (connector_) AddTo(epoll_.get(), connector_.get(), EPOLLIN, kConnector);
}

KernelProcessEnds::~KernelProcessEnds() {
  MutexLock lock(mutex_);
  if (!watched_.empty()) ListenToConnector(false);
}

void KernelProcessEnds::ListenToConnector(bool on) const {
  if (connector_) Tell(connector_.get(), on ? kListen : kIgnore);
}

bool KernelProcessEnds::Watch(pid_t process) {
  if (teller_ == Teller::kNobody) return false;
  auto pidfd = OpenPidfd(process);
  if (!pidfd) return false;
  MutexLock lock(mutex_);
  if (watched_.empty()) ListenToConnector(true);
  auto& watched = watched_[process];
  watched.pidfd = std::move(pidfd);
  watched.told.reset();
  // At its end, and when nobody waits for it any more.
  AddTo(epoll_.get(), watched.pidfd.get(), EPOLLIN | EPOLLET, process);
  return true;
}

void KernelProcessEnds::Forget(pid_t process) {
  MutexLock lock(mutex_);
  if (watched_.erase(process) > 0 && watched_.empty()) ListenToConnector(false);
}

void KernelProcessEnds::Wake() {
  std::uint64_t const one = 1;
  [[maybe_unused]] auto const woken = ::write(wake_.get(), &one, sizeof one);
}

std::vector<ProcessEnd> KernelProcessEnds::Wait(std::optional<SteadyTime> deadline) {
  int timeout = -1;
  if (deadline) {
    auto const left =
        std::chrono::ceil<std::chrono::milliseconds>(*deadline - std::chrono::steady_clock::now());
    timeout = static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 1'000'000));
  }
  std::array<epoll_event, 64> events;
  auto const count =
      ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), timeout);
  std::vector<ProcessEnd> ends;
  MutexLock lock(mutex_);
  ReadConnector();  // before what it tells of is looked for
  for (int at = 0; at < count; ++at) {
    auto const name = static_cast<std::int64_t>(events[static_cast<std::size_t>(at)].data.u64);
    if (name == kWake) {
      std::uint64_t times = 0;
      [[maybe_unused]] auto const read = ::read(wake_.get(), &times, sizeof times);
    }
    auto const found = name > 0 ? watched_.find(static_cast<pid_t>(name)) : watched_.end();
    if (found == watched_.end()) continue;
    auto const status = StatusOf(found->first, found->second);
    if (!status) continue;  // it is told when nobody waits for it any more, or never
    ends.push_back({found->first, *status});
    watched_.erase(found);
  }
  if (!ends.empty() && watched_.empty()) ListenToConnector(false);
  return ends;
}

void KernelProcessEnds::ReadConnector() {
  if (!connector_) return;
  while (auto const end = ReadEnd(connector_.get())) {
    auto const found = watched_.find(end->process);
    if (found != watched_.end()) found->second.told = static_cast<int>(end->status);
  }
}

std::optional<int> KernelProcessEnds::StatusOf(pid_t process, Watched const& watched) const {
  if (watched.told) return watched.told;
  if (auto const status = AskPidfd(watched.pidfd.get())) return status;
  // Somebody will wait for it, and /proc has it until then.
  return EndingStatusOf(process);
}

}  // namespace tusfs
