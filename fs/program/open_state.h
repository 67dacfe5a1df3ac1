// The state directory of a mount: locked, its catalog and spool opened; made anew from each other
// where the catalog is damaged.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/logger.h"
#include "catalog/store.h"
#include "options/options.h"
#include "spool/spool.h"

namespace tusfs {

struct State {
  UniqueFd lock;
  std::unique_ptr<Spool> spool;  ///< outlives the store, whose last commit removes bytes
  std::unique_ptr<Store> store;
  std::uint64_t connection = 0;  ///< of the kernel: a new one, or the one that was left
};

/// Is there while a catalog is being opened, and after a daemon that crashed: whoever finds it does
/// not believe the catalog before he has looked at it.
[[nodiscard]] std::filesystem::path SuspicionOf(std::filesystem::path const& state_dir);

/// Opens what is in `options.state_dir` for uploads to `url` and recovers it. `left`: the number of
/// the connection that a predecessor has left, which goes on as it is; 0: there is none. A catalog
/// that cannot be read is set aside, said loudly and rebuilt from the spool, unless a connection
/// depends on it. `attend`: StoreOptions::attend. Errors: a sentence with the way out.
[[nodiscard]] Result<State> OpenState(Options const& options, std::string const& url,
                                      std::uint64_t left, Clock const& clock, Logger const& logger,
                                      std::function<void(Transaction&)> attend);

}  // namespace tusfs
