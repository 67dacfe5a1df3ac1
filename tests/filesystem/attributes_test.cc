// Attributes beyond the plain ones: extended attributes, access times, set-id bits, special files.
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "filesystem/rig.h"

namespace tusfs {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class Xattrs : public FilesystemRig {
 protected:
  InodeId const file_ = MakeFile("file", "bytes");

  int Set(std::string const& name, std::string const& value, int flags = 0) {
    return CodeOf(fs_->SetXattr(me_, file_, name, value, flags));
  }
  std::string Get(std::string const& name) {
    return fs_->GetXattr(me_, file_, name).value_or("nothing");
  }
  void GiveReceipt(Uuid const& id, std::string const& receipt) {
    auto const put = store_->Update([&](Transaction& transaction) -> Result<void> {
      auto upload = FindUpload(transaction, id).value().value();
      upload.receipt = receipt;
      PutUpload(transaction, upload);
      return {};
    });
    EXPECT_TRUE(Ok(put));
  }
  std::vector<std::string> List(std::uint32_t uid = 0) {
    return fs_->ListXattrs({.uid = uid}, file_).value();
  }
};

TEST_F(Xattrs, ComeBackAsTheyWereSetAfterARemountToo) {
  std::string const bytes("\0\xff and more", 11);
  EXPECT_EQ(Set("user.bytes", bytes), 0);
  EXPECT_EQ(Set("trusted.empty", ""), 0);
  Remount();
  EXPECT_EQ(Get("user.bytes"), bytes);
  EXPECT_EQ(Get("trusted.empty"), "");
  EXPECT_THAT(List(), ElementsAre("trusted.empty", "user.bytes"));
  EXPECT_THAT(List(1000), ElementsAre("user.bytes")) << "trusted ones are root's alone";
}

TEST_F(Xattrs, AreCreatedAndReplacedOnlyAsAsked) {
  EXPECT_EQ(Set("user.a", "1", XATTR_REPLACE), ENODATA);
  EXPECT_EQ(Set("user.a", "1", XATTR_CREATE), 0);
  EXPECT_EQ(Set("user.a", "2", XATTR_CREATE), EEXIST);
  EXPECT_EQ(Set("user.a", "2", XATTR_REPLACE), 0);
  EXPECT_EQ(Get("user.a"), "2");
  EXPECT_TRUE(Ok(fs_->RemoveXattr(me_, file_, "user.a")));
  EXPECT_EQ(CodeOf(fs_->RemoveXattr(me_, file_, "user.a")), ENODATA);
  EXPECT_EQ(CodeOf(fs_->GetXattr(me_, file_, "user.a")), ENODATA);
}

TEST_F(Xattrs, OfOtherNamespacesAreRefused) {
  for (auto const* name : {"system.posix_acl_access", "nothing", "os2.x"}) {
    EXPECT_EQ(Set(name, "1"), EOPNOTSUPP) << name;
    EXPECT_EQ(CodeOf(fs_->GetXattr(me_, file_, name)), EOPNOTSUPP) << name;
  }
  EXPECT_EQ(Set("user.", "1"), EINVAL) << "a namespace without a name";
}

// So that ls -l asks once, and not for each file.
TEST_F(Xattrs, LabelsAreSaidToBeUnknownAsLongAsNoFileHasOne) {
  auto const kLabel = "security.selinux";
  for (int file = 0; file < 11; ++file) {  // more than one look at the catalog takes
    auto const inode = MakeFile("file" + std::to_string(file), "");
    for (int i = 0; i < 100; ++i) {
      auto const name = "user." + std::to_string(i);
      EXPECT_TRUE(Ok(fs_->SetXattr(me_, inode, name, "", 0)));
    }
  }
  EXPECT_EQ(CodeOf(fs_->GetXattr(me_, file_, kLabel)), EOPNOTSUPP);
  auto const other = MakeFile("other", "bytes");
  EXPECT_TRUE(Ok(fs_->SetXattr(me_, other, kLabel, "a:b:c", 0)));
  EXPECT_EQ(CodeOf(fs_->GetXattr(me_, file_, kLabel)), ENODATA);
  Remount();
  EXPECT_EQ(CodeOf(fs_->GetXattr(me_, file_, kLabel)), ENODATA);
  EXPECT_EQ(fs_->GetXattr(me_, other, kLabel).value_or("nothing"), "a:b:c");
}

TEST_F(Xattrs, OfOneFileHaveRoomFor64KiB) {
  EXPECT_EQ(Set("user.a", std::string(60'000, 'x')), 0);
  EXPECT_EQ(Set("user.b", std::string(60'000, 'x')), ENOSPC);
  EXPECT_EQ(Set("user.a", std::string(65'000, 'x')), 0) << "in the place of the old one";
}

TEST_F(Xattrs, OfARequestThatComesAgainAreSetOnce) {
  auto first = me_;
  first.request = {.slot = 1, .unique = 7, .replayed = false};
  EXPECT_TRUE(Ok(fs_->SetXattr(first, file_, "user.a", "1", XATTR_CREATE)));
  DaemonDies();
  first.request.replayed = true;
  EXPECT_TRUE(Ok(fs_->SetXattr(first, file_, "user.a", "1", XATTR_CREATE)));
}

TEST_F(Xattrs, SayHowTheUploadIsAndAreNeitherListedNorSet) {
  GiveUpload(file_, 3);
  EXPECT_EQ(Get("user.tusfs.state"), "settling");
  EXPECT_EQ(Get("user.tusfs.size"), "5");
  EXPECT_EQ(Get("user.tusfs.offset"), "3");
  EXPECT_EQ(Get("user.tusfs.url"), "http://tus:1080/files/1");
  EXPECT_EQ(CodeOf(fs_->GetXattr(me_, file_, "user.tusfs.error")), ENODATA);
  EXPECT_EQ(CodeOf(fs_->GetXattr(me_, file_, "user.tusfs.what")), ENODATA);
  EXPECT_EQ(Set("user.tusfs.state", "uploaded"), EPERM);
  EXPECT_EQ(CodeOf(fs_->RemoveXattr(me_, file_, "user.tusfs.state")), EPERM);
  EXPECT_THAT(List(), IsEmpty());
}

TEST_F(Xattrs, ShowTheUrlToTheOwnerAndRootOnly) {
  GiveUpload(file_, 3);
  auto stranger = me_;
  stranger.uid = 1001;
  EXPECT_EQ(CodeOf(fs_->GetXattr(stranger, file_, "user.tusfs.url")), EACCES);
  stranger.uid = 0;
  EXPECT_TRUE(Ok(fs_->GetXattr(stranger, file_, "user.tusfs.url")));
}

TEST_F(Xattrs, ShowTheReceiptToTheOwnerAndRootAndToOthersWhatIsHarmlessInIt) {
  std::string const receipt =
      "Date: Sat, 01 Nov 2025 10:00:00 GMT\nLocation: /files/s3cret\nSet-Cookie: id=s3cret\n"
      "ETAG: \"5\"\nX-Asset: s3cret\nUpload-Offset: 5\n\nDate: s3cret\n";
  auto const upload = GiveUpload(file_, 5);
  GiveReceipt(upload, receipt);
  EXPECT_EQ(Get("user.tusfs.receipt"), receipt);
  auto other = me_;
  other.uid = 0;
  EXPECT_EQ(fs_->GetXattr(other, file_, "user.tusfs.receipt"), receipt);
  other.uid = 1001;
  EXPECT_EQ(fs_->GetXattr(other, file_, "user.tusfs.receipt"),
            "Date: Sat, 01 Nov 2025 10:00:00 GMT\nETAG: \"5\"\nUpload-Offset: 5\n");
  GiveReceipt(upload, "X-Asset: s3cret\n\n");
  EXPECT_EQ(CodeOf(fs_->GetXattr(other, file_, "user.tusfs.receipt")), ENODATA);
}

// ---- set-id bits and capabilities

class Privileges : public Xattrs {
 protected:
  Privileges() {
    auto const created = fs_->Create(me_, kRootInode, "program", 06755, O_WRONLY).value();
    program_ = created.attributes.inode;
    handle_ = created.handle;
    EXPECT_TRUE(Ok(fs_->SetXattr(me_, program_, "security.capability", "x", 0)));
  }
  bool HasThem() {
    bool const bits = (Stat(program_).mode & (S_ISUID | S_ISGID)) != 0;
    bool const capability = fs_->GetXattr(me_, program_, "security.capability").has_value();
    EXPECT_EQ(bits, capability);
    return bits;
  }
  void Restore() {
    AttributeChange change;
    change.mode = 06755;
    EXPECT_TRUE(Ok(fs_->SetAttributes(me_, program_, change, 0)));
    EXPECT_TRUE(Ok(fs_->SetXattr(me_, program_, "security.capability", "x", 0)));
  }

  InodeId program_ = 0;
  HandleId handle_ = 0;
  Caller const plain_{
      .uid = 1000, .gid = 1000, .pid = 100, .request = {}, .drops_privileges = true};
};

TEST_F(Privileges, StayWithAWriteOfRoots) {
  Write(handle_, 0, "x");
  EXPECT_TRUE(HasThem());
}

TEST_F(Privileges, GoWithEveryWriteOfSomebodyElse) {
  Write(handle_, 0, "x", &plain_);
  EXPECT_FALSE(HasThem());
  Restore();
  Write(handle_, 1, "x", &plain_);
  EXPECT_FALSE(HasThem()) << "given again after the first write";
}

TEST_F(Privileges, GoWithATruncation) {
  AttributeChange change;
  change.size = 0;
  EXPECT_TRUE(Ok(fs_->SetAttributes(plain_, program_, change, 0)));
  EXPECT_FALSE(HasThem());
  Restore();
  Open(program_, O_WRONLY | O_TRUNC, &plain_);
  EXPECT_FALSE(HasThem());
}

TEST_F(Privileges, GoWithANewOwnerButNotWithANewMode) {
  AttributeChange change;
  change.mode = 06711;
  EXPECT_TRUE(Ok(fs_->SetAttributes(me_, program_, change, 0)));
  EXPECT_TRUE(HasThem());
  change = {};
  change.uid = 7;
  EXPECT_TRUE(Ok(fs_->SetAttributes(me_, program_, change, 0)));
  EXPECT_FALSE(HasThem());
}

TEST_F(Privileges, OfAGroupThatMayNotExecuteAreALockAndStay) {
  AttributeChange change;
  change.mode = 02644;
  EXPECT_TRUE(Ok(fs_->SetAttributes(me_, program_, change, 0)));
  Write(handle_, 0, "x", &plain_);
  EXPECT_EQ(Stat(program_).mode, 02644U);
}

// ---- access times

TEST_F(Xattrs, AReadCountsAsAnAccessOncePerChange) {
  clock_.Advance(std::chrono::seconds(1));
  auto const first = clock_.Wall();
  EXPECT_EQ(BytesOf(file_), "bytes");
  EXPECT_EQ(Stat(file_).accessed, first);
  clock_.Advance(std::chrono::seconds(1));
  BytesOf(file_);
  EXPECT_EQ(Stat(file_).accessed, first);
  auto const handle = Open(file_, O_RDWR);
  Write(handle, 0, "B");
  Close(handle);
  clock_.Advance(std::chrono::seconds(1));
  BytesOf(file_);
  EXPECT_EQ(Stat(file_).accessed, clock_.Wall());
  clock_.Advance(std::chrono::hours(25));
  BytesOf(file_);
  EXPECT_EQ(Stat(file_).accessed, clock_.Wall()) << "a day later";
}

TEST_F(Xattrs, AReadThroughAHandleThatDoesNotCountLeavesTheTime) {
  auto const before = Stat(file_).accessed;
  clock_.Advance(std::chrono::seconds(1));
  EXPECT_EQ(Read(Open(file_, O_RDONLY | O_NOATIME)), "bytes");
  EXPECT_EQ(Stat(file_).accessed, before);
}

// ---- special files

class SpecialFiles : public FilesystemRig {};

TEST_F(SpecialFiles, AreMadeAndKept) {
  EXPECT_TRUE(Ok(fs_->MakeNode(me_, kRootInode, "fifo", FileType::kFifo, 0640, 0)));
  EXPECT_TRUE(
      Ok(fs_->MakeNode(me_, kRootInode, "null", FileType::kCharDevice, 0666, makedev(1, 3))));
  Remount();
  auto const fifo = Stat(InodeOf("fifo"));
  EXPECT_EQ(fifo.type, FileType::kFifo);
  EXPECT_EQ(fifo.mode, 0640U);
  auto const null = Stat(InodeOf("null"));
  EXPECT_EQ(null.type, FileType::kCharDevice);
  EXPECT_EQ(null.device, makedev(1, 3));
  EXPECT_TRUE(Ok(fs_->Unlink(me_, kRootInode, "fifo")));
}

TEST_F(SpecialFiles, ARegularFileOfMknodIsAnEmptyFile) {
  auto const made = fs_->MakeNode(me_, kRootInode, "empty", FileType::kRegular, 0644, 0);
  ASSERT_TRUE(Ok(made));
  EXPECT_EQ(Row(made->inode).content, Content::kSettling);
  auto const handle = Open(made->inode, O_RDWR);
  Write(handle, 0, "x");
  Close(handle);
  EXPECT_EQ(BytesOf(made->inode), "x");
}

TEST_F(SpecialFiles, AreMadeOnceByARequestThatComesAgain) {
  auto caller = me_;
  caller.request = {.slot = 1, .unique = 7, .replayed = false};
  auto const made = fs_->MakeNode(caller, kRootInode, "node", FileType::kRegular, 0644, 0);
  DaemonDies();
  caller.request.replayed = true;
  auto const again = fs_->MakeNode(caller, kRootInode, "node", FileType::kRegular, 0644, 0);
  ASSERT_TRUE(Ok(again));
  EXPECT_EQ(again->inode, made->inode);
  EXPECT_EQ(SpoolFiles(), 1U);
}

// ---- fallocate through the filesystem

TEST_F(SpecialFiles, AnAllocationShowsInTheSizeAndSurvivesTheDaemon) {
  auto const created = Create("file", O_RDWR);
  Write(created.handle, 0, "abc");
  EXPECT_TRUE(Ok(fs_->Allocate(me_, created.handle, 0, 0, 10)));
  EXPECT_EQ(Stat(created.attributes.inode).size, 10U);
  DaemonDies();
  EXPECT_EQ(Stat(created.attributes.inode).size, 10U);
  EXPECT_EQ(CodeOf(fs_->Allocate(me_, created.handle, FALLOC_FL_COLLAPSE_RANGE, 0, 1)), EOPNOTSUPP);
  auto const reader = Open(created.attributes.inode, O_RDONLY);
  EXPECT_EQ(CodeOf(fs_->Allocate(me_, reader, 0, 0, 10)), EBADF);
}

}  // namespace
}  // namespace tusfs
