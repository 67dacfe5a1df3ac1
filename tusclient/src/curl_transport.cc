// HTTP over libcurl. One easy handle is driven through a multi handle of its own, which keeps the
// connections, and which another thread can wake when the caller's stop_token fires.
//
// SIGPIPE is left alone (CURLOPT_NOSIGNAL): libcurl sends with MSG_NOSIGNAL, over TLS too.
#include <curl/curl.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>

#include "curl_exchange.h"
#include "curl_settings.h"
#include "easy_options.h"
#include "fail.h"
#include "text.h"
#include "tusclient/transport.h"
#include "url.h"

namespace tus {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr long kUploadBuffer = 512L << 10;
constexpr long kSmallestUploadBuffer = 16L << 10;  // libcurl's own limit
constexpr long kDownloadBuffer = 512L << 10;
/// libcurl counts whole seconds of idleness, so 3 means "less than 4": rustus closes after 4.8 s.
constexpr long kDefaultIdleSeconds = 3;
constexpr long kMaxIdleSeconds = 110;
constexpr milliseconds kPoll{1000};

/// libcurl takes it anew for each request.
long UploadBufferFor(std::uint64_t length) {
  auto const most = static_cast<std::uint64_t>(kUploadBuffer);
  return std::max(static_cast<long>(std::min(length, most)), kSmallestUploadBuffer);
}

template <auto Function>
struct Deleter {
  template <typename T>
  void operator()(T* handle) const {
    static_cast<void>(Function(handle));
  }
};
using Multi = std::unique_ptr<CURLM, Deleter<curl_multi_cleanup>>;
using Easy = std::unique_ptr<CURL, Deleter<curl_easy_cleanup>>;
using HeaderList = std::unique_ptr<curl_slist, Deleter<curl_slist_free_all>>;

bool InitializeCurl() {
  static bool const ready = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  return ready;
}

bool IsToken(std::string_view name) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !name.empty() && std::all_of(name.begin(), name.end(), [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           kMarks.find(c) != std::string_view::npos;
  });
}

bool BreaksLine(char c) { return c == '\r' || c == '\n' || c == '\0'; }

/// Empty when `header` can be sent, else the end of a sentence. Never repeats the value.
std::string_view Complaint(Header const& header) {
  if (!IsToken(header.name)) return "has characters that a header's name cannot have";
  if (std::ranges::any_of(header.value, BreaksLine)) {
    return "has a line break in its value";
  }
  if (EqualsIgnoreCase(header.name, "Content-Length") ||
      EqualsIgnoreCase(header.name, "Transfer-Encoding")) {
    return "is not the caller's to set";
  }
  return {};
}

bool Append(HeaderList& list, std::string const& line) {
  auto* const longer = curl_slist_append(list.get(), line.c_str());
  if (longer == nullptr) return false;
  static_cast<void>(list.release());
  list.reset(longer);
  return true;
}

Result<HeaderList> MakeHeaderList(HttpRequest const& request) {
  HeaderList list;
  // libcurl would wait a second for a "100 Continue" that earns nothing here.
  bool complete = Append(list, "Expect:");
  for (auto const& header : request.headers) {
    if (auto const complaint = Complaint(header); !complaint.empty()) {
      return Fail(ErrorCode::kInvalidArgument,
                  "the header \"" + FirstWords(header.name, 80) + "\" " + std::string(complaint));
    }
    // To libcurl "Name:" means leaving the header out; "Name;" is one without a value.
    complete = complete && Append(list, header.value.empty() ? header.name + ";"
                                                             : header.name + ": " + header.value);
  }
  if (!complete) return Fail(ErrorCode::kInvalidArgument, "out of memory for headers");
  return list;
}

/// N of "Keep-Alive: timeout=N": after so many idle seconds the server closes the connection.
std::optional<std::uint64_t> AnnouncedIdleTimeout(HttpResponse const& response) {
  for (auto const element : SplitList(response.Find("Keep-Alive").value_or(""))) {
    auto const equals = element.find('=');
    if (equals == std::string_view::npos) continue;
    if (EqualsIgnoreCase(Trim(element.substr(0, equals)), "timeout")) {
      return ParseDecimal(Trim(element.substr(equals + 1)));
    }
  }
  return std::nullopt;
}

/// For curl_multi_poll. Rounded up, so that a wait shorter than a millisecond is one.
int PollTime(std::optional<steady_clock::duration> pause) {
  auto const time = pause ? std::chrono::ceil<milliseconds>(*pause) : kPoll;
  return static_cast<int>(std::clamp(time, milliseconds(0), kPoll).count());
}

class CurlTransport final : public HttpTransport {
 public:
  explicit CurlTransport(CurlTransportOptions options) : options_(std::move(options)) {
    if (!InitializeCurl()) return;
    multi_.reset(curl_multi_init());
    easy_.reset(curl_easy_init());
  }

  Result<HttpResponse> Perform(HttpRequest const& request) override {
    if (request.stop.stop_requested()) {
      return Fail(ErrorCode::kCancelled, "the request was cancelled");
    }
    if (!multi_ || !easy_) return Fail(ErrorCode::kInvalidArgument, "libcurl cannot be used");
    if (request.body_length > 0 && request.body == nullptr) {
      return Fail(ErrorCode::kInvalidArgument, "there is no source for the body");
    }
    auto const headers = MakeHeaderList(request);
    if (!headers) return tl::unexpected(headers.error());
    auto const origin = OriginOf(request.url);
    if (!origin) return tl::unexpected(origin.error());
    if (auto const trouble = FileTrouble(options_, request.netrc_file)) {
      return tl::unexpected(*trouble);
    }

    CurlExchange exchange(request, options_);
    curl_easy_reset(easy_.get());
    if (auto code = Configure(request, headers->get(), *origin);
        code != CURLE_OK || (code = exchange.Attach(easy_.get())) != CURLE_OK) {
      return Fail(ErrorCode::kInvalidArgument,
                  std::string("libcurl refused the request: ") + curl_easy_strerror(code));
    }
    auto const code = Run(request.stop, exchange);
    auto response = exchange.Finish(code);
    curl_easy_reset(easy_.get());  // nothing of this request stays behind
    if (response) RememberIdleTimeout(*response, *origin);
    return response;
  }

 private:
  CurlTransportOptions options_;
  Multi multi_;  // keeps the connections
  Easy easy_;    // goes before multi_
  Origin last_origin_;
  long last_idle_seconds_ = kDefaultIdleSeconds;

  CURLcode Configure(HttpRequest const& request, curl_slist* headers, Origin const& origin) {
    EasyOptions options(easy_.get());
    ApplySettings(options, options_);
    options.Set(CURLOPT_URL, request.url.c_str());
    options.Set(CURLOPT_HTTPHEADER, headers);
    bool const upload = request.body_length > 0 || request.method == "POST" ||
                        request.method == "PATCH" || request.method == "PUT";
    if (request.method == "HEAD") {
      options.Set(CURLOPT_NOBODY, 1L);
    } else {
      options.Set(CURLOPT_CUSTOMREQUEST, request.method.c_str());
    }
    if (upload) {  // sends Content-Length, of 0 too
      options.Set(CURLOPT_UPLOAD, 1L);
      options.Set(CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(request.body_length));
      options.Set(CURLOPT_UPLOAD_BUFFERSIZE, UploadBufferFor(request.body_length));
    }
    if (request.on_body) options.Set(CURLOPT_BUFFERSIZE, kDownloadBuffer);

    if (!request.netrc_file.empty()) {
      options.Set(CURLOPT_NETRC, static_cast<long>(CURL_NETRC_OPTIONAL));
      options.Set(CURLOPT_NETRC_FILE, request.netrc_file.c_str());
    }
    options.Set(CURLOPT_MAXAGE_CONN,
                origin == last_origin_ ? last_idle_seconds_ : kDefaultIdleSeconds);
    return options.result();
  }

  /// Until the exchange is over or `stop` fires; then libcurl has let go of the request.
  CURLcode Run(std::stop_token const& stop, CurlExchange& exchange) {
    auto const added = curl_multi_add_handle(multi_.get(), easy_.get());
    if (added != CURLM_OK) return CURLE_FAILED_INIT;
    auto const code = Drive(stop, exchange);
    curl_multi_remove_handle(multi_.get(), easy_.get());
    return code;
  }

  CURLcode Drive(std::stop_token const& stop, CurlExchange& exchange) {
    std::stop_callback const wake(stop, [this] { curl_multi_wakeup(multi_.get()); });
    for (int running = 1;;) {
      if (curl_multi_perform(multi_.get(), &running) != CURLM_OK) return CURLE_FAILED_INIT;
      if (running == 0) break;
      if (stop.stop_requested()) return CURLE_ABORTED_BY_CALLBACK;
      if (exchange.IsOverdue(steady_clock::now())) return CURLE_OPERATION_TIMEDOUT;
      auto const pause = exchange.Pause(steady_clock::now());
      auto const polled = curl_multi_poll(multi_.get(), nullptr, 0, PollTime(pause), nullptr);
      if (polled != CURLM_OK) return CURLE_FAILED_INIT;
      exchange.Resume(steady_clock::now());
    }
    int queued = 0;
    while (auto const* const message = curl_multi_info_read(multi_.get(), &queued)) {
      if (message->msg == CURLMSG_DONE) return message->data.result;
    }
    return CURLE_FAILED_INIT;
  }

  void RememberIdleTimeout(HttpResponse const& response, Origin const& origin) {
    last_origin_ = origin;
    last_idle_seconds_ = kDefaultIdleSeconds;
    if (auto const timeout = AnnouncedIdleTimeout(response)) {
      // One second of margin, and one because libcurl counts whole seconds.
      last_idle_seconds_ =
          static_cast<long>(std::clamp<std::uint64_t>(*timeout, 2, kMaxIdleSeconds + 2) - 2);
    }
  }
};

}  // namespace

std::unique_ptr<HttpTransport> MakeCurlTransport(CurlTransportOptions options) {
  return std::make_unique<CurlTransport>(std::move(options));
}

}  // namespace tus
