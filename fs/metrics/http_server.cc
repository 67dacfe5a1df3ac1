#include "metrics/http_server.h"

#include <httplib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "base/file.h"
#include "base/mutex.h"
#include "base/task_pool.h"
#include "base/thread_name.h"

namespace tusfs {
namespace {

constexpr time_t kPatienceForRequest = 1;  // seconds, until a peer says something
constexpr time_t kPatience = 2;            // seconds, with a peer that is silent or does not read
constexpr std::chrono::seconds kBetweenTries{5};
constexpr std::chrono::milliseconds kBetweenStops{20};

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

// The library's own pool takes in whoever comes. Here the accepting thread waits when as many wait
// as are being answered.
class BoundedPool final : public httplib::TaskQueue {
 public:
  explicit BoundedPool(std::size_t threads) : pool_(threads, threads) {}

  void enqueue(std::function<void()> task) override {
    {
      MutexLock lock(mutex_);
      ++unfinished_;
    }
    pool_.Add([this, task = std::move(task)] {
      task();
      MutexLock lock(mutex_);
      --unfinished_;
      finished_.NotifyAll();
    });
  }

  // A task closes its connection, so none is dropped.
  void shutdown() override {
    {
      MutexLock lock(mutex_);
      while (unfinished_ > 0) finished_.Wait(mutex_);
    }
    pool_.Stop();
  }

 private:
  Mutex mutex_ ACQUIRED_AFTER(lock_order::kBehindLeaves);
  CondVar finished_;
  std::size_t unfinished_ GUARDED_BY(mutex_) = 0;
  TaskPool pool_;
};

}  // namespace

class HttpServer::Http {
 public:
  Http(Options const& options, Answer answer)
      : threads_(options.threads),
        largest_body_(options.largest_body),
        forms_(options.forms),
        answer_(std::move(answer)) {}

  /// Serves until Stop, or at once where the address cannot be had: false, with errno.
  bool Serve(ListenAddress const& address, std::function<void(bool)> const& on_listening) {
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
    on_listening(true);
    server.listen_after_bind();
    on_listening(false);
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
    server.new_task_queue = [this] { return new BoundedPool(threads_); };
    server.set_read_timeout(kPatience);
    server.set_write_timeout(kPatience);
    // An idle peer would hold a thread, and the server's end.
    server.set_keep_alive_max_count(1);
    server.set_keep_alive_timeout(kPatienceForRequest);
    server.set_payload_max_length(largest_body_);
    server.set_socket_options([](int socket) {
      int const on = 1;
      ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    });
    // Before the library looks for patterns in a path that anybody may have sent.
    server.set_pre_routing_handler([this](auto const& request, auto& response) {
      bool const is_form = request.method == "POST" &&
                           std::find(forms_.begin(), forms_.end(), request.path) != forms_.end();
      if (is_form) return httplib::Server::HandlerResponse::Unhandled;
      answer_(request, response);
      return httplib::Server::HandlerResponse::Handled;
    });
    for (auto const& path : forms_) server.Post(path.c_str(), answer_);
  }

  std::size_t const threads_;
  std::size_t const largest_body_;
  std::vector<std::string> const forms_;
  Answer const answer_;
  Mutex mutex_ ACQUIRED_AFTER(lock_order::kBehindLeaves);
  CondVar changed_;
  httplib::Server* server_ GUARDED_BY(mutex_) = nullptr;
  bool is_stopped_ GUARDED_BY(mutex_) = false;
};

HttpServer::HttpServer(Options options, Answer answer, Logger logger)
    : options_(std::move(options)),
      logger_(std::move(logger)),
      http_(std::make_unique<Http>(options_, std::move(answer))),
      thread_([this](std::stop_token const& stop) {
        NameThread(options_.what.c_str());
        Run(stop);
      }) {}

HttpServer::~HttpServer() {
  thread_.request_stop();
  http_->Stop();
}

void HttpServer::Run(std::stop_token const& stop) {
  bool is_said = false;
  auto const& address = options_.address;
  while (!stop.stop_requested()) {
    bool const served = http_->Serve(address, [&](bool is_listening) {
      if (options_.tell) options_.tell(is_listening);
      if (!is_listening) return;
      logger_->Info("the {} can be had at address={}", options_.what, Shown(address));
    });
    if (served || stop.stop_requested()) continue;
    if (!std::exchange(is_said, true)) {
      logger_->Error(
          "the {} cannot be had at the address, which is tried again address={} error=\"{}\"",
          options_.what, Shown(address), errno != 0 ? std::strerror(errno) : "no such host");
    }
    http_->Pause(kBetweenTries);
  }
}

}  // namespace tusfs
