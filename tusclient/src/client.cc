#include "tusclient/client.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "classify.h"
#include "fail.h"
#include "text.h"
#include "url.h"

namespace tus {
namespace {

constexpr int kMaxRedirects = 5;

tl::unexpected<Error> BadAnswer(HttpResponse const& response, std::string const& what) {
  return Fail(ErrorCode::kProtocol,
              "the server answered " + std::to_string(response.status) + " " + what,
              response.status);
}

/// The number in header `name`, nothing where there is no such header. Errors: kProtocol.
Result<std::optional<std::uint64_t>> Number(HttpResponse const& response, std::string_view name) {
  auto const text = response.Find(name);
  if (!text) return std::nullopt;
  auto const number = ParseDecimal(*text);
  if (!number) {
    return BadAnswer(response, "with " + std::string(name) + ": \"" + FirstWords(*text, 40) +
                                   "\", which is not a number of bytes");
  }
  return number;
}

/// What must never be repeated in a message: the upload's name on the server, and credentials.
std::vector<std::string> Secrets(std::string const& url, bool about_upload,
                                 std::vector<Header> const& credentials) {
  std::vector<std::string> secrets;
  if (about_upload) {
    secrets.push_back(url);
    auto path = std::string_view(url);
    while (path.ends_with('/')) path.remove_suffix(1);
    secrets.emplace_back(path.substr(path.rfind('/') + 1));
  }
  for (auto const& [name, value] : credentials) {
    secrets.push_back(value);
    secrets.push_back(value.substr(value.rfind(' ') + 1));  // of "Bearer …"
  }
  return secrets;
}

ServerInfo ReadAnnouncements(HttpResponse const& response) {
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
  return info;
}

/// Empty when `request` can be sent, else a sentence about what is wrong with it.
std::string_view Complaint(PatchRequest const& request) {
  constexpr std::uint64_t kMax = std::numeric_limits<std::int64_t>::max();
  if (request.offset > kMax || request.length > kMax - request.offset) {
    return "the bytes to send end beyond what a file can hold";
  }
  if (request.length > 0 && request.source == nullptr) return "there is no source of bytes to send";
  // rustus would take more bytes than were declared, and the upload could never become right.
  if (request.declare_length && *request.declare_length < request.offset + request.length) {
    return "more bytes are to be sent than are declared";
  }
  return {};
}

}  // namespace

Client::Client(ClientOptions options, HttpTransport& transport)
    : options_(std::move(options)), transport_(transport) {}

Result<HttpResponse> Client::Exchange(HttpRequest& request, bool about_upload) {
  auto const endpoint = OriginOf(options_.endpoint);
  if (!endpoint) return tl::unexpected(endpoint.error());
  auto const protocol_headers = request.headers;

  for (int redirects = 0;; ++redirects) {
    auto const origin = OriginOf(request.url);
    if (!origin) return tl::unexpected(origin.error());
    request.headers = protocol_headers;
    if (*origin == *endpoint) {
      request.headers.insert(request.headers.end(), options_.headers.begin(),
                             options_.headers.end());
    }
    auto response = transport_.Perform(request);
    if (!response) return response;

    auto const location = response->Find("Location");
    if ((response->status == 307 || response->status == 308) && location &&
        redirects < kMaxRedirects) {
      if (auto next = ResolveUrl(request.url, std::string(*location)); next) {
        request.url = *std::move(next);
        continue;
      }
    }
    Question const question{.method = request.method,
                            .origin = origin->Text(),
                            .about_upload = about_upload,
                            .secrets = Secrets(request.url, about_upload, options_.headers)};
    if (auto error = Classify(*response, question)) return tl::unexpected(*std::move(error));
    return response;
  }
}

Result<HttpRequest> Client::UploadRequest(std::string method, std::string const& url,
                                          std::stop_token stop) const {
  // A URL that was stored while the endpoint was still http comes back as https here.
  auto resolved = ResolveUrl(options_.endpoint, url);
  if (!resolved) {
    return Fail(ErrorCode::kInvalidArgument,
                "the upload's URL cannot be used with this endpoint: " + resolved.error().message);
  }
  HttpRequest request;
  request.method = std::move(method);
  request.url = *std::move(resolved);
  request.headers = {{"Tus-Resumable", "1.0.0"}};
  request.stop = std::move(stop);
  return request;
}

Result<ServerInfo> Client::Options(std::stop_token stop) {
  auto const endpoint = NormalizeEndpoint(options_.endpoint);
  if (!endpoint) return tl::unexpected(endpoint.error());
  HttpRequest request;
  request.method = "OPTIONS";
  request.url = *endpoint;
  request.stop = std::move(stop);
  auto const response = Exchange(request, false);
  if (!response) return tl::unexpected(response.error());

  auto const max_size = Number(*response, "Tus-Max-Size");
  if (!max_size) return tl::unexpected(max_size.error());
  auto info = ReadAnnouncements(*response);
  // Some servers say 0 when they mean that there is no limit.
  if (*max_size != 0) info.max_size = *max_size;
  return info;
}

Result<Created> Client::Create(CreateRequest const& create) {
  auto const endpoint = NormalizeEndpoint(options_.endpoint);
  if (!endpoint) return tl::unexpected(endpoint.error());
  auto const metadata = EncodeMetadata(create.metadata);
  if (!metadata) return tl::unexpected(metadata.error());

  HttpRequest request;
  request.method = "POST";
  request.url = *endpoint;
  request.stop = create.stop;
  request.headers = {{"Tus-Resumable", "1.0.0"}};
  if (create.length) {
    request.headers.push_back({"Upload-Length", std::to_string(*create.length)});
  } else {
    request.headers.push_back({"Upload-Defer-Length", "1"});
  }
  // @tus/server refuses an empty Upload-Metadata.
  if (!metadata->empty()) request.headers.push_back({"Upload-Metadata", *metadata});
  auto const response = Exchange(request, false);
  if (!response) return tl::unexpected(response.error());

  // tusd greets with 200 whoever posts to a path that is not its endpoint.
  auto const location = response->Find("Location");
  if (response->status != 201) return BadAnswer(*response, "instead of 201 to a creation");
  if (!location) return BadAnswer(*response, "without Location to a creation");
  auto url = ResolveUrl(request.url, std::string(*location));
  if (!url) return BadAnswer(*response, "with a bad Location: " + url.error().message);
  auto const offset = Number(*response, "Upload-Offset");
  if (!offset) return tl::unexpected(offset.error());
  if (offset->value_or(0) != 0) {
    return BadAnswer(*response, "with bytes in an upload that was created without any");
  }

  Created created{.url = *std::move(url), .offset = 0, .expires = {}};
  if (auto const expires = response->Find("Upload-Expires")) created.expires = *expires;
  return created;
}

Result<UploadStatus> Client::Head(std::string const& url, std::stop_token stop) {
  auto request = UploadRequest("HEAD", url, std::move(stop));
  if (!request) return tl::unexpected(request.error());
  auto const response = Exchange(*request, true);
  if (!response) return tl::unexpected(response.error());

  auto const offset = Number(*response, "Upload-Offset");
  if (!offset) return tl::unexpected(offset.error());
  if (!*offset) return BadAnswer(*response, "without Upload-Offset");
  UploadStatus status{.offset = **offset, .length = {}};
  if (response->Find("Upload-Defer-Length") == "1") return status;

  auto const length = Number(*response, "Upload-Length");
  if (!length) return tl::unexpected(length.error());
  status.length = *length;
  if (status.length && status.offset > *status.length) {
    return BadAnswer(*response, "with an offset beyond the upload's length");
  }
  return status;
}

Result<Patched> Client::Patch(PatchRequest const& patch) {
  if (auto const complaint = Complaint(patch); !complaint.empty()) {
    return Fail(ErrorCode::kInvalidArgument, std::string(complaint));
  }
  auto request = UploadRequest("PATCH", patch.url, patch.stop);
  if (!request) return tl::unexpected(request.error());
  request->headers.push_back({"Content-Type", "application/offset+octet-stream"});
  request->headers.push_back({"Upload-Offset", std::to_string(patch.offset)});
  if (patch.declare_length) {
    request->headers.push_back({"Upload-Length", std::to_string(*patch.declare_length)});
  }
  if (patch.length > 0) {
    request->body = patch.source;
    request->body_offset = patch.offset;
    request->body_length = patch.length;
    request->on_sent = patch.on_sent;
  }
  auto response = Exchange(*request, true);
  if (!response) return tl::unexpected(response.error());

  auto const offset = Number(*response, "Upload-Offset");
  if (!offset) return tl::unexpected(offset.error());
  if (!*offset) return BadAnswer(*response, "without Upload-Offset to sent bytes");
  if (**offset < patch.offset || **offset > patch.offset + patch.length) {
    return BadAnswer(*response, "with offset " + std::to_string(**offset) + " to bytes " +
                                    std::to_string(patch.offset) + " to " +
                                    std::to_string(patch.offset + patch.length));
  }
  return Patched{.offset = **offset,
                 .headers = std::move(response->headers),
                 .body = std::move(response->body)};
}

Result<void> Client::Terminate(std::string const& url, std::stop_token stop) {
  auto request = UploadRequest("DELETE", url, std::move(stop));
  if (!request) return tl::unexpected(request.error());
  auto const response = Exchange(*request, true);
  if (!response && response.error().code != ErrorCode::kGone) {
    return tl::unexpected(response.error());
  }
  return {};
}

}  // namespace tus
