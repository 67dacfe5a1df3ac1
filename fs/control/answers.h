// What a daemon answers tusfsctl, as a person reads it.
//
// Pure functions of its bytes. The daemon may be of another version, or another user's: an answer
// of another shape throws json::exception, which main turns into a sentence, and nothing that is
// shown has control characters in it but line ends.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "base/beneath.h"
#include "base/error.h"

namespace tusfs {

/// Errors: EPROTO for what is no answer; ENOENT with the daemon's own sentence.
[[nodiscard]] Result<nlohmann::json> ReadAnswer(std::string const& text);

/// The same of what was parsed.
[[nodiscard]] Result<void> JudgeAnswer(nlohmann::json const& answer);

/// An array.
[[nodiscard]] nlohmann::json const& FilesIn(nlohmann::json const& answer);
/// The number of a field, 0 where there is none.
[[nodiscard]] std::uint64_t NumberOf(nlohmann::json const& object, char const* field);
/// The text of a field; empty where there is none.
[[nodiscard]] std::string TextOf(nlohmann::json const& object, char const* field);

/// Files that somebody has to do something about, of the counts by state.
[[nodiscard]] std::uint64_t CountStuck(nlohmann::json const& files);

/// What lies beneath the mount (--import), of a status or a line of news; zeros where it does not
/// say.
[[nodiscard]] FilesBeneath BeneathIn(nlohmann::json const& object);
[[nodiscard]] nlohmann::json JsonOf(FilesBeneath const& beneath);

/// A mount with its processes, and with what its daemon says where it says something. `with_bars`:
/// for a terminal.
[[nodiscard]] std::string ShowMount(nlohmann::json const& status, bool with_bars);
/// How the mount is, in one line for the service manager: how much is safe, what waits for
/// somebody, whether the server can be used.
[[nodiscard]] std::string SummaryOf(nlohmann::json const& status);
/// One line a mount, of {"mounts": […]}.
[[nodiscard]] std::string ShowMountList(nlohmann::json const& answer, bool with_bars);
/// One line, and one more for what to do about it.
[[nodiscard]] std::string ShowFile(nlohmann::json const& file, bool with_bars);
/// One line a file.
[[nodiscard]] std::string ShowFiles(nlohmann::json const& answer, bool with_bars);

}  // namespace tusfs
