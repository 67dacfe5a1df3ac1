// What libfuse does not pass on is read from the request's own bytes, however short they are.
#include "fuse/wire.h"

#include <gtest/gtest.h>
#include <linux/fuse.h>

#include <cstring>
#include <string_view>
#include <vector>

namespace tusfs {
namespace {

template <typename Body>
std::vector<std::byte> Request(std::uint32_t opcode, Body const& body) {
  fuse_in_header header{};
  header.opcode = opcode;
  header.len = sizeof header + sizeof body;
  std::vector<std::byte> bytes(header.len);
  std::memcpy(bytes.data(), &header, sizeof header);
  std::memcpy(bytes.data() + sizeof header, &body, sizeof body);
  return bytes;
}

TEST(Wire, SaysWhichChangesTakePrivilegesAway) {
  fuse_write_in write{};
  EXPECT_FALSE(DropsPrivileges(Request(FUSE_WRITE, write)));
  write.write_flags = FUSE_WRITE_KILL_SUIDGID | FUSE_WRITE_CACHE;
  EXPECT_TRUE(DropsPrivileges(Request(FUSE_WRITE, write)));
  EXPECT_FALSE(DropsPrivileges(Request(FUSE_READ, write)));
  fuse_setattr_in setattr{};
  setattr.valid = FATTR_SIZE;
  EXPECT_FALSE(DropsPrivileges(Request(FUSE_SETATTR, setattr)));
  setattr.valid |= FATTR_KILL_SUIDGID;
  EXPECT_TRUE(DropsPrivileges(Request(FUSE_SETATTR, setattr)));
  fuse_open_in open{};
  open.open_flags = FUSE_OPEN_KILL_SUIDGID;
  EXPECT_TRUE(DropsPrivileges(Request(FUSE_OPEN, open)));
}

TEST(Wire, ReadsNothingBehindAShortRequest) {
  fuse_write_in write{};
  write.write_flags = FUSE_WRITE_KILL_SUIDGID;
  auto const whole = Request(FUSE_WRITE, write);
  for (std::size_t size = 0; size < sizeof(fuse_in_header) + 20; ++size) {
    EXPECT_FALSE(DropsPrivileges(std::span(whole).first(size))) << size;
  }
}

std::vector<std::byte> WithBytes(std::vector<std::byte> request, std::string_view bytes) {
  auto const more = std::as_bytes(std::span(bytes));
  request.insert(request.end(), more.begin(), more.end());
  auto const length = static_cast<std::uint32_t>(request.size());
  std::memcpy(request.data() + offsetof(fuse_in_header, len), &length, sizeof length);
  return request;
}

std::vector<std::byte> Named(std::uint32_t opcode, std::string_view names) {
  fuse_in_header header{};
  header.opcode = opcode;
  std::vector<std::byte> request(sizeof header);
  std::memcpy(request.data(), &header, sizeof header);
  return WithBytes(std::move(request), names);
}

TEST(Wire, ARequestIsWholeWhenItIsAsLongAsItSays) {
  auto request = Request(FUSE_GETATTR, fuse_getattr_in{});
  EXPECT_TRUE(IsWhole(request));
  request.push_back(std::byte{0});
  EXPECT_FALSE(IsWhole(request));
  for (std::size_t size = 0; size + 1 < request.size(); ++size) {
    EXPECT_FALSE(IsWhole(std::span(request).first(size))) << size;
  }
  EXPECT_FALSE(IsWhole(Request(FUSE_GETATTR, std::uint64_t{0}))) << "fields are missing";
}

TEST(Wire, ARequestIsWholeWhenEachNameHasAnEnd) {
  EXPECT_TRUE(IsWhole(Named(FUSE_LOOKUP, std::string_view("a\0", 2))));
  EXPECT_FALSE(IsWhole(Named(FUSE_LOOKUP, "a")));
  EXPECT_FALSE(IsWhole(Named(FUSE_LOOKUP, "")));
  EXPECT_TRUE(IsWhole(Named(FUSE_SYMLINK, std::string_view("a\0b\0", 4))));
  EXPECT_FALSE(IsWhole(Named(FUSE_SYMLINK, std::string_view("a\0", 2))));
  EXPECT_TRUE(IsWhole(Named(FUSE_SYMLINK, std::string_view("\0\0", 2))));
}

TEST(Wire, ARequestIsWholeWhenItHasAllItsBytes) {
  fuse_write_in write{};
  write.size = 5;
  EXPECT_TRUE(IsWhole(WithBytes(Request(FUSE_WRITE, write), "hello")));
  EXPECT_FALSE(IsWhole(WithBytes(Request(FUSE_WRITE, write), "hell")));
  std::uint32_t const fields[] = {3, 0};  // size and flags
  auto const xattr = Request(FUSE_SETXATTR, fields);
  EXPECT_TRUE(IsWhole(WithBytes(xattr, std::string_view("user.a\0abc", 10))));
  EXPECT_FALSE(IsWhole(WithBytes(xattr, std::string_view("user.a\0ab", 9))));
}

TEST(Wire, ARequestThatIsNotKnownIsWholeInAnyWay) { EXPECT_TRUE(IsWhole(Named(4711, "anything"))); }

std::uint32_t FlagsAnswered(std::uint32_t offered, std::uint32_t opcode = FUSE_INIT) {
  fuse_init_in init{};
  init.flags = offered;
  fuse_out_header header{};
  fuse_init_out answer{};
  answer.flags = FUSE_BIG_WRITES;
  iovec pieces[] = {{&header, sizeof header}, {&answer, sizeof answer}};
  TakeOverPrivileges(Request(opcode, init), pieces);
  return answer.flags;
}

TEST(Wire, TakesPrivilegesOverWhereTheKernelOffersIt) {
  EXPECT_EQ(FlagsAnswered(FUSE_HANDLE_KILLPRIV_V2), FUSE_BIG_WRITES | FUSE_HANDLE_KILLPRIV_V2);
  EXPECT_EQ(FlagsAnswered(0), static_cast<std::uint32_t>(FUSE_BIG_WRITES));
  EXPECT_EQ(FlagsAnswered(FUSE_HANDLE_KILLPRIV_V2, FUSE_GETATTR),
            static_cast<std::uint32_t>(FUSE_BIG_WRITES));
}

TEST(Wire, LeavesAnAnswerWithoutABodyAlone) {
  fuse_init_in init{};
  init.flags = FUSE_HANDLE_KILLPRIV_V2;
  fuse_out_header header{};
  iovec pieces[] = {{&header, sizeof header}};
  TakeOverPrivileges(Request(FUSE_INIT, init), pieces);
  EXPECT_EQ(header.len, 0U);
}

}  // namespace
}  // namespace tusfs
