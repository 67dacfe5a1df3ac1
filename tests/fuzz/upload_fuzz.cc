// Upload: a whole conversation with a server that makes no sense, or wants us to talk for ever.
//
// An input is a line about the upload, and then the answers (wire_answers.h) in the order in which
// they are given, the last ones round and round. The words of the first line, in any order: a
// number, the upload's length in bytes, up to 32; "chunk" before the number of bytes of a body;
// "again" before the number of answers that come again, else all; "growing" for a source whose end
// is not known; "stored" for an upload of an earlier process, "final" for one whose last bytes that
// had sent, "other" for one of other bytes; "whole" for creation-with-upload; "patient" to wait for
// better credentials.
#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "fuzz_target.h"
#include "text.h"
#include "tusclient/checksum.h"
#include "tusclient/upload.h"
#include "wire_answers.h"

namespace tus {
namespace {

using fuzz::Require;

constexpr std::string_view kEndpoint = "http://tus.example/files/";
constexpr std::string_view kStoredUrl = "http://tus.example/files/0f3c9d27a41b8e65";
constexpr std::uint64_t kMaxLength = 32;
constexpr std::chrono::minutes kGiveUp{2};
/// Redirects, two requests that find out that an upload is gone, three tries of a checksum, a body
/// that shrinks: much for one moment, and yet not a flood.
constexpr int kMaxRequestsAtOnce = 100;

struct Setup {
  std::uint64_t length = 10;
  std::uint64_t chunk = 4;
  std::uint64_t again = kMaxLength;
  bool growing = false;
  bool stored = false;
  bool final_sent = false;
  bool other = false;
  bool whole = false;
  bool patient = false;
};

Setup SetupOf(std::string_view line) {
  Setup setup;
  std::uint64_t* number = &setup.length;
  for (auto const word : fuzz::Words(line)) {
    if (word[0] >= '0' && word[0] <= '9') *number = std::min(fuzz::NumberOf(word), kMaxLength);
    number = word == "chunk" ? &setup.chunk : word == "again" ? &setup.again : &setup.length;
    setup.growing |= word == "growing";
    setup.stored |= word == "stored";
    setup.final_sent |= word == "final";
    setup.other |= word == "other";
    setup.whole |= word == "whole";
    setup.patient |= word == "patient";
  }
  setup.chunk = std::max<std::uint64_t>(setup.chunk, 1);
  return setup;
}

std::string BytesOf(Setup const& setup) {
  return std::string("0123456789abcdefghijklmnopqrstuv").substr(0, setup.length);
}

std::string Sha256Of(std::string_view bytes) {
  Hasher hasher(ChecksumAlgorithm::kSha256);
  hasher.Update(std::as_bytes(std::span(bytes)));
  return hasher.Digest();
}

/// A pipe that never makes anybody wait.
class Pipe : public GrowingSource {
 public:
  explicit Pipe(std::string bytes) : bytes_(std::move(bytes)) {}

  Result<std::size_t> ReadAt(std::uint64_t offset, std::span<std::byte> out) override {
    Require(offset >= released_, "what was released is not read again");
    Require(offset + out.size() <= end_, "nothing is read before it is there");
    std::transform(out.begin(), out.end(), out.begin(),
                   [&](std::byte) { return static_cast<std::byte>(bytes_[offset++]); });
    return out.size();
  }
  Result<Extent> Await(std::uint64_t, std::uint64_t end, std::chrono::milliseconds,
                       std::stop_token) override {
    end_ = std::max(end_, std::min<std::uint64_t>(end, bytes_.size()));
    return Extent{.end = end_, .ended = end > bytes_.size()};
  }
  void Release(std::uint64_t offset) override { released_ = std::max(released_, offset); }
  [[nodiscard]] std::string Sha256() const override {
    return Sha256Of(std::string_view(bytes_).substr(0, end_));
  }

 private:
  std::string const bytes_;
  std::uint64_t end_ = 0;
  std::uint64_t released_ = 0;
};

class MemoryStore : public UrlStore {
 public:
  Result<std::optional<StoredUpload>> Find(std::string const&) override { return upload_; }
  Result<void> Put(std::string const&, StoredUpload const& upload) override {
    Require(!upload.url.empty(), "what is remembered can be found again");
    upload_ = upload;
    return {};
  }
  Result<void> Remove(std::string const&) override {
    upload_.reset();
    return {};
  }

  [[nodiscard]] bool empty() const { return !upload_; }

 private:
  std::optional<StoredUpload> upload_;
};

/// Gives the answers, and watches what comes between them.
class HostileServer : public HttpTransport {
 public:
  HostileServer(Setup const& setup, std::vector<Result<HttpResponse>> answers)
      : setup_(setup), answers_(std::move(answers)) {}

  Result<HttpResponse> Perform(HttpRequest const& request) override {
    fuzz::RequireUsable(request.url);
    Require(++requests_at_once_ <= kMaxRequestsAtOnce, "who gets nowhere waits");
    if (request.method == "PATCH") LookAtPatch(request);
    auto const& answer = answers_[next_++];
    auto const again = std::clamp<std::size_t>(setup_.again, 1, answers_.size());
    if (next_ == answers_.size()) next_ -= again;
    Remember(request, answer);
    return answer;
  }

  void Wait() { requests_at_once_ = 0; }

  /// Whether the last answer about the upload was that it has all its bytes.
  [[nodiscard]] bool said_complete() const { return said_complete_; }

 private:
  Setup const& setup_;
  std::vector<Result<HttpResponse>> const answers_;
  std::size_t next_ = 0;
  int requests_at_once_ = 0;
  bool said_complete_ = false;
  bool outcome_unknown_ = false;  ///< of the last PATCH

  [[nodiscard]] static bool Redirects(Result<HttpResponse> const& answer) {
    return answer && (answer->status == 307 || answer->status == 308);
  }

  void LookAtPatch(HttpRequest const& request) const {
    Require(!outcome_unknown_, "after a PATCH of unknown outcome the server is asked");
    Require(request.body_offset + request.body_length <= setup_.length,
            "no more is sent than there is");
    Require(request.body_length <= setup_.chunk, "no body is larger than the rules allow");
    for (auto const& [name, value] : request.headers) {
      if (name == "Upload-Length") {
        Require(value == std::to_string(setup_.length), "the declared length is the length", value);
      }
      if (name == "Upload-Offset") {
        Require(request.body_length == 0 || value == std::to_string(request.body_offset),
                "bytes go where they belong", value);
      }
    }
    std::string body(static_cast<std::size_t>(request.body_length), '\0');
    if (body.empty()) return;
    auto const read =
        request.body->ReadAt(request.body_offset, std::as_writable_bytes(std::span(body)));
    Require(read && *read == body.size(), "what is sent can be read");
    Require(body == BytesOf(setup_).substr(request.body_offset, body.size()),
            "the bytes are the file's");
  }

  void Remember(HttpRequest const& request, Result<HttpResponse> const& answer) {
    if (Redirects(answer) || request.method == "OPTIONS") return;
    auto const tus = answer && answer->Find("Tus-Resumable");
    bool const ok = tus && answer->status >= 200 && answer->status < 300;
    if (request.method == "PATCH") outcome_unknown_ = !answer;
    if (request.method == "HEAD" && ok) outcome_unknown_ = false;
    if (request.method == "POST") outcome_unknown_ = false;
    auto const offset = ok ? answer->Find("Upload-Offset") : std::nullopt;
    auto const number = offset ? ParseDecimal(*offset) : std::nullopt;
    said_complete_ = ok && number.value_or(0) == setup_.length;
  }
};

void Judge(Result<Receipt> const& receipt, Setup const& setup, HostileServer const& server,
           MemoryStore const& store) {
  if (receipt) {
    Require(server.said_complete(), "an upload is complete when the server has said so");
    Require(receipt->size == setup.length, "a receipt is for all bytes");
    fuzz::RequireUsable(receipt->url);
    Require(store.empty(), "what is complete is forgotten");
    return;
  }
  auto const& error = receipt.error();
  fuzz::RequirePresentable(error.message);
  Require(error.code != ErrorCode::kCancelled && error.code != ErrorCode::kInvalidArgument,
          "nobody stopped it, and nothing was wrong with it", error.message);
  Require(error.code != ErrorCode::kRefused || store.empty(), "what was refused is forgotten");
}

void Send(Setup const& setup, HostileServer& server) {
  Client client({.endpoint = std::string(kEndpoint)}, server);
  ServerProfile profile({.size = setup.chunk});
  MemoryStore store;
  auto const bytes = BytesOf(setup);
  if (setup.stored) {
    static_cast<void>(store.Put(
        "f",
        {.url = std::string(kStoredUrl),
         .length = setup.growing && !setup.final_sent ? std::nullopt : std::optional(setup.length),
         .end = setup.final_sent ? UploadFacts::End::kSent : UploadFacts::End::kNotSent,
         .checked_length = setup.growing ? setup.length : 0,
         .checked_sha256 = setup.growing ? Sha256Of(setup.other ? "" : bytes) : ""}));
  }
  std::chrono::steady_clock::time_point now{};
  UploadOptions options;
  options.fingerprint = "f";
  options.store = &store;
  options.profile = &profile;
  options.give_up = kGiveUp;
  options.wait_for_credentials = setup.patient;
  options.creation_with_upload = setup.whole ? kMaxLength : 0;
  options.random = [] { return 0.5; };
  options.now = [&] { return now; };
  options.wait = [&](std::chrono::milliseconds time, std::stop_token const&) {
    Require(time.count() > 0, "a wait takes time");
    now += time;
    server.Wait();
  };
  Upload upload(client, options);
  if (setup.growing) {
    Pipe pipe(bytes);
    return Judge(upload.Send(pipe), setup, server, store);
  }
  MemorySource source(std::as_bytes(std::span(bytes)));
  Judge(upload.Send(source, setup.length), setup, server, store);
}

}  // namespace
}  // namespace tus

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  std::string_view text(reinterpret_cast<char const*>(data), size);
  auto const setup = tus::SetupOf(tus::fuzz::TakeLine(text));
  tus::HostileServer server(setup, tus::fuzz::AnswersOf(text));
  tus::Send(setup, server);
  return 0;
}
