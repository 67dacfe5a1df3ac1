// What tests of the client over real HTTP share: an upload, its callbacks' words, a clock that does
// not make the test wait.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "testing/files.h"
#include "testing/fixture_server.h"
#include "tusclient/upload.h"
#include "upload_rig.h"

namespace tus {

constexpr std::size_t kChunk = 64 * 1024;
/// Three chunks, the last of them short.
inline std::string Bytes() { return tusfs_testing::RandomBytes(2 * kChunk + 1000); }

/// One process that uploads: its own transport, client and knowledge of the server. Waiting for a
/// retry only moves its clock.
class Uploader {
 public:
  explicit Uploader(std::string const& endpoint, ChunkRules rules = {.size = kChunk},
                    ClientOptions more = {}, CurlTransportOptions curl = {})
      : transport(MakeCurlTransport(std::move(curl))),
        client(WithEndpoint(std::move(more), endpoint), *transport),
        profile(rules) {
    options.profile = &profile;
    options.retry = {.base = std::chrono::milliseconds(100), .max = std::chrono::seconds(5)};
    options.give_up = std::chrono::minutes(10);
    options.random = [] { return 1.0; };
    options.now = [this] { return std::chrono::steady_clock::now() + waited; };
    options.wait = [this](std::chrono::milliseconds time, std::stop_token const&) {
      waited += time;
      if (while_waiting) while_waiting();
    };
    options.on_retry = [this](Error const& error, std::chrono::milliseconds) {
      retries.push_back(error);
    };
    options.on_restart = [this](std::string const& why) { restarts.push_back(why); };
    options.on_confirmed = [this](std::uint64_t offset) { confirmed.push_back(offset); };
  }
  Uploader(Uploader const&) = delete;
  Uploader& operator=(Uploader const&) = delete;

  Result<Receipt> Send(std::string const& bytes) {
    MemorySource source(std::as_bytes(std::span(bytes)));
    return Upload(client, options).Send(source, bytes.size());
  }
  Result<Receipt> SendPipe(std::string const& bytes) {
    ScriptedPipe pipe(bytes);
    return Upload(client, options).Send(pipe);
  }
  /// Under `fingerprint` another Uploader can go on.
  void RememberIn(UrlStore& store, std::string const& fingerprint = "f") {
    options.store = &store;
    options.fingerprint = fingerprint;
  }
  [[nodiscard]] std::vector<ErrorCode> RetryCodes() const {
    std::vector<ErrorCode> codes;
    for (auto const& error : retries) codes.push_back(error.code);
    return codes;
  }

  std::unique_ptr<HttpTransport> transport;
  Client client;
  ServerProfile profile;
  UploadOptions options;
  std::chrono::milliseconds waited{};
  std::function<void()> while_waiting;
  std::vector<Error> retries;
  std::vector<std::string> restarts;
  std::vector<std::uint64_t> confirmed;

 private:
  static ClientOptions WithEndpoint(ClientOptions options, std::string const& endpoint) {
    options.endpoint = endpoint;
    return options;
  }
};

/// "OPTIONS POST PATCH …", in the order in which the requests ended.
inline std::string Methods(tusfs_testing::FixtureServer const& server) {
  std::string methods;
  for (auto const& request : server.Requests()) {
    methods += (methods.empty() ? "" : " ") + request.method;
  }
  return methods;
}

/// The value of a header of `request`, "(none)" where it has none.
inline std::string HeaderIn(tusfs_testing::RequestRecord const& request, std::string const& name) {
  for (auto const& [key, value] : request.headers) {
    if (key == name) return value;
  }
  return "(none)";
}

inline std::vector<tusfs_testing::RequestRecord> RequestsOf(
    tusfs_testing::FixtureServer const& server, std::string const& method) {
  auto requests = server.Requests();
  std::erase_if(requests, [&](auto const& request) { return request.method != method; });
  return requests;
}

/// The bytes of the only complete upload, "(n complete uploads)" where there is not one.
inline std::string Published(tusfs_testing::FixtureServer const& server) {
  auto uploads = server.Uploads();
  std::erase_if(uploads, [](auto const& upload) { return !upload.complete || upload.partial; });
  if (uploads.size() != 1) return "(" + std::to_string(uploads.size()) + " complete uploads)";
  return server.Content(uploads[0].id);
}

}  // namespace tus
