// Records: every field comes back, and bytes that are no record are said to be damaged.
#include "catalog/records.h"

#include <gmock/gmock.h>

#include <random>
#include <string>
#include <tuple>

#include "base/fakes.h"
#include "catalog/codec.h"
#include "testing/files.h"

namespace tusfs {
namespace {

Uuid SomeUuid() {
  Uuid uuid;
  for (std::size_t i = 0; i < uuid.bytes.size(); ++i) {
    uuid.bytes[i] = static_cast<std::uint8_t>(250 + i);
  }
  return uuid;
}

Inode SomeFile() {
  return {.id = 0x0123456789abcdef,
          .type = FileType::kRegular,
          .mode = 07751,
          .uid = 0xfffffffe,
          .gid = 1001,
          .links = 3,
          .size = std::uint64_t{1} << 62,
          .accessed = -1,
          .modified = std::numeric_limits<FileTime>::min(),
          .changed = std::numeric_limits<FileTime>::max(),
          .parent = 77,
          .name = std::string("n\0\xffm", 4),
          .target = {},
          .device = 0,
          .version = 99,
          .content = Content::kInterrupted,
          .reason = "its writer was killed by SIGKILL",
          .synced_size = 4711,
          .upload = SomeUuid(),
          .renamed = true,
          .approved = true,
          .regrown = 255,
          .trimmed = 4096,
          .published = 5,
          .kept_at = 6,
          .synced = true,
          .size_before = 8,
          .held = 7,
          .rewrite = Rewrite::kTorn};
}

Inode SomeDirectory() {
  Inode inode;
  inode.id = 5;
  inode.type = FileType::kDirectory;
  inode.mode = 02755;
  inode.links = 4;
  inode.parent = 1;
  inode.name = "dir";
  inode.next_entry = 123'456;
  return inode;
}

Inode SomeSymlink() {
  Inode inode;
  inode.id = 6;
  inode.type = FileType::kSymlink;
  inode.mode = 0777;
  inode.links = 1;
  inode.parent = 1;
  inode.name = "link";
  inode.size = 7;
  inode.target = "../some";
  return inode;
}

auto Fields(Inode const& inode) {
  return std::make_tuple(inode.id, inode.type, inode.mode, inode.uid, inode.gid, inode.links,
                         inode.size, inode.accessed, inode.modified, inode.changed, inode.parent,
                         inode.name, inode.next_entry, inode.target, inode.version, inode.content,
                         inode.reason, inode.synced_size, inode.upload, inode.device, inode.renamed,
                         inode.approved, inode.regrown, inode.trimmed, inode.published,
                         inode.kept_at, inode.synced, inode.size_before, inode.held, inode.rewrite);
}

/// Bytes of what the fourth version of a file's record has added.
constexpr std::size_t kAfterACut = 2 + 2 * sizeof(std::uint64_t);

void ForgetWhatACutHasLeft(Inode& inode) {
  inode.synced = false;
  inode.size_before = inode.held = 0;
  inode.rewrite = Rewrite::kNone;
}

Handle SomeHandle() {
  return {.id = 12,
          .inode = 34,
          .flags = 0x8001,
          .changed = true,
          .wrote = false,
          .dirty = true,
          .failed_write = 0,
          .verdict = Verdict::kDied,
          .reason = "killed",
          .connection = 56,
          .writers = {1, 4'194'304},
          .opener = 17,
          .beside_bad = true};
}

auto Fields(Handle const& handle) {
  return std::make_tuple(handle.id, handle.inode, handle.flags, handle.changed, handle.wrote,
                         handle.dirty, handle.failed_write, handle.verdict, handle.reason,
                         handle.connection, handle.writers, handle.opener, handle.beside_bad);
}

Reply SomeReply() {
  return {.slot = 3, .connection = 4, .unique = 0x0123456789abcdef, .inode = 5, .handle = 6};
}

auto Fields(Reply const& reply) {
  return std::make_tuple(reply.slot, reply.connection, reply.unique, reply.inode, reply.handle);
}

Upload SomeUpload() {
  return {.id = SomeUuid(),
          .owner = 7,
          .version = 8,
          .phase = UploadPhase::kFinalSent,
          .url = "http://tus/files/secret",
          .path = "a/b",
          .offset = 1,
          .frontier = 2,
          .length = 3,
          .created = -5,
          .expires = 6,
          .at_rest = 7,
          .last = true,
          .error = "oops",
          .receipt = "h: v\n\nbody",
          .end = UploadEnd::kFailed,
          .end_words = "the hook says no",
          .lost_an_end = true,
          .given_up = true,
          .headers = "Signature: s3cret\n",
          .requests = 9,
          .sent = 10,
          .digests = {.xxh128 = "long", .xxh3 = "short", .sha256 = "sha", .xxh64 = "old"},
          .handed = 11,
          .part_size = 12,
          .whole = Uuid{.bytes = {9, 8, 7}},
          .begin = 13};
}

auto Fields(Upload const& upload) {
  return std::make_tuple(upload.id, upload.owner, upload.version, upload.phase, upload.url,
                         upload.path, upload.offset, upload.frontier, upload.length, upload.created,
                         upload.expires, upload.at_rest, upload.last, upload.error, upload.receipt,
                         upload.end, upload.end_words, upload.lost_an_end, upload.given_up,
                         upload.headers, upload.requests, upload.sent, upload.digests.xxh128,
                         upload.digests.xxh3, upload.digests.sha256, upload.digests.xxh64,
                         upload.handed, upload.part_size, upload.whole, upload.begin);
}

// What the eighth version did not have.
std::size_t BytesOfParts(Upload const& upload) {
  return sizeof upload.part_size + sizeof upload.whole.bytes + sizeof upload.begin;
}

void ForgetParts(Upload& upload) {
  upload.part_size = upload.begin = 0;
  upload.whole = {};
}

// What the fifth version did not have.
std::size_t BytesBehindHeaders(Upload const& upload) {
  auto const& digests = upload.digests;
  return sizeof upload.requests + sizeof upload.sent + 4 * sizeof(std::uint32_t) +
         digests.xxh128.size() + digests.xxh3.size() + digests.sha256.size() +
         digests.xxh64.size() + sizeof upload.handed + BytesOfParts(upload);
}

void ForgetDigests(Upload& upload) {
  upload.requests = 0;
  upload.sent = 0;
  upload.digests = {};
  upload.handed = upload.offset;
  ForgetParts(upload);
}

// As the first versions of the record had it: without what follows `last`.
std::string WithoutEnd(Upload const& upload) {
  auto bytes = Encode(upload);
  auto const texts = 2 * sizeof(std::uint32_t) + upload.end_words.size() + upload.headers.size();
  bytes.resize(bytes.size() - 3 - texts - BytesBehindHeaders(upload));
  return bytes;
}

void ForgetEnd(Upload& upload, UploadEnd end) {
  upload.end = end;
  upload.end_words = end == UploadEnd::kRefused ? upload.error : "";
  upload.lost_an_end = upload.given_up = false;
  upload.headers.clear();
  ForgetDigests(upload);
}

TEST(Records, EveryFieldOfAFileComesBack) {
  auto const inode = SomeFile();
  EXPECT_EQ(Fields(DecodeInode(inode.id, Encode(inode)).value()), Fields(inode));
}

TEST(Records, EveryFieldOfADirectoryComesBack) {
  auto const inode = SomeDirectory();
  EXPECT_EQ(Fields(DecodeInode(inode.id, Encode(inode)).value()), Fields(inode));
}

TEST(Records, EveryFieldOfASpecialFileComesBack) {
  for (auto const type :
       {FileType::kFifo, FileType::kSocket, FileType::kCharDevice, FileType::kBlockDevice}) {
    auto inode = SomeSymlink();
    inode.type = type;
    inode.target.clear();
    inode.device = std::uint64_t{1} << 40;
    EXPECT_EQ(Fields(DecodeInode(inode.id, Encode(inode)).value()), Fields(inode));
  }
}

TEST(Records, EveryFieldOfASymlinkComesBack) {
  auto const inode = SomeSymlink();
  EXPECT_EQ(Fields(DecodeInode(inode.id, Encode(inode)).value()), Fields(inode));
}

TEST(Records, EveryFieldOfAHandleComesBack) {
  auto handle = SomeHandle();
  EXPECT_EQ(Fields(DecodeHandle(handle.id, Encode(handle)).value()), Fields(handle));
  std::tie(handle.changed, handle.wrote, handle.dirty) = std::make_tuple(false, true, false);
  handle.failed_write.reset();
  handle.writers.clear();
  EXPECT_EQ(Fields(DecodeHandle(handle.id, Encode(handle)).value()), Fields(handle));
}

TEST(Records, EveryFieldOfAnUploadComesBackWithALengthOrWithout) {
  auto upload = SomeUpload();
  EXPECT_EQ(Fields(DecodeUpload(upload.id, Encode(upload)).value()), Fields(upload));
  upload.length.reset();
  EXPECT_EQ(Fields(DecodeUpload(upload.id, Encode(upload)).value()), Fields(upload));
  upload.length = 0;
  EXPECT_EQ(Fields(DecodeUpload(upload.id, Encode(upload)).value()), Fields(upload));
}

TEST(Records, AnUploadOfTheReleaseBeforeHasNoParts) {
  auto upload = SomeUpload();
  auto bytes = Encode(upload);
  bytes.resize(bytes.size() - BytesOfParts(upload));
  bytes[0] = 8;
  ForgetParts(upload);
  EXPECT_EQ(Fields(DecodeUpload(upload.id, bytes).value()), Fields(upload));
}

TEST(Records, AnUploadOfAnOlderReleaseHasNoDigests) {
  auto upload = SomeUpload();
  auto bytes = Encode(upload);
  bytes.resize(bytes.size() - BytesBehindHeaders(upload));
  bytes[0] = 5;
  ForgetDigests(upload);
  EXPECT_EQ(Fields(DecodeUpload(upload.id, bytes).value()), Fields(upload));
}

TEST(Records, AnUploadOfAnOldReleaseHasNoExpiry) {
  auto upload = SomeUpload();
  auto bytes = WithoutEnd(upload);
  bytes.resize(bytes.size() - 1 - 2 * sizeof(FileTime));
  bytes[0] = 1;
  ForgetEnd(upload, UploadEnd::kSent);
  upload.expires = upload.at_rest = 0;
  upload.last = false;
  EXPECT_EQ(Fields(DecodeUpload(upload.id, bytes).value()), Fields(upload));
}

TEST(Records, OfTheReleaseBeforeWhatAFileHasAndIsCompleteWasPublishedLast) {
  for (auto const& [owner, phase, last] :
       {std::tuple{InodeId{7}, UploadPhase::kComplete, true},
        std::tuple{InodeId{0}, UploadPhase::kComplete, false},
        std::tuple{InodeId{7}, UploadPhase::kFinalSent, false}}) {
    auto upload = SomeUpload();
    upload.owner = owner;
    upload.phase = phase;
    auto bytes = WithoutEnd(upload);
    bytes.resize(bytes.size() - 1);
    bytes[0] = 2;
    upload.last = last;
    ForgetEnd(upload, phase == UploadPhase::kFinalSent ? UploadEnd::kSent : UploadEnd::kNotSent);
    EXPECT_EQ(Fields(DecodeUpload(upload.id, bytes).value()), Fields(upload));
  }
}

TEST(Records, OfTheReleaseBeforeARefusalAfterAllWasSentIsOneOfTheEnd) {
  for (auto const& [frontier, end] : {std::pair{std::uint64_t{3}, UploadEnd::kRefused},
                                      std::pair{std::uint64_t{2}, UploadEnd::kNotSent}}) {
    auto upload = SomeUpload();
    upload.phase = UploadPhase::kRefused;
    upload.frontier = frontier;
    auto bytes = WithoutEnd(upload);
    bytes[0] = 3;
    ForgetEnd(upload, end);
    EXPECT_EQ(Fields(DecodeUpload(upload.id, bytes).value()), Fields(upload));
  }
}

TEST(Records, AFileOfTheReleaseBeforeIsNotKnownToBeOnDisk) {
  auto inode = SomeFile();
  auto bytes = Encode(inode);
  bytes.resize(bytes.size() - kAfterACut);
  bytes[0] = 3;
  ForgetWhatACutHasLeft(inode);
  EXPECT_EQ(Fields(DecodeInode(inode.id, bytes).value()), Fields(inode));
}

TEST(Records, AHandleOfTheReleaseBeforeHasNoOpener) {
  auto handle = SomeHandle();
  auto bytes = Encode(handle);
  bytes.resize(bytes.size() - 1);
  bytes[0] = 2;
  handle.beside_bad = false;
  EXPECT_EQ(Fields(DecodeHandle(handle.id, bytes).value()), Fields(handle));
  bytes.resize(bytes.size() - sizeof handle.opener);
  bytes[0] = 1;
  handle.opener = 0;
  EXPECT_EQ(Fields(DecodeHandle(handle.id, bytes).value()), Fields(handle));
}

TEST(Records, AFileOfAnOlderReleaseIsNotKnownToBeKept) {
  auto inode = SomeFile();
  auto bytes = Encode(inode);
  bytes.resize(bytes.size() - kAfterACut - 3 * sizeof(FileTime));
  bytes[0] = 2;
  ForgetWhatACutHasLeft(inode);
  inode.trimmed = 0;
  inode.published = inode.kept_at = 0;
  EXPECT_EQ(Fields(DecodeInode(inode.id, bytes).value()), Fields(inode));
}

TEST(Records, AFileOfAnOldReleaseHasGoneThroughNothing) {
  auto inode = SomeFile();
  auto bytes = Encode(inode);
  bytes.resize(bytes.size() - kAfterACut - 3 - 3 * sizeof(FileTime));
  ForgetWhatACutHasLeft(inode);
  inode.trimmed = 0;
  inode.published = inode.kept_at = 0;
  bytes[0] = 1;
  inode.renamed = inode.approved = false;
  inode.regrown = 0;
  EXPECT_EQ(Fields(DecodeInode(inode.id, bytes).value()), Fields(inode));
}

TEST(Records, EveryFieldOfAReplyComesBack) {
  auto const reply = SomeReply();
  EXPECT_EQ(Fields(DecodeReply(reply.slot, Encode(reply)).value()), Fields(reply));
}

TEST(Records, AnEntryComesBack) {
  auto const entry = DecodeEntry(Encode(Entry{1, FileType::kSymlink, 9})).value();
  EXPECT_EQ(entry.inode, 1U);
  EXPECT_EQ(entry.type, FileType::kSymlink);
  EXPECT_EQ(entry.sequence, 9U);
}

// ---- damage

template <typename Decode>
void ExpectDamagedWhenCut(std::string const& bytes, Decode const& decode) {
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(CodeOf(decode(bytes.substr(0, size))), EUCLEAN) << "cut at " << size;
  }
  EXPECT_EQ(CodeOf(decode(bytes + '\0')), EUCLEAN) << "a byte too many";
}

template <typename Decode>
void ExpectRecordOrDamage(Decode const& decode) {
  for (std::uint64_t seed = 0; seed < 3000; ++seed) {
    auto bytes = tusfs_testing::RandomBytes(seed % 150, seed);
    if (!bytes.empty()) bytes[0] = 1;  // the version, so that the fields are looked at
    if (bytes.size() > 1 && seed % 2 == 0) bytes[1] = static_cast<char>(1 + seed % 3);
    auto const code = CodeOf(decode(bytes));
    EXPECT_TRUE(code == 0 || code == EUCLEAN) << code << " with seed " << seed;
  }
}

TEST(DamagedRecords, AreRecognisedWhereverTheyAreCut) {
  auto const as_inode = [](std::string const& bytes) { return DecodeInode(1, bytes); };
  ExpectDamagedWhenCut(Encode(SomeFile()), as_inode);
  ExpectDamagedWhenCut(Encode(SomeDirectory()), as_inode);
  ExpectDamagedWhenCut(Encode(SomeSymlink()), as_inode);
  ExpectDamagedWhenCut(Encode(SomeHandle()),
                       [](std::string const& bytes) { return DecodeHandle(1, bytes); });
  ExpectDamagedWhenCut(Encode(SomeReply()),
                       [](std::string const& bytes) { return DecodeReply(1, bytes); });
  ExpectDamagedWhenCut(Encode(SomeUpload()),
                       [](std::string const& bytes) { return DecodeUpload({}, bytes); });
  ExpectDamagedWhenCut(Encode(Entry{1, FileType::kRegular, 2}),
                       [](std::string const& bytes) { return DecodeEntry(bytes); });
}

TEST(DamagedRecords, RandomBytesNeverDoHarm) {
  ExpectRecordOrDamage([](std::string const& bytes) { return DecodeInode(1, bytes); });
  ExpectRecordOrDamage([](std::string const& bytes) { return DecodeHandle(1, bytes); });
  ExpectRecordOrDamage([](std::string const& bytes) { return DecodeReply(1, bytes); });
  ExpectRecordOrDamage([](std::string const& bytes) { return DecodeUpload({}, bytes); });
  ExpectRecordOrDamage([](std::string const& bytes) { return DecodeEntry(bytes); });
}

TEST(DamagedRecords, AnotherVersionIsNotReadAsThisOne) {
  auto bytes = Encode(SomeFile());
  bytes[0] = 5;
  EXPECT_EQ(CodeOf(DecodeInode(1, bytes)), EUCLEAN);
  bytes[0] = 0;
  EXPECT_EQ(CodeOf(DecodeInode(1, bytes)), EUCLEAN);
}

TEST(DamagedRecords, AValueThatNoEnumHasIsDamage) {
  auto inode = SomeFile();
  inode.content = static_cast<Content>(77);
  EXPECT_EQ(CodeOf(DecodeInode(1, Encode(inode))), EUCLEAN);
  auto upload = SomeUpload();
  upload.phase = static_cast<UploadPhase>(77);
  EXPECT_EQ(CodeOf(DecodeUpload({}, Encode(upload))), EUCLEAN);
  auto handle = SomeHandle();
  handle.verdict = static_cast<Verdict>(0);
  EXPECT_EQ(CodeOf(DecodeHandle(1, Encode(handle))), EUCLEAN);
  EXPECT_EQ(CodeOf(DecodeEntry(Encode(Entry{1, static_cast<FileType>(9), 2}))), EUCLEAN);
}

// ---- the grammar underneath

TEST(Codec, KeysSortAsTheirNumbersDo) {
  EXPECT_LT(Key(255), Key(256));
  EXPECT_LT(Key(1, 0xffffffffffffffff), Key(2, 0));
  EXPECT_LT(Key(1), Key(1, "a"));
  EXPECT_EQ(KeyNumber(Key(7, 9), 8), 9U);
  EXPECT_EQ(KeyNumber("short"), 0U);
}

TEST(Codec, ADecoderThatRanOutStaysBad) {
  Decoder decoder(std::string_view("\x05\0\0\0ab", 6));
  EXPECT_EQ(decoder.Text(), "");
  EXPECT_FALSE(decoder.ok());
  EXPECT_EQ(decoder.Number<std::uint8_t>(), 0);
  EXPECT_FALSE(decoder.Finished());
}

}  // namespace
}  // namespace tusfs
