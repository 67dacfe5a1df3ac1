#include "hooks/server_watch.h"

#include <utility>

#include "base/thread_name.h"
#include "catalog/tables.h"

namespace tusfs {
namespace {

// In the catalog: never renamed.
constexpr char const* kToldKey = "hook.server";
constexpr char const* kAway = "away";
constexpr std::chrono::seconds kAfterTrouble{10};
constexpr std::chrono::hours kUntilNoted{1};

}  // namespace

ServerWatch::ServerWatch(std::chrono::milliseconds patience, std::string url,
                         std::function<Endpoint::State()> state, Store& store, Hooks& hooks,
                         Clock const& clock, Logger logger)
    : patience_(patience),
      url_(std::move(url)),
      state_(std::move(state)),
      store_(store),
      hooks_(hooks),
      clock_(clock),
      logger_(std::move(logger)) {}

void ServerWatch::Stop() {
  thread_.request_stop();
  Note();
  if (thread_.joinable()) thread_.join();
}

void ServerWatch::Start() {
  thread_ = std::jthread([this](std::stop_token const& stop) {
    NameThread("server watch");
    Run(stop);
  });
}

void ServerWatch::Note() {
  MutexLock lock(mutex_);
  is_noted_ = true;
  noted_.NotifyAll();
}

void ServerWatch::Run(std::stop_token const& stop) {
  while (!stop.stop_requested()) {
    auto const next = Look().value_or(clock_.Steady() + kUntilNoted);
    MutexLock lock(mutex_);
    while (!is_noted_ && noted_.WaitUntil(mutex_, next)) {
    }
    is_noted_ = false;
  }
}

std::optional<SteadyTime> ServerWatch::Look() {
  auto const state = state_();
  auto const told = store_.Read([](View const& view) { return GetNote(view, kToldKey); });
  if (!told) return clock_.Steady() + kAfterTrouble;  // whoever needs the catalog tells of it
  bool const is_told = *told == kAway;
  if (!state.answered || state.reachable != is_told) return std::nullopt;
  auto const due = state.changed + patience_;
  if (!state.reachable && clock_.Steady() < due) return due;
  auto const is_done = store_.Update([&](Transaction& transaction) -> Result<void> {
    Event event{.id = Uuid::Random(),
                .kind = state.reachable ? EventKind::kServerBack : EventKind::kServerAway,
                .time = clock_.Wall(),
                .url = url_,
                .reason = state.error};
    hooks_.Add(transaction, event);
    PutNote(transaction, kToldKey, state.reachable ? "" : kAway);
    return {};
  });
  if (is_done) return std::nullopt;
  logger_->Warn("a hook is told later of the server error=\"{}\"", Describe(is_done.error()));
  return clock_.Steady() + kAfterTrouble;
}

}  // namespace tusfs
