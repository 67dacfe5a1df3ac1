// The kinds of events that the journal can be asked for: MESSAGE_ID of their lines (journalctl(1),
// "MESSAGE_ID="). tusfs(1), "LOG", has them: they are never changed, nor given to another kind.
#pragma once

#include <string_view>

namespace tusfs::message_id {

constexpr std::string_view kUploaded = "2c0c5f09ed8d48a293146f3eea6632a6";
constexpr std::string_view kInterrupted = "aa9271458a554d3a8b358f7b44daaa3d";
constexpr std::string_view kFailed = "3d5b6f878b944991a182e2d22beb5089";
constexpr std::string_view kUnconfirmed = "8857c2df1a0847afa17b350d4966dac6";
constexpr std::string_view kHeldBack = "f3104c129c1b40f8a2a0bc42220e8d74";
constexpr std::string_view kServerAway = "122171237989439f96df59648ec2b2d5";
constexpr std::string_view kServerBack = "5c601bd8bdde43c39f8e82cd50cefca6";
constexpr std::string_view kHookFailed =
    "2d93484ede30474bb1a5781db7aa46f9";  ///< a run; it is tried again
constexpr std::string_view kHookLost =
    "d3d67caece3248b28b09b723bad15438";  ///< an event that is not told any more

}  // namespace tusfs::message_id
