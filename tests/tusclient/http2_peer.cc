#include "http2_peer.h"

#include <gtest/gtest.h>

namespace tus {
namespace {

enum Type {
  kData = 0,
  kHeaders = 1,
  kReset = 3,
  kSettings = 4,
  kPing = 6,
  kGoAway = 7,
  kWindow = 8
};
constexpr int kEndStream = 1;   // of DATA and HEADERS
constexpr int kAck = 1;         // of SETTINGS and PING
constexpr int kEndHeaders = 4;  // of HEADERS
constexpr std::size_t kFrameHeader = 9;
constexpr std::uint32_t kLargestWindow = 0x7fffffff;
constexpr std::uint32_t kFirstWindow = 65535;

std::string BigEndian(std::uint32_t number, int bytes) {
  std::string text;
  for (int i = bytes - 1; i >= 0; --i) text.push_back(static_cast<char>(number >> (8 * i) & 0xff));
  return text;
}

std::uint32_t NumberOf(std::string_view text) {
  std::uint32_t number = 0;
  for (char const c : text) number = number << 8 | static_cast<unsigned char>(c);
  return number;
}

std::string Literal(std::string_view text) {
  EXPECT_LT(text.size(), 127U);
  return static_cast<char>(text.size()) + std::string(text);
}

}  // namespace

Http2Peer::Http2Peer(TlsConnection& connection) : connection_(connection) {
  EXPECT_EQ(connection_.ReadBody(24), "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  Send(kSettings, 0, 0, BigEndian(4, 2) + BigEndian(kLargestWindow, 4));
  Send(kWindow, 0, 0, BigEndian(kLargestWindow - kFirstWindow, 4));
}

Http2Peer::Request Http2Peer::Read(std::size_t most) {
  Request request;
  while (!request.complete && (request.stream == 0 || request.body.size() < most)) {
    auto const frame = ReadFrame();
    if (frame.type == -1) return request.body.empty() ? Request{} : request;
    if (frame.type == kData) request.body += frame.payload;
    if (frame.type == kHeaders || frame.type == kData) {
      request.stream = frame.stream;
      request.complete = (frame.flags & kEndStream) != 0;
    }
  }
  return request;
}

bool Http2Peer::Answer(std::uint32_t stream, int status, std::vector<Header> const& headers,
                       bool ends) {
  auto block = '\x08' + Literal(std::to_string(status));  // :status by its index
  for (auto const& header : headers) block += '\0' + Literal(header.name) + Literal(header.value);
  return Send(kHeaders, kEndHeaders | (ends ? kEndStream : 0), stream, block);
}

bool Http2Peer::Reset(std::uint32_t stream, std::uint32_t error) {
  return Send(kReset, 0, stream, BigEndian(error, 4));
}

bool Http2Peer::GoAway(std::uint32_t last) {
  return Send(kGoAway, 0, 0, BigEndian(last, 4) + BigEndian(0, 4));
}

std::uint32_t Http2Peer::WaitForReset() {
  while (true) {
    auto const frame = ReadFrame();
    if (frame.type == -1) return 0;
    if (frame.type == kReset) return frame.stream;
  }
}

Http2Peer::Frame Http2Peer::ReadFrame() {
  auto const header = connection_.ReadBody(kFrameHeader);
  if (header.size() < kFrameHeader) return {};
  auto const part = [&](std::size_t at, std::size_t size) {
    return NumberOf(std::string_view(header).substr(at, size));
  };
  Frame frame{.type = static_cast<int>(part(3, 1)),
              .flags = static_cast<int>(part(4, 1)),
              .stream = part(5, 4),
              .payload = connection_.ReadBody(part(0, 3))};
  bool const wants_ack =
      (frame.type == kSettings || frame.type == kPing) && (frame.flags & kAck) == 0;
  if (wants_ack) Send(frame.type, kAck, 0, frame.type == kPing ? frame.payload : "");
  return frame;
}

bool Http2Peer::Send(int type, int flags, std::uint32_t stream, std::string_view payload) {
  return connection_.Send(BigEndian(static_cast<std::uint32_t>(payload.size()), 3) +
                          static_cast<char>(type) + static_cast<char>(flags) +
                          BigEndian(stream, 4) + std::string(payload));
}

}  // namespace tus
