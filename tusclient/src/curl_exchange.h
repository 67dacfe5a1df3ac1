// One HTTP exchange as libcurl's callbacks see it: feeds the request's body, collects the answer,
// and says afterwards what the outcome means.
//
// Lives on the stack of CurlTransport::Perform, and is used by that thread only.
#pragma once

#include <curl/curl.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "answer_head.h"
#include "tusclient/transport.h"

namespace tus {

class CurlExchange {
 public:
  using Time = std::chrono::steady_clock::time_point;

  /// Both outlive the exchange.
  CurlExchange(HttpRequest const& request, CurlTransportOptions const& options)
      : request_(request), options_(options) {}
  CurlExchange(CurlExchange const&) = delete;
  CurlExchange& operator=(CurlExchange const&) = delete;

  /// Points `easy` at this exchange. Errors: CURLE_OK or what libcurl did not like.
  [[nodiscard]] CURLcode Attach(CURL* easy);

  /// How long the bandwidth limit holds the body back yet; nothing where it does not.
  [[nodiscard]] std::optional<Time::duration> Pause(Time now) const;
  /// Lets libcurl ask for the body again when the pause is over at `now`.
  void Resume(Time now);
  /// Whether no body byte was sent, or arrived for on_body, for so long that an answer that still
  /// drips in will not be waited for. libcurl's own limit is content with a byte of the answer's
  /// body per second.
  [[nodiscard]] bool IsOverdue(Time now);

  /// The outcome, after libcurl has finished with `code`.
  [[nodiscard]] Result<HttpResponse> Finish(CURLcode code);

 private:
  HttpRequest const& request_;
  CurlTransportOptions const& options_;
  CURL* easy_ = nullptr;
  HttpResponse response_;
  AnswerHead head_{response_};
  std::array<char, CURL_ERROR_SIZE> error_text_{};
  std::optional<Error> own_error_;  ///< why a callback made libcurl stop
  std::uint64_t position_ = 0;      ///< body bytes handed over in this attempt
  std::uint64_t body_size_ = 0;     ///< bytes of the answer's body, kept or not
  int attempts_ = 0;                ///< how often libcurl had a connection and began to send
  bool dead_on_arrival_ = false;    ///< the connection was closed before anything was sent on it
  std::optional<Time> paused_until_;
  curl_off_t sent_ = 0;  ///< body bytes that were sent when IsOverdue looked last
  Time moved_{};         ///< and when they had become more, or on_body had got some
  bool body_cut_ = false;

  static int OnConnected(void* self, char* remote, char* local, int remote_port, int local_port);
  static std::size_t OnRead(char* out, std::size_t size, std::size_t count, void* self);
  static int OnSeek(void* self, curl_off_t offset, int origin);
  static std::size_t OnHeader(char* data, std::size_t size, std::size_t count, void* self);
  static std::size_t OnBody(char* data, std::size_t size, std::size_t count, void* self);

  [[nodiscard]] bool PeerHasClosed(int local_port) const;
  [[nodiscard]] bool MayHaveActed() const;
  std::size_t Read(std::span<std::byte> out);
  std::size_t ReadGranted(std::span<std::byte> out);
  bool TakeHeader(std::string_view line);
  [[nodiscard]] bool Streams() const;
  bool TakeBody(std::string_view data);
  [[nodiscard]] bool HasAnswer() const;
  [[nodiscard]] Error Explain(CURLcode code) const;
  [[nodiscard]] std::string Details(CURLcode code) const;
  [[nodiscard]] std::string WhyBroken(CURLcode code) const;
  [[nodiscard]] std::string WhyUnreachable(CURLcode code) const;
};

}  // namespace tus
