#include "curl_exchange.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <span>
#include <system_error>

#include "easy_options.h"
#include "fail.h"
#include "text.h"
#include "url.h"

namespace tus {
namespace {

constexpr std::size_t kMaxBody = std::size_t{64} << 10;
/// More of a body is read and thrown away, to keep the connection; past this it is not worth it.
constexpr std::uint64_t kMaxDrained = std::uint64_t{1} << 20;

/// After so long the limit is asked again, which may be another one by then. Each time libcurl also
/// begins to count slow seconds anew: 7.88 counts them while a body is paused.
constexpr std::chrono::milliseconds kLongestPause{250};

/// So many stall timeouts may pass from the body's last byte to the answer's. An answer is small.
constexpr int kAnswerStalls = 2;

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

/// With TLS 1.3 a server refuses our certificate, or that there is none, only after the handshake
/// is over for us and the request is on its way. It has not looked at that. OpenSSL's words are all
/// that libcurl passes on.
bool WantsOtherCertificate(std::string_view details) {
  constexpr std::array<std::string_view, 4> kWhy = {"certificate", "unknown ca", "decrypt error",
                                                    "access denied"};
  return details.find(" alert ") != std::string_view::npos &&
         std::any_of(kWhy.begin(), kWhy.end(), [&](std::string_view why) {
           return details.find(why) != std::string_view::npos;
         });
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
  exchange.moved_ = std::chrono::steady_clock::now();
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
/// takes a kept connection, but not more than once in a second. There may be bytes before the
/// peer's FIN, such as TLS' or HTTP/2's word for it; they are no answer.
bool CurlExchange::PeerHasClosed(int local_port) const {
  curl_socket_t fd = CURL_SOCKET_BAD;
  if (curl_easy_getinfo(easy_, CURLINFO_ACTIVESOCKET, &fd) != CURLE_OK || fd == CURL_SOCKET_BAD) {
    return false;
  }
  // libcurl may still name the socket of the request before.
  if (LocalPort(fd) != local_port) return false;
  pollfd peer{.fd = fd, .events = POLLRDHUP, .revents = 0};
  return poll(&peer, 1, 0) == 1 && (peer.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

/// Whether the server may have carried the request out, or kept a part of the body. Sending it once
/// more could then create a second upload, declare a length twice (400), be at a wrong offset
/// (409), or double the bytes on a server without locks (rustus). The caller asks with HEAD
/// instead.
bool CurlExchange::MayHaveActed() const {
  bool const harmless = request_.method == "HEAD" || request_.method == "OPTIONS" ||
                        request_.method == "DELETE" || request_.method == "GET";
  bool const began = position_ > 0 || request_.body_length == 0;
  return !harmless && !dead_on_arrival_ && began;
}

std::size_t CurlExchange::Read(std::span<std::byte> out) {
  if (request_.stop.stop_requested()) return CURL_READFUNC_ABORT;
  auto const left = request_.body_length - position_;
  if (left == 0) return 0;
  if (out.size() > left) out = out.first(static_cast<std::size_t>(left));

  if (options_.bandwidth == nullptr) return ReadGranted(out);

  Time again{};
  auto const now = std::chrono::steady_clock::now();
  auto const granted = options_.bandwidth->Take(out.size(), now, again);
  if (granted == 0) {
    paused_until_ = std::min(again, now + kLongestPause);
    return CURL_READFUNC_PAUSE;
  }
  auto const position = position_;
  auto const result = ReadGranted(out.first(granted));
  auto const used = static_cast<std::size_t>(position_ - position);
  if (used < granted) options_.bandwidth->GiveBack(granted - used);
  return result;
}

/// Moves position_ by what it returns, unless that is CURL_READFUNC_ABORT.
std::size_t CurlExchange::ReadGranted(std::span<std::byte> out) {
  auto const count = request_.body->ReadAt(request_.body_offset + position_, out);
  if (!count) {
    own_error_ = count.error();
    own_error_->code = ErrorCode::kSource;
    return CURL_READFUNC_ABORT;
  }
  if (*count == 0 || *count > out.size()) {
    own_error_ = MakeError(ErrorCode::kSource,
                           "the source ended " + std::to_string(request_.body_length - position_) +
                               " bytes before its end");
    return CURL_READFUNC_ABORT;
  }
  position_ += *count;
  if (request_.on_sent) request_.on_sent(*count);
  return *count;
}

std::optional<CurlExchange::Time::duration> CurlExchange::Pause(Time now) const {
  if (!paused_until_) return std::nullopt;
  return *paused_until_ - now;
}

void CurlExchange::Resume(Time now) {
  if (!paused_until_ || now < *paused_until_) return;
  paused_until_.reset();
  // There may be no connection, while libcurl tries another one; what is wrong with one that is
  // there, libcurl's next step says.
  static_cast<void>(curl_easy_pause(easy_, CURLPAUSE_CONT));
}

bool CurlExchange::IsOverdue(Time now) {
  if (options_.stall_timeout.count() == 0) return false;
  curl_off_t sent = 0;
  static_cast<void>(curl_easy_getinfo(easy_, CURLINFO_SIZE_UPLOAD_T, &sent));
  if (attempts_ == 0 || sent != sent_ || paused_until_) {
    sent_ = sent;
    moved_ = now;
  }
  if (now - moved_ <= kAnswerStalls * options_.stall_timeout) return false;
  if (head_.complete() && !Streams()) {
    body_cut_ = true;  // what it said counts
  } else {
    own_error_ = MakeError(ErrorCode::kInterrupted, "the answer did not come to its end in time");
  }
  return true;
}

bool CurlExchange::TakeHeader(std::string_view line) {
  if (head_.Take(line)) return true;
  own_error_ = MakeError(ErrorCode::kInterrupted, "the answer's headers are longer than 64 KiB");
  return false;
}

/// Whether the answer's body goes to the caller as it arrives.
bool CurlExchange::Streams() const {
  return request_.on_body && response_.status >= 200 && response_.status < 300;
}

bool CurlExchange::TakeBody(std::string_view data) {
  body_size_ += data.size();
  if (Streams()) {
    if (request_.stop.stop_requested()) return false;
    bool const wants_more = request_.on_body(response_, std::as_bytes(std::span(data)));
    if (!wants_more) {
      own_error_ = MakeError(ErrorCode::kCancelled, "no more of the answer was wanted");
    }
    moved_ = std::chrono::steady_clock::now();
    return wants_more;
  }
  response_.body.append(data.substr(0, kMaxBody - response_.body.size()));
  body_cut_ = body_size_ > kMaxDrained;
  return !body_cut_;
}

/// Whether what has arrived is an answer although libcurl reports an error. A server that refuses
/// may close while we are still sending; what it said counts, even if its body was cut off. A
/// success counts only in full.
bool CurlExchange::HasAnswer() const {
  if (!head_.complete()) return false;
  if (response_.status >= 300 || response_.status == 204 || body_cut_) return true;
  auto const length = response_.Find("Content-Length");
  auto const expected = length ? ParseDecimal(*length) : std::nullopt;
  return request_.method == "HEAD" || (expected && body_size_ >= *expected);
}

Result<HttpResponse> CurlExchange::Finish(CURLcode code) {
  if (own_error_) return tl::unexpected(*own_error_);
  // libcurl is content with headers that end in the middle of a line.
  if (code == CURLE_OK && !head_.complete()) code = CURLE_PARTIAL_FILE;
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
  if (attempts_ == 0 && code == CURLE_READ_ERROR && !request_.netrc_file.empty()) {
    return MakeError(ErrorCode::kUnauthorized,
                     "the netrc file '" + request_.netrc_file + "' cannot be understood");
  }
  long tunnel = 0;
  if (attempts_ == 0 && curl_easy_getinfo(easy_, CURLINFO_HTTP_CONNECTCODE, &tunnel) == CURLE_OK &&
      tunnel == 407) {
    return MakeError(ErrorCode::kUnauthorized, "the proxy wants other credentials", 407);
  }
  auto const origin = OriginOf(request_.url);
  auto const server = origin ? origin->host + " port " + origin->port : std::string("the server");
  return attempts_ > 0 && !WantsOtherCertificate(Details(code))
             ? MakeError(ErrorCode::kInterrupted,
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
  if (IsTls(code) || attempts_ > 0) return "TLS: " + Details(code);
  if (code == CURLE_INTERFACE_FAILED) {
    constexpr std::string_view kInterfaceAlone = "if!";
    bool const is_marked = options_.interface.starts_with(kInterfaceAlone);
    return "from '" + options_.interface.substr(is_marked ? kInterfaceAlone.size() : 0) +
           "': " + Details(code);
  }
  long os_error = 0;
  if (curl_easy_getinfo(easy_, CURLINFO_OS_ERRNO, &os_error) == CURLE_OK && os_error != 0) {
    return std::system_category().message(static_cast<int>(os_error));
  }
  return Details(code);
}

}  // namespace tus
