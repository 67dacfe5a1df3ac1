// What hosted services publish of their tus endpoints, for the fixture server to insist on.
//
// Pure functions. The services' own words: Cloudflare Stream wants chunks of 5 MiB to 200 MiB in
// multiples of 256 KiB, Supabase chunks of 6 MiB and three metadata keys, OpenCloud two keys and
// bodies of at most 10 MB. None takes an upload whose length is not known.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace tusfs_testing {

enum class Service { kNone, kCloudflareStream, kSupabase, kOpenCloud };

struct Complaint {
  int status = 0;
  std::string words;
};

[[nodiscard]] std::optional<Complaint> CheckCreation(
    Service service, std::optional<std::uint64_t> length,
    std::map<std::string, std::string> const& metadata);

/// A body of `body` bytes (nothing: not announced) at `offset` of an upload of `length` bytes.
[[nodiscard]] std::optional<Complaint> CheckBody(Service service, std::uint64_t offset,
                                                 std::uint64_t length,
                                                 std::optional<std::uint64_t> body);

}  // namespace tusfs_testing
