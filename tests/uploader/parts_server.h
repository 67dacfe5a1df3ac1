// A server with concatenation, as a transport: uploads in memory, one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tusclient/scripted_transport.h"

namespace tusfs {

class PartsServer : public tus::HttpTransport {
 public:
  using Answer = tus::Result<tus::HttpResponse>;
  struct Stored {
    std::string bytes{};
    std::uint64_t length = 0;
    bool is_partial = false;
    std::string metadata{};
  };

  std::string extensions = "creation,creation-defer-length,termination,concatenation";
  std::string path = "/files/";
  std::map<std::string, Stored> uploads;  ///< by URL
  std::vector<std::string> deleted;       ///< URLs
  std::uint64_t received = 0;             ///< bytes of bodies
  int joins = 0;                          ///< asked for
  /// What comes instead of an answer to a request: nothing, where it is answered as ever.
  std::function<std::optional<Answer>(tus::HttpRequest const&)> instead{};
  bool loses_answers_to_joins = false;

  Answer Perform(tus::HttpRequest const& request) override {
    if (instead) {
      if (auto answer = instead(request)) return *std::move(answer);
    }
    if (request.method == "OPTIONS") {
      return tus::TusAnswer(204, {{"Tus-Version", "1.0.0"}, {"Tus-Extension", extensions}});
    }
    if (request.method == "POST") return Create(request);
    auto const found = uploads.find(request.url);
    if (found == uploads.end()) return tus::TusAnswer(404);
    auto& upload = found->second;
    if (request.method == "DELETE") {
      deleted.push_back(request.url);
      uploads.erase(found);
      return tus::TusAnswer(204);
    }
    if (request.method == "PATCH") {
      if (tus::HeaderOf(request, "Upload-Offset") != std::to_string(upload.bytes.size())) {
        return tus::TusAnswer(409);
      }
      upload.bytes += tus::BodyOf(request);
      received += request.body_length;
    }
    return tus::TusAnswer(request.method == "HEAD" ? 200 : 204,
                          {{"Upload-Offset", std::to_string(upload.bytes.size())},
                           {"Upload-Length", std::to_string(upload.length)}});
  }

  /// What was published, by its declared name.
  [[nodiscard]] std::vector<Stored> Published() const {
    std::vector<Stored> published;
    for (auto const& [url, upload] : uploads) {
      if (!upload.is_partial && upload.bytes.size() == upload.length) published.push_back(upload);
    }
    return published;
  }
  [[nodiscard]] std::vector<std::string> Parts() const {
    std::vector<std::string> urls;
    for (auto const& [url, upload] : uploads) {
      if (upload.is_partial) urls.push_back(url);
    }
    return urls;
  }

 private:
  Answer Create(tus::HttpRequest const& request) {
    auto const concat = tus::HeaderOf(request, "Upload-Concat");
    auto const url = "http://tus:1080" + path + std::to_string(++created_);
    Stored made{.bytes = {},
                .length = 0,
                .is_partial = concat == "partial",
                .metadata = tus::HeaderOf(request, "Upload-Metadata")};
    if (concat.starts_with("final;")) {
      ++joins;
      std::istringstream urls(concat.substr(concat.find(';') + 1));
      for (std::string part; urls >> part;) {
        auto const found = uploads.find("http://tus:1080" + part);
        if (found == uploads.end()) return tus::TusAnswer(404);
        if (found->second.bytes.size() != found->second.length) return tus::TusAnswer(400);
        made.bytes += found->second.bytes;
      }
      made.length = made.bytes.size();
    } else {
      made.length = std::stoull("0" + tus::HeaderOf(request, "Upload-Length"));
    }
    bool const is_final = concat.starts_with("final;");
    uploads.emplace(url, std::move(made));
    if (is_final && loses_answers_to_joins) {
      return tl::unexpected(tus::Error{.code = tus::ErrorCode::kInterrupted,
                                       .http_status = 0,
                                       .retry_after = {},
                                       .message = "it broke"});
    }
    return tus::TusAnswer(201, {{"Location", url}});
  }

  int created_ = 0;
};

}  // namespace tusfs
