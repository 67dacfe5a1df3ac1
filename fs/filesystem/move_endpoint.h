// Takes the catalog of a state directory to another server (tusfs --move-to).
//
// What is uploaded stays known as it is. What is not, and cannot be there yet, begins at the new
// server: what the old one has of it is let go of. Of what may have been published, its end having
// been sent without an answer, nobody but a person decides whether the new server gets it: it is
// unconfirmed. Once, while nobody else uses the store.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/error.h"
#include "catalog/store.h"

namespace tusfs {

/// What becomes of a file that is not uploaded.
enum class AfterMove {
  kSent,         ///< it is finished, and begins at the new server
  kSentLater,    ///< the same, as soon as it is finished
  kUnconfirmed,  ///< a person says: accept or retry
  kStays,        ///< it cannot be moved: the old server has its only copy of some bytes
};

struct MovedFile {
  AfterMove what = AfterMove::kSent;
  std::string path;
  std::uint64_t size = 0;  ///< bytes
};

struct MoveSummary {
  std::string from;            ///< the endpoint that it was at; may have a secret
  std::uint64_t uploaded = 0;  ///< files that the old server has, and that stay known
  std::uint64_t staying = 0;   ///< AfterMove::kStays: with one of them nothing is moved
};

/// Calls `tell` for every file that is not uploaded, and changes nothing. Errors: of the catalog.
[[nodiscard]] Result<MoveSummary> PlanMove(Store const& store,
                                           std::function<void(MovedFile const&)> const& tell);

/// Moves to `endpoint`, which is normalised; `name` is that of the old server, for a person.
/// Durable on return. Where this process dies before, some uploads have begun anew at the old
/// server, nothing is published twice, and it can be said again. Not with a file that stays.
[[nodiscard]] Result<void> MoveToEndpoint(Store& store, std::string const& endpoint,
                                          std::string const& name);

}  // namespace tusfs
