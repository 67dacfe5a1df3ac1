// A store in which files come into states by hand, and what has passed.
#pragma once

#include <gmock/gmock.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "catalog/life.h"
#include "catalog/namespace.h"
#include "catalog/store_harness.h"
#include "catalog/tables.h"
#include "hooks/passings.h"

namespace tusfs {

class PassingsRig : public testing::Test {
 protected:
  PassingsRig() {
    Change([](Transaction& transaction) {
      Inode root;
      root.id = kRootInode;
      root.type = FileType::kDirectory;
      root.links = 2;
      PutInode(transaction, root);
    });
  }

  template <typename Decide>
  void Change(Decide const& decide) {
    auto const done = store_->Update([&](Transaction& transaction) -> Result<void> {
      decide(transaction);
      return {};
    });
    ASSERT_TRUE(Ok(done));
  }

  /// A file that is being written.
  InodeId Make(std::string const& name) {
    Inode inode;
    inode.id = ++last_;
    inode.links = 1;
    inode.size = 5;
    Change([&](Transaction& transaction) {
      auto root = GetInode(transaction, kRootInode).value();
      AddEntry(transaction, root, name, inode);
      life::BeginVersion(inode, true);
      PutInode(transaction, root);
      PutInode(transaction, inode);
    });
    return inode.id;
  }

  template <typename Event>
  void Happens(InodeId id, Event const& event) {
    Change([&](Transaction& transaction) {
      auto inode = GetInode(transaction, id).value();
      event(inode);
      PutInode(transaction, inode);
    });
  }

  /// Its writers have closed it, and it was left alone; it has an upload.
  void Finish(InodeId id) {
    Change([&](Transaction& transaction) {
      auto inode = GetInode(transaction, id).value();
      life::Close(inode);
      life::Finish(inode);
      Upload upload;
      upload.id = Uuid::Random();
      upload.owner = id;
      upload.url = "http://user:secret@host/files/1?token=secret";
      inode.upload = upload.id;
      PutUpload(transaction, upload);
      PutInode(transaction, inode);
    });
  }

  template <typename Event>
  void HappensToUpload(InodeId id, std::string const& error, Event const& event) {
    Change([&](Transaction& transaction) {
      auto const inode = GetInode(transaction, id).value();
      auto upload = FindUpload(transaction, inode.upload).value().value();
      upload.error = error;
      event(upload);
      PutUpload(transaction, upload);
    });
  }

  std::vector<Passing> Take() { return std::exchange(passed_, {}); }

  StoreOptions Options() {
    auto options = WithoutThreads();
    options.attend = [this](Transaction& transaction) {
      for (auto& passing : PassingsOf(transaction, rules_)) Attend(transaction, passing);
    };
    return options;
  }
  virtual void Attend(Transaction&, Passing const& passing) { passed_.push_back(passing); }

  PublishRules const rules_;
  std::vector<Passing> passed_;
  tusfs_testing::TempDir const dir_;
  InodeId last_ = kRootInode;
  std::unique_ptr<Store> store_ = OpenStore(dir_ / "catalog", Options());
};

}  // namespace tusfs
