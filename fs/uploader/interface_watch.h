// Whether network interfaces can be used, and when that may have changed.
#pragma once

#include <functional>
#include <string>
#include <thread>

#include "base/error.h"
#include "base/file.h"

namespace tusfs {

/// Why nothing can leave through the interface now, for a person; empty: it can. It has to be up,
/// with a carrier and an address. Any thread.
[[nodiscard]] std::string WhyInterfaceDown(std::string const& name);

/// Hears from the kernel (rtnetlink(7)) of interfaces and addresses that come, go and change. One
/// thread, which sleeps while nothing does.
class InterfaceWatch {
 public:
  InterfaceWatch() = default;
  /// Waits for the thread.
  ~InterfaceWatch();
  InterfaceWatch(InterfaceWatch const&) = delete;
  InterfaceWatch& operator=(InterfaceWatch const&) = delete;

  /// Calls `look` at once, on the calling thread, and again from its own after each change, until
  /// Stop. Errors: where the kernel is not heard; then `look` was called once all the same.
  [[nodiscard]] Result<void> Start(std::function<void()> look);
  void Stop();

 private:
  void Listen(std::stop_token const& stop, std::function<void()> const& look);

  UniqueFd kernel_;
  UniqueFd end_;  ///< an eventfd
  std::jthread thread_;
};

}  // namespace tusfs
