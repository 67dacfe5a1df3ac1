#include "answers.h"

#include <curl/curl.h>

#include "fail.h"
#include "text.h"

namespace tus {

tl::unexpected<Error> BadAnswer(HttpResponse const& response, std::string const& what) {
  return Fail(ErrorCode::kProtocol,
              "the server answered " + std::to_string(response.status) + " " + what,
              response.status);
}

Result<std::optional<std::uint64_t>> Number(HttpResponse const& response, std::string_view name) {
  auto const text = response.Find(name);
  if (!text) return std::nullopt;
  auto const number = ParseDecimal(*text);
  if (!number) {
    // Only what is nearly a number is worth repeating, and safe to repeat.
    auto const quoted = text->find_first_not_of("0123456789+-., ") == std::string_view::npos
                            ? ": \"" + std::string(text->substr(0, 40)) + "\""
                            : std::string();
    return BadAnswer(response,
                     "with " + std::string(name) + quoted + ", which is not a number of bytes");
  }
  return number;
}

Expiry ExpiryOf(HttpResponse const& response) {
  auto const text = response.Find("Upload-Expires");
  if (!text) return std::nullopt;
  auto const seconds = curl_getdate(std::string(*text).c_str(), nullptr);
  if (seconds <= 0) return std::nullopt;
  return TimeOf(static_cast<std::uint64_t>(seconds));
}

Result<ServerInfo> ReadAnnouncements(HttpResponse const& response) {
  ServerInfo info;
  for (auto const extension : SplitList(response.Find("Tus-Extension").value_or(""))) {
    info.creation |= extension == "creation";
    info.creation_with_upload |= extension == "creation-with-upload";
    info.creation_defer_length |= extension == "creation-defer-length";
    info.termination |= extension == "termination";
    info.concatenation |= extension == "concatenation";
    info.expiration |= extension == "expiration";
  }
  for (auto const name : SplitList(response.Find("Tus-Checksum-Algorithm").value_or(""))) {
    info.checksum_algorithms.emplace_back(name);
  }
  auto const max_size = Number(response, "Tus-Max-Size");
  if (!max_size) return tl::unexpected(max_size.error());
  // Some servers say 0 when they mean that there is no limit.
  if (*max_size != 0) info.max_size = *max_size;
  return info;
}

Result<UploadStatus> ReadStatus(HttpResponse const& response) {
  UploadStatus status;
  auto const concat = Trim(response.Find("Upload-Concat").value_or(""));
  if (concat == "partial") status.concat = UploadStatus::Concat::kPartial;
  if (concat.starts_with("final")) status.concat = UploadStatus::Concat::kFinal;
  status.expires = ExpiryOf(response);

  auto const offset = Number(response, "Upload-Offset");
  if (!offset) return tl::unexpected(offset.error());
  if (!*offset && status.concat == UploadStatus::Concat::kFinal) {
    return Fail(ErrorCode::kTransient, "the server is still joining the parts of the upload",
                response.status);
  }
  if (!*offset) return BadAnswer(response, "without Upload-Offset");
  status.offset = **offset;
  if (response.Find("Upload-Defer-Length") == "1") return status;

  auto const length = Number(response, "Upload-Length");
  if (!length) return tl::unexpected(length.error());
  status.length = *length;
  if (status.length && status.offset > *status.length) {
    return BadAnswer(response, "with an offset beyond the upload's length");
  }
  return status;
}

}  // namespace tus
