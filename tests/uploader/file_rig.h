// A file in a catalog and a spool, which its writer has open.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>

#include "base/fakes.h"
#include "catalog/namespace.h"
#include "catalog/store_harness.h"
#include "catalog/tables.h"
#include "spool/spool.h"
#include "testing/files.h"
#include "uploader/publish_rules.h"

namespace tusfs {

constexpr InodeId kFile = 10;

class FileRig : public testing::Test {
 protected:
  FileRig() {
    Inode root;
    root.id = kRootInode;
    root.type = FileType::kDirectory;
    root.links = 2;
    Inode file;
    file.id = kFile;
    file.links = 1;
    file.version = kFile;
    file.content = Content::kWriting;
    file.modified = clock_.Wall();
    auto const made = store_->Update([&](Transaction& transaction) -> Result<void> {
      AddEntry(transaction, root, "file.bin", file);
      PutInode(transaction, root);
      PutInode(transaction, file);
      return {};
    });
    EXPECT_TRUE(Ok(made));
    version_ = spool_->Create(kFile).value();
  }

  /// Appends `size` bytes, as a writer does.
  void Append(std::uint64_t size) {
    auto const bytes = tusfs_testing::RandomBytes(size, body_.size() + 1);
    auto const written = version_->Write(body_.size(), std::as_bytes(std::span(bytes)));
    ASSERT_TRUE(Ok(written));
    ASSERT_FALSE(written->was_sent);
    body_ += bytes;
  }

  void ChangeInode(std::function<void(Inode&)> const& change) {
    auto const done = store_->Update([&](Transaction& transaction) -> Result<void> {
      auto inode = GetInode(transaction, kFile);
      if (!inode) return Failure(inode.error());
      change(*inode);
      PutInode(transaction, *inode);
      return {};
    });
    ASSERT_TRUE(Ok(done));
  }

  void RenameTo(std::string const& name) {
    auto const done = store_->Update([&](Transaction& transaction) -> Result<void> {
      auto root = GetInode(transaction, kRootInode);
      auto inode = GetInode(transaction, kFile);
      auto const entry = FindEntry(transaction, kRootInode, inode->name);
      auto const removed =
          RemoveEntry(transaction, kRootInode, std::string(inode->name), **entry, *inode);
      if (!removed) return removed;
      AddEntry(transaction, *root, name, *inode);
      PutInode(transaction, *root);
      PutInode(transaction, *inode);
      return {};
    });
    ASSERT_TRUE(Ok(done));
  }

  [[nodiscard]] Inode TheInode() const {
    auto inode = store_->Read([](View const& view) { return GetInode(view, kFile); });
    EXPECT_TRUE(Ok(inode));
    return inode.value_or(Inode{});
  }

  tusfs_testing::TempDir const dir_;
  FakeClock clock_;
  Logger const logger_ = QuietLogger();
  std::unique_ptr<Spool> const spool_ = Spool::Open(dir_ / "spool").value();  // outlives the store
  std::unique_ptr<Store> const store_ =
      Store::Open(dir_ / "catalog", WithoutThreads(), logger_).value();
  PublishRules rules_;
  std::shared_ptr<Version> version_;
  std::string body_;
};

}  // namespace tusfs
