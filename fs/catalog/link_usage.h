// How many bytes each link (uploader/links.h) has carried, by its name.
//
// Rows of the meta table, which a release that knows none of them leaves alone. Days and months are
// those of local time. Functions run inside the caller's Store::Read or Store::Update.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/clock.h"
#include "catalog/store.h"

namespace tusfs {

struct LinkUsage {
  std::int32_t day = 0;     ///< that `today` is of: 20261130; 0: none yet
  std::uint64_t today = 0;  ///< bytes
  std::uint64_t month = 0;  ///< bytes, in the month of `day`
  std::uint64_t total = 0;  ///< bytes, since the state directory was made

  std::map<std::int32_t, std::uint64_t> others{};  ///< bytes of other days, kMostDays at most

  /// From now on what is counted is of `on_day`. A clock that was not set yet, as after the start
  /// of a machine without one, tells no day; one that was set back finds what was counted then.
  void TurnTo(std::int32_t on_day);

  bool operator==(LinkUsage const&) const = default;
};

/// In local time, as 20261130.
[[nodiscard]] std::int32_t LocalDay(FileTime when);

/// Zeros where nothing was counted yet.
[[nodiscard]] Result<LinkUsage> GetLinkUsage(View const& view, std::string const& link);
void PutLinkUsage(Transaction& transaction, std::string const& link, LinkUsage const& usage);

}  // namespace tusfs
