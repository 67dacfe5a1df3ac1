// proof-bench: what the ledger costs, and ledgers to ask. For proof.sh.
//
//   proof-bench digest MIB              ms per GiB of the digests of whole files, with and without
//                                       SHA-256
//   proof-bench keep DIR FILES          µs per file that becomes uploaded, with its proof and
//                                       without, until it is on disk
//   proof-bench ledger STATE_DIR ROWS   a ledger of that many rows
//   proof-bench of STATE_DIR SOURCE     a ledger in which all files of SOURCE are uploaded
#include <spdlog/spdlog.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/file_digest.h"
#include "catalog/adoptable.h"
#include "catalog/kept.h"
#include "catalog/namespace.h"
#include "catalog/proofs.h"
#include "catalog/tables.h"
#include "proof/ledger_keeper.h"
#include "proof/source_reader.h"

namespace tusfs {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kPiece = 64 * 1024;
constexpr std::size_t kBatch = 1000;

double SecondsSince(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

double MsPerGiB(std::size_t mib, bool with_sha256) {
  std::vector<std::byte> const piece(kPiece, std::byte{0x5a});
  FileDigest digest(with_sha256);
  auto const size = mib << 20;
  auto const begin = Clock::now();
  for (std::uint64_t at = 0; at < size; at += kPiece) digest.Pass(at, piece);
  bool const is_right = !digest.Digests(size).xxh128.empty();
  return is_right ? SecondsSince(begin) * 1000 * 1024 / static_cast<double>(mib) : -1;
}

Result<void> MeasureDigest(std::size_t mib) {
  for (int round = 0; round < 5; ++round) {
    std::printf("xxh3 %.1f ms/GiB, with sha256 %.1f ms/GiB\n", MsPerGiB(mib, false),
                MsPerGiB(mib, true));
  }
  return {};
}

Proof ProofOf(std::string path, std::uint64_t size, FileTime at) {
  Proof proof;
  proof.id = Uuid::Random();
  proof.fate = Fate::kUploaded;
  proof.proved = ProvedBy::kOffset;
  proof.path = std::move(path);
  proof.size = size;
  proof.modified = proof.begun = proof.at = at;
  proof.upload = Uuid::Random();
  proof.requests = 1;
  proof.sent = size;
  proof.root = std::string(16, 'r');
  proof.digests = {std::string(16, 'l'), std::string(8, 's'), std::string(32, 'h'),
                   std::string(8, 'o')};
  proof.receipt = "Tus-Resumable: 1.0.0\nUpload-Offset: " + std::to_string(size) +
                  "\nDate: Sun, 29 Nov 2026 14:00:00 GMT\nServer: nginx\nConnection: keep-alive\n";
  return proof;
}

Result<void> MakeLedger(std::string const& state_dir, std::size_t rows) {
  auto writer = LedgerWriter::Open(LedgerDirectory(state_dir), {}, std::make_shared<Log>(nullptr));
  if (!writer) return Failure(writer.error());
  auto const now = SystemClock().Wall();
  std::vector<LedgerWriter::Row> batch;
  for (std::size_t i = 0; i < rows; ++i) {
    auto path = "card-" + std::to_string(i / 1000) + "/DCIM/clip-" + std::to_string(i) + ".mov";
    batch.push_back({ProofOf(std::move(path), 3'000'000 + i, now), {BlockDigest{.length = 1}}});
    if (batch.size() < kBatch && i + 1 < rows) continue;
    if (auto appended = writer->Append(batch); !appended) return appended;
    batch.clear();
  }
  return {};
}

Result<void> MakeLedgerOf(std::string const& state_dir, std::string const& source) {
  auto writer = LedgerWriter::Open(LedgerDirectory(state_dir), {}, std::make_shared<Log>(nullptr));
  if (!writer) return Failure(writer.error());
  auto const entries = ListSource(source);
  if (!entries) return Failure(entries.error());
  std::vector<LedgerWriter::Row> batch;
  for (auto const& entry : *entries) {
    auto bytes = ReadSource(std::filesystem::path(source) / entry.path, entry,
                            [](std::span<std::byte const>) {}, {});
    auto proof = ProofOf(entry.path, entry.size, SystemClock().Wall());
    proof.root = RootOf(bytes.blocks);
    batch.push_back({std::move(proof), std::move(bytes.blocks)});
    if (batch.size() < kBatch && &entry != &entries->back()) continue;
    if (auto appended = writer->Append(batch); !appended) return appended;
    batch.clear();
  }
  return {};
}

// A file that is finished, with an upload of one block.
Result<void> MakeFinished(Transaction& transaction, InodeId id) {
  auto root = GetInode(transaction, kRootInode);
  if (!root) return Failure(root.error());
  Inode file;
  file.id = id;
  file.links = 1;
  file.size = 1000;
  file.content = Content::kFinished;
  file.upload = Uuid::Random();
  Upload upload;
  upload.id = file.upload;
  upload.owner = id;
  upload.digests = {std::string(16, 'l'), std::string(8, 's'), std::string(32, 'h'),
                    std::string(8, 'o')};
  AddEntry(transaction, *root, "file-" + std::to_string(id), file);
  PutInode(transaction, *root);
  PutInode(transaction, file);
  PutUpload(transaction, upload);
  return PutDigests(transaction, upload.id, 0, std::vector{BlockDigest{.length = 1000}});
}

Result<double> UsPerFile(std::filesystem::path const& directory, std::size_t files,
                         bool with_proof) {
  auto const logger = std::make_shared<Log>(nullptr);
  auto store = Store::Open(directory / "catalog", {}, logger);
  if (!store) return Failure(store.error());
  SystemClock const clock;
  LedgerKeeper keeper(**store, directory / "ledger", {}, clock, logger);
  if (with_proof) keeper.Start();
  for (std::size_t i = 0; i < files; ++i) {
    auto const made = (*store)->Update([&](Transaction& transaction) -> Result<void> {
      if (i == 0) {
        Inode root;
        root.id = kRootInode;
        root.type = FileType::kDirectory;
        PutInode(transaction, root);
        return MakeFinished(transaction, 2);
      }
      return MakeFinished(transaction, i + 2);
    });
    if (!made) return Failure(made.error());
  }
  auto const begin = Clock::now();
  for (std::size_t i = 0; i < files; ++i) {
    auto const marked = (*store)->Update([&](Transaction& transaction) -> Result<void> {
      auto inode = GetInode(transaction, i + 2);
      if (!inode) return Failure(inode.error());
      auto const upload = FindUpload(transaction, inode->upload);
      if (!upload) return Failure(upload.error());
      auto done = Result<void>();
      if (with_proof) {
        done =
            MarkUploadedWithProof(transaction, *inode, **upload, ProvedBy::kOffset, clock.Wall());
      } else {
        MarkUploaded(transaction, *inode, clock.Wall());
      }
      PutInode(transaction, *inode);
      return done;
    });
    if (!marked) return Failure(marked.error());
  }
  auto const synced = with_proof ? keeper.Flush(std::chrono::minutes(5)) : (*store)->Sync();
  if (!synced) return Failure(synced.error());
  return SecondsSince(begin) * 1e6 / static_cast<double>(files);
}

Result<void> MeasureKeeping(std::filesystem::path const& directory, std::size_t files) {
  for (int round = 0; round < 5; ++round) {
    auto const place = directory / std::to_string(round);
    std::filesystem::create_directories(place / "without");
    std::filesystem::create_directories(place / "with");
    auto const without = UsPerFile(place / "without", files, false);
    auto const with = UsPerFile(place / "with", files, true);
    if (!without || !with) return Failure((without ? with : without).error());
    std::printf("uploaded %.1f µs/file, with its proof in the ledger %.1f µs/file\n", *without,
                *with);
  }
  return {};
}

int Run(std::vector<std::string> const& words) {
  auto done = Result<void>(Fail(EINVAL, "usage: see proof_bench.cc"));
  if (words.size() == 2 && words[0] == "digest") done = MeasureDigest(std::stoul(words[1]));
  if (words.size() == 3 && words[0] == "keep")
    done = MeasureKeeping(words[1], std::stoul(words[2]));
  if (words.size() == 3 && words[0] == "ledger") done = MakeLedger(words[1], std::stoul(words[2]));
  if (words.size() == 3 && words[0] == "of") done = MakeLedgerOf(words[1], words[2]);
  if (!done) std::fprintf(stderr, "proof-bench: %s\n", Describe(done.error()).c_str());
  return done ? 0 : 1;
}

}  // namespace
}  // namespace tusfs

int main(int argc, char** argv) { return tusfs::Run({argv + 1, argv + argc}); }
