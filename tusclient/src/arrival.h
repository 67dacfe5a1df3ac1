// What answers GET, held against what is known of the upload before a byte of it is passed on.
//
// Lives on the stack of Client::Download, and is used by that thread only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "tusclient/client.h"
#include "tusclient/error.h"
#include "tusclient/transport.h"

namespace tus {

class Arrival {
 public:
  /// `request` outlives it.
  explicit Arrival(DownloadRequest const& request) : request_(request), next_(request.offset) {}

  /// Passes on what the request asks for. False: nothing more is wanted.
  [[nodiscard]] bool Take(HttpResponse const& head, std::span<std::byte const> bytes);

  /// What came of it, when the exchange has ended so.
  [[nodiscard]] Result<void> Finish(Result<HttpResponse> const& answer);

 private:
  DownloadRequest const& request_;
  std::optional<std::uint64_t>
      position_;                ///< in the upload, of what comes next; nothing: no answer
  std::uint64_t next_;          ///< first byte that the sink has not got
  std::optional<Error> error_;  ///< why the answer cannot be used

  /// Looks at the head, the first time.
  [[nodiscard]] Result<void> Begin(HttpResponse const& head);
};

}  // namespace tus
