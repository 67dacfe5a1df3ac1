// How tusclient reports failure: as values that tell a caller what to do next.
//
// Every call of the library returns Result<T>. An Error is plain data, owned by whoever holds it,
// and free of secrets: its message never contains an upload URL or a credential.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace tus {

/// What went wrong, sorted by what a caller should do about it.
enum class ErrorCode {
  kCancelled,         ///< the caller's stop_token fired; what the server has is unknown
  kInvalidArgument,   ///< the request cannot be sent as it is; nothing was sent
  kSource,            ///< the DataSource failed; what the server has is unknown
  kUnreachable,       ///< DNS, connect or TLS failed: an outage of the endpoint, nothing was sent
  kInterrupted,       ///< the connection broke or stalled before the whole answer: outcome unknown
  kNotTus,            ///< an answer without Tus-Resumable: a portal or proxy, an outage
  kUnauthorized,      ///< 401, 403, 407: credentials
  kGone,              ///< 404 or 410 from a tus server
  kTransient,         ///< 408, 409, 425, 429, 5xx, or 400 saying the upload was interrupted
  kLocked,            ///< 423, or another status with the words of a lock's time-out
  kTooLarge,          ///< 413, from the tus server or from a proxy before it
  kChecksumMismatch,  ///< 460 (some servers: 417): the chunk arrived damaged
  kRefused,           ///< any other 4xx or an unexpected redirect: permanent
  kUnconfirmed,       ///< the last bytes were sent, and whether they completed it is unknown
  kProtocol,          ///< a tus server's answer that cannot be right, such as an offset never sent
};

/// The name of `code` in lower case with dashes, for logs and messages.
[[nodiscard]] std::string_view Name(ErrorCode code);

struct Error {
  ErrorCode code = ErrorCode::kRefused;
  int http_status = 0;                                ///< 0 where there was no answer
  std::optional<std::chrono::seconds> retry_after{};  ///< of a Retry-After header, 0 to 1 day
  std::string message{};                              ///< one sentence for a person, may be empty
  bool is_others = false;  ///< an answer came, and not from a tus server: a portal, a firewall
};

template <typename T>
using Result = tl::expected<T, Error>;

}  // namespace tus
