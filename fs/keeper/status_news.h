// When a service manager is to hear how the mount is: after something has changed, at most once a
// second, and never while nothing changes.
//
// Made before whatever notes changes, and outlives it. Note may be called from any thread, with any
// lock held: it takes none.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <semaphore>
#include <stop_token>
#include <string>

namespace tusfs {

class StatusNews {
 public:
  /// Something may have changed.
  void Note();

  struct Calls {
    std::function<std::string()> line;             ///< how it is now; it may take its time
    std::function<bool(std::string const&)> tell;  ///< false where nobody took it
  };
  /// Tells each line that is another one than before, until it is asked to stop; once. A line that
  /// took long to find out is asked for less often, so that it costs a twentieth of a processor at
  /// most.
  void Run(std::stop_token const& stop, Calls const& calls);

 private:
  std::atomic<bool> noted_ = false;
  std::counting_semaphore<> news_{0};
  std::counting_semaphore<> end_{0};
};

/// How long Run waits behind a line that took so long.
[[nodiscard]] std::chrono::milliseconds PauseBehind(std::chrono::milliseconds took);

}  // namespace tusfs
