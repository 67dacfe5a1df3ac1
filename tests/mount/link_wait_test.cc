// What a file has waited for a link that costs less, over the end of its daemon.
#include "base/fakes.h"
#include "catalog/tables.h"
#include "mount/mount_test.h"

namespace tusfs_testing {
namespace {

constexpr tusfs::FileTime kHour = tusfs::FileTime{3'600} * 1'000'000'000;

class LinkWaitTest : public MountTest {
 protected:
  void SetUp() override {
    MountTest::SetUp();
    if (!IsSkipped()) StartServer(ServerKind::kFixture);
  }

  /// All files were changed last an hour earlier than they were.
  static void PutBack(MountedTusfs const& mount) {
    auto store = tusfs::Store::Open(mount.state_dir() / "catalog", {}, tusfs::QuietLogger());
    ASSERT_TRUE(tusfs::Ok(store));
    ASSERT_TRUE(tusfs::Ok((*store)->Update([](tusfs::Transaction& transaction) {
      auto inodes = tusfs::ListInodes(transaction, 0, 100);
      if (!inodes) return tusfs::Result<void>(tusfs::Failure(inodes.error()));
      for (auto& inode : *inodes) {
        inode.changed -= kHour;
        tusfs::PutInode(transaction, inode);
      }
      return tusfs::Result<void>();
    })));
    ASSERT_TRUE(tusfs::Ok((*store)->Sync()));
  }
};

TEST_F(LinkWaitTest, CountsFromTheLastChangeWhenItsDaemonIsAnotherOne) {
  MountedTusfs mount(server_->Url(), {"--settle", "0.1", "--patience", "1800", "--link",
                                      "cheap=usb0", "--link", "dear=lo,cost=5"});
  ASSERT_EQ(mount.Mount(), "");
  WriteFile(mount / "file", "bytes");
  ASSERT_TRUE(WaitFor([&] { return mount.State("file") == "queued"; }));
  ASSERT_EQ(mount.Unmount(), 0);
  PutBack(mount);
  ASSERT_EQ(mount.Mount(), "");
  EXPECT_EQ(mount.WaitUploaded(), 0) << "it has waited for an hour";
  WriteFile(mount / "another", "bytes");
  ASSERT_TRUE(WaitFor([&] { return mount.State("another") == "queued"; }));
}

}  // namespace
}  // namespace tusfs_testing
