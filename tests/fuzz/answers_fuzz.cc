// Client: whole answers of a server that is hostile, broken, or no tus server at all.
//
// An input is a line that says what is asked, and then the answers (wire_answers.h); the last one
// is given again when there are no more.
//
//     PATCH https 5 10
//     HTTP/1.1 307 Temporary Redirect
//     Location: /elsewhere
//
//     ~
//     HTTP/1.1 204 No Content
//     …
//
// The words of the first line, in any order: OPTIONS, CREATE, HEAD, PATCH, TERMINATE, CONCATENATE;
// http or https, of the endpoint; up to two numbers, offset and length; "credentials", which are
// renewed once; "override" for X-HTTP-Method-Override; "signed" for an upload URL with a query.
#include <algorithm>
#include <string>
#include <vector>

#include "fuzz_target.h"
#include "tusclient/client.h"
#include "wire_answers.h"

namespace tus {
namespace {

using fuzz::Require;

/// Five redirects may be followed.
constexpr std::size_t kMaxRequests = 6;

// What no message may contain: the name of the upload, of parts, what signs a URL, credentials.
constexpr std::string_view kName = "0f3c9d27a41b8e65";
constexpr std::string_view kFirstPart = "5b1e70c2d94f";
constexpr std::string_view kSecondPart = "9a6d2e8f0b37";
constexpr std::string_view kSignature = "aGVsbG8tdGhlcmU";
constexpr std::string_view kToken = "q8ZyT3mWk1";
constexpr std::string_view kNewToken = "r9AxU4nVl2";
constexpr std::string_view kApiKey = "k3Jd\xe9-sPq7H";
constexpr std::string_view kShownApiKey = "k3Jd?-sPq7H";  // what a message would make of it

struct Setup {
  std::string_view verb = "HEAD";
  std::string_view scheme = "http";
  std::vector<std::uint64_t> numbers;
  bool credentials = false;
  bool method_override = false;
  bool is_signed = false;

  [[nodiscard]] std::uint64_t Offset() const { return numbers.empty() ? 0 : numbers[0]; }
  [[nodiscard]] std::uint64_t Length() const { return numbers.size() < 2 ? 0 : numbers[1]; }
  [[nodiscard]] std::string Authority() const { return std::string(scheme) + "://tus.example"; }
  [[nodiscard]] std::string Endpoint() const { return Authority() + "/files/"; }
  [[nodiscard]] std::string Url(std::string_view name) const {
    auto url = Endpoint() + std::string(name);
    if (is_signed) url += "?sig=" + std::string(kSignature);
    return url;
  }
  [[nodiscard]] bool AboutUpload() const {
    return verb == "HEAD" || verb == "PATCH" || verb == "TERMINATE";
  }
};

Setup SetupOf(std::string_view line) {
  constexpr std::string_view kVerbs[] = {"OPTIONS", "CREATE",    "HEAD",
                                         "PATCH",   "TERMINATE", "CONCATENATE"};
  Setup setup;
  for (auto const word : fuzz::Words(line)) {
    if (std::count(std::begin(kVerbs), std::end(kVerbs), word) > 0) setup.verb = word;
    if (word == "http" || word == "https") setup.scheme = word;
    if (word[0] >= '0' && word[0] <= '9') setup.numbers.push_back(fuzz::NumberOf(word));
    setup.credentials |= word == "credentials";
    setup.method_override |= word == "override";
    setup.is_signed |= word == "signed";
  }
  return setup;
}

class Credentialed : public Credentials {
 public:
  Result<std::vector<Header>> Headers(std::stop_token) override {
    return std::vector<Header>{{"Authorization", "Bearer " + std::string(token_)}};
  }
  void Refused(std::vector<Header> const&) override { token_ = kNewToken; }

 private:
  std::string_view token_ = kToken;
};

/// Gives the answers, and looks at what is asked for them.
class HostileServer : public HttpTransport {
 public:
  HostileServer(Setup const& setup, std::vector<Result<HttpResponse>> answers)
      : setup_(setup), answers_(std::move(answers)) {}

  Result<HttpResponse> Perform(HttpRequest const& request) override {
    fuzz::RequireUsable(request.url);
    Require(setup_.scheme == "http" || request.url.starts_with("https://"),
            "nothing is sent over http where the endpoint is https", request.url);
    LookAtHeaders(request);
    auto const& answer = answers_[std::min(urls_.size(), answers_.size() - 1)];
    urls_.push_back(request.url);
    Require(urls_.size() <= kMaxRequests * (setup_.credentials ? 2 : 1),
            "no more than five redirects are followed");
    status_ = answer ? answer->status : 0;
    return answer;
  }

  [[nodiscard]] std::vector<std::string> const& urls() const { return urls_; }
  [[nodiscard]] int status() const { return status_; }
  [[nodiscard]] bool knows_new_token() const { return knows_new_token_; }

 private:
  Setup const& setup_;
  std::vector<Result<HttpResponse>> const answers_;
  std::vector<std::string> urls_;
  int status_ = 0;
  bool knows_new_token_ = false;

  void LookAtHeaders(HttpRequest const& request) {
    auto const authority = setup_.Authority();
    auto const port = setup_.scheme == "https" ? ":443" : ":80";
    bool const ours =
        request.url.starts_with(authority + "/") || request.url.starts_with(authority + port + "/");
    for (auto const& [name, value] : request.headers) {
      Require(value.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos,
              "a header is one line", value);
      bool const is_secret = name == "Authorization" || name == "X-Api-Key";
      Require(ours || !is_secret, "credentials go to the endpoint only", request.url);
      knows_new_token_ |= value.ends_with(kNewToken);
    }
  }
};

/// Never read: the answers do not depend on what was sent.
class NoBytes : public DataSource {
 public:
  Result<std::size_t> ReadAt(std::uint64_t, std::span<std::byte>) override { return 0; }
};

// ---- what an error may say

/// Those that the client knows of.
std::vector<std::string_view> SecretsOf(Setup const& setup, HostileServer const& server) {
  std::vector<std::string_view> secrets{kShownApiKey};
  bool const parts = setup.verb == "CONCATENATE";
  if (setup.AboutUpload()) secrets.push_back(kName);
  if (parts) secrets.insert(secrets.end(), {kFirstPart, kSecondPart});
  if (setup.is_signed && (parts || setup.AboutUpload())) secrets.push_back(kSignature);
  if (setup.credentials) secrets.push_back(kToken);
  if (server.knows_new_token()) secrets.push_back(kNewToken);
  return secrets;
}

void RequireSilent(Error const& error, Setup const& setup, HostileServer const& server) {
  for (auto const secret : SecretsOf(setup, server)) {
    Require(error.message.find(secret) == std::string::npos, "a message has no secrets",
            error.message);
  }
  if (!setup.AboutUpload()) return;
  for (auto const& url : server.urls()) {
    Require(error.message.find(url) == std::string::npos, "a message has no upload's URL",
            error.message);
  }
}

void RequirePlausible(Error const& error, Setup const& setup, HostileServer const& server) {
  fuzz::RequirePresentable(error.message);
  RequireSilent(error, setup, server);
  if (error.retry_after) {
    Require(error.retry_after->count() >= 0, "Retry-After is not in the past");
    Require(*error.retry_after <= std::chrono::hours(24), "Retry-After is a day at most");
  }
  Require(error.http_status == 0 || error.http_status == server.status(),
          "an error has the status of the answer that it is about");
  if (server.urls().empty()) {
    Require(error.code == ErrorCode::kInvalidArgument, "nothing was sent", error.message);
    return;
  }
  Require(error.code != ErrorCode::kInvalidArgument && error.code != ErrorCode::kUnreachable,
          "what was sent was sent", error.message);
  Require(error.code != ErrorCode::kGone || setup.AboutUpload(), "only uploads are gone");
}

// ---- what a success may say

void RequirePlausible(ServerInfo const& info, Setup const&) {
  Require(info.max_size != 0U, "a largest size of 0 is none");
  for (auto const& name : info.checksum_algorithms) {
    Require(!name.empty(), "an algorithm has a name");
  }
}

void RequirePlausible(Created const& created, Setup const& setup) {
  fuzz::RequireUsable(created.url);
  Require(setup.scheme == "http" || created.url.starts_with("https://"),
          "an upload is https where the endpoint is", created.url);
  // A final upload has the bytes of its parts.
  Require(setup.verb == "CONCATENATE" || created.offset <= setup.Length(),
          "a new upload has no more bytes than were sent");
}

void RequirePlausible(UploadStatus const& status, Setup const&) {
  Require(!status.length || status.offset <= *status.length, "an offset is inside the upload");
}

void RequirePlausible(Patched const& patched, Setup const& setup) {
  Require(patched.offset >= setup.Offset(), "the offset does not go back");
  Require(patched.offset - setup.Offset() <= setup.Length(),
          "nothing is confirmed but what was sent");
}

template <typename T>
void Check(Result<T> const& result, Setup const& setup, HostileServer const& server) {
  if (!result) return RequirePlausible(result.error(), setup, server);
  Require(!server.urls().empty(), "nothing succeeds without a request");
  if constexpr (!std::is_void_v<T>) RequirePlausible(*result, setup);
}

void Ask(Setup const& setup, HostileServer& server) {
  Credentialed credentials;
  Client client({.endpoint = setup.Endpoint(),
                 .headers = {{"X-Api-Key", std::string(kApiKey)}},
                 .credentials = setup.credentials ? &credentials : nullptr,
                 .trusted_origins = {},
                 .method_override = setup.method_override},
                server);
  NoBytes source;
  auto const check = [&](auto const& result) { Check(result, setup, server); };
  if (setup.verb == "OPTIONS") check(client.Options());
  if (setup.verb == "HEAD") check(client.Head(setup.Url(kName)));
  if (setup.verb == "TERMINATE") check(client.Terminate(setup.Url(kName)));
  if (setup.verb == "CREATE") {
    check(client.Create({.length = setup.Length(),
                         .metadata = {{"filename", "take-42.mov"}},
                         .source = &source,
                         .body_length = setup.Length()}));
  }
  if (setup.verb == "PATCH") {
    check(client.Patch({.url = setup.Url(kName),
                        .offset = setup.Offset(),
                        .length = setup.Length(),
                        .source = &source}));
  }
  if (setup.verb == "CONCATENATE") {
    check(client.Concatenate({.urls = {setup.Url(kFirstPart), setup.Url(kSecondPart)}}));
  }
}

}  // namespace
}  // namespace tus

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  std::string_view text(reinterpret_cast<char const*>(data), size);
  auto const setup = tus::SetupOf(tus::fuzz::TakeLine(text));
  tus::HostileServer server(setup, tus::fuzz::AnswersOf(text));
  tus::Ask(setup, server);
  return 0;
}
