#include "server.h"

#include <tusclient/metadata.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdio>
#include <ctime>
#include <span>
#include <sstream>

namespace tusfs_life {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kSlow = 90 * kSecond;

tus::HttpResponse TusAnswer(int status, std::vector<tus::Header> headers = {},
                            std::string body = {}) {
  headers.push_back({"Tus-Resumable", "1.0.0"});
  return {status, std::move(headers), std::move(body)};
}

tus::Result<tus::HttpResponse> Broken(tus::ErrorCode code) {
  return tl::unexpected(
      tus::Error{.code = code, .http_status = 0, .retry_after = {}, .message = "it broke"});
}

std::optional<std::string> Find(tus::HttpRequest const& request, std::string_view name) {
  for (auto const& header : request.headers) {
    if (header.name == name) return header.value;
  }
  return std::nullopt;
}

std::optional<std::uint64_t> FindNumber(tus::HttpRequest const& request, std::string_view name) {
  auto const text = Find(request, name);
  return text ? std::optional(std::stoull(*text)) : std::nullopt;
}

std::string Decode64(std::string const& text) {
  std::string bytes;
  unsigned buffer = 0;
  int bits = 0;
  static std::string const digits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (char const character : text) {
    auto const value = digits.find(character);
    if (value == std::string::npos) break;
    buffer = buffer << 6 | static_cast<unsigned>(value);
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes += static_cast<char>(buffer >> bits & 0xff);
  }
  return bytes;
}

std::string MetadataOf(tus::HttpRequest const& request, std::string const& key) {
  auto const all = "," + Find(request, "Upload-Metadata").value_or("") + ",";
  auto const at = all.find("," + key + " ");
  if (at == std::string::npos) return {};
  auto const begin = at + key.size() + 2;
  return Decode64(all.substr(begin, all.find(',', begin) - begin));
}

std::string Date(std::int64_t time) {
  auto const seconds = static_cast<std::time_t>(time / kSecond);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::array<char, 64> text{};
  std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return text.data();
}

}  // namespace

char const* NameOf(Mishap mishap) {
  constexpr std::array kNames{"none",   "unreachable",  "lost-before", "lost-after", "cut-body",
                              "short",  "busy",         "conflict",    "foreign",    "not-found",
                              "refuse", "unauthorized", "slow"};
  return kNames.at(static_cast<std::size_t>(mishap));
}

class Server::Transport : public tus::HttpTransport {
 public:
  explicit Transport(Server& server) : server_(server) {}
  tus::Result<tus::HttpResponse> Perform(tus::HttpRequest const& request) override {
    return server_.Perform(request);
  }

 private:
  Server& server_;
};

Server::Server(Options const& options, std::function<std::int64_t()> now,
               std::function<void(std::int64_t)> advance)
    : options_(options), now_(std::move(now)), advance_(std::move(advance)) {}

std::unique_ptr<tus::HttpTransport> Server::MakeTransport() {
  return std::make_unique<Transport>(*this);
}

void Server::Next(Mishap mishap, int count) { mishaps_.emplace_back(mishap, count); }

void Server::Heal() {
  mishaps_.clear();
  down_ = false;
}

void Server::Wipe(bool finished) {
  for (auto& [id, upload] : uploads_) {
    bool const is_finished = upload->complete && !upload->is_part;
    if (upload->gone || (is_finished && !finished)) continue;
    upload->gone = upload->was_asked_away = true;
  }
}

Mishap Server::Take() {
  if (mishaps_.empty()) return Mishap::kNone;
  auto& [mishap, count] = mishaps_.front();
  auto const taken = mishap;
  if (--count <= 0) mishaps_.erase(mishaps_.begin());
  return taken;
}

// ---- requests

Server::Answer Server::Perform(tus::HttpRequest const& request) {
  ++requests_;
  advance_(kSecond / 1000);
  if (is_asker_dead()) return Broken(tus::ErrorCode::kUnreachable);
  if (request.stop.stop_requested()) return Broken(tus::ErrorCode::kCancelled);
  auto const mishap = down_ ? Mishap::kUnreachable : Take();
  auto const entry = log_.size();
  log_.push_back(request.method + " " + request.url.substr(request.url.find_last_of('/') + 1));
  auto answer = Do(request, mishap);
  log_[entry] += " " + std::string(NameOf(mishap)) + " " +
                 (answer ? std::to_string(answer->status) : answer.error().message);
  // Who has died does not hear of it.
  if (is_asker_dead()) return Broken(tus::ErrorCode::kInterrupted);
  return answer;
}

Server::Answer Server::Do(tus::HttpRequest const& request, Mishap mishap) {
  switch (mishap) {
    case Mishap::kUnreachable:
      return Broken(tus::ErrorCode::kUnreachable);
    case Mishap::kLostBefore:
      return Broken(tus::ErrorCode::kInterrupted);
    case Mishap::kBusy:
      return TusAnswer(std::array{423, 500, 503}[requests_ % 3], {}, "busy");
    case Mishap::kForeign:
      if (requests_ % 2 == 0) return tus::HttpResponse{200, {}, "<html>Welcome to the hotel"};
      return tus::HttpResponse{502, {}, "<html>Bad gateway"};
    case Mishap::kUnauthorized:
      return TusAnswer(requests_ % 2 == 0 ? 401 : 403, {}, "who are you?");
    case Mishap::kSlow:
      advance_(kSlow);
      break;
    default:
      break;
  }
  bool const about_upload = request.method != "POST" && request.method != "OPTIONS";
  if (mishap == Mishap::kNotFound && about_upload) return TusAnswer(404);
  if (mishap == Mishap::kRefuse && request.method == "POST") {
    return TusAnswer(422, {}, "no such project");
  }
  Answer answer = [&]() -> Answer {
    if (request.method == "OPTIONS") {
      std::string extensions = "creation";
      if (options_.defers_length) extensions += ",creation-defer-length";
      if (options_.joins) extensions += ",concatenation";
      if (options_.terminates) extensions += ",termination";
      if (options_.expires_after != 0) extensions += ",expiration";
      return TusAnswer(204, {{"Tus-Version", "1.0.0"}, {"Tus-Extension", extensions}});
    }
    if (request.method == "POST") return Create(request);
    auto const upload = Find(request.url);
    if (!upload || upload->gone)
      return TusAnswer(upload && options_.expires_after != 0 ? 410 : 404);
    if (upload->complete && !upload->is_part && options_.moves_finished) return TusAnswer(404);
    if (request.method == "HEAD") return Head(*upload);
    if (request.method == "DELETE") return Delete(*upload);
    if (request.method == "PATCH") {
      auto patched = Patch(request, *upload, mishap);
      CompleteIfWhole(upload);
      return patched;
    }
    return TusAnswer(405);
  }();
  if (mishap == Mishap::kLostAfter) return Broken(tus::ErrorCode::kInterrupted);
  return answer;
}

std::shared_ptr<Server::Upload> Server::Find(std::string const& url) {
  auto const found = uploads_.find(url.substr(url.find_last_of('/') + 1));
  if (found == uploads_.end()) return nullptr;
  auto& upload = *found->second;
  bool const expires = options_.expires_after != 0 && !upload.complete;
  if (expires && upload.touched + options_.expires_after < now_()) {
    upload.gone = upload.was_asked_away = true;
  }
  return found->second;
}

std::vector<tus::Header> Server::Expiry(Upload const& upload) const {
  if (options_.expires_after == 0 || upload.complete) return {};
  return {{"Upload-Expires", Date(upload.touched + options_.expires_after)}};
}

Server::Answer Server::Create(tus::HttpRequest const& request) {
  constexpr std::string_view kFinal = "final;";
  auto const concat = tusfs_life::Find(request, "Upload-Concat").value_or("");
  if (concat.starts_with(kFinal)) return Join(request, concat.substr(kFinal.size()));
  auto const length = FindNumber(request, "Upload-Length");
  if (!length && !options_.defers_length) return TusAnswer(400, {}, "length required");
  auto upload = std::make_shared<Upload>();
  upload->id = "u" + std::to_string(++made_);
  upload->path = MetadataOf(request, "relativePath");
  upload->length = length;
  upload->touched = now_();
  upload->is_part = concat == "partial";
  uploads_[upload->id] = upload;
  log_.back() += " " + upload->id + " " + upload->path;
  CompleteIfWhole(upload);
  auto headers = Expiry(*upload);
  headers.push_back({"Location", Url() + upload->id});
  return TusAnswer(201, std::move(headers));
}

void Server::CompleteIfWhole(std::shared_ptr<Upload> const& upload) {
  if (upload->complete || !upload->length || upload->bytes.size() != *upload->length) return;
  upload->complete = true;
  if (upload->is_part) return;
  publications_.push_back({upload->path, upload});
}

// It copies their bytes.
Server::Answer Server::Join(tus::HttpRequest const& request, std::string const& urls) {
  auto upload = std::make_shared<Upload>();
  upload->path = MetadataOf(request, "relativePath");
  std::istringstream words(urls);
  for (std::string url; words >> url;) {
    auto const part = Find(url);
    if (!part || part->gone) return TusAnswer(404, {}, "no such part");
    if (!part->is_part || !part->complete) return TusAnswer(400, {}, "no complete part");
    upload->bytes += part->bytes;
  }
  // Somebody changes the file, or its name, meanwhile.
  meanwhile();
  cuts_body_ = false;
  upload->id = "u" + std::to_string(++made_);
  upload->length = upload->bytes.size();
  upload->touched = now_();
  uploads_[upload->id] = upload;
  log_.back() += " " + upload->id + " " + upload->path + " of " + urls;
  CompleteIfWhole(upload);
  if (request.stop.stop_requested()) return Broken(tus::ErrorCode::kCancelled);
  return TusAnswer(201, {{"Location", Url() + upload->id}});
}

Server::Answer Server::Head(Upload& upload) {
  std::vector<tus::Header> headers{{"Upload-Offset", std::to_string(upload.bytes.size())}};
  if (upload.length) {
    headers.push_back({"Upload-Length", std::to_string(*upload.length)});
  } else {
    headers.push_back({"Upload-Defer-Length", "1"});
  }
  return TusAnswer(200, std::move(headers));
}

Server::Answer Server::Patch(tus::HttpRequest const& request, Upload& upload, Mishap mishap) {
  if (mishap == Mishap::kConflict || FindNumber(request, "Upload-Offset") != upload.bytes.size()) {
    return TusAnswer(409);
  }
  if (upload.complete && request.body_length > 0) return TusAnswer(403);
  auto const declared = FindNumber(request, "Upload-Length");
  if (declared && upload.length) return TusAnswer(400, {}, "declared already");
  // Such servers keep nothing of what a hook of theirs has refused before.
  if (mishap == Mishap::kRefuse && requests_ % 2 == 0) return TusAnswer(422, {}, "a hook says no");
  if (declared) upload.length = declared;
  if (upload.length && upload.bytes.size() + request.body_length > *upload.length) {
    complaints_.push_back("more bytes were sent than were declared: " + upload.path);
    return TusAnswer(413);
  }
  auto taken = request.body_length;
  bool const partial = mishap == Mishap::kCutBody || mishap == Mishap::kShort;
  if (partial && taken > 0) taken = requests_ % (taken + 1);
  std::string body(taken, '\0');
  for (std::uint64_t done = 0; done < taken;) {
    auto const out = std::as_writable_bytes(std::span(body)).subspan(done);
    auto const got = request.body->ReadAt(request.body_offset + done, out);
    if (!got || *got == 0) {
      upload.bytes += body.substr(0, done);
      return Broken(tus::ErrorCode::kSource);
    }
    done += *got;
  }
  if (request.on_sent) request.on_sent(taken);
  upload.touched = now_();
  // The bytes are on their way, and whoever has them may let go of them.
  meanwhile();
  if (std::exchange(cuts_body_, false) || request.stop.stop_requested()) {
    upload.bytes += body.substr(0, requests_ % (body.size() + 1));
    return Broken(tus::ErrorCode::kCancelled);
  }
  upload.bytes += body;
  if (mishap == Mishap::kCutBody) return Broken(tus::ErrorCode::kInterrupted);
  if (mishap == Mishap::kRefuse) {
    upload.refused = true;
    return TusAnswer(422, {}, "a hook says no");
  }
  auto headers = Expiry(upload);
  headers.push_back({"Upload-Offset", std::to_string(upload.bytes.size())});
  return TusAnswer(204, std::move(headers));
}

Server::Answer Server::Delete(Upload& upload) {
  if (!options_.terminates) return TusAnswer(405);
  if (upload.complete && !upload.is_part)
    complaints_.push_back("a complete upload was deleted: " + upload.path);
  upload.gone = true;
  return TusAnswer(204);
}

}  // namespace tusfs_life
