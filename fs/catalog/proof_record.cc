#include "catalog/proof_record.h"

#include <algorithm>
#include <span>

#include "catalog/codec.h"

namespace tusfs {
namespace {

constexpr std::uint8_t kProofVersion = 3;  // 1 had no XXH64, 2 no server

void ReadText(Decoder& decoder, std::string& text) { text.assign(decoder.TextView()); }

}  // namespace

std::string ServerOf(std::string_view url) {
  auto const scheme = url.find("://");
  auto const authority = scheme == std::string_view::npos ? 0 : scheme + 3;
  auto const path = std::min(url.find('/', authority), url.size());
  auto const user = url.substr(authority, path - authority).rfind('@');
  auto const host = user == std::string_view::npos ? authority : authority + user + 1;
  auto const rest = url.substr(host);
  return std::string(url.substr(0, authority)) +
         std::string(rest.substr(0, rest.find_first_of("?#")));
}

std::string RootOf(std::vector<BlockDigest> const& blocks) {
  BlockHasher hasher;
  for (auto const& block : blocks) {
    auto const length = Encoder().Number(block.length).Take();
    hasher.Update(std::as_bytes(std::span(length)));
    hasher.Update(std::as_bytes(std::span(block.digest)));
  }
  auto const root = hasher.Digest().digest;
  return {reinterpret_cast<char const*>(root.data()), root.size()};
}

bool AreOf(std::vector<BlockDigest> const& blocks, std::uint64_t size) {
  std::uint64_t covered = 0;
  for (auto const& block : blocks) covered += block.length;
  return covered == size && blocks.size() == (size + kDigestBlock - 1) / kDigestBlock;
}

std::string Encode(Proof const& proof) {
  return Encoder()
      .Number(kProofVersion)
      .Id(proof.id)
      .Number(static_cast<std::uint8_t>(proof.fate))
      .Number(static_cast<std::uint8_t>(proof.proved))
      .Number(proof.inode)
      .Text(proof.path)
      .Number(proof.size)
      .Number(proof.modified)
      .Number(proof.begun)
      .Number(proof.at)
      .Id(proof.upload)
      .Number(proof.requests)
      .Number(proof.sent)
      .Text(proof.root)
      .Text(proof.digests.xxh128)
      .Text(proof.digests.xxh3)
      .Text(proof.digests.sha256)
      .Text(proof.receipt)
      .Text(proof.reason)
      .Text(proof.digests.xxh64)
      .Text(proof.server)
      .Take();
}

bool DecodeProof(std::string_view bytes, Proof& proof) {
  Decoder decoder(bytes);
  auto const version = decoder.Number<std::uint8_t>();
  proof.id = decoder.Id();
  auto const fate = decoder.Number<std::uint8_t>();
  auto const proved = decoder.Number<std::uint8_t>();
  proof.inode = decoder.Number<InodeId>();
  ReadText(decoder, proof.path);
  proof.size = decoder.Number<std::uint64_t>();
  proof.modified = decoder.Number<FileTime>();
  proof.begun = decoder.Number<FileTime>();
  proof.at = decoder.Number<FileTime>();
  proof.upload = decoder.Id();
  proof.requests = decoder.Number<std::uint32_t>();
  proof.sent = decoder.Number<std::uint64_t>();
  ReadText(decoder, proof.root);
  ReadText(decoder, proof.digests.xxh128);
  ReadText(decoder, proof.digests.xxh3);
  ReadText(decoder, proof.digests.sha256);
  ReadText(decoder, proof.receipt);
  ReadText(decoder, proof.reason);
  proof.digests.xxh64.clear();
  if (version >= 2) ReadText(decoder, proof.digests.xxh64);
  proof.server.clear();
  if (version >= 3) ReadText(decoder, proof.server);
  bool const is_known = version >= 1 && version <= kProofVersion && fate >= 1 &&
                        fate <= static_cast<std::uint8_t>(Fate::kRemoved) && proved >= 1 &&
                        proved <= static_cast<std::uint8_t>(ProvedBy::kPerson);
  proof.fate = static_cast<Fate>(fate);
  proof.proved = static_cast<ProvedBy>(proved);
  return is_known && decoder.Finished();
}

}  // namespace tusfs
