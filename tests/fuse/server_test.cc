// FuseServer: what a successor finds in memory is executed and answered, and what is damaged there
// is answered with an error.
#include "fuse/server.h"

#include <linux/fuse.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string_view>
#include <thread>

#include "filesystem/rig.h"

namespace tusfs {
namespace {

struct Answer {
  std::uint64_t unique = 0;
  int error = 0;

  bool operator==(Answer const&) const = default;
};

class ServerTest : public FilesystemRig {
 protected:
  ServerTest() {
    Connect();
    slots_.SaveInit(InitRequest());
  }

  void Connect() {
    int ends[2] = {-1, -1};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    daemon_ = UniqueFd(ends[0]);
    kernel_ = UniqueFd(ends[1]);
  }

  static std::vector<std::byte> InitRequest() {
    fuse_init_in init{};
    init.major = FUSE_KERNEL_VERSION;
    init.minor = FUSE_KERNEL_MINOR_VERSION;
    return Request(FUSE_INIT, 2, init);
  }

  template <typename Fields>
  static std::vector<std::byte> Request(std::uint32_t opcode, std::uint64_t unique,
                                        Fields const& fields, std::string_view more = {}) {
    fuse_in_header header{};
    header.len = static_cast<std::uint32_t>(sizeof header + sizeof fields + more.size());
    header.opcode = opcode;
    header.unique = unique;
    header.nodeid = kRootInode;
    header.uid = 1000;
    header.pid = 100;
    std::vector<std::byte> bytes(header.len);
    std::memcpy(bytes.data(), &header, sizeof header);
    std::memcpy(bytes.data() + sizeof header, &fields, sizeof fields);
    std::ranges::copy(std::as_bytes(std::span(more)),
                      bytes.begin() + static_cast<std::ptrdiff_t>(sizeof header + sizeof fields));
    return bytes;
  }

  static void SetLength(std::vector<std::byte>& request, std::uint32_t length) {
    std::memcpy(request.data() + offsetof(fuse_in_header, len), &length, sizeof length);
  }

  static std::vector<std::byte> MakeDirectoryRequest(std::uint64_t unique, std::string_view name) {
    return Request(FUSE_MKDIR, unique, fuse_mkdir_in{.mode = 0755, .umask = 0}, name);
  }

  static std::vector<std::byte> WriteRequest(std::uint64_t unique, HandleId handle,
                                             std::uint32_t size, std::string_view bytes) {
    fuse_write_in write{};
    write.fh = handle;
    write.size = size;
    return Request(FUSE_WRITE, unique, write, bytes);
  }

  /// As a daemon that died has left it.
  void Leave(std::vector<std::byte> const& request) {
    std::ranges::copy(request, slots_.Claim(0)->buffer().begin());
  }

  void LeaveHeld(std::uint64_t unique, std::vector<std::byte> const& request) {
    HeldRequests held(slots_.held());
    EXPECT_TRUE(held.Hold({.index = 0,
                           .kind = HeldRequests::Kind::kRequest,
                           .unique = unique,
                           .inode = kRootInode,
                           .thread = 0,
                           .interrupted = false,
                           .write = {},
                           .bytes = request}));
  }

  void TakeOver() {
    server_ = FuseServer::Attach(std::move(daemon_), slots_, *fs_, logger_).value();
    server_->TakeOver();
  }

  /// Serves until nothing is held.
  void AnswerHeld() {
    std::thread serving([&] { server_->Serve(); });
    HeldRequests const held(slots_.held());
    EXPECT_TRUE(tusfs_testing::WaitFor([&] { return held.count() == 0; }));
    server_->Stop();
    serving.join();
  }

  std::vector<Answer> Answers() {
    std::vector<Answer> answers;
    fuse_out_header header{};
    while (::recv(kernel_.get(), &header, sizeof header, MSG_DONTWAIT) > 0) {
      answers.push_back({header.unique, header.error});
    }
    return answers;
  }

  UniqueFd daemon_;
  UniqueFd kernel_;
  RequestSlots slots_ = RequestSlots::Map(RequestSlots::Create().value()).value();
  std::unique_ptr<FuseServer> server_;
};

TEST_F(ServerTest, ExecutesWhatAPredecessorHasLeft) {
  Leave(MakeDirectoryRequest(6, {"second\0", 7}));
  Leave(MakeDirectoryRequest(4, {"first\0", 6}));
  LeaveHeld(8, MakeDirectoryRequest(8, {"third\0", 6}));
  TakeOver();
  AnswerHeld();
  EXPECT_EQ(Answers(), (std::vector<Answer>{{4, 0}, {6, 0}, {8, 0}}));
  EXPECT_EQ(Names(), (std::vector<std::string>{".", "..", "first", "second", "third"}));
}

TEST_F(ServerTest, ARequestThatIsLongerThanItsSlotIsAnsweredWithAnError) {
  auto request = MakeDirectoryRequest(4, {"a\0", 2});
  SetLength(request, 0xffffffff);
  Leave(request);
  TakeOver();
  EXPECT_EQ(Answers(), (std::vector<Answer>{{4, -EIO}}));
  EXPECT_EQ(LookupCode("a"), ENOENT);
}

TEST_F(ServerTest, ARequestThatIsShorterThanItsHeaderIsAnsweredWithAnError) {
  auto request = MakeDirectoryRequest(4, {"a\0", 2});
  SetLength(request, 5);
  Leave(request);
  TakeOver();
  EXPECT_EQ(Answers(), (std::vector<Answer>{{4, -EIO}}));
}

TEST_F(ServerTest, AWriteOfMoreBytesThanItHasWritesNothing) {
  auto const file = Create("a");
  for (std::uint32_t const size : {6U, 2U << 20, 0xfffffff0U}) {
    Leave(WriteRequest(2 * std::uint64_t{size}, file.handle, size, "hello"));
  }
  TakeOver();
  for (auto const& answer : Answers()) EXPECT_EQ(answer.error, -EIO) << answer.unique;
  EXPECT_EQ(Stat(file.attributes.inode).size, 0U);
}

TEST_F(ServerTest, ANameWithoutAnEndIsNotLookedFor) {
  Leave(MakeDirectoryRequest(4, "a"));
  TakeOver();
  EXPECT_EQ(Answers(), (std::vector<Answer>{{4, -EIO}}));
}

TEST_F(ServerTest, AHeldRequestOfMoreBytesThanAreHeldIsAnsweredWithAnError) {
  auto request = WriteRequest(4, 1, 0xfffff000, "hello");
  SetLength(request, 0xffffffff);
  LeaveHeld(4, request);
  LeaveHeld(6, {});
  TakeOver();
  AnswerHeld();
  EXPECT_EQ(Answers(), (std::vector<Answer>{{4, -EIO}, {6, -EIO}}));
}

TEST_F(ServerTest, AnAnswerToWhatWasNeverAskedDoesNotKeepItsSlot) {
  Leave(Request(FUSE_NOTIFY_REPLY, 4, fuse_notify_retrieve_in{}));
  TakeOver();
  for (unsigned i = 0; i < slots_.ready(); ++i) EXPECT_TRUE(slots_.Claim(i)) << i;
}

TEST_F(ServerTest, ASavedInitThatIsDamagedIsNotRead) {
  slots_.SaveInit(std::vector<std::byte>(1));
  Leave(MakeDirectoryRequest(4, {"a\0", 2}));
  TakeOver();
  EXPECT_EQ(Answers(), (std::vector<Answer>{{4, -EIO}}));
}

TEST_F(ServerTest, AnInitThatWasReadAndNotSavedServesEverySuccessor) {
  slots_.SaveInit({});
  Leave(InitRequest());
  TakeOver();
  EXPECT_EQ(Answers(), (std::vector<Answer>{{2, 0}}));
  Connect();
  Leave(MakeDirectoryRequest(4, {"a\0", 2}));
  TakeOver();
  EXPECT_EQ(Answers(), (std::vector<Answer>{{4, 0}}));
}

}  // namespace
}  // namespace tusfs
