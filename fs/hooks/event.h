// What a hook is told of: an event, which waits in the catalog until its program has taken it.
//
// Rows of the meta table, "hook." with the lane and the time in their keys: a release that knows no
// hooks leaves them alone. Functions run inside the caller's Store::Read or Store::Update.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/ids.h"
#include "catalog/store.h"
#include "hooks/passings.h"

namespace tusfs {

/// On disk: never renumbered.
enum class EventKind : std::uint8_t {
  kUploaded = 1,
  kInterrupted = 2,
  kFailed = 3,
  kUnconfirmed = 4,
  kServerAway = 5,
  kServerBack = 6,
};
[[nodiscard]] std::string_view WordOf(EventKind kind);

/// Which program is told: each waits for itself alone. On disk: never renumbered.
enum class Lane : std::uint8_t { kUploaded = 1, kStuck = 2, kServer = 3 };
constexpr Lane kLanes[] = {Lane::kUploaded, Lane::kStuck, Lane::kServer};
[[nodiscard]] Lane LaneOf(EventKind kind);
/// The setting that names its program.
[[nodiscard]] char const* SettingOf(Lane lane);

struct Event {
  Uuid id;  ///< the same however often it is told
  EventKind kind = EventKind::kUploaded;
  FileTime time = 0;   ///< when it happened
  std::string path{};  ///< relative to the mount; empty for a server
  std::uint64_t size = 0;
  FileTime modified = 0;
  Uuid upload{};
  std::string url{};  ///< without its secrets
  std::string reason{};
};

/// A new one.
[[nodiscard]] Event EventOf(Passing const& passing, FileTime now);

[[nodiscard]] std::string Encode(Event const& event);
/// Errors: EUCLEAN for bytes that are none.
[[nodiscard]] Result<Event> DecodeEvent(std::string_view bytes);

struct EventRow {
  std::string key;
  Event event;
};
/// Its row's key.
std::string PutEvent(Transaction& transaction, Event const& event);
void DeleteEvent(Transaction& transaction, std::string const& key);
/// Those of a lane, the oldest first. One that cannot be read is left out.
[[nodiscard]] Result<std::vector<EventRow>> ListEvents(View const& view, Lane lane,
                                                       std::size_t limit);
[[nodiscard]] Result<std::size_t> CountEvents(View const& view, Lane lane);

/// What the program reads on its standard input: one line of JSON (tusfs(1), "HOOKS").
[[nodiscard]] std::string JsonOf(Event const& event, std::string const& mount, int attempt);
/// The same for its environment, "NAME=VALUE", with names as they are.
[[nodiscard]] std::vector<std::string> VariablesOf(Event const& event, std::string const& mount,
                                                   int attempt);

}  // namespace tusfs
