// Programs that give a file its size before they write it.
#include "filesystem/rig.h"

namespace tusfs {
namespace {

constexpr std::uint64_t kSize = 1 << 20;

class SizeFirstTest : public FilesystemRig {
 protected:
  /// A file of kSize bytes, of which this program wrote the first half before it closed it.
  InodeId WriteHalf(Caller const& who) {
    auto const created = Create("a", O_WRONLY, &who);
    SetSize(created.attributes.inode, kSize, created.handle);
    Write(created.handle, 0, std::string(kSize / 2, 'x'), &who);
    Close(created.handle, &who);
    return created.attributes.inode;
  }
  Caller const server_{.uid = 1000, .gid = 1000, .pid = 777};
};

TEST_F(SizeFirstTest, WhatWasNotWrittenIsMissedUntilItIs) {
  processes_.CallIt(server_.pid, "smbd");
  auto const file = WriteHalf(server_);
  EXPECT_EQ(Row(file).content, Content::kInterrupted);
  EXPECT_THAT(Row(file).reason, testing::HasSubstr("not all of it was written"));
  auto const handle = Open(file, O_WRONLY, &server_);
  Write(handle, kSize / 2, std::string(kSize / 2, 'x'), &server_);
  Close(handle, &server_);
  EXPECT_EQ(Row(file).content, Content::kSettling);
}

TEST_F(SizeFirstTest, AThreadOfTheProgramIsTheProgram) {
  processes_.CallIt(server_.pid, "aria2c");
  Caller const thread{.uid = 1000, .gid = 1000, .pid = 778};
  processes_.Thread(thread.pid, server_.pid);
  processes_.CallIt(thread.pid, "disk-io");
  EXPECT_EQ(Row(WriteHalf(thread)).content, Content::kInterrupted);
}

TEST_F(SizeFirstTest, ASparseFileOfAnotherProgramIsWhole) {
  EXPECT_EQ(Row(WriteHalf(me_)).content, Content::kSettling);
}

}  // namespace
}  // namespace tusfs
