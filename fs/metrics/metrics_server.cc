#include "metrics/metrics_server.h"

#include <httplib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>

#include "base/file.h"
#include "base/mutex.h"
#include "base/thread_name.h"

namespace tusfs {
namespace {

constexpr std::size_t kThreads = 8;
constexpr time_t kPatience = 2;  // seconds, with a peer that is silent or does not read
constexpr std::size_t kLargestRequest = 4096;  // bytes of a body, which nobody wants
constexpr std::chrono::seconds kBetweenTries{5};
constexpr std::chrono::milliseconds kBetweenStops{20};
constexpr char kTextFormat[] = "text/plain; version=0.0.4; charset=utf-8";

bool IsAnswered(std::string const& path) {
  UniqueFd const peer(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  return ::connect(peer.get(), reinterpret_cast<sockaddr const*>(&address), sizeof address) == 0;
}

// What a predecessor has left, and nothing else.
void RemoveDeadSocket(std::string const& path) {
  struct stat status {};
  bool const is_socket = ::lstat(path.c_str(), &status) == 0 && S_ISSOCK(status.st_mode);
  if (is_socket && status.st_uid == ::geteuid() && !IsAnswered(path)) ::unlink(path.c_str());
}

std::string Shown(ListenAddress const& address) {
  if (!address.path.empty()) return "unix:" + address.path;
  bool const is_ipv6 = address.host.find(':') != std::string::npos;
  auto const host = is_ipv6 ? "[" + address.host + "]" : address.host;
  return host + ":" + std::to_string(address.port);
}

}  // namespace

class MetricsServer::Http {
 public:
  explicit Http(std::function<std::string()> collect) : collect_(std::move(collect)) {}

  /// Serves until Stop, or at once where the address cannot be had: false, with errno.
  bool Serve(ListenAddress const& address, std::function<void()> const& on_listening) {
    httplib::Server server;
    Configure(server);
    bool const is_unix = !address.path.empty();
    if (is_unix) {
      RemoveDeadSocket(address.path);
      server.set_address_family(AF_UNIX);
    }
    // The port of a unix socket says nothing, but may not be 0.
    errno = 0;
    if (!server.bind_to_port(is_unix ? address.path : address.host, is_unix ? 1 : address.port)) {
      return false;
    }
    if (!SetServer(&server)) return true;
    on_listening();
    server.listen_after_bind();
    SetServer(nullptr);
    if (is_unix) ::unlink(address.path.c_str());
    return true;
  }

  /// Ends Serve, which may not have begun yet, and returns when it has ended.
  void Stop() {
    MutexLock lock(mutex_);
    is_stopped_ = true;
    while (server_ != nullptr) {
      server_->stop();  // does nothing to one that is just about to listen
      changed_.WaitUntil(mutex_, std::chrono::steady_clock::now() + kBetweenStops);
    }
    changed_.NotifyAll();
  }

  /// Waits, but not for longer than until Stop.
  void Pause(std::chrono::seconds time) {
    MutexLock lock(mutex_);
    auto const deadline = std::chrono::steady_clock::now() + time;
    while (!is_stopped_ && changed_.WaitUntil(mutex_, deadline)) {
    }
  }

 private:
  bool SetServer(httplib::Server* server) {
    MutexLock lock(mutex_);
    if (server != nullptr && is_stopped_) return false;
    server_ = server;
    changed_.NotifyAll();
    return true;
  }

  void Configure(httplib::Server& server) const {
    server.new_task_queue = [] { return new httplib::ThreadPool(kThreads); };
    server.set_read_timeout(kPatience);
    server.set_write_timeout(kPatience);
    server.set_keep_alive_max_count(1);  // an idle peer would hold a thread
    server.set_payload_max_length(kLargestRequest);
    server.set_socket_options([](int socket) {
      int const on = 1;
      ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    });
    // Before the library looks for patterns in a path that anybody may have sent.
    server.set_pre_routing_handler([this](auto const& request, auto& response) {
      Answer(request, response);
      return httplib::Server::HandlerResponse::Handled;
    });
  }

  void Answer(httplib::Request const& request, httplib::Response& response) const {
    bool const is_read = request.method == "GET" || request.method == "HEAD";
    if (!is_read || request.path != "/metrics") {
      response.status = is_read ? 404 : 405;
      return response.set_content("the metrics are at GET /metrics\n", "text/plain");
    }
    auto text = collect_();
    response.status = text.empty() ? 503 : 200;
    if (text.empty()) text = "the state of the mount cannot be read now: see its log\n";
    response.set_content(text, kTextFormat);
  }

  std::function<std::string()> const collect_;
  Mutex mutex_ ACQUIRED_AFTER(lock_order::kBehindLeaves);
  CondVar changed_;
  httplib::Server* server_ GUARDED_BY(mutex_) = nullptr;
  bool is_stopped_ GUARDED_BY(mutex_) = false;
};

MetricsServer::MetricsServer(ListenAddress address, std::function<std::string()> collect,
                             Logger logger)
    : address_(std::move(address)),
      logger_(std::move(logger)),
      http_(std::make_unique<Http>(std::move(collect))),
      thread_([this](std::stop_token const& stop) {
        NameThread("metrics");
        Run(stop);
      }) {}

MetricsServer::~MetricsServer() {
  thread_.request_stop();
  http_->Stop();
}

void MetricsServer::Run(std::stop_token const& stop) {
  bool is_said = false;
  while (!stop.stop_requested()) {
    bool const served = http_->Serve(
        address_, [this] { logger_->Info("metrics are at address={}", Shown(address_)); });
    if (served || stop.stop_requested()) continue;
    if (!std::exchange(is_said, true)) {
      logger_->Error(
          "metrics cannot be had at their address, it is tried again address={} error=\"{}\"",
          Shown(address_), errno != 0 ? std::strerror(errno) : "no such host");
    }
    http_->Pause(kBetweenTries);
  }
}

}  // namespace tusfs
