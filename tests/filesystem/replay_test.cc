// Filesystem: requests that come a second time, to the successor of a daemon that died over them,
// take effect exactly once and are answered as the first time.
#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "filesystem/rig.h"

namespace tusfs {
namespace {

using testing::ElementsAre;

class Replay : public FilesystemRig {
 protected:
  // A new request of the kernel.
  Caller Request(Caller const* who = nullptr) {
    Caller caller = who != nullptr ? *who : me_;
    caller.request = {.slot = 3, .unique = unique_ += 2, .replayed = false};
    return caller;
  }

  static Caller Again(Caller caller) {
    caller.request.replayed = true;
    return caller;
  }

  // The daemon dies between the journal record of a request and its answer. Returns how `call`
  // ended for it, and for its successor.
  template <typename Call>
  auto DieAfter(Call const& call) {
    auto const request = Request();
    auto first = call(request);
    DaemonDies();
    return std::pair(std::move(first), call(Again(request)));
  }

  // The daemon dies before the journal record of a request. Returns how `call` ends.
  template <typename Call>
  auto DieBefore(Call const& call) {
    DaemonDies();
    return call(Again(Request()));
  }

  std::size_t Handles() {
    return store_->Read([](View const& view) { return ListHandles(view); }).value().size();
  }

  std::size_t Replies() {
    std::size_t replies = 0;
    auto const scanned = store_->Read([&](View const& view) {
      return view.Scan(Table::kReplies, "", "", [&](auto, auto) { return ++replies > 0; });
    });
    EXPECT_TRUE(Ok(scanned));
    return replies;
  }

  std::uint64_t unique_ = 100;
};

// ---- create and open

TEST_F(Replay, ACreateMakesOneFileWithOneHandle) {
  auto const [first, second] =
      DieAfter([&](Caller const& who) { return fs_->Create(who, kRootInode, "a", 0640, O_RDWR); });
  ASSERT_TRUE(Ok(first));
  ASSERT_TRUE(Ok(second));
  EXPECT_EQ(second->handle, first->handle);
  EXPECT_EQ(second->attributes.inode, first->attributes.inode);
  EXPECT_EQ(second->attributes.mode, 0640U);
  EXPECT_THAT(Names(), ElementsAre(".", "..", "a"));
  EXPECT_EQ(Handles(), 1U);
  EXPECT_EQ(SpoolFiles(), 1U) << "no body is made for nothing";
  Write(second->handle, 0, "goes on");
  EXPECT_EQ(Read(second->handle), "goes on");
  Close(second->handle);
  EXPECT_EQ(Row(first->attributes.inode).content, Content::kSettling);
}

TEST_F(Replay, ACreateThatWasNotDecidedIsDecided) {
  auto const created =
      DieBefore([&](Caller const& who) { return fs_->Create(who, kRootInode, "a", 0640, O_RDWR); });
  ASSERT_TRUE(Ok(created));
  Write(created->handle, 0, "x");
  EXPECT_THAT(Names(), ElementsAre(".", "..", "a"));
  EXPECT_EQ(Handles(), 1U);
  EXPECT_EQ(SpoolFiles(), 1U);
}

TEST_F(Replay, AnOpenGivesOneHandle) {
  auto const inode = MakeFile("a", "bytes");
  auto const [first, second] =
      DieAfter([&](Caller const& who) { return fs_->Open(who, inode, O_RDONLY); });
  ASSERT_TRUE(Ok(first));
  ASSERT_TRUE(Ok(second));
  EXPECT_EQ(*second, *first);
  EXPECT_EQ(Handles(), 1U);
  EXPECT_EQ(Read(*second), "bytes");
}

TEST_F(Replay, AnOpenThatTruncatesDoesSoOnce) {
  auto const inode = MakeFile("a", "old");
  auto const request = Request();
  auto const first = fs_->Open(request, inode, O_RDWR | O_TRUNC);
  ASSERT_TRUE(Ok(first));
  Write(*first, 0, "new");
  DaemonDies();
  EXPECT_EQ(fs_->Open(Again(request), inode, O_RDWR | O_TRUNC), *first);
  EXPECT_EQ(Read(*first), "new");
  EXPECT_EQ(Handles(), 1U);
  EXPECT_EQ(SpoolFiles(), 1U);
}

TEST_F(Replay, AnOpenThatWasNotDecidedIsDecided) {
  auto const inode = MakeFile("a", "old");
  auto const handle =
      DieBefore([&](Caller const& who) { return fs_->Open(who, inode, O_RDWR | O_TRUNC); });
  ASSERT_TRUE(Ok(handle));
  EXPECT_EQ(Stat(inode).size, 0U);
  EXPECT_EQ(Handles(), 1U);
}

// ---- names

TEST_F(Replay, ADirectoryIsMadeOnce) {
  auto const [first, second] =
      DieAfter([&](Caller const& who) { return fs_->MakeDirectory(who, kRootInode, "d", 0755); });
  ASSERT_TRUE(Ok(first));
  ASSERT_TRUE(Ok(second));
  EXPECT_EQ(second->inode, first->inode);
  EXPECT_EQ(Stat(kRootInode).links, 3U);
}

TEST_F(Replay, ADirectoryThatWasNotMadeIsMade) {
  ASSERT_TRUE(Ok(DieBefore(
      [&](Caller const& who) { return fs_->MakeDirectory(who, kRootInode, "d", 0755); })));
  EXPECT_THAT(Names(), ElementsAre(".", "..", "d"));
}

TEST_F(Replay, ASymlinkIsMadeOnce) {
  auto const [first, second] =
      DieAfter([&](Caller const& who) { return fs_->MakeSymlink(who, kRootInode, "s", "target"); });
  ASSERT_TRUE(Ok(first));
  ASSERT_TRUE(Ok(second));
  EXPECT_EQ(second->inode, first->inode);
  EXPECT_EQ(second->size, 6U);
  EXPECT_EQ(second->type, FileType::kSymlink);
}

TEST_F(Replay, ASymlinkThatWasNotMadeIsMade) {
  ASSERT_TRUE(Ok(DieBefore(
      [&](Caller const& who) { return fs_->MakeSymlink(who, kRootInode, "s", "target"); })));
  EXPECT_EQ(fs_->ReadSymlink(InodeOf("s")), "target");
}

TEST_F(Replay, ALinkIsMadeOnce) {
  auto const inode = MakeFile("a");
  auto const [first, second] =
      DieAfter([&](Caller const& who) { return fs_->Link(who, inode, kRootInode, "b"); });
  ASSERT_TRUE(Ok(first));
  ASSERT_TRUE(Ok(second));
  EXPECT_EQ(second->inode, inode);
  EXPECT_EQ(second->links, 2U);
}

TEST_F(Replay, ALinkThatWasNotMadeIsMade) {
  auto const inode = MakeFile("a");
  ASSERT_TRUE(
      Ok(DieBefore([&](Caller const& who) { return fs_->Link(who, inode, kRootInode, "b"); })));
  EXPECT_EQ(InodeOf("b"), inode);
}

TEST_F(Replay, ANameIsRemovedOnce) {
  auto const inode = MakeFile("a", "bytes");
  ASSERT_TRUE(Ok(fs_->Link(me_, inode, kRootInode, "b")));
  auto const [first, second] =
      DieAfter([&](Caller const& who) { return fs_->Unlink(who, kRootInode, "a"); });
  EXPECT_TRUE(Ok(first));
  EXPECT_TRUE(Ok(second)) << "not ENOENT";
  EXPECT_EQ(Stat(inode).links, 1U);
}

TEST_F(Replay, ARemovalThatComesAgainSparesWhatHasTheNameNow) {
  MakeFile("a", "old");
  auto const request = Request();
  ASSERT_TRUE(Ok(fs_->Unlink(request, kRootInode, "a")));
  auto const next = MakeFile("a", "new");
  DaemonDies();
  EXPECT_TRUE(Ok(fs_->Unlink(Again(request), kRootInode, "a")));
  EXPECT_EQ(InodeOf("a"), next);
  EXPECT_EQ(BytesOf(next), "new");
}

TEST_F(Replay, ANameThatWasNotRemovedIsRemoved) {
  MakeFile("a", "bytes");
  EXPECT_TRUE(Ok(DieBefore([&](Caller const& who) { return fs_->Unlink(who, kRootInode, "a"); })));
  EXPECT_THAT(Names(), ElementsAre(".", ".."));
  EXPECT_TRUE(tusfs_testing::WaitFor([&] { return SpoolFiles() == 0; }));
}

TEST_F(Replay, ADirectoryIsRemovedOnce) {
  MakeDir("d");
  auto const [first, second] =
      DieAfter([&](Caller const& who) { return fs_->RemoveDirectory(who, kRootInode, "d"); });
  EXPECT_TRUE(Ok(first));
  EXPECT_TRUE(Ok(second));
  EXPECT_EQ(Stat(kRootInode).links, 2U);
}

TEST_F(Replay, ADirectoryThatWasNotRemovedIsRemoved) {
  MakeDir("d");
  EXPECT_TRUE(
      Ok(DieBefore([&](Caller const& who) { return fs_->RemoveDirectory(who, kRootInode, "d"); })));
  EXPECT_THAT(Names(), ElementsAre(".", ".."));
}

TEST_F(Replay, ARenameHappensOnce) {
  auto const a = MakeFile("a", "bytes of a");
  MakeFile("b", "bytes of b");
  auto const [first, second] = DieAfter(
      [&](Caller const& who) { return fs_->Rename(who, kRootInode, "a", kRootInode, "b", 0); });
  EXPECT_TRUE(Ok(first));
  EXPECT_TRUE(Ok(second)) << "not ENOENT";
  EXPECT_THAT(Names(), ElementsAre(".", "..", "b"));
  EXPECT_EQ(InodeOf("b"), a);
  EXPECT_EQ(BytesOf(a), "bytes of a");
}

TEST_F(Replay, AnExchangeIsNotTakenBack) {
  auto const a = MakeFile("a");
  auto const b = MakeFile("b");
  auto const [first, second] = DieAfter([&](Caller const& who) {
    return fs_->Rename(who, kRootInode, "a", kRootInode, "b", RENAME_EXCHANGE);
  });
  EXPECT_TRUE(Ok(first));
  EXPECT_TRUE(Ok(second));
  EXPECT_EQ(InodeOf("a"), b);
  EXPECT_EQ(InodeOf("b"), a);
}

TEST_F(Replay, ARenameThatDidNotHappenHappens) {
  auto const a = MakeFile("a");
  EXPECT_TRUE(Ok(DieBefore(
      [&](Caller const& who) { return fs_->Rename(who, kRootInode, "a", kRootInode, "b", 0); })));
  EXPECT_EQ(InodeOf("b"), a);
  EXPECT_EQ(InodeOf("a"), 0U);
}

// ---- bytes and attributes

TEST_F(Replay, AWriteThatComesAgainLeavesTheSameBytes) {
  auto const created = Create("a", O_RDWR);
  std::string const bytes = "12345";
  auto const [first, second] = DieAfter([&](Caller const& who) {
    return fs_->Write(who, created.handle, 3, std::as_bytes(std::span(bytes)));
  });
  EXPECT_TRUE(Ok(first));
  EXPECT_TRUE(Ok(second));
  EXPECT_EQ(Read(created.handle), std::string("\0\0\0", 3) + bytes);
}

TEST_F(Replay, TheVerdictOfACloseIsTheFirstOne) {
  auto const created = Create("a");
  Write(created.handle, 0, "x");
  auto const request = Request();
  ASSERT_TRUE(Ok(fs_->Flush(request, created.handle)));
  DaemonDies();
  processes_.Kill(me_.pid);
  EXPECT_TRUE(Ok(fs_->Flush(Again(request), created.handle)));
  EXPECT_TRUE(Ok(fs_->Release(created.handle)));
  EXPECT_EQ(Row(created.attributes.inode).content, Content::kSettling);
}

TEST_F(Replay, ACloseThatWasNotJudgedIsJudged) {
  auto const created = Create("a");
  Write(created.handle, 0, "x");
  DaemonDies();
  processes_.Kill(me_.pid);
  EXPECT_TRUE(Ok(fs_->Flush(Again(Request()), created.handle)));
  EXPECT_TRUE(Ok(fs_->Release(created.handle)));
  EXPECT_EQ(Row(created.attributes.inode).content, Content::kInterrupted);
}

TEST_F(Replay, AReleaseThatComesAgainIsSuccess) {
  auto const created = Create("a");
  Write(created.handle, 0, "x");
  Close(created.handle);
  auto const row = Row(created.attributes.inode);
  DaemonDies();
  EXPECT_TRUE(Ok(fs_->Release(created.handle)));
  EXPECT_EQ(Row(created.attributes.inode).content, row.content);
  EXPECT_EQ(Handles(), 0U);
}

TEST_F(Replay, ASizeThatWasSetIsNotSetAgain) {
  auto const created = Create("a", O_RDWR);
  Write(created.handle, 0, "12345");
  AttributeChange change;
  for (std::uint64_t const size : {3U, 0U}) {
    change.size = size;
    auto const request = Request();
    auto const first = fs_->SetAttributes(request, created.attributes.inode, change, 0);
    ASSERT_TRUE(Ok(first));
    EXPECT_EQ(first->size, size);
    Write(created.handle, size, "more");
    DaemonDies();
    auto const second = fs_->SetAttributes(Again(request), created.attributes.inode, change, 0);
    ASSERT_TRUE(Ok(second));
    EXPECT_EQ(second->inode, created.attributes.inode);
    EXPECT_EQ(Stat(created.attributes.inode).size, size + 4);
  }
  EXPECT_EQ(Read(created.handle), "more");
}

TEST_F(Replay, AttributesThatWereSetAreNotSetAgain) {
  auto const inode = MakeFile("a");
  AttributeChange change;
  change.mode = 0600;
  auto const request = Request();
  ASSERT_TRUE(Ok(fs_->SetAttributes(request, inode, change, 0)));
  AttributeChange next;
  next.mode = 0640;
  ASSERT_TRUE(Ok(fs_->SetAttributes(me_, inode, next, 0)));
  DaemonDies();
  auto const again = fs_->SetAttributes(Again(request), inode, change, 0);
  ASSERT_TRUE(Ok(again));
  EXPECT_EQ(again->mode, 0640U);
}

TEST_F(Replay, AttributesThatWereNotSetAreSet) {
  auto const inode = MakeFile("a", "12345");
  AttributeChange change;
  change.mode = 0600;
  change.size = 2;
  auto const set =
      DieBefore([&](Caller const& who) { return fs_->SetAttributes(who, inode, change, 0); });
  ASSERT_TRUE(Ok(set));
  EXPECT_EQ(set->mode, 0600U);
  EXPECT_EQ(BytesOf(inode), "12");
}

// ---- a size that was being set

class HalfSetSize : public Replay {
 protected:
  // A daemon that dies while it sets the size: it has said in the catalog that it begins, and the
  // disk has `size` bytes. Returns what its successor makes of the request.
  Result<Attributes> DieSettingSize(InodeId inode, std::uint64_t size, HandleId handle = 0) {
    ChangeRow(inode, [&](Inode& row) {
      row.content = Content::kWriting;
      row.synced_size = std::min(row.synced_size, size);
    });
    std::filesystem::resize_file(PathOf(inode), size);
    DaemonDies();
    StartThreads();
    AttributeChange change;
    change.size = size;
    return fs_->SetAttributes(Again(Request()), inode, change, handle);
  }

  bool BecomesFinished(InodeId inode) {
    return tusfs_testing::WaitFor([&] { return Row(inode).content == Content::kFinished; });
  }
};

TEST_F(HalfSetSize, OfAClosedFileIsSetAndTheFileIsFinished) {
  settle_ = std::chrono::milliseconds(0);
  for (std::uint64_t const size : {3U, 8U}) {
    auto const inode = MakeFile("size " + std::to_string(size), "12345");
    auto const set = DieSettingSize(inode, size);
    ASSERT_TRUE(Ok(set));
    EXPECT_EQ(set->size, size);
    EXPECT_TRUE(BecomesFinished(inode)) << "it would be written for ever: " << size;
    EXPECT_EQ(Row(inode).size, size);
    EXPECT_EQ(BytesOf(inode), std::string("12345\0\0\0", 8).substr(0, size));
  }
}

TEST_F(HalfSetSize, OfAnOpenFileIsSetAndItsCloseDecides) {
  for (std::uint64_t const size : {3U, 8U}) {
    auto const created = Create("size " + std::to_string(size), O_RDWR);
    Write(created.handle, 0, "12345");
    auto const set = DieSettingSize(created.attributes.inode, size, created.handle);
    ASSERT_TRUE(Ok(set));
    EXPECT_EQ(set->size, size);
    EXPECT_EQ(Row(created.attributes.inode).content, Content::kWriting);
    Close(created.handle);
    EXPECT_EQ(Row(created.attributes.inode).content, Content::kSettling);
    EXPECT_EQ(Row(created.attributes.inode).size, size);
  }
}

// ---- which request it is

TEST_F(Replay, AFailureIsDecidedAgain) {
  MakeDir("d");
  auto const request = Request();
  EXPECT_EQ(CodeOf(fs_->MakeDirectory(request, kRootInode, "d", 0755)), EEXIST);
  DaemonDies();
  EXPECT_EQ(CodeOf(fs_->MakeDirectory(Again(request), kRootInode, "d", 0755)), EEXIST);
  EXPECT_EQ(Replies(), 0U);
}

TEST_F(Replay, OnlyTheSameRequestIsAnsweredFromBefore) {
  MakeFile("a");
  auto const request = Request();
  ASSERT_TRUE(Ok(fs_->Unlink(request, kRootInode, "a")));
  DaemonDies();
  auto other = Again(request);
  other.request.slot = 4;
  EXPECT_EQ(CodeOf(fs_->Unlink(other, kRootInode, "a")), ENOENT) << "another slot";
  other = Again(Request());
  EXPECT_EQ(CodeOf(fs_->Unlink(other, kRootInode, "a")), ENOENT) << "another number";
  EXPECT_EQ(CodeOf(fs_->Unlink(request, kRootInode, "a")), ENOENT) << "not a second time";
  EXPECT_TRUE(Ok(fs_->Unlink(Again(request), kRootInode, "a")));
}

TEST_F(Replay, ARequestOfAnotherConnectionIsAnotherRequest) {
  MakeFile("a");
  auto const request = Request();
  ASSERT_TRUE(Ok(fs_->Unlink(request, kRootInode, "a")));
  Remount();
  EXPECT_EQ(CodeOf(fs_->Unlink(Again(request), kRootInode, "a")), ENOENT);
}

TEST_F(Replay, ASlotKeepsOneReplyAndARequestWithoutANumberNone) {
  MakeDir("d");
  EXPECT_EQ(Replies(), 0U);
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(Ok(fs_->MakeDirectory(Request(), kRootInode, std::to_string(i), 0755)));
  }
  EXPECT_EQ(Replies(), 1U);
}

// ---- a real kill

TEST_F(Replay, WhatAKilledDaemonHadJournaledIsNotDoneTwice) {
  auto const removed = Request();
  auto const made = Request();
  Caller created = Request();
  created.request.slot = 4;
  MakeFile("removed", "bytes");
  Unmount();
  pid_t const child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    Succeed();
    static_cast<void>(fs_->Unlink(removed, kRootInode, "removed"));
    static_cast<void>(fs_->MakeDirectory(made, kRootInode, "d", 0755));
    auto const file = fs_->Create(created, kRootInode, "f", 0644, O_RDWR);
    if (file) Write(file->handle, 0, "written");
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  Succeed();
  EXPECT_TRUE(Ok(fs_->MakeDirectory(Again(made), kRootInode, "d", 0755)));
  auto const file = fs_->Create(Again(created), kRootInode, "f", 0644, O_RDWR);
  ASSERT_TRUE(Ok(file));
  EXPECT_EQ(Read(file->handle), "written");
  EXPECT_THAT(Names(), ElementsAre(".", "..", "d", "f"));
  Write(file->handle, 7, " more");
  Close(file->handle);
  EXPECT_EQ(Row(file->attributes.inode).content, Content::kSettling);
  EXPECT_EQ(BytesOf(file->attributes.inode), "written more");
}

}  // namespace
}  // namespace tusfs
