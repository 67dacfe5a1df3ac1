// How processes that are not our children end.
//
// A pidfd tells when. With what status the kernel says afterwards from Linux 6.15 on
// (PIDFD_GET_INFO); before, to root alone, by its process connector, which tells of every process
// of the machine and is therefore listened to only while somebody is watched. Elsewhere nobody
// tells.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <map>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "base/file.h"
#include "base/mutex.h"

namespace tusfs {

struct ProcessEnd {
  pid_t process = 0;
  int status = 0;  ///< as wait(2) gives it
};

/// A seam for tests. Watch and Forget may come from any thread, one call at a time; Wait is called
/// by one thread, beside them.
class ProcessEnds {
 public:
  virtual ~ProcessEnds() = default;

  /// Begins to watch a process that lives. False where its end would not be learnt.
  [[nodiscard]] virtual bool Watch(pid_t process) = 0;
  /// Harmless for one that is not watched.
  virtual void Forget(pid_t process) = 0;

  /// Waits until a watched process ends, until `deadline` (nothing: for ever), or for Wake; now and
  /// then for less. Those that it returns are not watched any more; one whose status nobody can
  /// tell is not among them.
  [[nodiscard]] virtual std::vector<ProcessEnd> Wait(std::optional<SteadyTime> deadline) = 0;
  virtual void Wake() = 0;
};

class KernelProcessEnds : public ProcessEnds {
 public:
  /// Who tells with what status a process has ended.
  enum class Teller { kNobody, kPidfd, kConnector };
  /// "nobody", "pidfd", "connector".
  [[nodiscard]] friend char const* NameOf(Teller teller) {
    switch (teller) {
      case Teller::kNobody:
        return "nobody";
      case Teller::kPidfd:
        return "pidfd";
      case Teller::kConnector:
        return "connector";
    }
    return "";
  }
  /// The best that this kernel and user have.
  [[nodiscard]] static Teller FindTeller();
  /// Whether the connector would tell, too.
  [[nodiscard]] static bool HasConnector();

  explicit KernelProcessEnds(Teller teller = FindTeller());
  ~KernelProcessEnds() override;

  [[nodiscard]] Teller teller() const { return teller_; }
  [[nodiscard]] bool Watch(pid_t process) override;
  void Forget(pid_t process) override;
  [[nodiscard]] std::vector<ProcessEnd> Wait(std::optional<SteadyTime> deadline) override;
  void Wake() override;

 private:
  struct Watched {
    UniqueFd pidfd;
    std::optional<int> told;  ///< by the connector
  };
  void ListenToConnector(bool on) const;
  /// Takes in what the connector has told.
  void ReadConnector() REQUIRES(mutex_);
  [[nodiscard]] std::optional<int> StatusOf(pid_t process, Watched const& watched) const;

  Teller const teller_;
  UniqueFd const epoll_;
  UniqueFd const wake_;       ///< an eventfd
  UniqueFd const connector_;  ///< a netlink socket; none with another teller
  Mutex mutex_ ACQUIRED_AFTER(lock_order::kBehindLeaves);
  std::map<pid_t, Watched> watched_ GUARDED_BY(mutex_);
};

}  // namespace tusfs
