#include "testing/tus_service.h"

#include <algorithm>
#include <charconv>

#include "testing/tus_turn.h"

namespace tusfs_testing {
namespace {

constexpr std::string_view kVersion = "1.0.0";

}  // namespace

std::optional<std::uint64_t> ParseNumber(std::string_view text) {
  std::uint64_t value = 0;
  auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

TusService::TusService(FixtureOptions const& options)
    : options_(options), rate_(options.bytes_per_second), required_(options.required_headers) {
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
  if (options_.method_override && request.method == "POST") {
    request.method = exchange.Header("X-HTTP-Method-Override").value_or("POST");
  }
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
  if (request.method == "GET" && fault.kind != Fault::Kind::kAnswer && MayEnter(exchange)) {
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
  if (!MayEnter(request.http)) return {401, {}, "who are you?\n"};
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
  if (Defers()) all += ",creation-defer-length";
  if (options_.termination) all += ",termination";
  if (options_.checksum) all += ",checksum";
  if (options_.concatenation) all += ",concatenation";
  if (options_.expire_after) all += ",expiration";
  return all;
}

TusService::Answer TusService::Options(Request const& request) {
  if (!request.path.starts_with(kPrefix)) return {404, {}, ""};
  Answer answer{204, {{"Tus-Version", std::string(kVersion)}, {"Tus-Extension", Extensions()}}};
  if (options_.max_size > 0) {
    answer.headers.emplace_back("Tus-Max-Size", std::to_string(options_.max_size));
  }
  std::string algorithms;
  for (auto const& name : options_.checksum_algorithms) {
    algorithms += (algorithms.empty() ? "" : ",") + name;
  }
  if (options_.checksum && !algorithms.empty()) {
    answer.headers.emplace_back("Tus-Checksum-Algorithm", algorithms);
  }
  return answer;
}

TusService::Answer TusService::Head(Request const& request, std::string const& id) {
  Turn const turn(*this, request, id);
  std::lock_guard const lock(mutex_);
  Upload const upload = Find(id);
  if (auto missing = Missing(upload)) return {missing->status, {}, ""};
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
  std::optional<Checksum> checksum;
  if (auto refused = ReadChecksum(request, checksum)) return *std::move(refused);

  Turn const turn(*this, request, id);
  Upload upload;
  {
    std::lock_guard const lock(mutex_);
    upload = Find(id);
    if (auto missing = Missing(upload)) return *std::move(missing);
    ++upload->view.patches;
    if (auto refused = Admit(request, *upload, *offset, length)) return *std::move(refused);
    if (length) upload->view.length = length;
  }
  if (auto refused = Receive(request, upload, checksum)) return *std::move(refused);
  std::lock_guard const lock(mutex_);
  auto const& view = upload->view;
  Answer answer{204, {{"Upload-Offset", std::to_string(view.offset)}}};
  if (view.expires && !view.complete) {
    answer.headers.emplace_back("Upload-Expires", HttpDate(*view.expires));
  }
  return answer;
}

std::optional<TusService::Answer> TusService::Missing(Upload const& upload) const {
  if (!upload) return Answer{404, {}, "no such upload\n"};
  auto const& expires = upload->view.expires;
  if (expires && std::chrono::system_clock::now() >= *expires) {
    return Answer{410, {}, "the upload has expired\n"};
  }
  return std::nullopt;
}

std::optional<TusService::Answer> TusService::Admit(Request const& request, StoredUpload& upload,
                                                    std::uint64_t offset,
                                                    std::optional<std::uint64_t> declared) const {
  auto const& view = upload.view;
  auto const announced = request.http.ContentLength();
  std::uint64_t const body = announced.value_or(0);
  if (options_.max_body > 0 && body > options_.max_body) return Answer{413, {}, "body too large\n"};
  if (upload.raw_concat.starts_with("final;")) return Answer{403, {}, "a final upload\n"};
  if (offset != view.offset) return Answer{409, {}, "the offset is another\n"};
  if (declared) {
    if (view.length) return Answer{400, {}, "the length was declared before\n"};
    if (*declared < offset) return Answer{400, {}, "the length is below the offset\n"};
    if (options_.max_size > 0 && *declared > options_.max_size) {
      return Answer{413, {}, "larger than Tus-Max-Size\n"};
    }
  }
  std::uint64_t end = options_.max_size > 0 ? options_.max_size : UINT64_MAX;
  if (view.length || declared) end = view.length ? *view.length : *declared;
  if (body > end - offset) return Answer{413, {}, "more than the length that was declared\n"};
  if (auto const bad = CheckBody(options_.service, offset, end, announced)) {
    return Answer{bad->status, {}, bad->words};
  }
  return std::nullopt;
}

TusService::Answer TusService::Terminate(Request const& request, std::string const& id) {
  if (!options_.termination) return {405, {}, "no termination\n"};
  Turn const turn(*this, request, id);
  {
    std::lock_guard const lock(mutex_);
    if (auto missing = Missing(Find(id))) return *std::move(missing);
  }
  return Forget(id) ? Answer{204} : Answer{404, {}, "no such upload\n"};
}

}  // namespace tusfs_testing
