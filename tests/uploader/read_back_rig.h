// A server that has files, a catalog that says so, and a reader that waits as FUSE threads do.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/fakes.h"
#include "catalog/adoptable.h"
#include "catalog/tables.h"
#include "spool/spool.h"
#include "testing/files.h"
#include "testing/fixture_client.h"
#include "testing/wait_for.h"
#include "uploader/read_back.h"

namespace tusfs {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

class ReadBackRig : public testing::Test {
 protected:
  using Fault = tusfs_testing::Fault;

  void Serve(tusfs_testing::FixtureOptions options = {}) {
    server_ = std::make_unique<tusfs_testing::FixtureServer>(std::move(options));
  }

  ReadBack& Begin(ReadBackOptions options = {}) {
    if (!server_) Serve();
    options.client.endpoint = server_->Url();
    options.make_transport = [] { return tus::MakeCurlTransport({}); };
    options.retry = {.base = std::chrono::milliseconds(20), .max = std::chrono::milliseconds(100)};
    read_back_ = std::make_unique<ReadBack>(std::move(options), *store_, *spool_, clock_,
                                            QuietLogger(), [this](InodeId inode) {
                                              MutexLock lock(mutex_);
                                              ++arrivals_[inode];
                                            });
    return *read_back_;
  }

  /// An uploaded file whose bytes only the server has.
  std::string Upload(InodeId inode, std::uint64_t size) {
    if (!server_) Serve();
    auto bytes = tusfs_testing::RandomBytes(size, inode);
    auto const url = tusfs_testing::Create(*server_, size);
    EXPECT_EQ(tusfs_testing::Patch(url, 0, bytes).status, 204);
    tusfs::Upload upload;
    upload.id = Uuid::Random();
    upload.owner = inode;
    upload.phase = UploadPhase::kComplete;
    upload.url = url;
    upload.offset = upload.frontier = size;
    upload.length = size;
    Inode record;
    record.id = inode;
    record.type = FileType::kRegular;
    record.links = 1;
    record.size = record.synced_size = size;
    record.content = Content::kUploaded;
    record.upload = upload.id;
    Put(record, upload, bytes);
    return bytes;
  }

  void Put(Inode const& inode, tusfs::Upload const& upload, std::string const& bytes) {
    std::vector<BlockDigest> digests;
    for (std::uint64_t at = 0; at < bytes.size(); at += kDigestBlock) {
      BlockHasher hasher;
      hasher.Update(
          std::as_bytes(std::span(bytes)).subspan(at, std::min(kDigestBlock, bytes.size() - at)));
      digests.push_back(hasher.Digest());
    }
    auto const put = store_->Update([&](Transaction& transaction) -> Result<void> {
      PutInode(transaction, inode);
      PutUpload(transaction, upload);
      return PutDigests(transaction, upload.id, 0, digests);
    });
    EXPECT_TRUE(Ok(put));
  }

  void Change(InodeId id, std::function<void(Inode&)> const& change) {
    auto const done = store_->Update([&](Transaction& transaction) -> Result<void> {
      auto inode = GetInode(transaction, id);
      if (!inode) return Failure(inode.error());
      change(*inode);
      PutInode(transaction, *inode);
      return {};
    });
    EXPECT_TRUE(Ok(done));
  }

  [[nodiscard]] Inode Record(InodeId id) const {
    return store_->Read([&](View const& view) { return GetInode(view, id); }).value_or(Inode{});
  }

  [[nodiscard]] int Arrivals(InodeId inode) const {
    MutexLock lock(mutex_);
    auto const found = arrivals_.find(inode);
    return found == arrivals_.end() ? 0 : found->second;
  }

  /// Calls until the answer is not EAGAIN; in between only `arrived` makes it call again.
  template <typename Call>
  auto Await(InodeId inode, Call const& call) {
    while (true) {
      int const seen = Arrivals(inode);
      auto result = call();
      most_taken_ = std::max(most_taken_, spool_->budget().used());
      if (CodeOf(result) != EAGAIN) return result;
      if (!tusfs_testing::WaitFor([&] { return Arrivals(inode) != seen; })) {
        ADD_FAILURE() << "nothing arrived";
        return result;
      }
    }
  }

  Result<std::string> Read(InodeId inode, std::uint64_t offset, std::size_t size) {
    std::string bytes(size, '\0');
    auto const got = Await(inode, [&] {
      return read_back_->Read(inode, offset, std::as_writable_bytes(std::span(bytes)));
    });
    if (!got) return Failure(got.error());
    bytes.resize(*got);
    return bytes;
  }

  Result<void> Restore(InodeId inode) {
    return Await(inode, [&] { return read_back_->Restore(inode); });
  }

  /// From the start to the end, as cat does.
  std::string ReadAll(InodeId inode) {
    std::string all;
    while (true) {
      auto const bytes = Read(inode, all.size(), 128 * 1024);
      EXPECT_TRUE(Ok(bytes));
      if (!bytes || bytes->empty()) return all;
      all += *bytes;
    }
  }

  [[nodiscard]] std::size_t SpoolFiles() const {
    std::size_t files = 0;
    for (auto const& entry : std::filesystem::recursive_directory_iterator(directory_ / "spool")) {
      files += entry.is_regular_file() ? 1 : 0;
    }
    return files;
  }

  [[nodiscard]] std::size_t Gets() const {
    auto const requests = server_->Requests();
    return static_cast<std::size_t>(std::count_if(
        requests.begin(), requests.end(), [](auto const& row) { return row.method == "GET"; }));
  }

  tusfs_testing::TempDir const directory_;
  SystemClock const clock_{};
  std::unique_ptr<Store> const store_ =
      Store::Open(directory_ / "catalog", {}, QuietLogger()).value();
  std::unique_ptr<Spool> spool_ = Spool::Open(directory_ / "spool").value();
  std::unique_ptr<tusfs_testing::FixtureServer> server_;
  mutable Mutex mutex_;
  std::map<InodeId, int> arrivals_ GUARDED_BY(mutex_);
  std::uint64_t most_taken_ = 0;  ///< bytes of disk, whenever somebody looked
  std::unique_ptr<ReadBack> read_back_;
};

}  // namespace tusfs
