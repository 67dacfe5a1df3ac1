// Our own tus 1.0 server for tests: in this process, on loopback, with scripted faults and
// counters.
//
// It speaks core and all extensions of tus 1.0, strictly, X-HTTP-Method-Override, and on demand
// Idempotency-Key, Repr-Digest and the rules of hosted services. Bytes count as they arrive: a body
// that is cut keeps what came, but for one with a checksum. A request for an upload whose PATCH is
// still running cuts that PATCH first, as tusd and @tus/server do. Every method may be called by
// any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "testing/fault.h"
#include "testing/http_server.h"
#include "testing/service_rules.h"
#include "testing/stored_upload.h"

namespace tusfs_testing {

struct FixtureOptions {
  std::string address = "127.0.0.1";  // of IPv4; to listen on
  std::uint16_t port = 0;             // 0: any free one
  Storage storage = Storage::kMemory;
  std::filesystem::path directory{};  // for Storage::kDirectory; created where missing
  bool creation_with_upload = true;
  bool defer_length = true;
  bool termination = true;
  bool checksum = true;
  /// Announced, and checked where the fixture knows them (digest.h). None: checksums are announced
  /// and ignored, as rustus does when it is built without them.
  std::vector<std::string> checksum_algorithms{"sha1", "md5", "crc32", "sha256", "sha512"};
  int checksum_mismatch = 460;  // rustus: 417
  bool concatenation = true;
  std::uint64_t max_concat = 4096;  // of an Upload-Concat, in bytes; more is 431
  /// How long it takes to join parts, as where their bytes are copied.
  std::chrono::milliseconds join_time{0};
  /// Uploads, complete ones too, are 410 so long after their creation.
  std::optional<std::chrono::milliseconds> expire_after{};
  bool method_override = true;
  bool ranges = true;           // of GET; false: ignored, as @tus/server does
  bool idempotency = false;     // a creation with an Idempotency-Key seen before makes no second
  bool enforce_digest = false;  // of Repr-Digest, else it is only recorded
  Service service = Service::kNone;
  Headers required_headers{};          // 401 without these; see FixtureServer::Require
  std::uint64_t max_size = 0;          // Tus-Max-Size in bytes; 0: none
  std::uint64_t max_body = 0;          // of one request; more is 413; 0: none
  std::uint64_t bytes_per_second = 0;  // of all uploads together; 0: no limit
  std::chrono::milliseconds keep_alive{60000};
};

struct FixtureStats {
  std::uint64_t received_bytes = 0;  // of bodies, kept or not
  int published = 0;                 // uploads that became complete, parts not counted
  int posts = 0;
  int patches = 0;
  int heads = 0;
  int deletes = 0;
  int options = 0;
  int overlapping_patches = 0;  // PATCHes of an upload while the client still sent another: a bug
  int heads_during_patch = 0;   // likewise; it makes real servers cut the PATCH
};

/// A request and how it ended, in the order in which they ended.
struct RequestRecord {
  std::string method;
  std::string target;
  Headers headers;
  std::uint64_t body_bytes = 0;
  int status = 0;  // 0: closed without an answer
};

class TusService;

class FixtureServer {
 public:
  /// Listens when it returns. Throws std::system_error when it cannot.
  explicit FixtureServer(FixtureOptions options = {});
  ~FixtureServer();
  FixtureServer(FixtureServer const&) = delete;
  FixtureServer& operator=(FixtureServer const&) = delete;

  /// As when the server's process is killed: every connection is cut, the port is closed.
  void Stop();
  /// On the same port again, with the uploads it had.
  void Start();

  /// The creation endpoint: http://ADDRESS:PORT/files/
  [[nodiscard]] std::string Url() const;
  [[nodiscard]] std::uint16_t port() const { return options_.port; }

  [[nodiscard]] FixtureStats Stats() const;
  [[nodiscard]] std::vector<UploadView> Uploads() const;
  /// The newest upload whose `relativePath` or `filename` is `name`.
  [[nodiscard]] std::optional<UploadView> FindUpload(std::string const& name) const;
  /// Parts of which no whole on this server was made.
  [[nodiscard]] std::vector<UploadView> LooseParts() const;
  /// What the upload holds so far; empty where there is none. For uploads that fit into memory.
  [[nodiscard]] std::string Content(std::string const& id) const;
  [[nodiscard]] std::vector<RequestRecord> Requests() const;

  void AddFault(FaultRule rule);
  void ClearFaults();
  /// Lets every request go on that waits in Fault::StallUntilReleased() now.
  void ReleaseStalled();
  /// How many requests are stalled now.
  [[nodiscard]] int Stalled() const;
  /// How many requests join parts now (FixtureOptions::join_time).
  [[nodiscard]] int Joining() const;
  /// Loses an upload, as a server does that was reinstalled. False where there is none.
  bool Forget(std::string const& id);
  void SetRate(std::uint64_t bytes_per_second);
  /// Loses an upload's bytes from `offset` on, as a store does that never synced them. False where
  /// there is no such upload, or it is complete.
  bool Rewind(std::string const& id, std::uint64_t offset);
  /// From now on every request must have these headers, else it is answered 401.
  void Require(Headers headers);

 private:
  FixtureOptions options_;
  std::unique_ptr<TusService> service_;
  std::unique_ptr<HttpServer> http_;  // none while stopped
};

}  // namespace tusfs_testing
