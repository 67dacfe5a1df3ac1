#include "options/space_settings.h"

#include <algorithm>
#include <cerrno>
#include <string>

namespace tusfs {
namespace {

constexpr std::uint64_t kLargestReserve = std::uint64_t{1} << 30;
constexpr std::uint64_t kReserveFraction = 20;  // a twentieth of the disk

}  // namespace

Result<void> CheckSpace(Options const& options, std::uint64_t chunk_size) {
  if (!options.spool_size || *options.spool_size >= chunk_size) return {};
  return Fail(EINVAL, "--spool-size is smaller than one chunk (" + std::to_string(chunk_size) +
                          " bytes): give it more, or give --chunk-size less");
}

SpoolLimits SpoolLimitsOf(Options const& options, std::uint64_t disk) {
  return {.size = options.spool_size.value_or(0),
          .reserve = options.reserve.value_or(std::min(disk / kReserveFraction, kLargestReserve))};
}

Turns::Options TurnsOf(Options const& options) {
  return {.full_timeout = options.full_timeout, .trims = options.trim};
}

ReclaimOptions ReclaimOptionsOf(Options const& options) {
  return {.keep = options.keep,
          .trim = options.trim,
          .drop_interrupted = options.drop_interrupted,
          .retention = options.retention};
}

}  // namespace tusfs
