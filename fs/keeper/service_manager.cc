#include "keeper/service_manager.h"

#include <systemd/sd-daemon.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string>

namespace tusfs {
namespace {

// Names that descriptors have in the store.
constexpr char const* kDevice = "fuse";
constexpr char const* kSlots = "slots";

void Store(Logger const& logger, char const* name, int fd) {
  auto const state = std::string("FDSTORE=1\nFDNAME=") + name;
  if (::sd_pid_notify_with_fds(0, 0, state.c_str(), &fd, 1) < 0) {
    logger->Warn("the service manager does not keep a descriptor of the mount name={}", name);
  }
}

}  // namespace

std::optional<ServiceManager::Kept> ServiceManager::TakeKept() const {
  char** names = nullptr;
  int const count = ::sd_listen_fds_with_names(1, &names);
  Kept kept;
  for (int i = 0; i < count; ++i) {
    UniqueFd fd(SD_LISTEN_FDS_START + i);
    if (std::strcmp(names[i], kDevice) == 0) {
      kept.device = std::move(fd);
    } else if (std::strcmp(names[i], kSlots) == 0) {
      kept.slots = std::move(fd);
    }
    std::free(names[i]);
  }
  std::free(names);
  if (!kept.device || !kept.slots) return std::nullopt;
  return kept;
}

void ServiceManager::Keep(UniqueFd const& device, UniqueFd const& slots) const {
  if (!IsThere()) return;
  // What an earlier mount of this service left there would be of no use.
  ForgetKept();
  Store(logger_, kDevice, device.get());
  Store(logger_, kSlots, slots.get());
}

void ServiceManager::ForgetKept() const {
  ::sd_notify(0, "FDSTOREREMOVE=1\nFDNAME=fuse");
  ::sd_notify(0, "FDSTOREREMOVE=1\nFDNAME=slots");
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
