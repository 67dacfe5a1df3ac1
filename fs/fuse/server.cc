#define FUSE_USE_VERSION 314
#include "fuse/server.h"

#include <fuse_lowlevel.h>
#include <linux/fuse.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <thread>
#include <vector>

#include "base/kill_point.h"
#include "fuse/wire.h"

namespace tusfs {
namespace {

constexpr int kWakeSignal = SIGUSR2;
constexpr std::chrono::milliseconds kWakeInterval{10};
// A request over which so many daemons died is what kills them: it gets an error.
constexpr std::uint32_t kMostExecutions = 8;

// A thread that waits in read(2) on /dev/fuse sees Stop only when a signal interrupts it.
void InstallWakeSignal() {
  struct sigaction action {};
  action.sa_handler = [](int) {};
  ::sigaction(kWakeSignal, &action, nullptr);
}

bool HasNoAnswer(std::uint32_t opcode) {
  return opcode == FUSE_FORGET || opcode == FUSE_BATCH_FORGET || opcode == FUSE_INTERRUPT;
}

// The request that this thread executes now.
thread_local RequestSlots::Slot const* current_slot = nullptr;

}  // namespace

FuseServer::FuseServer(RequestSlots& slots, Filesystem& filesystem, Logger logger)
    : context_{filesystem, std::move(logger), this}, slots_(slots) {}

Result<std::unique_ptr<FuseServer>> FuseServer::Attach(UniqueFd device, RequestSlots& slots,
                                                       Filesystem& filesystem, Logger logger) {
  InstallWakeSignal();
  std::unique_ptr<FuseServer> server(new FuseServer(slots, filesystem, std::move(logger)));
  std::string program = "tusfs";
  char* arguments[] = {program.data(), nullptr};
  fuse_args parsed{.argc = 1, .argv = arguments, .allocated = 0};
  auto const& operations = FuseOperations();
  server->session_ = ::fuse_session_new(&parsed, &operations, sizeof operations, &server->context_);
  ::fuse_opt_free_args(&parsed);
  if (server->session_ == nullptr) return Fail(EINVAL, "libfuse makes no session");
  fuse_custom_io io{};
  io.writev = AnswerFromLibfuse;
  // Never called: requests are read into their slots by Receive.
  io.read = [](int, void*, std::size_t, void*) -> ssize_t {
    errno = ENOSYS;
    return -1;
  };
  auto const fd = device.get();
  if (::fuse_session_custom_io(server->session_, &io, fd) != 0) {
    return Fail(EINVAL, "libfuse does not take the descriptor of the mount");
  }
  server->device_ = device.Release();  // the session closes it
  return server;
}

FuseServer::~FuseServer() {
  if (session_ != nullptr) ::fuse_session_destroy(session_);
}

// ---- answering

ssize_t FuseServer::AnswerFromLibfuse(int device, iovec* pieces, int count, void* context) {
  return static_cast<FuseContext*>(context)->server->Answer(device, pieces, count);
}

ssize_t FuseServer::Answer(int device, iovec* pieces, int count) {
  if (swallow_) {
    ssize_t size = 0;
    for (int i = 0; i < count; ++i) size += static_cast<ssize_t>(pieces[i].iov_len);
    return size;
  }
  auto const& answer = *static_cast<fuse_out_header const*>(pieces[0].iov_base);
  auto const* const slot = current_slot;
  bool const kept = slot != nullptr && slot->request().unique == answer.unique;
  KillPoint(KillMoment::kExecuted);
  if (kept) {
    TakeOverPrivileges(slot->buffer().first(slot->request().len),
                       std::span(pieces, static_cast<std::size_t>(count)));
  }
  if (kept) slot->StoreReply(pieces, count);
  KillPoint(KillMoment::kReplying);
  auto const sent = ::writev(device, pieces, count);
  int const error = errno;
  KillPoint(KillMoment::kReplied);
  // The kernel knows nothing of a request that was interrupted, or that a predecessor answered.
  if (kept) slot->Free();
  errno = error;
  return sent;
}

void FuseServer::Execute(RequestSlots::Slot const& slot, bool replayed) {
  auto const opcode = slot.request().opcode;
  slot.BeginExecution();
  KillPoint(KillMoment::kReceived, opcode);
  current_slot = &slot;
  CurrentRequest const current(
      {.id = {.slot = slot.index(), .unique = slot.request().unique, .replayed = replayed},
       .drops_privileges = DropsPrivileges(slot.buffer().first(slot.request().len))});
  fuse_buf buffer{};
  buffer.mem = slot.buffer().data();
  buffer.size = slot.request().len;
  ::fuse_session_process_buf(session_, &buffer);
  current_slot = nullptr;
  if (HasNoAnswer(opcode)) slot.Free();
}

// ---- taking over

// libfuse answers nothing before it has seen FUSE_INIT, which comes once in a connection.
void FuseServer::RestoreSession() {
  auto const init = slots_.init();
  if (init.empty()) return;
  std::vector<std::byte> request(init.begin(), init.end());
  fuse_buf buffer{};
  buffer.mem = request.data();
  buffer.size = request.size();
  swallow_ = true;
  ::fuse_session_process_buf(session_, &buffer);
  swallow_ = false;
}

void FuseServer::Replay(RequestSlots::Slot const& slot) {
  auto const request = slot.request();
  if (slot.IsReplying()) {
    auto const reply = slot.reply();
    // The kernel says ENOENT where it had the reply already.
    [[maybe_unused]] auto const sent = ::write(device_, reply.data(), reply.size());
    slot.Free();
  } else if (HasNoAnswer(request.opcode)) {
    slot.Free();
  } else if (slot.executions() >= kMostExecutions) {
    context_.logger->error(
        "a request over which {} daemons died is answered with an error opcode={} inode={}",
        kMostExecutions, request.opcode, request.nodeid);
    fuse_out_header const answer{.len = sizeof answer, .error = -EIO, .unique = request.unique};
    [[maybe_unused]] auto const sent = ::write(device_, &answer, sizeof answer);
    slot.Free();
  } else {
    Execute(slot, true);
  }
}

void FuseServer::TakeOver() {
  auto const left = slots_.Unanswered();
  // An INIT that is unanswered is executed like the others; one that was answered only restores.
  auto const is_open_init = [](RequestSlots::Slot const& slot) {
    return slot.request().opcode == FUSE_INIT && !slot.IsReplying();
  };
  if (std::ranges::none_of(left, is_open_init)) RestoreSession();
  for (auto const& slot : left) {
    context_.logger->info("replaying a request opcode={} inode={} unique={} answered={}",
                          slot.request().opcode, slot.request().nodeid, slot.request().unique,
                          slot.IsReplying());
    Replay(slot);
  }
  slots_.CountReplayed(left.size());
}

// ---- serving

bool FuseServer::Receive(RequestSlots::Slot const& slot) {
  auto const got = ::read(device_, slot.buffer().data(), slot.buffer().size());
  if (got >= static_cast<ssize_t>(sizeof(fuse_in_header))) return true;
  int const error = got < 0 ? errno : EIO;
  // A signal, or a request that was interrupted before it was read.
  if (error == EINTR || error == ENOENT || error == EAGAIN) return false;
  if (error == ENODEV) {
    End(ServingEnd::kUnmounted);
  } else {
    context_.logger->error("reading /dev/fuse failed errno={}", error);
    End(ServingEnd::kFailed);
  }
  return false;
}

void FuseServer::ServeOnThread(unsigned index) {
  while (end_ == ServingEnd::kNotYet) {
    auto const slot = slots_.Claim(index);  // there are more than threads
    if (!Receive(*slot)) {
      slot->Free();
      continue;
    }
    if (slot->request().opcode == FUSE_INIT) {
      slots_.SaveInit(slot->buffer().first(slot->request().len));
    }
    Execute(*slot, false);
  }
}

ServingEnd FuseServer::Serve() {
  auto const count = RequestSlots::ThreadCount();
  std::atomic<unsigned> running = count;
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < count; ++i) {
    threads.emplace_back([this, &running, i] {
      ServeOnThread(i);
      --running;
    });
  }
  end_.wait(ServingEnd::kNotYet);
  // A signal that comes just before a thread enters read(2) is lost, so it is sent again.
  while (running > 0) {
    for (auto& thread : threads) ::pthread_kill(thread.native_handle(), kWakeSignal);
    std::this_thread::sleep_for(kWakeInterval);
  }
  for (auto& thread : threads) thread.join();
  return end_;
}

void FuseServer::End(ServingEnd end) {
  // The first reason counts.
  auto none = ServingEnd::kNotYet;
  end_.compare_exchange_strong(none, end);
  end_.notify_all();
}

void FuseServer::Stop() { End(ServingEnd::kStopped); }

}  // namespace tusfs
