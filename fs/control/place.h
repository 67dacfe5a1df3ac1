// Finding the mount that somebody means, and asking its daemon: tusfsctl's side.
//
// Nothing beneath a mount is looked at before its name says that it is one: a mount that hangs must
// not hang who asks about it. Answers of another shape throw json::exception (answers.h).
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "base/error.h"
#include "base/file.h"
#include "control/registry.h"

namespace tusfs {

/// A path beneath a mount.
struct Place {
  MountEntry mount;
  std::string path;  ///< relative to the mount
};

/// Where `given` is, by whatever bind mount; empty: the only mount there is. Errors: ENOENT with a
/// sentence, which names the mounts where there are several.
[[nodiscard]] Result<Place> FindPlace(std::string const& given);

/// The entry as the keeper has written it by now.
[[nodiscard]] MountEntry Refreshed(MountEntry const& entry);

/// Why a daemon does not answer, and what happens next.
[[nodiscard]] std::string Silence(MountEntry const& entry);

/// Asks for one object; `more`: fields of the request. A daemon that is being replaced is waited
/// for a moment. Errors: ENOTCONN with the words of Silence; EPROTO where the daemon is too old;
/// the daemon's own sentence.
[[nodiscard]] Result<nlohmann::json> Request(Place const& place, char const* command,
                                             nlohmann::json const& more = {});

/// The connection on which the daemon answers by and by. Errors: of connect(2).
[[nodiscard]] Result<UniqueFd> OpenRequest(Place const& place, char const* command,
                                           nlohmann::json const& more = {});

/// Calls `visit` with each file of the answer as it comes. Errors: as Request, perhaps behind
/// files.
[[nodiscard]] Result<void> VisitFiles(Place const& place, char const* command,
                                      nlohmann::json const& more,
                                      std::function<void(nlohmann::json const&)> const& visit);

}  // namespace tusfs
