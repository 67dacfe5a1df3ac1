// What a test makes the fixture server do wrong, and to which request.
//
// Plain values; a FaultRule is copied into the server by FixtureServer::AddFault().
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "testing/http_server.h"

namespace tusfs_testing {

/// Bytes given here count the body of the one request that the fault hits; of a GET, of its answer.
struct Fault {
  enum class Kind {
    kNone,
    kCutAfter,                   // keep that many body bytes, then close without an answer
    kAnswer,                     // answer at once, process nothing
    kAnswerWithoutTusResumable,  // likewise, as something that is not a tus server
    kAnswerAfter,                // process the request fully, then give this answer instead
    kStall,                      // keep that many body bytes, wait, then go on
    kLoseAnswer,                 // process the request fully, then close without an answer
    kShortOffset,                // keep only that many body bytes and answer 204 with that offset
    kForgetUpload,               // lose the upload, then process: 404
  };

  [[nodiscard]] static Fault CutAfter(std::uint64_t bytes);
  [[nodiscard]] static Fault Answer(int status, std::string body = "", Headers headers = {});
  [[nodiscard]] static Fault AnswerWithoutTusResumable(int status = 200,
                                                       std::string body = "<html>Log in</html>",
                                                       Headers headers = {});
  [[nodiscard]] static Fault AnswerAfter(int status, std::string body = "", Headers headers = {});
  [[nodiscard]] static Fault Stall(std::chrono::milliseconds duration, std::uint64_t bytes = 0);
  /// Until FixtureServer::ReleaseStalled(), Stop(), or until the request is cut.
  [[nodiscard]] static Fault StallUntilReleased(std::uint64_t bytes = 0);
  [[nodiscard]] static Fault LoseAnswer();
  [[nodiscard]] static Fault ShortOffset(std::uint64_t bytes_kept);
  [[nodiscard]] static Fault ForgetUpload();

  Kind kind = Kind::kNone;
  std::uint64_t bytes = 0;
  int status = 0;
  std::string body;
  Headers headers;
  std::optional<std::chrono::milliseconds> duration;  // unset: until released
};

/// Facts that a rule can choose by.
struct RequestFacts {
  std::string_view method;
  std::string_view target;
  HttpExchange const* exchange = nullptr;  // for its headers
};

/// Rules may match by these: a creation that joins parts to a whole, and one of a part (tus:
/// concatenation).
[[nodiscard]] bool IsJoin(RequestFacts const& request);
[[nodiscard]] bool IsCreationOfPart(RequestFacts const& request);

struct FaultRule {
  std::string method{};                                // empty: any
  int nth = 1;                                         // 1: the first that matches; 0: every one
  std::function<bool(RequestFacts const&)> matches{};  // empty: all of the method
  Fault action{};
};

}  // namespace tusfs_testing
