#define FUSE_USE_VERSION 314
#include "fuse/server.h"

#include <fuse_lowlevel.h>
#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <thread>

namespace tusfs {
namespace {

constexpr unsigned kFewestThreads = 4;
constexpr unsigned kMostThreads = 16;
constexpr int kWakeSignal = SIGUSR2;
constexpr std::chrono::milliseconds kWakeInterval{10};

std::string EscapeOption(std::string const& value) {
  std::string escaped;
  for (char const c : value) {
    if (c == ',' || c == '\\') escaped += '\\';
    escaped += c;
  }
  return escaped;
}

// A thread that waits in read(2) on /dev/fuse sees Stop only when a signal interrupts it.
void InstallWakeSignal() {
  struct sigaction action {};
  action.sa_handler = [](int) {};
  ::sigaction(kWakeSignal, &action, nullptr);
}

}  // namespace

FuseServer::FuseServer(Filesystem& filesystem, Logger logger)
    : context_{filesystem, std::move(logger)} {}

Result<std::unique_ptr<FuseServer>> FuseServer::Mount(MountOptions const& options,
                                                      Filesystem& filesystem, Logger logger) {
  std::unique_ptr<FuseServer> server(new FuseServer(filesystem, std::move(logger)));
  auto text = "fsname=" + EscapeOption(options.source) + ",subtype=tusfs,default_permissions";
  if (options.allow_other) text += ",allow_other";
  for (auto const& option : options.kernel) text += "," + option;
  std::string program = "tusfs";
  std::string flag = "-o";
  char* arguments[] = {program.data(), flag.data(), text.data(), nullptr};
  fuse_args parsed{.argc = 3, .argv = arguments, .allocated = 0};
  auto const& operations = FuseOperations();
  server->session_ = ::fuse_session_new(&parsed, &operations, sizeof operations, &server->context_);
  ::fuse_opt_free_args(&parsed);
  if (server->session_ == nullptr) return Fail(EINVAL, "libfuse refuses the options: " + text);
  if (::fuse_session_mount(server->session_, options.mountpoint.c_str()) != 0) {
    return Fail(EIO, "cannot mount at '" + options.mountpoint +
                         "' (see the line above): is /dev/fuse there, and fuse3 installed?");
  }
  server->mounted_ = true;
  return server;
}

FuseServer::~FuseServer() {
  if (session_ == nullptr) return;
  if (mounted_) ::fuse_session_unmount(session_);
  ::fuse_session_destroy(session_);
}

void FuseServer::ServeOnThread() {
  fuse_buf buffer{};
  while (::fuse_session_exited(session_) == 0) {
    int const received = ::fuse_session_receive_buf(session_, &buffer);
    if (received == -EINTR) continue;
    if (received <= 0) break;
    ::fuse_session_process_buf(session_, &buffer);
  }
  std::free(buffer.mem);
}

void FuseServer::Serve() {
  InstallWakeSignal();
  auto const count =
      std::clamp(2 * std::thread::hardware_concurrency(), kFewestThreads, kMostThreads);
  std::atomic<unsigned> running = count;
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < count; ++i) {
    threads.emplace_back([&] {
      ServeOnThread();
      Stop();  // the mount is gone: nobody needs to go on alone
      --running;
    });
  }
  ending_.wait(false);
  // A signal that comes just before a thread enters read(2) is lost, so it is sent again.
  while (running > 0) {
    for (auto& thread : threads) ::pthread_kill(thread.native_handle(), kWakeSignal);
    std::this_thread::sleep_for(kWakeInterval);
  }
  for (auto& thread : threads) thread.join();
}

void FuseServer::Stop() {
  ::fuse_session_exit(session_);
  ending_ = true;
  ending_.notify_all();
}

}  // namespace tusfs
