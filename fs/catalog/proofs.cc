#include "catalog/proofs.h"

#include <cerrno>
#include <string_view>
#include <utility>

#include "catalog/adoptable.h"
#include "catalog/codec.h"
#include "catalog/kept.h"
#include "catalog/life.h"
#include "catalog/namespace.h"
#include "catalog/tables.h"

namespace tusfs {
namespace {

constexpr std::size_t kLongestReceipt = 4096;

std::string KeyOf(Proof const& proof) {
  return Key(static_cast<std::uint64_t>(proof.at),
             std::string_view(reinterpret_cast<char const*>(proof.id.bytes.data()),
                              proof.id.bytes.size()));
}

void Put(Transaction& transaction, Proof const& proof) {
  transaction.Put(Table::kProofs, KeyOf(proof), Encode(proof));
}

Result<Proof> Begin(View const& view, Fate fate, Inode const& inode, Upload const* upload,
                    FileTime now) {
  auto path = PathOf(view, inode);
  if (!path) return Failure(path.error());
  auto const endpoint = GetNote(view, kEndpointNote);
  if (!endpoint) return Failure(endpoint.error());
  Proof proof;
  proof.server = ServerOf(*endpoint);
  proof.id = Uuid::Random();
  proof.fate = fate;
  proof.inode = inode.id;
  proof.path = *std::move(path);
  proof.size = inode.size;
  proof.modified = inode.modified;
  proof.at = now;
  if (upload == nullptr) return proof;
  proof.begun = upload->created;
  proof.upload = upload->id;
  proof.requests = upload->requests;
  proof.sent = upload->sent;
  return proof;
}

}  // namespace

Result<void> MarkUploadedWithProof(Transaction& transaction, Inode& inode, Upload const& upload,
                                   ProvedBy proved, FileTime now) {
  MarkUploaded(transaction, inode, now);
  if (!life::IsUploaded(inode)) return {};
  auto const fate = proved == ProvedBy::kPerson ? Fate::kAccepted : Fate::kUploaded;
  auto proof = Begin(transaction, fate, inode, &upload, now);
  if (!proof) return Failure(proof.error());
  auto const blocks = ListDigests(transaction, upload.id);
  if (!blocks) return Failure(blocks.error());
  if (AreOf(*blocks, inode.size)) proof->root = RootOf(*blocks);
  proof->proved = proved;
  proof->digests = upload.digests;
  proof->receipt = upload.receipt.substr(0, kLongestReceipt);
  Put(transaction, *proof);
  return {};
}

Result<void> PutProof(Transaction& transaction, Fate fate, Inode const& inode, Upload const* upload,
                      std::string reason, FileTime now) {
  auto proof = Begin(transaction, fate, inode, upload, now);
  if (!proof) return Failure(proof.error());
  proof->reason = std::move(reason);
  Put(transaction, *proof);
  return {};
}

Result<std::vector<Proof>> ListProofs(View const& view, std::size_t limit) {
  std::vector<Proof> proofs;
  bool is_damaged = false;
  auto const scanned =
      view.Scan(Table::kProofs, "", "", [&](std::string_view, std::string_view value) {
        is_damaged = !DecodeProof(value, proofs.emplace_back());
        return !is_damaged && proofs.size() < limit;
      });
  if (!scanned) return Failure(scanned.error());
  if (is_damaged) return Fail(EUCLEAN, "the catalog has a damaged record: proof");
  return proofs;
}

void DeleteProofs(Transaction& transaction, std::vector<Proof> const& proofs) {
  for (auto const& proof : proofs) transaction.Delete(Table::kProofs, KeyOf(proof));
}

}  // namespace tusfs
