#include "small_mount.h"

#include <fcntl.h>

#include "filesystem/recovery.h"
#include "fuzz_target.h"

namespace tusfs {
namespace {

using tus::fuzz::Require;

StoreOptions const kStore{.map_size = std::uint64_t{4} << 20,
                          .journal_size = 256 * 1024,
                          .commit_interval = std::chrono::hours(1)};
constexpr SpoolLimits kSpool{.size = std::uint64_t{16} << 20, .reserve = 0};

// Whoever asks is told that nobody is there.
class NoServer : public tus::HttpTransport {
 public:
  tus::Result<tus::HttpResponse> Perform(tus::HttpRequest const&) override {
    return tl::unexpected(tus::Error{.code = tus::ErrorCode::kUnreachable,
                                     .http_status = 0,
                                     .retry_after = {},
                                     .message = "nobody is there"});
  }
};

UploaderOptions OptionsOfUploader() {
  UploaderOptions options;
  options.make_transport = [] { return std::make_unique<NoServer>(); };
  options.client.endpoint = SmallMount::kEndpoint;
  return options;
}

}  // namespace

SmallMount::SmallMount()
    : spool_(Spool::Open(dir_ / "spool", kSpool).value()),
      store_(Store::Open(dir_ / "catalog", kStore, logger_).value()),
      uploader_(std::make_unique<Uploader>(OptionsOfUploader(), rules_, *store_, *spool_, clock_,
                                           logger_)),
      finishing_(std::make_unique<Finishing>(
          FinishingOptions{}, rules_, *store_, *spool_, clock_,
          [this](InodeId inode) { uploader_->Nudge(inode); }, logger_)),
      connection_(Recover(*store_, *spool_, clock_,
                          {.endpoint = kEndpoint, .boot_id = "boot", .uid = 1000, .gid = 1000})
                      .value()),
      filesystem_(std::make_unique<Filesystem>(*store_, *spool_, *uploader_, *finishing_,
                                               processes_, clock_, connection_, logger_)) {}

InodeId SmallMount::AddFile(std::string_view name, std::string_view bytes, InodeId directory) {
  auto const made = filesystem_->Create(kUser, directory, name, 0644, O_WRONLY).value();
  filesystem_->Write(kUser, made.handle, 0, std::as_bytes(std::span(bytes))).value();
  Require(filesystem_->Flush(kUser, made.handle) && filesystem_->Release(made.handle),
          "a file can be closed");
  return made.attributes.inode;
}

}  // namespace tusfs
