#include "hooks/hooks.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "base/message_ids.h"
#include "base/run_program.h"
#include "base/text.h"
#include "base/thread_name.h"

namespace tusfs {
namespace {

constexpr std::size_t kMostLoaded = 256;  ///< of a lane
constexpr std::size_t kMostSaid = 4096;   ///< bytes that go to the log
constexpr int kUsualFailures = 2;         ///< in a row; after more of them all events wait
constexpr std::chrono::hours kLongWait{1};
constexpr std::uint64_t kComplainEach = 1000;

/// What a program needs to find others, and to speak to people. Nothing that is a secret.
constexpr char const* kInherited[] = {"PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ"};

std::vector<std::string> InheritedVariables() {
  std::vector<std::string> variables;
  for (auto const* const name : kInherited) {
    auto const* const value = std::getenv(name);
    if (value != nullptr) variables.push_back(std::string(name) + "=" + value);
  }
  return variables;
}

LogSubject About(Event const& event, std::string_view message_id) {
  return {.file = event.path,
          .upload = event.upload.IsNil() ? "" : event.upload.ToString(),
          .message_id = message_id};
}

std::string WordsOf(Event const& event) {
  return std::string(WordOf(event.kind)) + (event.path.empty() ? "" : " " + Printable(event.path));
}

}  // namespace

Hooks::Hooks(HookOptions options, Clock const& clock, Logger logger)
    : options_(std::move(options)),
      environment_(InheritedVariables()),
      clock_(clock),
      logger_(std::move(logger)) {}

// ---- writing down

void Hooks::Add(Transaction& transaction, Passing const& passing) {
  auto const event = EventOf(passing, clock_.Wall());
  if (IsSet(LaneOf(event.kind))) Add(transaction, event);
}

void Hooks::Add(Transaction& transaction, Event const& event) {
  auto const lane = LaneOf(event.kind);
  if (!IsSet(lane)) return;
  if (CountOf(lane) >= options_.most_waiting) {
    transaction.WhenDurable([this, event] {
      if (lost_++ % kComplainEach != 0) return;
      logger_->Tell(LogLevel::kError, About(event, message_id::kHookLost),
                    "too many events wait for a hook, new ones are not told: mend its program "
                    "hook={} lost={} event=\"{}\"",
                    SettingOf(LaneOf(event.kind)), lost_.load(), WordsOf(event));
    });
    return;
  }
  PutEvent(transaction, event);
  transaction.WhenDurable([this, lane] { NoteAdded(lane); });
}

void Hooks::NoteAdded(Lane lane) {
  MutexLock lock(mutex_);
  ++CountOf(lane);
  ++At(lane).added;
  changed_.NotifyOne();
}

// ---- the threads

Result<void> Hooks::Start(Store& store) {
  store_ = &store;
  for (auto const lane : kLanes) {
    auto const count = store.Read([&](View const& view) { return CountEvents(view, lane); });
    if (!count) return Failure(count.error());
    CountOf(lane) = *count;
    if (!IsSet(lane) && *count > 0) {
      if (auto forgotten = Forget(lane); !forgotten) return forgotten;
    }
    MutexLock lock(mutex_);
    if (IsSet(lane)) At(lane).argv = options_.programs.at(lane);
  }
  if (options_.programs.empty()) return {};
  for (int i = 0; i < options_.at_once; ++i) {
    threads_.emplace_back([this](std::stop_token const& stop) {
      NameThread("hook");
      Run(stop);
    });
  }
  return {};
}

void Hooks::Stop() {
  for (auto& thread : threads_) thread.request_stop();
  {
    MutexLock lock(mutex_);
    changed_.NotifyAll();
  }
  threads_.clear();
}

// In pages, so that nobody else waits for long.
Result<void> Hooks::Forget(Lane lane) {
  std::size_t forgotten = 0;
  for (bool more = true; more;) {
    auto const page = store_->Update([&](Transaction& transaction) -> Result<std::size_t> {
      auto const rows = ListEvents(transaction, lane, kMostLoaded);
      if (!rows) return Failure(rows.error());
      for (auto const& row : *rows) DeleteEvent(transaction, row.key);
      return rows->size();
    });
    if (!page) return Failure(page.error());
    forgotten += *page;
    more = *page > 0;
  }
  CountOf(lane) = 0;
  logger_->Warn("events of a hook that is not set any more are forgotten hook={} count={}",
                SettingOf(lane), forgotten);
  return {};
}

void Hooks::Run(std::stop_token const& stop) {
  while (auto const turn = Take(stop)) Tell(*turn, stop);
}

std::optional<Hooks::Turn> Hooks::Take(std::stop_token const& stop) {
  while (!stop.stop_requested()) {
    std::optional<Lane> to_load;
    {
      MutexLock lock(mutex_);
      auto const now = clock_.Steady();
      auto next = now + kLongWait;
      to_load = ToLoad();
      if (!to_load) {
        ++turn_;
        for (std::size_t i = 0; i < std::size(kLanes); ++i) {
          auto turn = TakeOf(kLanes[(turn_ + i) % std::size(kLanes)], now, next);
          if (!turn) continue;
          changed_.NotifyOne();  // somebody else has to watch what comes next
          return turn;
        }
        changed_.WaitUntil(mutex_, next);
      }
    }
    if (to_load) Load(*to_load);
  }
  return std::nullopt;
}

std::optional<Lane> Hooks::ToLoad() {
  for (auto const lane : kLanes) {
    auto& queue = At(lane);
    bool const has_room = queue.items.size() <= kMostLoaded / 2;
    if (queue.is_loading || !has_room || CountOf(lane) <= queue.items.size()) continue;
    queue.is_loading = true;
    return lane;
  }
  return std::nullopt;
}

void Hooks::Load(Lane lane) {
  std::uint64_t added = 0;
  {
    MutexLock lock(mutex_);
    added = At(lane).added;
  }
  auto rows = store_->Read([&](View const& view) { return ListEvents(view, lane, kMostLoaded); });
  MutexLock lock(mutex_);
  auto& queue = At(lane);
  queue.is_loading = false;
  auto const crossed_out = std::exchange(queue.crossed_out, {});
  if (!rows) {  // the catalog has trouble, of which others tell
    CountOf(lane) = queue.items.size();
    return;
  }
  bool const is_all = rows->size() < kMostLoaded;
  for (auto& row : *rows) {
    if (crossed_out.contains(row.key)) continue;
    queue.items.try_emplace(std::move(row.key), Item{std::move(row.event), clock_.Steady()});
  }
  if (is_all && queue.added == added) CountOf(lane) = queue.items.size();
  changed_.NotifyOne();
}

std::optional<Hooks::Turn> Hooks::TakeOf(Lane lane, SteadyTime now, SteadyTime& next) {
  auto& queue = At(lane);
  // What the server does is told in its order; after a failure one event finds out.
  bool const is_single = lane == Lane::kServer || queue.failures > 0;
  if (queue.running > 0 && is_single) return std::nullopt;
  if (queue.paused_until > now) {
    if (!queue.items.empty()) next = std::min(next, queue.paused_until);
    return std::nullopt;
  }
  for (auto& [key, item] : queue.items) {
    if (item.is_running) continue;
    if (item.due > now) {
      next = std::min(next, item.due);
      if (lane == Lane::kServer) break;
      continue;
    }
    item.is_running = true;
    ++queue.running;
    return Turn{lane, key, item.event, queue.argv, item.attempts + 1};
  }
  return std::nullopt;
}

void Hooks::Tell(Turn const& turn, std::stop_token const& stop) {
  auto environment = VariablesOf(turn.event, options_.mount, turn.attempt);
  environment.insert(environment.end(), environment_.begin(), environment_.end());
  auto const ran = RunProgram({.argv = turn.argv,
                               .timeout = options_.timeout,
                               .input = JsonOf(turn.event, options_.mount, turn.attempt),
                               .environment = std::move(environment),
                               .said = [&](std::string_view said) { LogSaid(turn, said); },
                               .most_words = kMostSaid},
                              stop);
  if (stop.stop_requested() && !ran) return;  // it is told by the next daemon
  auto const done = ran ? CrossOut(turn) : Result<void>(Failure(ran.error()));
  if (!done) {
    Failed(turn, Describe(done.error()));
    return;
  }
  MutexLock lock(mutex_);
  auto& queue = At(turn.lane);
  queue.failures = 0;
  ++report_.told;
  queue.taken_at = clock_.Steady();
  changed_.NotifyAll();
}

// ---- how a run ended

Result<void> Hooks::CrossOut(Turn const& turn) {
  auto const done = store_->Update([&](Transaction& transaction) -> Result<void> {
    DeleteEvent(transaction, turn.key);
    transaction.NoHurry();  // told once more after a power cut
    return {};
  });
  if (!done) return done;
  MutexLock lock(mutex_);
  auto& queue = At(turn.lane);
  queue.items.erase(turn.key);
  if (queue.is_loading) queue.crossed_out.insert(turn.key);
  --queue.running;
  if (CountOf(turn.lane) > 0) --CountOf(turn.lane);
  return {};
}

void Hooks::Failed(Turn const& turn, std::string const& why) {
  bool is_lost = false;
  std::chrono::milliseconds pause{};
  {
    MutexLock lock(mutex_);
    auto const now = clock_.Steady();
    auto& queue = At(turn.lane);
    auto& item = queue.items.at(turn.key);
    item.attempts = turn.attempt;
    if (!item.first_failure) item.first_failure = now;
    // While it takes nothing at all it is not the event's fault.
    is_lost =
        now - *item.first_failure >= options_.patience && queue.taken_at > *item.first_failure;
    pause = PauseAfter(item.attempts);
    item.due = now + pause;
    if (++queue.failures > kUsualFailures) {
      queue.paused_until = now + PauseAfter(queue.failures - kUsualFailures);
    }
    report_.failed_at = clock_.Wall();
    report_.failed_event = WordsOf(turn.event);
    report_.failure = why;
    if (!is_lost) {
      item.is_running = false;
      --queue.running;
    }
    changed_.NotifyOne();
  }
  logger_->Tell(LogLevel::kWarn, About(turn.event, message_id::kHookFailed),
                "a hook failed, it is tried again hook={} event=\"{}\" id={} attempt={} "
                "again_in={}ms error=\"{}\"",
                SettingOf(turn.lane), WordsOf(turn.event), turn.event.id.ToString(), turn.attempt,
                pause.count(), Printable(why));
  if (!is_lost) return;
  ++lost_;
  logger_->Tell(LogLevel::kError, About(turn.event, message_id::kHookLost),
                "a hook does not take an event, it is not told any more hook={} event=\"{}\" id={}",
                SettingOf(turn.lane), WordsOf(turn.event), turn.event.id.ToString());
  if (CrossOut(turn)) return;
  MutexLock lock(mutex_);
  At(turn.lane).items.at(turn.key).is_running = false;
  --At(turn.lane).running;
}

void Hooks::LogSaid(Turn const& turn, std::string_view said) const {
  bool const is_cut = said.size() == kMostSaid;
  while (!said.empty()) {
    auto const line = said.substr(0, said.find('\n'));
    said.remove_prefix(std::min(line.size() + 1, said.size()));
    if (line.empty()) continue;
    logger_->Tell(LogLevel::kInfo, About(turn.event, {}), "a hook says hook={} id={} text=\"{}\"{}",
                  SettingOf(turn.lane), turn.event.id.ToString(), Printable(line),
                  said.empty() && is_cut ? " and more" : "");
  }
}

std::chrono::milliseconds Hooks::PauseAfter(int failures) const {
  auto pause = options_.first_pause;
  for (int times = 1; times < failures && pause < options_.longest_pause; ++times) pause *= 2;
  return std::min(pause, options_.longest_pause);
}

Hooks::Report Hooks::report() const {
  MutexLock lock(mutex_);
  auto report = report_;
  report.lost = lost_;
  for (auto const& count : counts_) report.waiting += count;
  return report;
}

}  // namespace tusfs
