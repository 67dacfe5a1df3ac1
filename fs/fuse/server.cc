#define FUSE_USE_VERSION 314
#include "fuse/server.h"

#include <fuse_lowlevel.h>
#include <linux/fuse.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "base/kill_point.h"
#include "fuse/wire.h"

namespace tusfs {
namespace {

constexpr std::chrono::milliseconds kLookInterval{10};
constexpr std::chrono::seconds kLongestDrain{2};
constexpr int kQuietLooks = 3;
// A request over which so many daemons died is what kills them: it gets an error.
constexpr std::uint32_t kMostExecutions = 8;

bool HasNoAnswer(std::uint32_t opcode) {
  return opcode == FUSE_FORGET || opcode == FUSE_BATCH_FORGET || opcode == FUSE_INTERRUPT ||
         opcode == FUSE_NOTIFY_REPLY;
}

// What is held is looked at so often: the death of a caller need not be announced.
constexpr std::chrono::milliseconds kLookAtHeld{100};
constexpr std::chrono::seconds kLookCloser{1};

// The request that this thread executes now, and what its callback says of its answer.
thread_local RequestSlots::Slot const* current_slot = nullptr;
thread_local std::optional<HeldWrite> answer_later;
thread_local bool execute_later = false;
// What this thread has received and not executed yet.
thread_local std::optional<RequestSlots::Slot> received;

}  // namespace

FuseServer::FuseServer(RequestSlots& slots, Filesystem& filesystem, Logger logger)
    : context_{filesystem, std::move(logger), this},
      slots_(slots),
      held_(slots.held()),
      threads_({.fewest = std::min(RequestSlots::ThreadCount(), slots.MostThreads()),
                .most = slots.MostThreads()},
               {.receive = [this](unsigned index) { return Receive(index); },
                .execute = [this](unsigned) { ExecuteReceived(); },
                .prepare = [&slots](unsigned index) { slots.ServeThreads(index + 1); },
                .let_go = [&slots](unsigned count) { slots.ServeThreads(count); }}) {}

Result<std::unique_ptr<FuseServer>> FuseServer::Attach(UniqueFd device, RequestSlots& slots,
                                                       Filesystem& filesystem, Logger logger) {
  RequestThreads::InstallSignal();
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
  if (kept && HoldReply(*slot, pieces, count)) {
    ssize_t size = 0;
    for (int i = 0; i < count; ++i) size += static_cast<ssize_t>(pieces[i].iov_len);
    return size;
  }
  if (kept) {
    TakeOverPrivileges(slot->bytes(), std::span(pieces, static_cast<std::size_t>(count)));
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
  if (opcode == FUSE_INTERRUPT && held_.NoteInterrupt(InterruptedBy(slot.bytes()))) {
    slot.Free();
    NoteHeld();
    return;
  }
  auto const arrivals = arrivals_.load();
  answer_later.reset();
  execute_later = false;
  slot.BeginExecution();
  KillPoint(KillMoment::kReceived, opcode);
  // Before it is answered, by whoever does: it comes once, and each successor needs it.
  if (opcode == FUSE_INIT) slots_.SaveInit(slot.bytes());
  current_slot = &slot;
  CurrentRequest const current(
      {.id = {.slot = slot.index(), .unique = slot.request().unique, .replayed = replayed},
       .drops_privileges = DropsPrivileges(slot.bytes())});
  fuse_buf buffer{};
  buffer.mem = slot.buffer().data();
  buffer.size = slot.request().len;
  ::fuse_session_process_buf(session_, &buffer);
  current_slot = nullptr;
  if (HasNoAnswer(opcode)) slot.Free();
  if (execute_later) HoldRequest(slot, arrivals);
}

// ---- answering later

void FuseServer::AnswerLater(HeldWrite const& write) { answer_later = write; }
void FuseServer::ExecuteLater() { execute_later = true; }

// Where there is no place to hold it, the writer goes on: the disk's own limit is the next one.
bool FuseServer::HoldReply(RequestSlots::Slot const& slot, iovec const* pieces, int count) {
  if (!answer_later) return false;
  std::vector<std::byte> reply;
  for (int i = 0; i < count; ++i) {
    auto const* const bytes = static_cast<std::byte const*>(pieces[i].iov_base);
    reply.insert(reply.end(), bytes, bytes + pieces[i].iov_len);
  }
  bool const held = held_.Hold({.index = 0,
                                .kind = HeldRequests::Kind::kReply,
                                .unique = slot.request().unique,
                                .inode = slot.request().nodeid,
                                .thread = static_cast<pid_t>(slot.request().pid),
                                .interrupted = false,
                                .write = *answer_later,
                                .bytes = reply});
  if (!held) return false;
  slot.Free();
  NoteHeld();
  return true;
}

void FuseServer::HoldRequest(RequestSlots::Slot const& slot, std::uint64_t arrivals) {
  auto const& request = slot.request();
  auto const inode = request.nodeid;
  bool const held = held_.Hold({.index = 0,
                                .kind = HeldRequests::Kind::kRequest,
                                .unique = request.unique,
                                .inode = inode,
                                .thread = static_cast<pid_t>(request.pid),
                                .interrupted = false,
                                .write = {},
                                .bytes = slot.bytes()});
  if (!held) AnswerError(request.unique, EIO);
  slot.Free();
  // What it waits for may have come before it was held.
  if (arrivals_ != arrivals) BytesArrived(inode);
  NoteHeld();
}

void FuseServer::AnswerError(std::uint64_t unique, int error) const {
  fuse_out_header const answer{.len = sizeof answer, .error = -error, .unique = unique};
  // The kernel says ENOENT where the caller is gone.
  [[maybe_unused]] auto const sent = ::write(device_, &answer, sizeof answer);
}

void FuseServer::BytesArrived(InodeId inode) {
  {
    MutexLock lock(mutex_);
    arrived_.insert(inode);
    ++arrivals_;
  }
  NoteHeld();
}

void FuseServer::NoteHeld() {
  {
    MutexLock lock(mutex_);
    has_news_ = true;
    held_changed_.NotifyOne();
  }
  context_.filesystem.budget().Poke();
}

// Room comes and goes with each small file, and matters only to what is held.
void FuseServer::AwaitHeld(std::stop_token const& stop) {
  MutexLock lock(mutex_);
  while (!has_news_ && !stop.stop_requested()) held_changed_.Wait(mutex_);
  has_news_ = false;
}

std::set<InodeId> FuseServer::TakeArrived() {
  MutexLock lock(mutex_);
  return std::exchange(arrived_, {});
}

void FuseServer::AnswerHeld(std::stop_token stop) {
  auto& budget = context_.filesystem.budget();
  std::stop_callback const wake(stop, [&] { NoteHeld(); });
  std::chrono::steady_clock::time_point look_closer_at{};
  while (!stop.stop_requested()) {
    auto const seen = budget.changes();
    auto const now = std::chrono::steady_clock::now();
    bool const look_closer = now >= look_closer_at;
    if (look_closer) look_closer_at = now + kLookCloser;
    auto const arrived = TakeArrived();
    auto const all = held_.All();
    bool any = false;
    for (auto const& held : all) any = TryAnswer(held, arrived, look_closer) || any;
    if (any) {
      budget.WaitForChange(seen, now + kLookAtHeld);
    } else {
      AwaitHeld(stop);
    }
  }
}

bool FuseServer::TryAnswer(HeldRequests::Held const& held, std::set<InodeId> const& arrived,
                           bool look_closer) {
  bool const ends = held.thread > 0
                        ? (held.interrupted || look_closer) && IsBeingKilled(held.thread)
                        : held.interrupted;
  if (ends) {
    AnswerError(held.unique, EINTR);
    held_.Free(held.index);
    return false;
  }
  if (held.kind == HeldRequests::Kind::kRequest) {
    if (!arrived.contains(held.inode)) return true;
    ExecuteHeld(held);
    return false;
  }
  auto const turn = context_.filesystem.AskTurn(held.write.handle, held.write.offset);
  if (turn && *turn == Turn::kWait) return true;
  if (turn) {
    [[maybe_unused]] auto const sent = ::write(device_, held.bytes.data(), held.bytes.size());
  } else {
    context_.logger->Error("a write has waited in vain inode={} error=\"{}\"", held.inode,
                           Describe(turn.error()));
    AnswerError(held.unique, turn.error().code);
  }
  held_.Free(held.index);
  return false;
}

void FuseServer::ExecuteHeld(HeldRequests::Held const& held) {
  if (!IsWhole(held.bytes)) {
    context_.logger->Error(
        "a request that was held is damaged, and answered with an error inode={}", held.inode);
    AnswerError(held.unique, EIO);
    return held_.Free(held.index);
  }
  auto const slot = slots_.Claim(0);  // this thread is counted for
  std::ranges::copy(held.bytes, slot->buffer().begin());
  held_.Free(held.index);
  Execute(*slot, false);
}

// ---- taking over

// libfuse answers nothing before it has seen FUSE_INIT, which comes once in a connection.
void FuseServer::RestoreSession() {
  auto const init = slots_.init();
  if (init.empty()) return;
  if (!IsWhole(init)) {
    context_.logger->Error(
        "what the kernel said at mount is damaged, nothing can be served: unmount, and mount "
        "again");
    return;
  }
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
    context_.logger->Error(
        "a request over which {} daemons died is answered with an error opcode={} inode={}",
        kMostExecutions, request.opcode, request.nodeid);
    AnswerError(request.unique, EIO);
    slot.Free();
  } else if (!IsWhole(slot.bytes())) {
    context_.logger->Error(
        "a damaged request is answered with an error opcode={} inode={} length={}", request.opcode,
        request.nodeid, request.len);
    AnswerError(request.unique, EIO);
    slot.Free();
  } else {
    Execute(slot, true);
  }
}

void FuseServer::TakeOver() {
  held_.Recover();
  auto left = slots_.Unanswered();
  // What was being moved between a slot and the held ones when the daemon died is in both.
  std::erase_if(left, [&](RequestSlots::Slot const& slot) {
    bool const is_held = held_.Has(slot.request().unique);
    if (is_held) slot.Free();
    return is_held;
  });
  for (auto const& held : held_.All()) BytesArrived(held.inode);
  // An INIT that is unanswered is executed like the others; one that was answered only restores.
  auto const is_open_init = [](RequestSlots::Slot const& slot) {
    return slot.request().opcode == FUSE_INIT && !slot.IsReplying();
  };
  if (std::ranges::none_of(left, is_open_init)) RestoreSession();
  for (auto const& slot : left) {
    context_.logger->Info("replaying a request opcode={} inode={} unique={} answered={}",
                          slot.request().opcode, slot.request().nodeid, slot.request().unique,
                          slot.IsReplying());
    Replay(slot);
  }
  slots_.CountReplayed(left.size());
}

// ---- serving

bool FuseServer::Receive(unsigned index) {
  auto const slot = slots_.Claim(index);  // there are more than threads
  auto const got = ::read(device_, slot->buffer().data(), slot->buffer().size());
  if (got >= static_cast<ssize_t>(sizeof(fuse_in_header))) {
    received = slot;
    return true;
  }
  int const error = got < 0 ? errno : EIO;
  slot->Free();
  // A signal, or a request that was interrupted before it was read.
  if (error == EINTR || error == ENOENT || error == EAGAIN) return false;
  if (error == ENODEV) {
    End(ServingEnd::kUnmounted);
  } else {
    context_.logger->Error("reading /dev/fuse failed errno={}", error);
    End(ServingEnd::kFailed);
  }
  return false;
}

void FuseServer::ExecuteReceived() {
  auto const slot = *std::exchange(received, std::nullopt);
  ++executing_;
  Execute(slot, false);
  ++executed_;
  --executing_;
}

ServingEnd FuseServer::Serve() {
  std::jthread const holder([this](std::stop_token stop) { AnswerHeld(std::move(stop)); });
  threads_.Run();
  return end_;
}

void FuseServer::End(ServingEnd end) {
  // The first reason counts.
  auto none = ServingEnd::kNotYet;
  end_.compare_exchange_strong(none, end);
  threads_.Stop();
}

void FuseServer::Stop() { End(ServingEnd::kStopped); }

// The kernel queues a RELEASE before the last close(2) returns, behind others of its kind: with
// each answer one more becomes readable. So it is quiet when for a while nothing was.
void FuseServer::Finish() {
  auto const give_up = std::chrono::steady_clock::now() + kLongestDrain;
  auto executed = executed_.load();
  int quiet = 0;
  while (quiet < kQuietLooks && end_ == ServingEnd::kNotYet &&
         std::chrono::steady_clock::now() < give_up) {
    std::this_thread::sleep_for(kLookInterval);
    pollfd queue{device_, POLLIN, 0};
    bool const queued = ::poll(&queue, 1, 0) > 0 && (queue.revents & POLLIN) != 0;
    if ((queue.revents & POLLERR) != 0) return;  // unmounted, as whoever reads is told
    auto const before = std::exchange(executed, executed_.load());
    quiet = queued || executing_ > 0 || executed != before ? 0 : quiet + 1;
  }
  End(ServingEnd::kFinished);
}

}  // namespace tusfs
