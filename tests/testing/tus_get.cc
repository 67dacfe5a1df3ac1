// What the fixture server gives out: bytes of uploads and its counters.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "testing/tus_service.h"

namespace tusfs_testing {

int TusService::Get(Request const& request) {
  Upload upload;
  if (request.path.starts_with(kPrefix)) {
    std::lock_guard const lock(mutex_);
    upload = Find(request.path.substr(kPrefix.size()));
  }
  if (upload) return GetUpload(request, upload);
  request.http.Respond(404, {}, "no such upload\n");
  return 404;
}

int TusService::GetUpload(Request const& request, Upload const& upload) {
  std::uint64_t length = 0;
  {
    std::lock_guard const lock(mutex_);
    length = upload->view.offset;
  }
  request.http.BeginResponse(200, {{"Content-Type", "application/octet-stream"}}, length);
  std::vector<char> buffer(1024 * 1024);
  for (std::uint64_t at = 0; at < length;) {
    std::size_t got = 0;
    {
      std::lock_guard const lock(mutex_);
      got = upload->Read(at, buffer);
    }
    got = static_cast<std::size_t>(std::min<std::uint64_t>(got, length - at));
    request.http.Write({buffer.data(), got});
    at += got;
  }
  return 200;
}

std::string TusService::StatsJson() const {
  FixtureStats const stats = Stats();
  nlohmann::json json{{"received_bytes", stats.received_bytes},
                      {"published", stats.published},
                      {"posts", stats.posts},
                      {"patches", stats.patches},
                      {"heads", stats.heads},
                      {"uploads", nlohmann::json::array()}};
  for (auto const& view : Uploads()) {
    nlohmann::json upload{{"id", view.id},
                          {"filename", view.Metadata("filename")},
                          {"relativePath", view.Metadata("relativePath")},
                          {"offset", view.offset},
                          {"length", nullptr},
                          {"complete", view.complete}};
    if (view.length) upload["length"] = *view.length;
    json["uploads"].push_back(std::move(upload));
  }
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace tusfs_testing
