#include "keeper/status_news.h"

#include <algorithm>

namespace tusfs {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr milliseconds kLeastPause{1000};
constexpr int kShare = 20;

}  // namespace

milliseconds PauseBehind(milliseconds took) { return std::max(kLeastPause, took * (kShare - 1)); }

void StatusNews::Note() {
  if (!noted_.exchange(true)) news_.release();
}

void StatusNews::Run(std::stop_token const& stop, Calls const& calls) {
  std::stop_callback const wake(stop, [this] {
    end_.release();
    news_.release();
  });
  std::string told;
  for (Note(); !stop.stop_requested();) {
    news_.acquire();
    noted_ = false;  // before the look: what comes during it is looked at next
    if (stop.stop_requested()) return;
    auto const begin = Clock::now();
    auto line = calls.line();
    if (line != told) {
      if (calls.tell(line)) {
        told = std::move(line);
      } else {
        Note();
      }
    }
    auto const took = std::chrono::duration_cast<milliseconds>(Clock::now() - begin);
    if (end_.try_acquire_for(PauseBehind(took))) return;
  }
}

}  // namespace tusfs
