#include "testing/tus_service.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "testing/tus_turn.h"

namespace tusfs_testing {
namespace {

constexpr std::string_view kPrefix = "/files/";
constexpr std::string_view kVersion = "1.0.0";
constexpr std::string_view kOffsetType = "application/offset+octet-stream";

std::optional<std::uint64_t> ParseNumber(std::string_view text) {
  std::uint64_t value = 0;
  auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

TusService::TusService(FixtureOptions const& options)
    : options_(options), rate_(options.bytes_per_second) {
  if (options_.storage == Storage::kDirectory) {
    std::filesystem::create_directories(options_.directory);
  }
}

void TusService::Handle(HttpExchange& exchange) {
  Request request{.http = exchange, .method = exchange.Method(), .path = exchange.Target()};
  request.path = request.path.substr(0, request.path.find('?'));
  if (request.method == "GET" && request.path == "/stats") {
    exchange.Respond(200, {{"Content-Type", "application/json"}}, StatsJson());
    return;  // a look at the counters is not counted
  }
  if (auto const method = exchange.Header("X-HTTP-Method-Override")) request.method = *method;
  request.fault = TakeFault({request.method, request.path, &exchange});
  Fault const& fault = request.fault;

  if (fault.kind == Fault::Kind::kAnswerWithoutTusResumable) {
    Record(request, fault.status);
    exchange.Respond(fault.status, fault.headers, fault.body);
    return;
  }
  if (fault.kind == Fault::Kind::kForgetUpload && request.path.starts_with(kPrefix)) {
    Forget(request.path.substr(kPrefix.size()));
  }
  // One with a body stalls in the middle of it.
  if (fault.kind == Fault::Kind::kStall && !exchange.HasBody()) Stall(request);
  if (request.method == "GET") {
    int const status = Get(request);
    Record(request, status);
    return;
  }
  Answer answer = fault.kind == Fault::Kind::kAnswer
                      ? Answer{fault.status, fault.headers, fault.body}
                      : Route(request);
  if (fault.kind == Fault::Kind::kLoseAnswer) answer.status = 0;
  if (fault.kind == Fault::Kind::kAnswerAfter && answer.status != 0) {
    answer = {fault.status, fault.headers, fault.body};
  }
  {
    std::lock_guard const lock(mutex_);
    if (halted_) answer.status = 0;  // a killed server does not answer what it was busy with
  }
  Record(request, answer.status);
  if (answer.status == 0) {
    exchange.Drop();
    return;
  }
  answer.headers.emplace_back("Tus-Resumable", kVersion);
  exchange.Respond(answer.status, answer.headers, answer.body);
}

TusService::Answer TusService::Route(Request& request) {
  if (request.method == "OPTIONS") return Options(request);
  if (request.http.Header("Tus-Resumable") != kVersion) {
    return {412, {{"Tus-Version", std::string(kVersion)}}, "Tus-Resumable: 1.0.0 is missing\n"};
  }
  if (!request.path.starts_with(kPrefix)) return {404, {}, "no tus endpoint here\n"};
  std::string const id = request.path.substr(kPrefix.size());
  if (request.method == "POST") {
    return id.empty() ? Create(request) : Answer{405, {}, "POST goes to the endpoint\n"};
  }
  if (request.method == "HEAD") return Head(request, id);
  if (request.method == "PATCH") return Patch(request, id);
  if (request.method == "DELETE") return Terminate(request, id);
  return {405, {}, "unknown method\n"};
}

std::string TusService::Extensions() const {
  std::string all = "creation";
  if (options_.creation_with_upload) all += ",creation-with-upload";
  if (options_.defer_length) all += ",creation-defer-length";
  if (options_.termination) all += ",termination";
  if (options_.checksum) all += ",checksum";
  if (options_.concatenation) all += ",concatenation";
  return all;
}

TusService::Answer TusService::Options(Request const& request) {
  if (!request.path.starts_with(kPrefix)) return {404, {}, ""};
  Answer answer{204, {{"Tus-Version", std::string(kVersion)}, {"Tus-Extension", Extensions()}}};
  if (options_.max_size > 0) {
    answer.headers.emplace_back("Tus-Max-Size", std::to_string(options_.max_size));
  }
  if (options_.checksum) {
    answer.headers.emplace_back("Tus-Checksum-Algorithm", "sha1,md5,sha256");
  }
  return answer;
}

TusService::Answer TusService::Create(Request& request) {
  auto const length_header = request.http.Header("Upload-Length");
  auto const defer_header = request.http.Header("Upload-Defer-Length");
  auto const metadata_header = request.http.Header("Upload-Metadata");
  auto const concat_header = request.http.Header("Upload-Concat");
  bool const final = concat_header && concat_header->starts_with("final;");
  if (concat_header && !options_.concatenation) return {501, {}, "no concatenation\n"};
  if (concat_header && !final && concat_header != "partial") {
    return {400, {}, "Upload-Concat is neither partial nor final\n"};
  }
  if (defer_header && (defer_header != "1" || length_header || !options_.defer_length)) {
    return {400, {}, "Upload-Defer-Length cannot be used here\n"};
  }
  if (!length_header && !defer_header && !final) return {400, {}, "no Upload-Length\n"};
  if (length_header && final) return {400, {}, "a final upload has no Upload-Length\n"};

  std::optional<std::uint64_t> length;
  if (length_header) {
    length = ParseNumber(*length_header);
    if (!length) return {400, {}, "Upload-Length is not a number\n"};
    if (options_.max_size > 0 && *length > options_.max_size) {
      return {413, {}, "larger than Tus-Max-Size\n"};
    }
  }
  std::map<std::string, std::string> metadata;
  if (metadata_header) {
    auto parsed = ParseMetadata(*metadata_header);
    if (!parsed) return {400, {}, "Upload-Metadata is invalid\n"};
    metadata = std::move(*parsed);
  }
  bool const with_upload = request.http.Header("Content-Type") == kOffsetType;
  if (request.http.HasBody() && (!with_upload || !options_.creation_with_upload)) {
    return {400, {}, "no creation-with-upload here\n"};
  }
  std::optional<Checksum> checksum;
  if (auto refused = ReadChecksum(request, checksum)) return *refused;

  auto const upload = std::make_shared<StoredUpload>(NewId(), options_.storage, options_.directory);
  upload->view.metadata = std::move(metadata);
  upload->view.length = length;
  upload->view.posts = 1;
  upload->view.partial = concat_header == "partial";
  upload->has_metadata = metadata_header.has_value();
  upload->raw_metadata = metadata_header.value_or("");
  upload->raw_concat = concat_header.value_or("");
  if (final) {
    if (auto refused = CreateFinal(request, upload, *concat_header); refused.status != 0) {
      return refused;
    }
  }
  std::string const host = request.http.Header("Host").value_or("127.0.0.1");
  Answer answer{201, {{"Location", "http://" + host + std::string(kPrefix) + upload->view.id}}};
  {
    std::lock_guard const lock(mutex_);
    uploads_.emplace(upload->view.id, upload);
    Commit(*upload, upload->view.offset);  // an empty upload is complete at once
  }
  if (with_upload && request.http.HasBody()) {
    Turn const turn(*this, request, upload->view.id);
    if (auto refused = Receive(request, upload, checksum)) return *refused;
  }
  if (with_upload) {
    std::lock_guard const lock(mutex_);
    answer.headers.emplace_back("Upload-Offset", std::to_string(upload->view.offset));
  }
  return answer;
}

TusService::Answer TusService::CreateFinal(Request const& request, Upload const& upload,
                                           std::string_view urls) {
  if (request.http.HasBody()) return {403, {}, "a final upload has no body\n"};
  urls.remove_prefix(std::string_view("final;").size());
  std::vector<char> buffer(1024 * 1024);
  std::lock_guard const lock(mutex_);
  std::uint64_t offset = 0;
  while (!urls.empty()) {
    std::string_view const url = urls.substr(0, urls.find(' '));
    urls.remove_prefix(std::min(urls.size(), url.size() + 1));
    Upload const part = Find(url.substr(url.rfind('/') + 1));
    if (!part || !part->view.partial || !part->view.complete) {
      return {400, {}, "a part is missing or incomplete\n"};
    }
    for (std::uint64_t at = 0; std::size_t const got = part->Read(at, buffer); at += got) {
      upload->Write(offset, {buffer.data(), got});
      offset += got;
    }
  }
  upload->view.length = offset;
  upload->view.offset = offset;
  return {};
}

TusService::Answer TusService::Head(Request const& request, std::string const& id) {
  Turn const turn(*this, request, id);
  std::lock_guard const lock(mutex_);
  Upload const upload = Find(id);
  if (!upload) return {404, {}, ""};
  ++upload->view.heads;
  Answer answer{200, {{"Cache-Control", "no-store"}}};
  if (upload->view.length) {
    answer.headers.emplace_back("Upload-Length", std::to_string(*upload->view.length));
  } else {
    answer.headers.emplace_back("Upload-Defer-Length", "1");
  }
  answer.headers.emplace_back("Upload-Offset", std::to_string(upload->view.offset));
  if (upload->has_metadata) answer.headers.emplace_back("Upload-Metadata", upload->raw_metadata);
  if (!upload->raw_concat.empty()) {
    answer.headers.emplace_back("Upload-Concat", upload->raw_concat);
  }
  return answer;
}

TusService::Answer TusService::Patch(Request& request, std::string const& id) {
  if (request.http.Header("Content-Type") != kOffsetType) {
    return {415, {}, "Content-Type is not application/offset+octet-stream\n"};
  }
  auto const offset = ParseNumber(request.http.Header("Upload-Offset").value_or(""));
  if (!offset) return {400, {}, "no Upload-Offset\n"};
  std::optional<std::uint64_t> length;
  if (auto const header = request.http.Header("Upload-Length")) {
    length = ParseNumber(*header);
    if (!length) return {400, {}, "Upload-Length is not a number\n"};
  }
  std::uint64_t const body = request.http.ContentLength().value_or(0);
  if (options_.max_body > 0 && body > options_.max_body) return {413, {}, "body too large\n"};
  std::optional<Checksum> checksum;
  if (auto refused = ReadChecksum(request, checksum)) return *refused;

  Turn const turn(*this, request, id);
  Upload upload;
  {
    std::lock_guard const lock(mutex_);
    upload = Find(id);
    if (!upload) return {404, {}, "no such upload\n"};
    auto& view = upload->view;
    ++view.patches;
    if (upload->raw_concat.starts_with("final;")) return {403, {}, "a final upload\n"};
    if (*offset != view.offset) return {409, {}, "the offset is another\n"};
    if (length) {
      if (view.length) return {400, {}, "the length was declared before\n"};
      if (*length < view.offset) return {400, {}, "the length is below the offset\n"};
      if (options_.max_size > 0 && *length > options_.max_size) {
        return {413, {}, "larger than Tus-Max-Size\n"};
      }
      view.length = length;
      Commit(*upload, view.offset);
    }
    std::uint64_t const room =
        view.length ? *view.length - view.offset
                    : (options_.max_size > 0 ? options_.max_size - view.offset : UINT64_MAX);
    if (body > room) return {413, {}, "more than the length that was declared\n"};
  }
  if (auto refused = Receive(request, upload, checksum)) return *refused;
  std::lock_guard const lock(mutex_);
  return {204, {{"Upload-Offset", std::to_string(upload->view.offset)}}};
}

TusService::Answer TusService::Terminate(Request const& request, std::string const& id) {
  if (!options_.termination) return {405, {}, "no termination\n"};
  Turn const turn(*this, request, id);
  return Forget(id) ? Answer{204} : Answer{404, {}, "no such upload\n"};
}

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
