// What the fixture server gives out: bytes of uploads and its counters.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "testing/tus_service.h"

namespace tusfs_testing {

std::optional<std::uint64_t> TusService::RangeFrom(Request const& request) {
  constexpr std::string_view kUnit = "bytes=";
  auto const range = request.http.Header("Range").value_or("");
  if (!range.starts_with(kUnit) || !range.ends_with('-')) return std::nullopt;
  return ParseNumber(std::string_view(range).substr(kUnit.size(), range.size() - kUnit.size() - 1));
}

int TusService::Get(Request const& request) {
  Upload upload;
  if (request.path.starts_with(kPrefix)) {
    std::lock_guard const lock(mutex_);
    upload = Find(request.path.substr(kPrefix.size()));
  }
  if (upload) return GetUpload(request, upload);
  request.http.Respond(404, {{"Tus-Resumable", "1.0.0"}}, "no such upload\n");
  return 404;
}

int TusService::GetUpload(Request const& request, Upload const& upload) {
  std::uint64_t length = 0;
  {
    std::lock_guard const lock(mutex_);
    length = upload->view.offset;
  }
  auto const range = options_.ranges ? RangeFrom(request) : std::nullopt;
  if (range && *range >= length) {
    request.http.Respond(416, {{"Tus-Resumable", "1.0.0"}}, "");
    return 416;
  }
  std::uint64_t at = range.value_or(0);
  int const status = range ? 206 : 200;
  Headers headers{{"Tus-Resumable", "1.0.0"}, {"Content-Type", "application/octet-stream"}};
  if (range) {
    headers.emplace_back("Content-Range", "bytes " + std::to_string(at) + "-" +
                                              std::to_string(length - 1) + "/" +
                                              std::to_string(length));
  }
  request.http.BeginResponse(status, headers, length - at);
  Fault const& fault = request.fault;
  std::uint64_t const cut =
      fault.kind == Fault::Kind::kCutAfter ? std::min(length, at + fault.bytes) : length;
  std::vector<char> buffer(1024 * 1024);
  while (at < cut) {
    std::size_t got = 0;
    {
      std::lock_guard const lock(mutex_);
      if (halted_) break;
      got = upload->Read(at, buffer);
    }
    got = static_cast<std::size_t>(std::min<std::uint64_t>(got, cut - at));
    request.http.Write({buffer.data(), got});
    at += got;
  }
  if (at < length) request.http.Drop();
  return status;
}

std::string TusService::StatsJson() const {
  FixtureStats const stats = Stats();
  nlohmann::json json{{"received_bytes", stats.received_bytes},
                      {"published", stats.published},
                      {"posts", stats.posts},
                      {"patches", stats.patches},
                      {"heads", stats.heads},
                      {"deletes", stats.deletes},
                      {"uploads", nlohmann::json::array()}};
  for (auto const& view : Uploads()) {
    nlohmann::json upload{{"id", view.id},
                          {"filename", view.Metadata("filename")},
                          {"relativePath", view.Metadata("relativePath")},
                          {"offset", view.offset},
                          {"length", nullptr},
                          {"complete", view.complete},
                          {"partial", view.partial},
                          {"parts", view.parts}};
    if (view.length) upload["length"] = *view.length;
    json["uploads"].push_back(std::move(upload));
  }
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace tusfs_testing
