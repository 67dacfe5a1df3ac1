// make-names STATE-DIR COUNT: the catalog of a mount from which COUNT files were uploaded, in
// directories of 100,000, and whose bytes are not here any more. For names.sh.
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/file.h"
#include "catalog/adoptable.h"
#include "catalog/namespace.h"
#include "catalog/tables.h"

namespace tusfs {
namespace {

constexpr std::uint64_t kOfADirectory = 100'000;
constexpr std::uint64_t kBatch = 100;  // one journaled operation
constexpr std::uint64_t kSize = 3'000'000;
constexpr FileTime kLongAgo = FileTime{1'600'000'000} * 1'000'000'000;

Result<Inode> NewInode(Transaction& transaction, FileType type) {
  auto const id = transaction.NewNumber(Counter::kInode);
  if (!id) return Failure(id.error());
  Inode inode;
  inode.id = *id;
  inode.type = type;
  inode.mode = type == FileType::kDirectory ? 0755 : 0644;
  inode.links = type == FileType::kDirectory ? 2 : 1;
  inode.accessed = inode.modified = inode.changed = kLongAgo;
  return inode;
}

Result<void> AddStub(Transaction& transaction, Inode& directory, std::string const& name) {
  auto inode = NewInode(transaction, FileType::kRegular);
  if (!inode) return Failure(inode.error());
  AddEntry(transaction, directory, name, *inode);
  Upload upload;
  upload.id = Uuid::Random();
  upload.owner = inode->id;
  upload.phase = UploadPhase::kComplete;
  upload.url = "http://127.0.0.1:9/files/" + upload.id.ToString();
  upload.path = directory.name + "/" + name;
  upload.offset = upload.frontier = kSize;
  upload.length = kSize;
  upload.created = kLongAgo;
  upload.receipt =
      "HTTP/1.1 204 No Content\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 3000000\r\n"
      "Date: Sun, 13 Sep 2020 12:26:40 GMT\r\nX-Ingest-Id: 4711\r\n\r\n";
  inode->size = inode->synced_size = kSize;
  inode->content = Content::kUploaded;
  inode->upload = upload.id;
  BlockDigest digest;
  digest.length = kSize;
  PutInode(transaction, *inode);
  PutUpload(transaction, upload);
  return PutDigests(transaction, upload.id, 0, std::span(&digest, 1));
}

Result<void> Fill(Store& store, std::uint64_t count) {
  Inode root;
  root.id = kRootInode;
  root.type = FileType::kDirectory;
  root.mode = 0755;
  root.links = 2;
  root.accessed = root.modified = root.changed = kLongAgo;
  Inode directory;
  for (std::uint64_t made = 0; made < count;) {
    auto const filled = store.Update([&](Transaction& transaction) -> Result<void> {
      if (made % kOfADirectory == 0) {
        auto fresh = NewInode(transaction, FileType::kDirectory);
        if (!fresh) return Failure(fresh.error());
        directory = *std::move(fresh);
        AddEntry(transaction, root, "day-" + std::to_string(made / kOfADirectory), directory);
        ++root.links;
        PutInode(transaction, root);
      }
      auto const end = std::min(count, made + kBatch);
      for (; made < end; ++made) {
        auto const name = "clip-" + std::to_string(10'000'000 + made) + ".mov";
        if (auto added = AddStub(transaction, directory, name); !added) return added;
      }
      PutInode(transaction, directory);
      return {};
    });
    if (!filled) return filled;
  }
  return store.Sync();
}

int Main(std::vector<std::string> const& arguments) {
  if (arguments.size() != 3) {
    std::fputs("usage: make-names STATE-DIR COUNT\n", stderr);
    return 2;
  }
  auto const made = [&]() -> Result<void> {
    std::filesystem::path const state_dir(arguments[1]);
    if (auto private_dir = MakePrivateDirectory(state_dir); !private_dir) return private_dir;
    auto store =
        Store::Open(state_dir / "catalog", {}, std::make_shared<Log>(spdlog::default_logger()));
    if (!store) return Failure(store.error());
    return Fill(**store, std::strtoull(arguments[2].c_str(), nullptr, 10));
  }();
  if (made) return 0;
  std::fprintf(stderr, "make-names: %s\n", Describe(made.error()).c_str());
  return 1;
}

}  // namespace
}  // namespace tusfs

int main(int argc, char** argv) { return tusfs::Main(std::vector<std::string>(argv, argv + argc)); }
