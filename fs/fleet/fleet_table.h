// What many rigs have sent of themselves, read where their server keeps it, worst first.
//
// A heartbeat is told by what it says, not by its name: the directory may be a server's own, where
// uploads lie under ids (tusd, @tus/server), or one in which they have their names. What it says is
// data of whoever may upload: never trusted, bounded, and shown escaped.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"

namespace tusfs {

/// The last heartbeat of one mount of one machine.
struct Rig {
  std::string host;
  std::string machine_id;
  std::string mount;
  std::string version;
  FileTime arrived = 0;           ///< by the clock of the server: the time of its file
  std::chrono::seconds silent{};  ///< since then
  std::chrono::seconds interval{};
  std::chrono::seconds ahead{};  ///< its clock, of the server's; what is on the way takes a second
  std::uint64_t files = 0;       ///< that are to be uploaded, with `bytes`
  std::uint64_t bytes = 0;
  std::chrono::seconds oldest{};           ///< so long the oldest of them waits
  std::uint64_t stuck = 0;                 ///< files that need somebody
  std::optional<std::uint64_t> rate;       ///< bytes per second
  std::optional<std::uint64_t> disk_free;  ///< bytes
  std::optional<std::uint64_t> disk_size;
  std::vector<std::string> links;     ///< "name state"
  std::vector<std::string> troubles;  ///< what is wrong, the worst first; none: nothing is
  bool is_silent = false;             ///< three heartbeats in a row did not come
};

/// What `text` says, which arrived at `arrived`; nothing for what is no heartbeat.
[[nodiscard]] std::optional<Rig> ParseHeartbeat(std::string const& text, FileTime arrived,
                                                FileTime now);

/// Of each rig the last one, worst first: who has been silent longest, then who has trouble, then
/// whose files wait longest. Links are not followed, and files beyond 64 KiB are not opened.
/// Errors: a sentence, for a directory that cannot be read.
[[nodiscard]] Result<std::vector<Rig>> ReadFleet(std::filesystem::path const& directory,
                                                 FileTime now);

[[nodiscard]] nlohmann::json FleetJson(std::vector<Rig> const& fleet);
/// A line for each, below one with the names of the columns.
[[nodiscard]] std::string FleetTable(std::vector<Rig> const& fleet);
/// One page of HTML that needs nothing else, and runs nothing.
[[nodiscard]] std::string FleetPage(std::vector<Rig> const& fleet, FileTime now);

}  // namespace tusfs
