#include "control/evidence.h"

#include <cerrno>
#include <cstdio>
#include <system_error>

#include "base/text.h"
#include "control/outcome.h"

namespace tusfs {
namespace {

std::string Spelled(std::string const& path) {
  auto spelled = std::filesystem::path("/" + path).lexically_normal().string().substr(1);
  while (spelled.ends_with('/')) spelled.pop_back();
  return spelled;
}

Evidence EvidenceOf(Place place) {
  auto const flushed = Request({place.mount, ""}, "flush-ledger");
  return {.place = place,
          .state_dir = place.mount.state_dir,
          .path = Spelled(place.path),
          .behind = flushed ? "" : flushed.error().context};
}

// The mount that uses the state directory now.
std::optional<Place> MountOf(std::string const& state_dir) {
  std::error_code failed;
  for (auto const& mount : ListMounts()) {
    bool const is_its_own = std::filesystem::equivalent(mount.state_dir, state_dir, failed);
    if (!failed && is_its_own && KeeperOf(mount) != 0) return Place{mount, ""};
  }
  return std::nullopt;
}

}  // namespace

Result<Evidence> FindEvidence(std::string const& given, std::string const& state_dir) {
  if (!state_dir.empty()) {
    std::error_code failed;
    if (!std::filesystem::is_directory(LedgerDirectory(state_dir), failed)) {
      return Fail(ENOENT, "'" + state_dir +
                              "' has no ledger: name the directory that --state-dir gives to "
                              "tusfs");
    }
    if (auto place = MountOf(state_dir)) {
      place->path = Spelled(given);
      return EvidenceOf(*std::move(place));
    }
    return Evidence{.place = {}, .state_dir = state_dir, .path = Spelled(given), .behind = ""};
  }
  auto place = FindPlace(given);
  if (!place) {
    return Fail(place.error().code, place.error().context +
                                        "; the ledger of one that is not mounted is read with "
                                        "--state-dir DIR");
  }
  return EvidenceOf(*std::move(place));
}

nlohmann::json OrNull(std::string_view text) {
  return text.empty() ? nlohmann::json() : nlohmann::json(std::string(text));
}

Result<void> VisitEvidence(Evidence const& evidence,
                           std::function<bool(LedgerRow const&)> const& visit,
                           std::function<void()> const& damaged) {
  bool const is_written = evidence.place.has_value();
  return VisitLedger(LedgerDirectory(evidence.state_dir), visit, [&](LedgerDamage const& damage) {
    if (damage.is_end && is_written) return;
    std::fprintf(stderr,
                 "tusfsctl: the ledger is damaged at byte %llu of '%s': what it had there of "
                 "files is not known\n",
                 static_cast<unsigned long long>(damage.offset), Printable(damage.file).c_str());
    if (damaged) damaged();
  });
}

}  // namespace tusfs
