#include "catalog/records.h"

#include <cerrno>

#include "catalog/codec.h"

namespace tusfs {
namespace {

constexpr std::uint8_t kRecordVersion = 1;
/// 1 had neither special files nor what a file has gone through, 2 not what is kept of its bytes, 3
/// not what a power cut has left of them, or may.
constexpr std::uint8_t kInodeVersion = 4;
/// 1 did not know who had opened it, 2 not how others had ended beside it.
constexpr std::uint8_t kHandleVersion = 3;
/// 1 had neither an expiry nor a time of rest, 2 not which one was published last, 3 no word about
/// the end, 4 neither headers nor whether it was given up, 5 neither what it took nor its digests,
/// 6 not all of these, 8 no parts.
constexpr std::uint8_t kUploadVersion = 9;

// Values are numbered from 1 without a gap; anything else is damage.
template <auto kLast>
auto ReadEnum(Decoder& decoder) {
  auto const value = decoder.Number<std::uint8_t>();
  if (value < 1 || value > static_cast<std::uint8_t>(kLast)) decoder.Spoil();
  return static_cast<decltype(kLast)>(value);
}

Encoder Begin(std::uint8_t version = kRecordVersion) {
  return std::move(Encoder().Number(version));
}

template <typename Enum>
std::uint8_t Byte(Enum value) {
  return static_cast<std::uint8_t>(value);
}

template <typename Record>
Result<Record> Checked(Decoder const& decoder, std::uint8_t version, Record record,
                       char const* what) {
  if (version != kRecordVersion || !decoder.Finished()) {
    return Fail(EUCLEAN, std::string("the catalog has a damaged record: ") + what);
  }
  return record;
}

// Releases before the fourth version of the record kept the phase alone.
UploadEnd EndOfOld(Upload const& upload) {
  bool const all_sent = upload.frontier > 0 && upload.frontier == upload.length;
  if (upload.phase == UploadPhase::kFinalSent) return UploadEnd::kSent;
  if (upload.phase == UploadPhase::kRefused && all_sent) return UploadEnd::kRefused;
  return UploadEnd::kNotSent;
}

}  // namespace

std::string Encode(Inode const& inode) {
  auto encoder = Begin(kInodeVersion);
  encoder.Number(Byte(inode.type))
      .Number(inode.mode)
      .Number(inode.uid)
      .Number(inode.gid)
      .Number(inode.links)
      .Number(inode.size)
      .Number(inode.accessed)
      .Number(inode.modified)
      .Number(inode.changed)
      .Number(inode.parent)
      .Text(inode.name);
  switch (inode.type) {
    case FileType::kDirectory:
      encoder.Number(inode.next_entry);
      break;
    case FileType::kSymlink:
      encoder.Text(inode.target);
      break;
    case FileType::kRegular:
      encoder.Number(inode.version)
          .Number(Byte(inode.content))
          .Text(inode.reason)
          .Number(inode.synced_size)
          .Id(inode.upload)
          .Number(std::uint8_t{inode.renamed})
          .Number(std::uint8_t{inode.approved})
          .Number(inode.regrown)
          .Number(inode.trimmed)
          .Number(inode.published)
          .Number(inode.kept_at)
          .Number(std::uint8_t{inode.synced})
          .Number(inode.size_before)
          .Number(inode.held)
          .Number(Byte(inode.rewrite));
      break;
    case FileType::kFifo:
    case FileType::kSocket:
    case FileType::kCharDevice:
    case FileType::kBlockDevice:
      encoder.Number(inode.device);
      break;
  }
  return encoder.Take();
}

Result<Inode> DecodeInode(InodeId id, std::string_view bytes) {
  Decoder decoder(bytes);
  auto const version = decoder.Number<std::uint8_t>();
  Inode inode;
  inode.id = id;
  inode.type = ReadEnum<FileType::kBlockDevice>(decoder);
  inode.mode = decoder.Number<std::uint32_t>();
  inode.uid = decoder.Number<std::uint32_t>();
  inode.gid = decoder.Number<std::uint32_t>();
  inode.links = decoder.Number<std::uint32_t>();
  inode.size = decoder.Number<std::uint64_t>();
  inode.accessed = decoder.Number<FileTime>();
  inode.modified = decoder.Number<FileTime>();
  inode.changed = decoder.Number<FileTime>();
  inode.parent = decoder.Number<InodeId>();
  inode.name = decoder.Text();
  switch (inode.type) {
    case FileType::kDirectory:
      inode.next_entry = decoder.Number<std::uint64_t>();
      break;
    case FileType::kSymlink:
      inode.target = decoder.Text();
      break;
    case FileType::kRegular:
      inode.version = decoder.Number<VersionId>();
      inode.content = ReadEnum<Content::kUploaded>(decoder);
      inode.reason = decoder.Text();
      inode.synced_size = decoder.Number<std::uint64_t>();
      inode.upload = decoder.Id();
      if (version == kRecordVersion) break;
      inode.renamed = decoder.Number<std::uint8_t>() != 0;
      inode.approved = decoder.Number<std::uint8_t>() != 0;
      inode.regrown = decoder.Number<std::uint8_t>();
      if (version == 2) break;
      inode.trimmed = decoder.Number<std::uint64_t>();
      inode.published = decoder.Number<FileTime>();
      inode.kept_at = decoder.Number<FileTime>();
      if (version == 3) break;
      inode.synced = decoder.Number<std::uint8_t>() != 0;
      inode.size_before = decoder.Number<std::uint64_t>();
      inode.held = decoder.Number<std::uint64_t>();
      inode.rewrite = ReadEnum<Rewrite::kTorn>(decoder);
      break;
    case FileType::kFifo:
    case FileType::kSocket:
    case FileType::kCharDevice:
    case FileType::kBlockDevice:
      inode.device = decoder.Number<std::uint64_t>();
      break;
    default:
      return Fail(EUCLEAN, "the catalog has an inode of unknown type");
  }
  bool const known = version >= kRecordVersion && version <= kInodeVersion;
  return Checked(decoder, known ? kRecordVersion : version, std::move(inode), "inode");
}

std::string Encode(Entry const& entry) {
  return Begin().Number(entry.inode).Number(Byte(entry.type)).Number(entry.sequence).Take();
}

Result<Entry> DecodeEntry(std::string_view bytes) {
  Decoder decoder(bytes);
  auto const version = decoder.Number<std::uint8_t>();
  Entry entry;
  entry.inode = decoder.Number<InodeId>();
  entry.type = ReadEnum<FileType::kBlockDevice>(decoder);
  entry.sequence = decoder.Number<std::uint64_t>();
  return Checked(decoder, version, entry, "name");
}

std::string Encode(Handle const& handle) {
  auto encoder = Begin(kHandleVersion);
  encoder.Number(handle.inode)
      .Number(handle.flags)
      .Number(std::uint8_t{handle.changed})
      .Number(std::uint8_t{handle.wrote})
      .Number(std::uint8_t{handle.dirty})
      .Number(std::uint8_t{handle.failed_write.has_value()})
      .Number(handle.failed_write.value_or(0))
      .Number(Byte(handle.verdict))
      .Text(handle.reason)
      .Number(handle.connection)
      .Number(static_cast<std::uint32_t>(handle.writers.size()));
  for (auto const process : handle.writers) encoder.Number(process);
  encoder.Number(handle.opener).Number(std::uint8_t{handle.beside_bad});
  return encoder.Take();
}

Result<Handle> DecodeHandle(HandleId id, std::string_view bytes) {
  Decoder decoder(bytes);
  auto const version = decoder.Number<std::uint8_t>();
  Handle handle;
  handle.id = id;
  handle.inode = decoder.Number<InodeId>();
  handle.flags = decoder.Number<std::uint32_t>();
  handle.changed = decoder.Number<std::uint8_t>() != 0;
  handle.wrote = decoder.Number<std::uint8_t>() != 0;
  handle.dirty = decoder.Number<std::uint8_t>() != 0;
  bool const failed = decoder.Number<std::uint8_t>() != 0;
  auto const failed_at = decoder.Number<std::uint64_t>();
  if (failed) handle.failed_write = failed_at;
  handle.verdict = ReadEnum<Verdict::kUnknown>(decoder);
  handle.reason = decoder.Text();
  handle.connection = decoder.Number<std::uint64_t>();
  auto const writers = decoder.Number<std::uint32_t>();
  for (std::uint32_t i = 0; i < writers && decoder.ok(); ++i) {
    handle.writers.insert(decoder.Number<std::int32_t>());
  }
  if (version != kRecordVersion) handle.opener = decoder.Number<std::int32_t>();
  if (version >= kHandleVersion) handle.beside_bad = decoder.Number<std::uint8_t>() != 0;
  bool const known = version >= kRecordVersion && version <= kHandleVersion;
  return Checked(decoder, known ? kRecordVersion : version, std::move(handle), "handle");
}

std::string Encode(Upload const& upload) {
  auto encoder = Begin(kUploadVersion);
  encoder.Number(upload.owner)
      .Number(upload.version)
      .Number(Byte(upload.phase))
      .Text(upload.url)
      .Text(upload.path)
      .Number(upload.offset)
      .Number(upload.frontier)
      .Number(std::uint8_t{upload.length.has_value()})
      .Number(upload.length.value_or(0))
      .Number(upload.created)
      .Text(upload.error)
      .Text(upload.receipt)
      .Number(upload.expires)
      .Number(upload.at_rest)
      .Number(std::uint8_t{upload.last})
      .Number(Byte(upload.end))
      .Text(upload.end_words)
      .Number(std::uint8_t{upload.lost_an_end})
      .Number(std::uint8_t{upload.given_up})
      .Text(upload.headers)
      .Number(upload.requests)
      .Number(upload.sent)
      .Text(upload.digests.xxh128)
      .Text(upload.digests.xxh3)
      .Text(upload.digests.sha256)
      .Text(upload.digests.xxh64)
      .Number(upload.handed)
      .Number(upload.part_size)
      .Id(upload.whole)
      .Number(upload.begin);
  return encoder.Take();
}

Result<Upload> DecodeUpload(Uuid const& id, std::string_view bytes) {
  Decoder decoder(bytes);
  auto const version = decoder.Number<std::uint8_t>();
  Upload upload;
  upload.id = id;
  upload.owner = decoder.Number<InodeId>();
  upload.version = decoder.Number<VersionId>();
  upload.phase = ReadEnum<UploadPhase::kParts>(decoder);
  upload.url = decoder.Text();
  upload.path = decoder.Text();
  upload.offset = decoder.Number<std::uint64_t>();
  upload.frontier = decoder.Number<std::uint64_t>();
  bool const declared = decoder.Number<std::uint8_t>() != 0;
  auto const length = decoder.Number<std::uint64_t>();
  if (declared) upload.length = length;
  upload.created = decoder.Number<FileTime>();
  upload.error = decoder.Text();
  upload.receipt = decoder.Text();
  if (version != kRecordVersion) {
    upload.expires = decoder.Number<FileTime>();
    upload.at_rest = decoder.Number<FileTime>();
  }
  // Those before did not know; what a file owns is what it was published as last.
  upload.last = version >= 3 ? decoder.Number<std::uint8_t>() != 0
                             : upload.owner != 0 && upload.phase == UploadPhase::kComplete;
  if (version >= 4) {
    upload.end = ReadEnum<UploadEnd::kFailed>(decoder);
    upload.end_words = decoder.Text();
    upload.lost_an_end = decoder.Number<std::uint8_t>() != 0;
  } else {
    upload.end = EndOfOld(upload);
    if (upload.end == UploadEnd::kRefused) upload.end_words = upload.error;
  }
  if (version >= 5) {
    upload.given_up = decoder.Number<std::uint8_t>() != 0;
    upload.headers = decoder.Text();
  }
  if (version >= 6) {
    upload.requests = decoder.Number<std::uint32_t>();
    upload.sent = decoder.Number<std::uint64_t>();
    upload.digests.xxh128 = decoder.Text();
    upload.digests.xxh3 = decoder.Text();
    upload.digests.sha256 = decoder.Text();
  }
  if (version >= 7) upload.digests.xxh64 = decoder.Text();
  // Of those before it is known of what the server has, and that was counted.
  upload.handed = version >= 8 ? decoder.Number<std::uint64_t>() : upload.offset;
  if (version >= 9) {
    upload.part_size = decoder.Number<std::uint64_t>();
    upload.whole = decoder.Id();
    upload.begin = decoder.Number<std::uint64_t>();
  }
  bool const known = version >= kRecordVersion && version <= kUploadVersion;
  return Checked(decoder, known ? kRecordVersion : version, std::move(upload), "upload");
}

std::string Encode(Reply const& reply) {
  return Begin()
      .Number(reply.connection)
      .Number(reply.unique)
      .Number(reply.inode)
      .Number(reply.handle)
      .Take();
}

Result<Reply> DecodeReply(std::uint32_t slot, std::string_view bytes) {
  Decoder decoder(bytes);
  auto const version = decoder.Number<std::uint8_t>();
  Reply reply;
  reply.slot = slot;
  reply.connection = decoder.Number<std::uint64_t>();
  reply.unique = decoder.Number<std::uint64_t>();
  reply.inode = decoder.Number<InodeId>();
  reply.handle = decoder.Number<HandleId>();
  return Checked(decoder, version, reply, "reply");
}

}  // namespace tusfs
