// The little of HTTP/2 that a server needs to answer one request after another on a connection.
//
// Request headers are not decoded, and answers have literal headers only: RFC 9113 and RFC 7541
// without their tables. The window for bodies is as large as it can be, and is never opened again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tls_server.h"
#include "tusclient/transport.h"

namespace tus {

class Http2Peer {
 public:
  /// Exchanges prefaces. `connection` outlives the peer.
  explicit Http2Peer(TlsConnection& connection);

  struct Request {
    std::uint32_t stream = 0;  ///< 0: there is no request, because the client has closed
    std::string body;
    bool complete = false;
  };
  /// Waits for the next request, and of its body for `most` bytes at most.
  Request Read(std::size_t most = std::size_t(-1));

  /// Ends the stream, on the server's side, unless `ends` is false.
  bool Answer(std::uint32_t stream, int status, std::vector<Header> const& headers = {},
              bool ends = true);
  /// RST_STREAM.
  bool Reset(std::uint32_t stream, std::uint32_t error);
  /// GOAWAY: no stream after `last` was looked at.
  bool GoAway(std::uint32_t last);
  /// Answers PING and SETTINGS until the client closes or resets a stream, which it returns.
  std::uint32_t WaitForReset();

 private:
  struct Frame {
    int type = -1;  ///< -1: there is none
    int flags = 0;
    std::uint32_t stream = 0;
    std::string payload;
  };
  TlsConnection& connection_;

  Frame ReadFrame();
  bool Send(int type, int flags, std::uint32_t stream, std::string_view payload);
};

}  // namespace tus
