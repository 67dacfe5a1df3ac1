// How the fixture server takes bodies in, and how faults interfere.
#include <algorithm>

#include "testing/digest.h"
#include "testing/tus_service.h"
#include "testing/tus_turn.h"

namespace tusfs_testing {
namespace {

constexpr std::size_t kBuffer = 256 * 1024;
// Small steps keep a slow server's progress smooth.
constexpr std::size_t kStep = 64 * 1024;

/// The SHA-256 in a Repr-Digest header (RFC 9530): raw bytes, empty where there is none.
std::string Sha256In(std::string_view header) {
  constexpr std::string_view kName = "sha-256=:";
  std::size_t const at = header.find(kName);
  if (at == std::string_view::npos) return "";
  header.remove_prefix(at + kName.size());
  return DecodeBase64(header.substr(0, header.find(':'))).value_or("");
}

}  // namespace

TusService::Turn::Turn(TusService& service, Request const& request, std::string const& id)
    : service_(service), id_(id) {
  std::unique_lock lock(service_.mutex_);
  if (auto const found = service_.live_.find(id_);
      found != service_.live_.end() && !found->second.exchange->PeerGone()) {
    if (request.method == "PATCH") ++service_.stats_.overlapping_patches;
    if (request.method == "HEAD") ++service_.stats_.heads_during_patch;
  }
  while (true) {
    auto const found = service_.live_.find(id_);
    if (found == service_.live_.end()) break;
    if (!found->second.cut) {
      found->second.cut = true;
      found->second.exchange->Interrupt();
      service_.changed_.notify_all();
    }
    service_.changed_.wait(lock);
  }
  service_.live_.emplace(id_, Live{.exchange = &request.http});
}

TusService::Turn::~Turn() {
  std::lock_guard const lock(service_.mutex_);
  service_.live_.erase(id_);
  service_.changed_.notify_all();
}

std::optional<TusService::Answer> TusService::ReadChecksum(
    Request const& request, std::optional<Checksum>& checksum) const {
  auto const header = request.http.Header("Upload-Checksum");
  if (!header || !options_.checksum || options_.checksum_algorithms.empty()) return std::nullopt;
  std::size_t const space = header->find(' ');
  if (space == std::string::npos) return Answer{400, {}, "Upload-Checksum is invalid\n"};
  auto digest = DecodeBase64(std::string_view(*header).substr(space + 1));
  std::string algorithm = header->substr(0, space);
  bool const known = std::ranges::count(options_.checksum_algorithms, algorithm) > 0;
  if (!digest || !known || !DigestOf(algorithm, "")) {
    return Answer{400, {}, "Upload-Checksum is invalid\n"};
  }
  checksum = Checksum{.algorithm = std::move(algorithm), .digest = std::move(*digest)};
  return std::nullopt;
}

std::optional<TusService::Answer> TusService::Receive(Request& request, Upload const& upload,
                                                      std::optional<Checksum> const& checksum) {
  auto const digest = request.http.Header("Repr-Digest");
  Body body{.room = UINT64_MAX, .commit = !checksum && !(digest && options_.enforce_digest)};
  {
    std::lock_guard const lock(mutex_);
    if (digest) upload->view.repr_digest = *digest;
    body.offset = upload->view.offset;
    if (upload->view.length) body.room = *upload->view.length - body.offset;
  }
  Take(request, upload, body);
  {
    std::lock_guard const lock(mutex_);
    upload->view.received += request.body_bytes;
  }
  if (body.dropped) return Answer{};
  if (!body.whole) return Answer{400, {}, "ERR_UPLOAD_INTERRUPTED: the body broke off\n"};
  // Only a body without Content-Length can bring more than was announced.
  if (request.fault.kind != Fault::Kind::kShortOffset && Discard(request) &&
      request.body_bytes > body.room) {
    return Answer{413, {}, "more than the length that was declared\n"};
  }
  std::lock_guard const lock(mutex_);
  if (auto refused = Verify(request, *upload, body, checksum)) return refused;
  Commit(*upload, body.offset);
  return std::nullopt;
}

void TusService::Take(Request& request, Upload const& upload, Body& body) {
  Fault const& fault = request.fault;
  switch (fault.kind) {
    case Fault::Kind::kCutAfter:
      body.whole = Keep(request, upload, body, std::min(body.room, fault.bytes));
      body.dropped = true;
      break;
    case Fault::Kind::kShortOffset:
      body.whole =
          Keep(request, upload, body, std::min(body.room, fault.bytes)) && Discard(request);
      break;
    case Fault::Kind::kStall: {
      std::uint64_t const before = std::min(body.room, fault.bytes);
      if (before > 0) body.whole = Keep(request, upload, body, before);
      if (body.whole) Stall(request);
      body.whole = body.whole && Keep(request, upload, body, body.room - request.body_bytes);
      break;
    }
    default:
      body.whole = Keep(request, upload, body, body.room);
  }
}

std::optional<TusService::Answer> TusService::Verify(
    Request const& request, StoredUpload& upload, Body const& body,
    std::optional<Checksum> const& checksum) const {
  if (checksum && DigestOf(checksum->algorithm, body.copy) != checksum->digest) {
    return Answer{options_.checksum_mismatch, {}, "checksum mismatch\n"};
  }
  auto const digest = request.http.Header("Repr-Digest");
  if (!digest || !options_.enforce_digest || upload.view.length != body.offset) return std::nullopt;
  std::string whole(upload.view.offset, '\0');
  whole.resize(upload.Read(0, whole));
  if (DigestOf("sha256", whole + body.copy) == Sha256In(*digest)) return std::nullopt;
  return Answer{400, {}, "the upload is not what Repr-Digest says\n"};
}

bool TusService::Keep(Request& request, Upload const& upload, Body& body, std::uint64_t limit) {
  std::vector<char> buffer(kBuffer);
  std::uint64_t kept = 0;
  while (kept < limit) {
    std::size_t const step =
        options_.bytes_per_second > 0 ? std::min(kStep, buffer.size()) : buffer.size();
    auto const want = static_cast<std::size_t>(std::min<std::uint64_t>(step, limit - kept));
    ssize_t const got = request.http.ReadSome({buffer.data(), want});
    if (got < 0) return false;
    if (got == 0) return true;
    auto const count = static_cast<std::size_t>(got);
    std::span<char const> const bytes(buffer.data(), count);
    request.body_bytes += count;
    if (!body.commit) body.copy.append(bytes.data(), bytes.size());
    if (options_.storage != Storage::kMemory) upload->Write(body.offset, bytes);
    {
      std::lock_guard const lock(mutex_);
      stats_.received_bytes += count;
      if (options_.storage == Storage::kMemory) upload->Write(body.offset, bytes);
      body.offset += count;
      kept += count;
      if (body.commit) Commit(*upload, body.offset);
    }
    rate_.Take(count);
  }
  return true;
}

bool TusService::Discard(Request& request) {
  std::vector<char> buffer(kBuffer);
  while (request.http.HasBody()) {
    ssize_t const got = request.http.ReadSome(buffer);
    if (got <= 0) return got == 0;
    request.body_bytes += static_cast<std::uint64_t>(got);
    std::lock_guard const lock(mutex_);
    stats_.received_bytes += static_cast<std::uint64_t>(got);
  }
  return true;
}

void TusService::Stall(Request& request) {
  std::unique_lock lock(mutex_);
  std::uint64_t const before = releases_;
  auto const over = [&] {
    if (halted_ || releases_ != before) return true;
    return std::ranges::any_of(live_, [&](auto const& entry) {
      return entry.second.exchange == &request.http && entry.second.cut;
    });
  };
  ++stalled_;
  changed_.notify_all();
  if (request.fault.duration) {
    changed_.wait_for(lock, *request.fault.duration, over);
  } else {
    changed_.wait(lock, over);
  }
  --stalled_;
}

void TusService::Commit(StoredUpload& upload, std::uint64_t offset) {
  upload.view.offset = offset;
  if (upload.view.complete || upload.view.length != offset) return;
  upload.view.complete = true;
  if (!upload.view.partial) ++stats_.published;
}

}  // namespace tusfs_testing
