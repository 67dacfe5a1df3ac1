#include "curl_exchange.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <span>
#include <system_error>

#include "easy_options.h"
#include "fail.h"
#include "text.h"
#include "url.h"

namespace tus {
namespace {

constexpr std::size_t kMaxHeaders = std::size_t{64} << 10;
constexpr std::size_t kMaxBody = std::size_t{64} << 10;
/// More of a body is read and thrown away, to keep the connection; past this it is not worth it.
constexpr std::uint64_t kMaxDrained = std::uint64_t{1} << 20;

/// Of "HTTP/1.1 200 OK", 0 where it is something else.
int StatusOf(std::string_view status_line) {
  auto const space = status_line.find(' ');
  if (space == std::string_view::npos) return 0;
  auto const digits = status_line.substr(space + 1, 3);
  int status = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), status);
  return status;
}

/// 0 where there is none.
int LocalPort(curl_socket_t fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
  if (address.ss_family == AF_INET) {
    return ntohs(reinterpret_cast<sockaddr_in const*>(&address)->sin_port);
  }
  if (address.ss_family == AF_INET6) {
    return ntohs(reinterpret_cast<sockaddr_in6 const*>(&address)->sin6_port);
  }
  return 0;
}

bool IsTls(CURLcode code) {
  switch (code) {
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CRL_BADFILE:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
    case CURLE_SSL_ENGINE_INITFAILED:
    case CURLE_SSL_ENGINE_NOTFOUND:
    case CURLE_SSL_ENGINE_SETFAILED:
    case CURLE_USE_SSL_FAILED:
      return true;
    default:
      return false;
  }
}

}  // namespace

CURLcode CurlExchange::Attach(CURL* easy) {
  easy_ = easy;
  EasyOptions options(easy);
  options.Set(CURLOPT_ERRORBUFFER, error_text_.data());
  options.Set(CURLOPT_PREREQFUNCTION, &OnConnected);
  options.Set(CURLOPT_PREREQDATA, this);
  options.Set(CURLOPT_READFUNCTION, &OnRead);
  options.Set(CURLOPT_READDATA, this);
  options.Set(CURLOPT_SEEKFUNCTION, &OnSeek);
  options.Set(CURLOPT_SEEKDATA, this);
  options.Set(CURLOPT_HEADERFUNCTION, &OnHeader);
  options.Set(CURLOPT_HEADERDATA, this);
  options.Set(CURLOPT_WRITEFUNCTION, &OnBody);
  options.Set(CURLOPT_WRITEDATA, this);
  return options.result();
}

int CurlExchange::OnConnected(void* self, char* /*remote*/, char* /*local*/, int /*remote_port*/,
                              int local_port) {
  auto& exchange = *static_cast<CurlExchange*>(self);
  ++exchange.attempts_;
  // libcurl tries again by itself when a kept-alive connection breaks without an answer.
  if (exchange.attempts_ > 1 && exchange.MayHaveActed()) return CURL_PREREQFUNC_ABORT;
  exchange.dead_on_arrival_ = exchange.PeerHasClosed(local_port);
  return CURL_PREREQFUNC_OK;
}

std::size_t CurlExchange::OnRead(char* out, std::size_t size, std::size_t count, void* self) {
  return static_cast<CurlExchange*>(self)->Read(
      std::as_writable_bytes(std::span(out, size * count)));
}

int CurlExchange::OnSeek(void* self, curl_off_t offset, int origin) {
  auto& exchange = *static_cast<CurlExchange*>(self);
  if (origin != SEEK_SET || offset < 0) return CURL_SEEKFUNC_FAIL;
  if (exchange.MayHaveActed()) return CURL_SEEKFUNC_FAIL;
  exchange.position_ = static_cast<std::uint64_t>(offset);
  return CURL_SEEKFUNC_OK;
}

std::size_t CurlExchange::OnHeader(char* data, std::size_t size, std::size_t count, void* self) {
  bool const ok = static_cast<CurlExchange*>(self)->TakeHeader({data, size * count});
  return ok ? size * count : 0;
}

std::size_t CurlExchange::OnBody(char* data, std::size_t size, std::size_t count, void* self) {
  bool const ok = static_cast<CurlExchange*>(self)->TakeBody({data, size * count});
  return ok ? size * count : 0;
}

/// Whether the connection is dead before the request is sent on it. libcurl looks itself before it
/// takes a kept connection, but not more than once in a second.
bool CurlExchange::PeerHasClosed(int local_port) const {
  curl_socket_t fd = CURL_SOCKET_BAD;
  if (curl_easy_getinfo(easy_, CURLINFO_ACTIVESOCKET, &fd) != CURLE_OK || fd == CURL_SOCKET_BAD) {
    return false;
  }
  // libcurl may still name the socket of the request before.
  if (LocalPort(fd) != local_port) return false;
  char byte = 0;
  auto const count = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return count == 0 || (count < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

/// Whether a server that got all that was sent may have carried the request out. Sending it once
/// more could then create a second upload, declare a length twice (400), or double the bytes on a
/// server without locks (rustus). The caller asks with HEAD instead.
bool CurlExchange::MayHaveActed() const {
  bool const harmless = request_.method == "HEAD" || request_.method == "OPTIONS" ||
                        request_.method == "DELETE" || request_.method == "GET";
  return !harmless && !dead_on_arrival_ && position_ == request_.body_length;
}

std::size_t CurlExchange::Read(std::span<std::byte> out) {
  if (request_.stop.stop_requested()) return CURL_READFUNC_ABORT;
  auto const left = request_.body_length - position_;
  if (left == 0) return 0;
  if (out.size() > left) out = out.first(static_cast<std::size_t>(left));

  auto const count = request_.body->ReadAt(request_.body_offset + position_, out);
  if (!count) {
    own_error_ = count.error();
    own_error_->code = ErrorCode::kSource;
    return CURL_READFUNC_ABORT;
  }
  if (*count == 0 || *count > out.size()) {
    own_error_ = MakeError(ErrorCode::kSource,
                           "the source ended " + std::to_string(left) + " bytes before its end");
    return CURL_READFUNC_ABORT;
  }
  position_ += *count;
  if (request_.on_sent) request_.on_sent(*count);
  return *count;
}

bool CurlExchange::TakeHeader(std::string_view line) {
  header_size_ += line.size();
  if (header_size_ > kMaxHeaders) {
    own_error_ = MakeError(ErrorCode::kInterrupted, "the answer's headers are longer than 64 KiB");
    return false;
  }
  if (headers_complete_) return true;  // trailers after a chunked body
  auto const text = Trim(line);
  if (line.starts_with("HTTP/")) {
    response_.headers.clear();
    response_.status = StatusOf(text);
  } else if (text.empty()) {
    headers_complete_ = response_.status >= 200;  // 1xx: the real answer is still to come
  } else if (auto const colon = text.find(':'); colon != std::string_view::npos) {
    response_.headers.push_back(
        {std::string(Trim(text.substr(0, colon))), std::string(Trim(text.substr(colon + 1)))});
  }
  return true;
}

bool CurlExchange::TakeBody(std::string_view data) {
  body_size_ += data.size();
  response_.body.append(data.substr(0, kMaxBody - response_.body.size()));
  body_cut_ = body_size_ > kMaxDrained;
  return !body_cut_;
}

/// Whether what has arrived is an answer although libcurl reports an error. A server that refuses
/// may close while we are still sending; what it said counts, even if its body was cut off. A
/// success counts only in full.
bool CurlExchange::HasAnswer() const {
  if (!headers_complete_) return false;
  if (response_.status >= 300 || response_.status == 204 || body_cut_) return true;
  auto const length = response_.Find("Content-Length");
  auto const expected = length ? ParseDecimal(*length) : std::nullopt;
  return request_.method == "HEAD" || (expected && body_size_ >= *expected);
}

Result<HttpResponse> CurlExchange::Finish(CURLcode code) {
  if (own_error_) return tl::unexpected(*own_error_);
  // libcurl is content with headers that end in the middle of a line.
  if (code == CURLE_OK && !headers_complete_) code = CURLE_PARTIAL_FILE;
  if (code == CURLE_OK || HasAnswer()) return std::move(response_);
  if (request_.stop.stop_requested()) {
    return Fail(ErrorCode::kCancelled, "the request was cancelled");
  }
  return tl::unexpected(Explain(code));
}

Error CurlExchange::Explain(CURLcode code) const {
  if (attempts_ == 0 && (code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL)) {
    return MakeError(ErrorCode::kInvalidArgument, "the URL cannot be used");
  }
  auto const origin = OriginOf(request_.url);
  auto const server = origin ? origin->host + " port " + origin->port : std::string("the server");
  return attempts_ > 0 ? MakeError(ErrorCode::kInterrupted,
                                   "the connection to " + server + " broke: " + WhyBroken(code))
                       : MakeError(ErrorCode::kUnreachable,
                                   "could not connect to " + server + ": " + WhyUnreachable(code));
}

std::string CurlExchange::Details(CURLcode code) const {
  return error_text_[0] != '\0' ? error_text_.data() : curl_easy_strerror(code);
}

std::string CurlExchange::WhyBroken(CURLcode code) const {
  switch (code) {
    case CURLE_ABORTED_BY_CALLBACK:
    case CURLE_SEND_FAIL_REWIND:
      return "there was no answer";
    case CURLE_OUT_OF_MEMORY:  // libcurl's word for a header line beyond its own limit
      return "the answer has a header too long to read";
    default:
      return Details(code);
  }
}

std::string CurlExchange::WhyUnreachable(CURLcode code) const {
  if (code == CURLE_COULDNT_RESOLVE_HOST) return "its name does not resolve";
  if (code == CURLE_COULDNT_RESOLVE_PROXY) return "the proxy's name does not resolve";
  if (code == CURLE_OPERATION_TIMEDOUT) return "no connection in time";
  if (IsTls(code)) return "TLS: " + Details(code);
  long os_error = 0;
  if (curl_easy_getinfo(easy_, CURLINFO_OS_ERRNO, &os_error) == CURLE_OK && os_error != 0) {
    return std::system_category().message(static_cast<int>(os_error));
  }
  return Details(code);
}

}  // namespace tus
