// How the fixture server takes bodies in, and how faults interfere.
#include <openssl/evp.h>

#include <algorithm>

#include "testing/tus_service.h"
#include "testing/tus_turn.h"

namespace tusfs_testing {
namespace {

constexpr std::size_t kBuffer = 256 * 1024;
// Small steps keep a slow server's progress smooth.
constexpr std::size_t kStep = 64 * 1024;

EVP_MD const* Algorithm(std::string const& name) {
  if (name == "sha1") return EVP_sha1();
  if (name == "md5") return EVP_md5();
  if (name == "sha256") return EVP_sha256();
  return nullptr;
}

std::string Digest(EVP_MD const* algorithm, std::string_view bytes) {
  std::string digest(EVP_MAX_MD_SIZE, '\0');
  unsigned length = 0;
  EVP_Digest(bytes.data(), bytes.size(), reinterpret_cast<unsigned char*>(digest.data()), &length,
             algorithm, nullptr);
  digest.resize(length);
  return digest;
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
  if (!header || !options_.checksum) return std::nullopt;
  std::size_t const space = header->find(' ');
  if (space == std::string::npos) return Answer{400, {}, "Upload-Checksum is invalid\n"};
  auto digest = DecodeBase64(std::string_view(*header).substr(space + 1));
  std::string algorithm = header->substr(0, space);
  if (!digest || Algorithm(algorithm) == nullptr) {
    return Answer{400, {}, "Upload-Checksum is invalid\n"};
  }
  checksum = Checksum{.algorithm = std::move(algorithm), .digest = std::move(*digest)};
  return std::nullopt;
}

std::optional<TusService::Answer> TusService::Receive(Request& request, Upload const& upload,
                                                      std::optional<Checksum> const& checksum) {
  Fault const& fault = request.fault;
  std::uint64_t offset = 0;
  std::uint64_t room = UINT64_MAX;
  {
    std::lock_guard const lock(mutex_);
    offset = upload->view.offset;
    if (upload->view.length) room = *upload->view.length - offset;
  }
  std::string copy;
  std::string* const copy_to = checksum ? &copy : nullptr;
  bool const commit = !checksum;
  bool whole = true;
  bool dropped = false;
  switch (fault.kind) {
    case Fault::Kind::kCutAfter:
      Keep(request, upload, offset, std::min(room, fault.bytes), commit, copy_to);
      dropped = true;
      break;
    case Fault::Kind::kShortOffset:
      whole = Keep(request, upload, offset, std::min(room, fault.bytes), commit, copy_to) &&
              Discard(request);
      break;
    case Fault::Kind::kStall: {
      std::uint64_t const before = std::min(room, fault.bytes);
      if (before > 0) whole = Keep(request, upload, offset, before, commit, copy_to);
      if (whole) Stall(request);
      whole = whole && Keep(request, upload, offset, room - request.body_bytes, commit, copy_to);
      break;
    }
    default:
      whole = Keep(request, upload, offset, room, commit, copy_to);
  }
  {
    std::lock_guard const lock(mutex_);
    upload->view.received += request.body_bytes;
  }
  if (dropped) return Answer{};
  if (!whole) return Answer{400, {}, "ERR_UPLOAD_INTERRUPTED: the body broke off\n"};
  // Only a body without Content-Length can bring more than was announced.
  if (fault.kind != Fault::Kind::kShortOffset && Discard(request) && request.body_bytes > room) {
    return Answer{413, {}, "more than the length that was declared\n"};
  }
  if (checksum) {
    if (Digest(Algorithm(checksum->algorithm), copy) != checksum->digest) {
      return Answer{460, {}, "checksum mismatch\n"};
    }
    std::lock_guard const lock(mutex_);
    Commit(*upload, offset);
  }
  return std::nullopt;
}

bool TusService::Keep(Request& request, Upload const& upload, std::uint64_t& offset,
                      std::uint64_t limit, bool commit, std::string* copy) {
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
    if (copy != nullptr) copy->append(bytes.data(), bytes.size());
    if (options_.storage != Storage::kMemory) upload->Write(offset, bytes);
    {
      std::lock_guard const lock(mutex_);
      stats_.received_bytes += count;
      if (options_.storage == Storage::kMemory) upload->Write(offset, bytes);
      offset += count;
      kept += count;
      if (commit) Commit(*upload, offset);
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
