// What a mount tells of itself from far away, as JSON: tusfs(1), "HEARTBEAT", has the fields.
//
// Pure, but for ThisMachine's facts.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "filesystem/report.h"

namespace tusfs {

struct NetworkLink {
  std::string name;
  std::string state;  ///< as /sys/class/net has it: up, down, unknown …
};
/// The network interfaces of this machine but the loopback, at most 16.
[[nodiscard]] std::vector<NetworkLink> NetworkLinks();

struct HeartbeatFacts {
  std::string version{};
  std::string host{};
  std::string machine_id{};
  std::string mount{};
  std::string url{};        ///< without its secrets
  std::string state_dir{};  ///< whose disk is looked at
  std::chrono::seconds interval{};
  bool paused = false;
};

/// At most some KiB. `rate`: bytes per second since the last one, where that is known.
[[nodiscard]] std::string HeartbeatOf(HeartbeatFacts const& facts, StatusReport const& status,
                                      std::vector<NetworkLink> const& links, FileTime now,
                                      std::optional<std::uint64_t> rate);

/// The path under which it is sent, as if it were a file of the mount.
[[nodiscard]] std::string HeartbeatPath(HeartbeatFacts const& facts);

}  // namespace tusfs
