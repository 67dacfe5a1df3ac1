// The tus protocol of the fixture server: requests in, answers and records out.
//
// Private to tests/testing: tests use FixtureServer. Lives as long as the FixtureServer, over
// Stop() and Start(), so that uploads survive a restart. Handle() runs on one thread a connection.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "testing/fault.h"
#include "testing/fixture_server.h"
#include "testing/http_server.h"
#include "testing/rate_limiter.h"
#include "testing/stored_upload.h"

namespace tusfs_testing {

[[nodiscard]] std::optional<std::uint64_t> ParseNumber(std::string_view text);
/// A date as HTTP writes it (RFC 7231), in whole seconds.
[[nodiscard]] std::string HttpDate(std::chrono::system_clock::time_point time);

class TusService {
 public:
  explicit TusService(FixtureOptions const& options);

  void Handle(HttpExchange& exchange);
  /// Wakes whatever is stalled, for good until Resume().
  void Halt();
  void Resume();

  // As FixtureServer has them.
  [[nodiscard]] FixtureStats Stats() const;
  [[nodiscard]] std::vector<UploadView> Uploads() const;
  [[nodiscard]] std::string Content(std::string const& id) const;
  [[nodiscard]] std::vector<RequestRecord> Requests() const;
  void AddFault(FaultRule rule);
  void ClearFaults();
  void ReleaseStalled();
  [[nodiscard]] int Stalled() const;
  [[nodiscard]] int Joining() const;
  bool Forget(std::string const& id);
  void SetRate(std::uint64_t bytes_per_second);
  bool Rewind(std::string const& id, std::uint64_t offset);
  void Require(Headers headers);

 private:
  using Upload = std::shared_ptr<StoredUpload>;
  static constexpr std::string_view kPrefix = "/files/";
  static constexpr std::string_view kOffsetType = "application/offset+octet-stream";

  struct Answer {
    int status = 0;  // 0: close without one
    Headers headers{};
    std::string body{};
  };

  /// A request on its way through.
  struct Request {
    HttpExchange& http;
    std::string method;
    std::string path;  // without the query
    Fault fault{};
    std::uint64_t body_bytes = 0;
  };

  /// The right to append to an upload, held by one request at a time.
  class Turn;
  struct Live {
    HttpExchange* exchange;
    bool cut = false;
  };

  struct Checksum {
    std::string algorithm;
    std::string digest;  // raw bytes
  };

  /// What a POST asks for.
  struct Creation {
    std::optional<std::uint64_t> length{};
    std::map<std::string, std::string> metadata{};
    std::string raw_metadata{};
    std::string concat{};
    bool with_upload = false;
    std::optional<Checksum> checksum{};

    [[nodiscard]] bool final() const { return concat.starts_with("final;"); }
  };

  Answer Route(Request& request);
  Answer Options(Request const& request);
  Answer Create(Request& request);
  std::optional<Answer> ReadCreation(Request const& request, Creation& creation) const;
  std::optional<Answer> ReadLength(Request const& request, Creation& creation) const;
  [[nodiscard]] Upload MakeUpload(Creation const& creation);
  void PassJoinTime();
  std::optional<Answer> Join(Upload const& upload, std::string_view urls);
  /// What keeps them from being joined, or the uploads in `parts`. Under the lock.
  std::optional<Answer> FindParts(std::string_view urls, std::vector<Upload>& parts) const;
  /// The answer to a creation that was answered before.
  std::optional<Answer> CreatedBefore(Request& request);
  [[nodiscard]] Answer CreatedAnswer(Request const& request, Upload const& upload) const;
  Answer Head(Request const& request, std::string const& id);
  Answer Patch(Request& request, std::string const& id);
  Answer Terminate(Request const& request, std::string const& id);
  /// What keeps a PATCH from being received. Under the lock.
  std::optional<Answer> Admit(Request const& request, StoredUpload& upload, std::uint64_t offset,
                              std::optional<std::uint64_t> declared) const;
  /// 404 or 410 instead of an upload. Under the lock.
  std::optional<Answer> Missing(Upload const& upload) const;
  /// GET, which answers by itself: a status for the record.
  int Get(Request const& request);
  int GetUpload(Request const& request, Upload const& upload);
  /// N of "Range: bytes=N-"; other ranges are ignored.
  [[nodiscard]] static std::optional<std::uint64_t> RangeFrom(Request const& request);
  [[nodiscard]] std::string StatsJson() const;

  /// Takes the body into `upload` from its offset on; then the answer if it is not a plain success.
  std::optional<Answer> Receive(Request& request, Upload const& upload,
                                std::optional<Checksum> const& checksum);
  struct Body {
    std::uint64_t offset = 0;  // where the upload ends with it
    std::uint64_t room = 0;    // bytes that the upload's length left for it
    bool whole = true;
    bool dropped = false;
    bool commit = true;  // as it comes; else after the digests were found right
    std::string copy{};  // where it is not committed
  };
  /// Takes the body in as the request's fault wants it.
  void Take(Request& request, Upload const& upload, Body& body);
  /// The refusal of bytes that are not what their digests say.
  std::optional<Answer> Verify(Request const& request, StoredUpload& upload, Body const& body,
                               std::optional<Checksum> const& checksum) const;
  /// Body bytes until `limit` of them are kept, the body ends (true) or breaks (false).
  bool Keep(Request& request, Upload const& upload, Body& body, std::uint64_t limit);
  bool Discard(Request& request);
  void Stall(Request& request);
  void Commit(StoredUpload& upload, std::uint64_t offset);

  [[nodiscard]] std::optional<Answer> ReadChecksum(Request const& request,
                                                   std::optional<Checksum>& checksum) const;
  [[nodiscard]] std::string Extensions() const;
  [[nodiscard]] bool Defers() const;
  [[nodiscard]] bool MayEnter(HttpExchange const& exchange) const;
  [[nodiscard]] std::string NewId();
  [[nodiscard]] Upload Find(std::string_view id) const;
  [[nodiscard]] Fault TakeFault(RequestFacts const& facts);
  void Record(Request const& request, int status);

  FixtureOptions const options_;
  RateLimiter rate_;
  mutable std::mutex mutex_;  // guards all below
  std::condition_variable changed_;
  std::map<std::string, Upload, std::less<>> uploads_;   // ids sort in the order of creation
  std::map<std::string, std::string> idempotency_keys_;  // with the uploads' ids
  Headers required_;
  std::map<std::string, Live> live_;
  std::vector<std::pair<FaultRule, int>> faults_;  // with how often they matched
  std::vector<RequestRecord> requests_;
  FixtureStats stats_;
  std::uint64_t created_ = 0;
  std::uint64_t releases_ = 0;
  int stalled_ = 0;
  int joining_ = 0;
  bool halted_ = false;
};

}  // namespace tusfs_testing
