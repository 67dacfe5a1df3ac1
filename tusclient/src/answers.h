// What the headers of a tus server's answer say. Nothing in them is trusted before it is parsed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "tusclient/client.h"
#include "tusclient/error.h"
#include "tusclient/transport.h"

namespace tus {

/// kProtocol: "the server answered STATUS " and `what`.
[[nodiscard]] tl::unexpected<Error> BadAnswer(HttpResponse const& response,
                                              std::string const& what);

/// The number in header `name`, nothing where there is no such header. Errors: kProtocol.
[[nodiscard]] Result<std::optional<std::uint64_t>> Number(HttpResponse const& response,
                                                          std::string_view name);

/// Upload-Expires; nothing where there is none, or none that is a date.
[[nodiscard]] Expiry ExpiryOf(HttpResponse const& response);

/// Of an answer to OPTIONS. Errors: kProtocol.
[[nodiscard]] Result<ServerInfo> ReadAnnouncements(HttpResponse const& response);

/// Of an answer to HEAD. Errors: kProtocol; kTransient while a final upload is being joined.
[[nodiscard]] Result<UploadStatus> ReadStatus(HttpResponse const& response);

}  // namespace tus
