#include "control/socket.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace tusfs {
namespace {

constexpr std::size_t kLongestRequest = 64 * 1024;
constexpr std::size_t kLongestAnswer = std::size_t{1} << 30;
constexpr int kPauseAfterError = 100;  // milliseconds
constexpr std::size_t kConnections = 16;
constexpr timeval kPatience{.tv_sec = 5, .tv_usec = 0};
// Counting a million files takes some of them; whoever watches over a rig waits no longer either.
constexpr timeval kAnswerPatience{.tv_sec = 20, .tv_usec = 0};

Result<sockaddr_un> Address(std::filesystem::path const& socket) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket.native().size() >= sizeof address.sun_path) {
    return Fail(ENAMETOOLONG, socket.string() + ": too long for a socket's name");
  }
  std::memcpy(address.sun_path, socket.c_str(), socket.native().size() + 1);
  return address;
}

Result<UniqueFd> MakeSocket(timeval patience) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return FailErrno("socket");
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  return fd;
}

Result<void> SendAll(int fd, std::string_view text) {
  while (!text.empty()) {
    auto const n = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return FailErrno("send");
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

Result<std::string> ReceiveLine(int fd, std::size_t longest) {
  std::string line;
  char piece[16 * 1024];
  while (line.size() <= longest) {
    auto const n = ::recv(fd, piece, sizeof piece, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return FailErrno("receive");
    if (n == 0) return Fail(ECONNRESET, "the connection ended early");
    line.append(piece, static_cast<std::size_t>(n));
    if (line.back() == '\n') {
      line.pop_back();
      return line;
    }
  }
  return Fail(EMSGSIZE, "the message is too long");
}

}  // namespace

Result<UniqueFd> Open(std::filesystem::path const& socket, std::string const& request) {
  auto const address = Address(socket);
  if (!address) return Failure(address.error());
  auto fd = MakeSocket(kAnswerPatience);
  if (!fd) return Failure(fd.error());
  if (::connect(fd->get(), reinterpret_cast<sockaddr const*>(&*address), sizeof *address) != 0) {
    return FailErrno(socket.string());
  }
  if (auto sent = SendAll(fd->get(), request + "\n"); !sent) return Failure(sent.error());
  return fd;
}

Result<std::string> Ask(std::filesystem::path const& socket, std::string const& request) {
  auto const connection = Open(socket, request);
  if (!connection) return Failure(connection.error());
  return ReceiveLine(connection->get(), kLongestAnswer);
}

bool Peer::Send(std::string_view piece) {
  is_gone_ = is_gone_ || !SendAll(connection_.get(), piece);
  return !is_gone_;
}

ControlServer::ControlServer(std::filesystem::path socket, UniqueFd listener, UniqueFd wake,
                             Answerer answer, Logger logger, LetsIn lets_in)
    : socket_(std::move(socket)),
      listener_(std::move(listener)),
      wake_(std::move(wake)),
      answer_(std::move(answer)),
      logger_(std::move(logger)),
      lets_in_(std::move(lets_in)),
      connections_(kConnections, kConnections),
      thread_([this](std::stop_token stop) { Run(stop); }) {}

Result<std::unique_ptr<ControlServer>> ControlServer::Start(std::filesystem::path const& socket,
                                                            Answerer answer, Logger logger,
                                                            LetsIn lets_in) {
  auto const address = Address(socket);
  if (!address) return Failure(address.error());
  auto listener = MakeSocket(kPatience);
  if (!listener) return Failure(listener.error());
  UniqueFd wake(::eventfd(0, EFD_CLOEXEC));
  if (!wake) return FailErrno("eventfd");
  ::unlink(socket.c_str());
  if (::bind(listener->get(), reinterpret_cast<sockaddr const*>(&*address), sizeof *address) != 0 ||
      ::listen(listener->get(), SOMAXCONN) != 0) {
    return FailErrno(socket.string());
  }
  constexpr mode_t kForEverybody = 0666;  // who it is, is looked at when somebody has come
  if (lets_in && ::chmod(socket.c_str(), kForEverybody) != 0) return FailErrno(socket.string());
  return std::unique_ptr<ControlServer>(new ControlServer(socket, std::move(*listener),
                                                          std::move(wake), std::move(answer),
                                                          std::move(logger), std::move(lets_in)));
}

ControlServer::~ControlServer() {
  thread_.request_stop();
  ::eventfd_write(wake_.get(), 1);
  connections_.Stop();
  thread_.join();
  ::unlink(socket_.c_str());
}

void ControlServer::Run(std::stop_token stop) {
  while (!stop.stop_requested()) {
    pollfd waiting[2] = {{listener_.get(), POLLIN, 0}, {wake_.get(), POLLIN, 0}};
    if (::poll(waiting, 2, -1) < 0 || (waiting[0].revents & POLLIN) == 0) continue;
    auto const connection =
        std::make_shared<UniqueFd>(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (*connection) {
      connections_.Add([this, connection, stop] { Serve(*connection, stop); });
    } else {
      // Out of descriptors, most likely: the listener stays readable, so wait a little.
      ::poll(&waiting[1], 1, kPauseAfterError);
    }
  }
}

void ControlServer::Serve(UniqueFd& connection, std::stop_token const& stop) const {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(connection.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return;
  bool const is_own = peer.uid == 0 || peer.uid == ::geteuid();
  bool const is_let_in = is_own || (lets_in_ && lets_in_(connection.get()));
  if (!is_let_in && !lets_in_) return;
  ::setsockopt(connection.get(), SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
  ::setsockopt(connection.get(), SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof kPatience);
  auto const request = ReceiveLine(connection.get(), kLongestRequest);
  if (!request) return;
  Peer asking(connection, stop);
  if (!is_let_in) {
    asking.Send("{\"error\":\"only its user, root and members of its --control-group may ask\"}\n");
    return;
  }
  answer_(*request, asking);
  if (!connection) return;
  if (!asking.Send("\n")) logger_->Debug("control answer not taken");
}

}  // namespace tusfs
