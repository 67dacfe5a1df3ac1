#include "tus_upload_worker.h"

#include <tusclient/checksum.h>
#include <tusclient/data_source.h>
#include <tusclient/hex.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <system_error>
#include <utility>

#include "tus_upload_advice.h"
#include "tus_upload_facts.h"
#include "tus_upload_text.h"

namespace tus_upload {
namespace {

// Ctrl-C goes to a whole pipeline. Whoever feeds this program may have died of it before this
// program knows, and the end of half an input is not the end of the upload.
class StandardInputSource : public tus::PipeSource {
 public:
  explicit StandardInputSource(StopOnSignal const& stop) : PipeSource(STDIN_FILENO), stop_(stop) {}

  tus::Result<Extent> Await(std::uint64_t from, std::uint64_t end,
                            std::chrono::milliseconds patience, std::stop_token stop) override {
    auto extent = PipeSource::Await(from, end, patience, std::move(stop));
    if (!extent || !extent->ended || !stop_.HasCome()) return extent;
    tus::Error error;
    error.code = tus::ErrorCode::kCancelled;
    error.message = "the upload was cancelled";
    return tl::unexpected(error);
  }

 private:
  StopOnSignal const& stop_;
};

/// A short name of metadata or its templates. Other metadata is another upload, because that of an
/// upload cannot be changed.
template <typename Pairs>
std::string NameOf(Pairs const& pairs) {
  std::string text;
  for (auto const& [key, value] : pairs) text += key + "=" + value + "\n";
  return DigestOfText(text).substr(0, 16);
}

std::string NotUploaded(std::string const& name, std::string const& why) {
  return Quoted(name) + " is not uploaded: " + why;
}

tus::CurlTransportOptions TransportOptions(Shared const& shared) {
  auto transport = shared.options.transport;
  transport.bandwidth = &shared.bandwidth;
  return transport;
}

}  // namespace

Worker::Worker(Shared& shared) : shared_(shared), options_(shared.options) {
  for (unsigned part = 0; part < options_.parts; ++part) {
    transports_.push_back(tus::MakeCurlTransport(TransportOptions(shared)));
    clients_.push_back(std::make_unique<tus::Client>(options_.client, *transports_.back()));
  }
}

Outcome Worker::File(std::size_t number, PlannedFile const& file) {
  auto const& path = file.path;
  auto const report = shared_.report.Open(path, file.size);
  using Links = tus::FileSource::Links;
  auto const source = tus::FileSource::Open(path, file.found ? Links::kRefuse : Links::kFollow);
  if (!source) return CannotOpen(file, source.error(), *report);
  auto const size = (*source)->size();
  auto const bytes = options_.client.endpoint + " " + (*source)->Fingerprint();
  auto facts = FactsOf(path, size, DigestOfText(bytes).substr(0, 32));
  // Its digest says no more of the file than that it is the same.
  auto const key = NameOf(tus::Expand(options_.metadata, facts)) + " " + bytes;
  // In one folder nothing is found twice.
  auto const earlier = options_.files.size() > 1 ? shared_.taken_up.Earlier(key, number)
                                                 : std::optional<std::size_t>();
  if (earlier) {
    shared_.report.Skipped(path, "is named twice, and counts once");
    return {.kind = Outcome::Kind::kSame, .same_as = *earlier};
  }
  report->Begin(size);
  auto const claim = Prepare(path, key, *report);
  if (!claim) return {};
  if (options_.abandon) return Abandon(path, key, size, *report);
  if (auto finished = WasFinished(key, *report)) return *std::move(finished);
  if (tus::NeedSha1(options_.metadata)) {
    report->Detail("is being read for its SHA-1");
    auto const digest =
        tus::DigestOf(**source, tus::ChecksumAlgorithm::kSha1, 0, size, shared_.stop.token());
    if (!digest) return Ended(path, size, tl::unexpected(digest.error()), *report);
    facts.sha1 = tus::EncodeHex(*digest);
  }
  auto const metadata = tus::Expand(options_.metadata, facts);
  return Send(**source, path, UploadOptions(metadata, key, *report), *report);
}

Outcome Worker::Send(tus::FileSource& source, std::string const& name, tus::UploadOptions upload,
                     FileReport& report) {
  auto const size = source.size();
  auto const stop = shared_.stop.token();
  if (options_.sha256) {
    report.Detail("is being read for its SHA-256");
    auto digest = tus::DigestOf(source, tus::ChecksumAlgorithm::kSha256, 0, size, stop);
    if (!digest) return Ended(name, size, tl::unexpected(digest.error()), report);
    upload.sha256 = *std::move(digest);
  }
  if (Remembers()) {
    // Before the unfinished upload is forgotten: at no moment is nothing known of the file.
    upload.on_completed = [this, key = upload.fingerprint, &report](tus::Receipt const& receipt) {
      auto const added = shared_.finished.Add(key, {.size = receipt.size, .url = receipt.url});
      if (added) return;
      report.Note(added.error().message + "; run again, the command would send this file again");
    };
  }
  // Also where it goes in one: an earlier run may have joined its parts.
  auto const receipt = options_.upload_url.empty()
                           ? InParts(std::move(upload)).Send(source, size, stop)
                           : tus::Upload(client(), std::move(upload)).Send(source, size, stop);
  return Ended(name, size, receipt, report);
}

Outcome Worker::StandardInput() {
  auto const& name = options_.name;
  tus::FileFacts const facts{
      .path = name,
      .type = TypeOf(name),
      .modified = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now()),
      .size = {},
      .id = DigestOfText(options_.client.endpoint + " " + name).substr(0, 32),
      .sha1 = {},
      .host = HostName(),
      .machine_id = {}};
  // The time is no part of the key: the next run has another one.
  auto const key =
      NameOf(options_.metadata) + " " + options_.client.endpoint + " standard input " + name;
  auto const report = shared_.report.Open(name, 0);
  report->Begin(std::nullopt);
  auto const claim = Prepare(name, key, *report);
  if (!claim) return {};
  if (options_.abandon) return Abandon(name, key, 0, *report);
  if (auto const stored = shared_.store.Find(key); stored && *stored) {
    report->Note("an upload of this name was interrupted; the " + Bytes((*stored)->checked_length) +
                 " that were read for it are compared with the input first");
  }
  StandardInputSource source(shared_.stop);
  tus::Upload upload(client(), UploadOptions(tus::Expand(options_.metadata, facts), key, *report));
  return Ended(name, std::nullopt, upload.Send(source, shared_.stop.token()), *report);
}

// ---- the parts

/// That the upload can be remembered, and that nobody else sends it.
std::optional<Claim> Worker::Prepare(std::string const& name, std::string const& key,
                                     FileReport& report) {
  // Looking for it makes the directory, too.
  if (auto const found = shared_.store.Find(key); !found) {
    auto const& error = found.error();
    report.Failed(NotUploaded(name, error.message + "; name another directory with --state-dir"),
                  &error);
    return std::nullopt;
  }
  auto claim = Claim::Take(options_.state_dir, key);
  if (claim) return *std::move(claim);
  report.Failed(NotUploaded(name, claim.error().message), &claim.error());
  return std::nullopt;
}

tus::UploadOptions Worker::UploadOptions(tus::Metadata metadata, std::string const& key,
                                         FileReport& report) {
  tus::UploadOptions upload;
  upload.metadata = std::move(metadata);
  upload.upload_url = options_.upload_url;
  upload.fingerprint = key;
  upload.store = &shared_.store;
  upload.profile = &shared_.profile;
  upload.give_up = options_.give_up;
  upload.checksums = options_.checksums;
  upload.on_sent = [&report](std::uint64_t offset) { report.Sent(offset); };
  upload.on_confirmed = [&report](std::uint64_t offset) { report.Confirmed(offset); };
  upload.on_retry = [&report](tus::Error const& error, std::chrono::milliseconds delay) {
    report.Retry(error, delay);
  };
  upload.on_restart = [&report](std::string const& why) { report.Restart(why); };
  return upload;
}

tus::ParallelUpload Worker::InParts(tus::UploadOptions upload) const {
  std::vector<tus::Client*> clients;
  for (auto const& client : clients_) clients.push_back(client.get());
  return {std::move(clients), {.upload = std::move(upload)}};
}

Outcome Worker::Abandon(std::string const& name, std::string const& key, std::uint64_t size,
                        FileReport& report) {
  auto const stored = shared_.store.Find(key);
  bool const there = stored && stored->has_value();
  auto const stop = shared_.stop.token();
  auto ended = InParts(UploadOptions({}, key, report)).Abandon(size, stop);
  if (ended) {
    auto const whole = tus::Upload(client(), UploadOptions({}, key, report)).Abandon(stop);
    if (!whole) ended = tl::unexpected(whole.error());
  }
  if (ended) {
    report.Abandoned(there || *ended);
    return {.kind = Outcome::Kind::kAbandoned};
  }
  auto const left = shared_.store.Find(key);
  bool const again = left && left->has_value();
  report.Failed("the unfinished upload of " + Quoted(name) +
                    " is not deleted: " + ended.error().message + "; " +
                    (again ? "put that right and run the same command again"
                           : "it is forgotten here, and stays until the server drops it"),
                &ended.error());
  return {};
}

// ---- a command with several files, of which some are uploaded when it is killed

bool Worker::Remembers() const { return options_.recursive || options_.files.size() > 1; }

std::optional<Outcome> Worker::WasFinished(std::string const& key, FileReport& report) {
  if (!Remembers()) return std::nullopt;
  auto const finished = shared_.finished.Find(key);
  if (!finished) return std::nullopt;
  // Where the command was killed between the two.
  static_cast<void>(shared_.store.Remove(key));
  report.WasDone(finished->size, finished->url);
  return Outcome{.kind = Outcome::Kind::kUploaded, .url = finished->url, .bytes = finished->size};
}

// ---- how it ends

Outcome Worker::CannotOpen(PlannedFile const& file, tus::Error const& error,
                           FileReport& report) const {
  std::error_code failed;
  bool const directory = std::filesystem::is_directory(file.path, failed);
  auto const advice = file.found  ? ": run the same command again when it can be uploaded"
                      : directory ? ": name the files in it, or upload all that is in it with -r"
                                  : ": name a file that can be read, or - for standard input";
  report.Failed(error.message + advice, &error);
  return {};
}

Outcome Worker::Ended(std::string const& name, std::optional<std::uint64_t> size,
                      tus::Result<tus::Receipt> const& receipt, FileReport& report) const {
  if (receipt) {
    report.Done(*receipt);
    return {.kind = Outcome::Kind::kUploaded,
            .url = receipt->url,
            .bytes = receipt->size,
            .sent = receipt->sent};
  }
  auto const& error = receipt.error();
  if (error.code != tus::ErrorCode::kCancelled) {
    report.Failed(NotUploaded(name, error.message + "; " + Advice(error, options_)), &error);
    return {};
  }
  report.Failed("stopped; the server has confirmed " + HowFar(report.confirmed(), size) + " of " +
                    Quoted(name) + ": " + HowToGoOn(options_),
                &error);
  return {.kind = Outcome::Kind::kStopped};
}

}  // namespace tus_upload
