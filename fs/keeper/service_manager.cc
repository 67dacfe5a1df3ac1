#include "keeper/service_manager.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>

namespace tusfs {
namespace {

// Names that descriptors have in the store.
constexpr char const* kDevice = "fuse";
constexpr char const* kSlots = "slots";
constexpr char const* kSettings = "settings";
constexpr char const* kBeneath = "beneath";

void Store(Logger const& logger, char const* name, int fd) {
  auto const state = std::string("FDSTORE=1\nFDNAME=") + name;
  if (::sd_pid_notify_with_fds(0, 0, state.c_str(), &fd, 1) < 0) {
    logger->Warn("the service manager does not keep a descriptor of the mount name={}", name);
  }
}

void StoreSettings(Logger const& logger, std::string const& text) {
  UniqueFd const memory(::memfd_create(kSettings, MFD_CLOEXEC));
  auto const written = memory ? WriteFully(memory.get(), std::as_bytes(std::span(text)), 0)
                              : Result<void>(FailErrno("memfd_create"));
  if (written) return Store(logger, kSettings, memory.get());
  logger->Warn("the service manager does not keep the settings error=\"{}\"",
               Describe(written.error()));
}

void Forget(char const* name) {
  ::sd_notify(0, (std::string("FDSTOREREMOVE=1\nFDNAME=") + name).c_str());
}

/// The descriptors that this process was started with. `take`: nobody asks again.
class Listened {
 public:
  explicit Listened(bool take) : count_(::sd_listen_fds_with_names(take ? 1 : 0, &names_)) {}
  ~Listened() {
    for (int at = 0; at < count_; ++at) std::free(names_[at]);
    std::free(names_);
  }
  Listened(Listened const&) = delete;
  Listened& operator=(Listened const&) = delete;

  [[nodiscard]] int count() const { return count_; }
  [[nodiscard]] static int At(int at) { return SD_LISTEN_FDS_START + at; }
  [[nodiscard]] bool Is(int at, char const* name) const {
    return std::strcmp(names_[at], name) == 0;
  }
  /// -1: there is none.
  [[nodiscard]] int Find(char const* name) const {
    for (int at = 0; at < count_; ++at) {
      if (Is(at, name)) return At(at);
    }
    return -1;
  }

 private:
  char** names_ = nullptr;
  int const count_;
};

}  // namespace

std::optional<ServiceManager::Kept> ServiceManager::TakeKept() const {
  Listened const listened(true);
  Kept kept;
  for (int at = 0; at < listened.count(); ++at) {
    UniqueFd fd(Listened::At(at));
    if (listened.Is(at, kDevice)) {
      kept.device = std::move(fd);
    } else if (listened.Is(at, kSlots)) {
      kept.slots = std::move(fd);
    } else if (listened.Is(at, kBeneath)) {
      kept.beneath = std::move(fd);
    }
  }
  if (!kept.device || !kept.slots) return std::nullopt;
  return kept;
}

std::optional<std::string> ServiceManager::KeptSettings() const {
  Listened const listened(false);
  int const settings = listened.Find(kSettings);
  struct stat status {};
  if (listened.Find(kDevice) < 0 || settings < 0 || ::fstat(settings, &status) != 0) {
    return std::nullopt;
  }
  std::string text(static_cast<std::size_t>(status.st_size), '\0');
  auto const size = ReadFully(settings, std::as_writable_bytes(std::span(text)), 0);
  if (!size || *size != text.size()) return std::nullopt;
  return text;
}

void ServiceManager::Keep(UniqueFd const& device, UniqueFd const& slots,
                          std::string const& settings) const {
  if (!IsThere()) return;
  // What an earlier mount of this service left there would be of no use.
  ForgetKept();
  Store(logger_, kDevice, device.get());
  Store(logger_, kSlots, slots.get());
  StoreSettings(logger_, settings);
}

void ServiceManager::KeepSettings(std::string const& settings) const {
  if (!IsThere()) return;
  Forget(kSettings);
  StoreSettings(logger_, settings);
}

void ServiceManager::KeepBeneath(UniqueFd const& beneath) const {
  if (IsThere()) Store(logger_, kBeneath, beneath.get());
}

void ServiceManager::ForgetBeneath() const { Forget(kBeneath); }

void ServiceManager::ForgetKept() const {
  for (auto const* const name : {kDevice, kSlots, kSettings, kBeneath}) Forget(name);
}

bool ServiceManager::IsThere() const { return std::getenv("NOTIFY_SOCKET") != nullptr; }

void ServiceManager::Status(std::string const& line) const {
  // A line end would begin another message.
  auto text = "STATUS=" + line;
  std::replace(text.begin(), text.end(), '\n', ' ');
  ::sd_notify(0, text.c_str());
}

void ServiceManager::Ready() const { ::sd_notify(0, "READY=1"); }
void ServiceManager::Stopping() const { ::sd_notify(0, "STOPPING=1"); }

std::optional<std::chrono::microseconds> ServiceManager::WatchInterval() const {
  std::uint64_t microseconds = 0;
  if (::sd_watchdog_enabled(0, &microseconds) <= 0) return std::nullopt;
  return std::chrono::microseconds(microseconds / 3);
}

void ServiceManager::StillAlive() const { ::sd_notify(0, "WATCHDOG=1"); }

}  // namespace tusfs
