// How the fixture server creates uploads.
#include <algorithm>
#include <array>
#include <ctime>

#include "testing/tus_service.h"
#include "testing/tus_turn.h"

namespace tusfs_testing {
namespace {}  // namespace

std::string HttpDate(std::chrono::system_clock::time_point time) {
  std::time_t const seconds = std::chrono::system_clock::to_time_t(time);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::array<char, 64> text{};
  std::size_t const length =
      std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return {text.data(), length};
}

bool TusService::Defers() const {
  return options_.defer_length && options_.service == Service::kNone;
}

TusService::Answer TusService::Create(Request& request) {
  if (auto answer = CreatedBefore(request)) return *std::move(answer);
  Creation creation;
  if (auto refused = ReadCreation(request, creation)) return *std::move(refused);
  Upload const upload = MakeUpload(creation);
  if (creation.final()) {
    PassJoinTime();
    if (auto refused = Join(upload, creation.concat)) return *std::move(refused);
  }
  {
    std::lock_guard const lock(mutex_);
    uploads_.emplace(upload->view.id, upload);
    if (auto const key = request.http.Header("Idempotency-Key")) {
      idempotency_keys_[*key] = upload->view.id;
    }
    Commit(*upload, upload->view.offset);  // an empty upload is complete at once
  }
  if (creation.with_upload && request.http.HasBody()) {
    Turn const turn(*this, request, upload->view.id);
    if (auto refused = Receive(request, upload, creation.checksum)) return *std::move(refused);
  }
  std::lock_guard const lock(mutex_);
  Answer answer = CreatedAnswer(request, upload);
  if (creation.with_upload) {
    answer.headers.emplace_back("Upload-Offset", std::to_string(upload->view.offset));
  }
  return answer;
}

std::optional<TusService::Answer> TusService::CreatedBefore(Request& request) {
  auto const key = request.http.Header("Idempotency-Key");
  if (!options_.idempotency || !key) return std::nullopt;
  Upload upload;
  {
    std::lock_guard const lock(mutex_);
    auto const known = idempotency_keys_.find(*key);
    if (known != idempotency_keys_.end()) upload = Find(known->second);
  }
  if (!upload) return std::nullopt;
  (void)Discard(request);
  std::lock_guard const lock(mutex_);
  Answer answer = CreatedAnswer(request, upload);
  answer.headers.emplace_back("Upload-Offset", std::to_string(upload->view.offset));
  return answer;
}

TusService::Answer TusService::CreatedAnswer(Request const& request, Upload const& upload) const {
  std::string const host = request.http.Header("Host").value_or("127.0.0.1");
  Answer answer{201, {{"Location", "http://" + host + std::string(kPrefix) + upload->view.id}}};
  if (upload->view.expires) {
    answer.headers.emplace_back("Upload-Expires", HttpDate(*upload->view.expires));
  }
  return answer;
}

TusService::Upload TusService::MakeUpload(Creation const& creation) {
  auto upload = std::make_shared<StoredUpload>(NewId(), options_.storage, options_.directory);
  upload->view.metadata = creation.metadata;
  upload->view.length = creation.length;
  upload->view.posts = 1;
  upload->view.partial = creation.concat == "partial";
  if (options_.expire_after) {
    upload->view.expires = std::chrono::system_clock::now() + *options_.expire_after;
  }
  upload->has_metadata = !creation.raw_metadata.empty();
  upload->raw_metadata = creation.raw_metadata;
  upload->raw_concat = creation.concat;
  return upload;
}

std::optional<TusService::Answer> TusService::ReadCreation(Request const& request,
                                                           Creation& creation) const {
  auto const concat = request.http.Header("Upload-Concat");
  if (concat && !options_.concatenation) return Answer{501, {}, "no concatenation\n"};
  // Servers and proxies limit single headers, and this one grows with the number of parts.
  if (concat && concat->size() > options_.max_concat) {
    return Answer{431, {}, "Upload-Concat is too long\n"};
  }
  creation.concat = concat.value_or("");
  if (concat && !creation.final() && concat != "partial") {
    return Answer{400, {}, "Upload-Concat is neither partial nor final\n"};
  }
  if (auto refused = ReadLength(request, creation)) return refused;
  if (auto const metadata = request.http.Header("Upload-Metadata")) {
    auto parsed = ParseMetadata(*metadata);
    if (!parsed) return Answer{400, {}, "Upload-Metadata is invalid\n"};
    creation.raw_metadata = *metadata;
    creation.metadata = *std::move(parsed);
  }
  if (auto const bad = CheckCreation(options_.service, creation.length, creation.metadata)) {
    return Answer{bad->status, {}, bad->words};
  }
  creation.with_upload = request.http.Header("Content-Type") == kOffsetType;
  if (request.http.HasBody()) {
    if (creation.final()) return Answer{403, {}, "a final upload has no body\n"};
    if (!creation.with_upload || !options_.creation_with_upload) {
      return Answer{400, {}, "no creation-with-upload here\n"};
    }
    if (auto const bad = CheckBody(options_.service, 0, creation.length.value_or(0),
                                   request.http.ContentLength())) {
      return Answer{bad->status, {}, bad->words};
    }
  }
  return ReadChecksum(request, creation.checksum);
}

std::optional<TusService::Answer> TusService::ReadLength(Request const& request,
                                                         Creation& creation) const {
  auto const length = request.http.Header("Upload-Length");
  auto const defer = request.http.Header("Upload-Defer-Length");
  if (defer && (defer != "1" || length || !Defers())) {
    return Answer{400, {}, "Upload-Defer-Length cannot be used here\n"};
  }
  if (length && creation.final()) return Answer{400, {}, "a final upload has no Upload-Length\n"};
  if (!length && !defer && !creation.final()) return Answer{400, {}, "no Upload-Length\n"};
  if (!length) return std::nullopt;
  creation.length = ParseNumber(*length);
  if (!creation.length) return Answer{400, {}, "Upload-Length is not a number\n"};
  if (options_.max_size > 0 && *creation.length > options_.max_size) {
    return Answer{413, {}, "larger than Tus-Max-Size\n"};
  }
  return std::nullopt;
}

void TusService::PassJoinTime() {
  std::unique_lock lock(mutex_);
  ++joining_;
  changed_.wait_for(lock, options_.join_time, [this] { return halted_; });
  --joining_;
}

/// `urls`: "final;" and the parts' URLs, absolute or as paths.
std::optional<TusService::Answer> TusService::Join(Upload const& upload, std::string_view urls) {
  std::lock_guard const lock(mutex_);
  if (halted_) return Answer{};  // killed while it was at it
  std::vector<Upload> parts;
  if (auto refused = FindParts(urls, parts)) return refused;
  std::vector<char> buffer(1024 * 1024);
  std::uint64_t offset = 0;
  for (auto const& part : parts) {
    for (std::uint64_t at = 0; std::size_t const got = part->Read(at, buffer); at += got) {
      upload->Write(offset + at, {buffer.data(), got});
    }
    offset += part->view.offset;
    upload->view.parts.push_back(part->view.id);
  }
  upload->view.length = offset;
  upload->view.offset = offset;
  return std::nullopt;
}

// As tusd answers; that they must be partial uploads is the protocol's.
std::optional<TusService::Answer> TusService::FindParts(std::string_view urls,
                                                        std::vector<Upload>& parts) const {
  urls.remove_prefix(std::string_view("final;").size());
  std::uint64_t length = 0;
  while (!urls.empty()) {
    std::string_view url = urls.substr(0, urls.find(' '));
    urls.remove_prefix(std::min(urls.size(), url.size() + 1));
    if (url.starts_with("http://")) url.remove_prefix(std::min(url.find('/', 7), url.size()));
    if (!url.starts_with(kPrefix)) return Answer{400, {}, "a part is not of this server\n"};
    Upload const part = Find(url.substr(kPrefix.size()));
    if (auto missing = Missing(part)) return missing;
    if (!part->view.partial) return Answer{400, {}, "a part is no partial upload\n"};
    if (!part->view.complete) return Answer{400, {}, "a part is not finished\n"};
    length += part->view.offset;
    parts.push_back(part);
  }
  if (parts.empty()) return Answer{400, {}, "Upload-Concat names no part\n"};
  if (options_.max_size > 0 && length > options_.max_size) {
    return Answer{413, {}, "larger than Tus-Max-Size\n"};
  }
  return std::nullopt;
}

}  // namespace tusfs_testing
