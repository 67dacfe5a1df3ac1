#include "tusclient/client.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "answers.h"
#include "arrival.h"
#include "base64.h"
#include "classify.h"
#include "fail.h"
#include "secrets.h"
#include "text.h"
#include "url.h"

namespace tus {
namespace {

constexpr int kMaxRedirects = 5;
/// Servers and proxies take header lines of 8 KiB or more.
constexpr std::size_t kMaxConcat = 4096;

bool IsTrusted(Origin const& origin, Origin const& endpoint,
               std::vector<std::string> const& others) {
  if (origin == endpoint) return true;
  if (origin.scheme == "http" && endpoint.scheme == "https") return false;
  return std::any_of(others.begin(), others.end(), [&](std::string const& other) {
    auto const parsed = OriginOf(other);
    return parsed && *parsed == origin;
  });
}

bool Has(std::vector<Header> const& headers, std::string_view name) {
  return std::any_of(headers.begin(), headers.end(), [&](Header const& header) {
    return header.name.size() == name.size() && FindIgnoreCase(header.name, name) == 0;
  });
}

/// For proxies that let through nothing but GET and POST.
void OverrideMethod(HttpRequest& request) {
  if (request.method != "PATCH" && request.method != "DELETE") return;
  request.headers.push_back({"X-HTTP-Method-Override", request.method});
  request.method = "POST";
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

std::string_view Complaint(CreateRequest const& request) {
  if (request.body_length > 0 && request.source == nullptr) {
    return "there is no source of bytes to send";
  }
  if (request.length && request.body_length > *request.length) {
    return "more bytes are to be sent than are declared";
  }
  return {};
}

/// Where the answer sends the request; nothing where it does not, or must not be followed. A POST
/// that is moved (301, 302) becomes a GET elsewhere; where only a slash was missing, what is meant
/// is clear.
std::optional<std::string> RedirectOf(HttpRequest const& request, HttpResponse const& response) {
  bool const keeps_method = response.status == 307 || response.status == 308;
  bool const is_moved = response.status == 301 || response.status == 302;
  auto const location = response.Find("Location");
  if (!location || !(keeps_method || is_moved)) return std::nullopt;
  auto next = ResolveUrl(request.url, std::string(*location));
  if (!next || (is_moved && !DifferInSlash(request.url, *next))) return std::nullopt;
  return *std::move(next);
}

/// What a person can do about an upload whose host is not the endpoint's.
std::string AdviceFor(Error const& error, Origin const& origin, bool has_credentials) {
  if (error.code == ErrorCode::kUnreachable) {
    return " (this upload is at " + origin.Text() +
           ", which the server named in Location, or whoever made it: a server behind a proxy has "
           "to "
           "be told its public address, as tusd is with -behind-proxy)";
  }
  bool const is_refused = error.http_status == 401 || error.http_status == 403;
  if (is_refused && has_credentials) {
    return " (no credentials are sent to " + origin.Text() +
           ", unless it is trusted: --trust-origin " + origin.Text() + ")";
  }
  return {};
}

}  // namespace

/// What a request is about, beside itself.
struct Client::Asking {
  bool about_upload = false;
  std::vector<Header> own_headers{};  ///< for the origin of its URL
  Secrets secrets{};
};

Client::Client(ClientOptions options, HttpTransport& transport)
    : options_(std::move(options)), transport_(transport) {}

Result<HttpResponse> Client::Exchange(HttpRequest& request, Asking asking) {
  asking.secrets.AddHeaders(options_.headers);
  asking.secrets.AddHeaders(asking.own_headers);
  if (options_.credentials == nullptr) return ExchangeOnce(request, asking, {});
  auto const original = request;
  auto const known = options_.credentials->Headers(request.stop);
  if (!known) return tl::unexpected(known.error());
  asking.secrets.AddHeaders(*known);
  auto response = ExchangeOnce(request, asking, *known);
  if (response || (response.error().http_status != 401 && response.error().http_status != 403)) {
    return response;
  }
  options_.credentials->Refused(*known);
  auto const newer = options_.credentials->Headers(request.stop);
  if (!newer || *newer == *known) return response;
  request = original;
  asking.secrets.AddHeaders(*newer);
  return ExchangeOnce(request, asking, *newer);
}

Result<HttpResponse> Client::ExchangeOnce(HttpRequest& request, Asking& asking,
                                          std::vector<Header> const& credentials) {
  auto const endpoint = OriginOf(options_.endpoint);
  if (!endpoint) return tl::unexpected(endpoint.error());
  auto const first = OriginOf(request.url);
  if (!first) return tl::unexpected(first.error());
  auto private_headers = options_.headers;
  std::erase_if(private_headers,
                [&](Header const& header) { return Has(credentials, header.name); });
  private_headers.insert(private_headers.end(), credentials.begin(), credentials.end());
  std::string const method = request.method;
  if (options_.method_override) OverrideMethod(request);
  auto const protocol_headers = request.headers;

  for (int redirects = 0;; ++redirects) {
    auto const origin = OriginOf(request.url);
    if (!origin) return tl::unexpected(origin.error());
    bool const trusted = IsTrusted(*origin, *endpoint, options_.trusted_origins);
    request.headers = protocol_headers;
    request.netrc_file.clear();
    if (trusted) {
      request.headers.insert(request.headers.end(), private_headers.begin(), private_headers.end());
      if (options_.credentials != nullptr) {
        request.netrc_file = options_.credentials->NetrcFile().string();
      }
    }
    if (*origin == *first) {
      auto const& own = asking.own_headers;
      request.headers.insert(request.headers.end(), own.begin(), own.end());
    }
    if (asking.about_upload) asking.secrets.AddUrl(request.url, options_.endpoint);
    bool const has_credentials = !private_headers.empty() || options_.credentials != nullptr;
    auto const advised = [&](Error error) {
      if (asking.about_upload && !trusted)
        error.message += AdviceFor(error, *origin, has_credentials);
      return tl::unexpected(std::move(error));
    };
    auto response = transport_.Perform(request);
    if (!response) return advised(response.error());

    if (auto next = RedirectOf(request, *response); next && redirects < kMaxRedirects) {
      request.url = *std::move(next);
      continue;
    }
    Question const question{.method = method,
                            .origin = origin->Text(),
                            .about_upload = asking.about_upload,
                            .lenient = options_.lenient,
                            .secrets = asking.secrets};
    if (auto error = Classify(*response, question)) return advised(*std::move(error));
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

Result<HttpRequest> Client::CreationRequest(Metadata const& metadata,
                                            std::string const& idempotency_key,
                                            std::stop_token stop) const {
  auto const endpoint = NormalizeEndpoint(options_.endpoint);
  if (!endpoint) return tl::unexpected(endpoint.error());
  auto const encoded = EncodeMetadata(metadata);
  if (!encoded) return tl::unexpected(encoded.error());
  HttpRequest request;
  request.method = "POST";
  request.url = *endpoint;
  request.stop = std::move(stop);
  request.headers = {{"Tus-Resumable", "1.0.0"}};
  // @tus/server refuses an empty Upload-Metadata.
  if (!encoded->empty()) request.headers.push_back({"Upload-Metadata", *encoded});
  if (!idempotency_key.empty()) request.headers.push_back({"Idempotency-Key", idempotency_key});
  return request;
}

Result<Created> Client::TakeCreated(HttpRequest const& request, HttpResponse response,
                                    std::uint64_t most) const {
  // Some servers say 200 or 202; tusd greets so, without Location, on a path that is not its
  // endpoint.
  auto const location = response.Find("Location");
  if (!location) return BadAnswer(response, "without Location to a creation");
  auto url = ResolveUrl(request.url, std::string(*location));
  if (!url) return BadAnswer(response, "with a bad Location: " + url.error().message);
  auto const offset = Number(response, "Upload-Offset");
  if (!offset) return tl::unexpected(offset.error());
  if (offset->value_or(0) > most) {
    return BadAnswer(response, "with more bytes in a new upload than were sent with it");
  }
  return Created{.url = *std::move(url),
                 .offset = offset->value_or(0),
                 .expires = ExpiryOf(response),
                 .headers = std::move(response.headers),
                 .body = std::move(response.body)};
}

Result<ServerInfo> Client::Options(std::stop_token stop) {
  auto const endpoint = NormalizeEndpoint(options_.endpoint);
  if (!endpoint) return tl::unexpected(endpoint.error());
  HttpRequest request;
  request.method = "OPTIONS";
  request.url = *endpoint;
  request.stop = std::move(stop);
  auto const response = Exchange(request, {});
  if (!response) return tl::unexpected(response.error());
  return ReadAnnouncements(*response);
}

Result<Created> Client::Create(CreateRequest const& create) {
  if (auto const complaint = Complaint(create); !complaint.empty()) {
    return Fail(ErrorCode::kInvalidArgument, std::string(complaint));
  }
  auto request = CreationRequest(create.metadata, create.idempotency_key, create.stop);
  if (!request) return tl::unexpected(request.error());
  if (create.length) {
    request->headers.push_back({"Upload-Length", std::to_string(*create.length)});
  } else {
    request->headers.push_back({"Upload-Defer-Length", "1"});
  }
  if (create.partial) request->headers.push_back({"Upload-Concat", "partial"});
  // An empty upload has its body with its creation: stores of objects keep nothing of it otherwise.
  if (create.body_length > 0 || create.length == 0) {
    request->headers.push_back({"Content-Type", "application/offset+octet-stream"});
  }
  if (create.body_length > 0) {
    request->body = create.source;
    request->body_length = create.body_length;
    request->on_sent = create.on_sent;
  }
  auto response = Exchange(*request, {.own_headers = create.headers});
  if (!response) return tl::unexpected(response.error());
  return TakeCreated(*request, *std::move(response), create.body_length);
}

Result<Created> Client::Concatenate(ConcatenateRequest const& concatenate) {
  auto const endpoint = OriginOf(options_.endpoint);
  if (!endpoint) return tl::unexpected(endpoint.error());
  std::string value = "final;";
  Secrets secrets;
  for (auto const& part : concatenate.urls) {
    auto url = ResolveUrl(options_.endpoint, part);
    if (!url) return Fail(ErrorCode::kInvalidArgument, url.error().message);
    auto const origin = OriginOf(*url);
    if (!origin) return tl::unexpected(origin.error());
    secrets.AddUrl(*url, options_.endpoint);
    // The path alone says as much on the endpoint's own server.
    auto const short_form = *origin == *endpoint ? PathOf(*url) : *url;
    if (value.back() != ';') value += ' ';
    value += short_form;
  }
  if (concatenate.urls.empty()) {
    return Fail(ErrorCode::kInvalidArgument, "there are no parts to join");
  }
  if (value.size() > kMaxConcat) {
    return Fail(ErrorCode::kInvalidArgument,
                "the URLs of " + std::to_string(concatenate.urls.size()) +
                    " parts do not fit into a header of 4 KiB: use fewer parts");
  }
  auto request =
      CreationRequest(concatenate.metadata, concatenate.idempotency_key, concatenate.stop);
  if (!request) return tl::unexpected(request.error());
  request->headers.push_back({"Upload-Concat", std::move(value)});
  auto response = Exchange(*request, {.secrets = std::move(secrets)});
  if (!response) return tl::unexpected(response.error());
  return TakeCreated(*request, *std::move(response), std::numeric_limits<std::int64_t>::max());
}

Result<UploadStatus> Client::Head(std::string const& url, std::stop_token stop,
                                  std::vector<Header> const& headers) {
  auto request = UploadRequest("HEAD", url, std::move(stop));
  if (!request) return tl::unexpected(request.error());
  auto const response = Exchange(*request, {.about_upload = true, .own_headers = headers});
  if (!response) return tl::unexpected(response.error());
  return ReadStatus(*response);
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
  if (!patch.sha256.empty()) {
    request->headers.push_back({"Repr-Digest", "sha-256=:" + EncodeBase64(patch.sha256) + ":"});
  }
  if (patch.length > 0) {
    request->body = patch.source;
    request->body_offset = patch.offset;
    request->body_length = patch.length;
    request->on_sent = patch.on_sent;
    if (patch.checksum) {
      auto const digest =
          DigestOf(*patch.source, *patch.checksum, patch.offset, patch.length, patch.stop);
      if (!digest) return tl::unexpected(digest.error());
      request->headers.push_back(
          {"Upload-Checksum", std::string(Name(*patch.checksum)) + " " + EncodeBase64(*digest)});
    }
  }
  auto response = Exchange(*request, {.about_upload = true, .own_headers = patch.headers});
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
                 .expires = ExpiryOf(*response),
                 .headers = std::move(response->headers),
                 .body = std::move(response->body)};
}

Result<void> Client::Download(DownloadRequest const& download) {
  if (!download.sink || download.offset > download.length) {
    return Fail(ErrorCode::kInvalidArgument, "there is nothing to read, or nobody who takes it");
  }
  if (download.offset == download.length) return {};
  auto request = UploadRequest("GET", download.url, download.stop);
  if (!request) return tl::unexpected(request.error());
  request->headers.push_back({"Accept-Encoding", "identity"});
  if (download.offset > 0) {
    request->headers.push_back({"Range", "bytes=" + std::to_string(download.offset) + "-"});
  }
  Arrival arrival(download);
  request->on_body = [&](HttpResponse const& head, std::span<std::byte const> bytes) {
    return arrival.Take(head, bytes);
  };
  return arrival.Finish(
      Exchange(*request, {.about_upload = true, .own_headers = download.headers}));
}

Result<void> Client::Terminate(std::string const& url, std::stop_token stop,
                               std::vector<Header> const& headers) {
  auto request = UploadRequest("DELETE", url, std::move(stop));
  if (!request) return tl::unexpected(request.error());
  auto const response = Exchange(*request, {.about_upload = true, .own_headers = headers});
  if (!response && response.error().code != ErrorCode::kGone) {
    return tl::unexpected(response.error());
  }
  return {};
}

}  // namespace tus
