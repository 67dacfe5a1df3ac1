#include "testing/service_rules.h"

#include <initializer_list>

namespace tusfs_testing {
namespace {

constexpr std::uint64_t kKiB = 1024;
constexpr std::uint64_t kMiB = 1024 * kKiB;

std::optional<Complaint> CheckKeys(std::map<std::string, std::string> const& metadata,
                                   std::initializer_list<char const*> required) {
  for (auto const* key : required) {
    if (!metadata.contains(key) || metadata.at(key).empty()) {
      return Complaint{400, "metadata lacks " + std::string(key) + "\n"};
    }
  }
  return std::nullopt;
}

std::optional<Complaint> CheckCloudflare(std::uint64_t body, bool last) {
  if (body > 200 * kMiB) return Complaint{413, "a chunk has at most 200 MiB\n"};
  if (last) return std::nullopt;
  if (body < 5 * kMiB) return Complaint{400, "a chunk has at least 5 MiB\n"};
  if (body % (256 * kKiB) != 0) return Complaint{400, "a chunk is a multiple of 256 KiB\n"};
  return std::nullopt;
}

std::optional<Complaint> CheckSupabase(std::uint64_t offset, std::uint64_t body, bool last) {
  constexpr std::uint64_t kChunk = 6 * kMiB;
  if (body > kChunk) return Complaint{413, "a chunk has 6 MiB\n"};
  // What is left of a chunk that was cut is no chunk of another size.
  bool const rest_of_cut = offset % kChunk != 0 && (offset + body) % kChunk == 0;
  if (last || body == kChunk || rest_of_cut) return std::nullopt;
  return Complaint{400, "a chunk has 6 MiB\n"};
}

}  // namespace

std::optional<Complaint> CheckCreation(Service service, std::optional<std::uint64_t> length,
                                       std::map<std::string, std::string> const& metadata) {
  if (service == Service::kNone) return std::nullopt;
  if (!length) return Complaint{400, "Upload-Length is required\n"};
  if (service == Service::kSupabase) {
    return CheckKeys(metadata, {"bucketName", "objectName", "contentType"});
  }
  if (service == Service::kOpenCloud) return CheckKeys(metadata, {"filename", "mtime"});
  return std::nullopt;
}

std::optional<Complaint> CheckBody(Service service, std::uint64_t offset, std::uint64_t length,
                                   std::optional<std::uint64_t> body) {
  if (service == Service::kNone) return std::nullopt;
  if (!body) return Complaint{411, "Content-Length is required\n"};
  bool const last = offset + *body == length;
  if (service == Service::kCloudflareStream) return CheckCloudflare(*body, last);
  if (service == Service::kSupabase) return CheckSupabase(offset, *body, last);
  if (*body > 10'000'000) return Complaint{413, "a chunk has at most 10 MB\n"};
  return std::nullopt;
}

}  // namespace tusfs_testing
