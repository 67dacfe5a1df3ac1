// tus-upload: uploads files and standard input to a tus server, and goes on where it was killed.
//
// An example of the library as much as a program: Session shows what it takes to upload something,
// and to go on with it in another process.
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <tusclient/bandwidth.h>
#include <tusclient/checksum.h>
#include <tusclient/client.h>
#include <tusclient/data_source.h>
#include <tusclient/server_profile.h>
#include <tusclient/upload.h>
#include <tusclient/url_store.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "tus_upload_advice.h"
#include "tus_upload_facts.h"
#include "tus_upload_options.h"
#include "tus_upload_progress.h"
#include "tus_upload_state.h"
#include "tus_upload_stop.h"
#include "tus_upload_text.h"

namespace tus_upload {
namespace {

// Exit statuses; scripts depend on them. A signal gives 128 and its number.
constexpr int kDone = 0;
constexpr int kFailed = 1;

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

class Session {
 public:
  /// All of it outlives the session.
  Session(Options const& options, Progress& progress, StopOnSignal const& stop)
      : options_(options),
        progress_(progress),
        stop_(stop),
        bandwidth_(options.limit_rate),
        transport_(tus::MakeCurlTransport(TransportOptions())),
        client_(options.client, *transport_),
        profile_(options.chunks),
        store_(options.state_dir) {}

  /// The exit status.
  int Run() {
    bool all = true;
    for (auto const& file : options_.files) {
      all = (options_.FromStandardInput() ? StandardInput() : File(file)) && all;
      // A signal that came after the last byte has stopped nothing.
      if (!all && stop_.signal() != 0) return 128 + stop_.signal();
    }
    if (all) ForgetFinished();
    if (std::fflush(stdout) != 0) {
      progress_.Complain("the URLs cannot be printed: standard output cannot be written to");
      return kFailed;
    }
    return all ? kDone : kFailed;
  }

 private:
  Options const& options_;
  Progress& progress_;
  StopOnSignal const& stop_;
  tus::BandwidthLimit bandwidth_;
  std::unique_ptr<tus::HttpTransport> transport_;
  tus::Client client_;
  tus::ServerProfile profile_;
  tus::FileUrlStore store_;
  std::vector<std::string> finished_;  ///< keys of files that this command need not send again

  tus::CurlTransportOptions TransportOptions() {
    auto transport = options_.transport;
    transport.bandwidth = &bandwidth_;
    return transport;
  }

  bool File(std::string const& path) {
    auto const source = tus::FileSource::Open(path);
    if (!source) return CannotOpen(path, source.error());
    auto const size = (*source)->size();
    auto const bytes = options_.client.endpoint + " " + (*source)->Fingerprint();
    auto const metadata =
        tus::Expand(options_.metadata, FactsOf(path, size, DigestOfText(bytes).substr(0, 32)));
    auto const key = NameOf(metadata) + " " + bytes;
    progress_.Begin(path, size);
    auto const claim = Prepare(path, key);
    if (!claim) return false;
    if (options_.abandon) return Abandon(path, key);
    if (WasFinished(key)) return true;

    auto upload = UploadOptions(metadata, key);
    if (options_.sha256) {
      progress_.Detail("is being read for its SHA-256");
      auto digest =
          tus::DigestOf(**source, tus::ChecksumAlgorithm::kSha256, 0, size, stop_.token());
      if (!digest) return Failed(path, digest.error());
      upload.sha256 = *std::move(digest);
    }
    auto const receipt =
        tus::Upload(client_, std::move(upload)).Send(**source, size, stop_.token());
    if (!receipt) return Failed(path, receipt.error());
    RememberFinished(key, *receipt);
    return Done(*receipt);
  }

  bool StandardInput() {
    tus::FileFacts const facts{
        .path = options_.name,
        .type = TypeOf(options_.name),
        .modified = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now()),
        .size = {},
        .id = DigestOfText(options_.client.endpoint + " " + options_.name).substr(0, 32)};
    // The time is no part of the key: the next run has another one.
    auto const key = NameOf(options_.metadata) + " " + options_.client.endpoint +
                     " standard input " + options_.name;
    progress_.Begin(options_.name, std::nullopt);
    auto const claim = Prepare(options_.name, key);
    if (!claim) return false;
    if (options_.abandon) return Abandon(options_.name, key);
    if (auto const stored = store_.Find(key); stored && *stored) {
      progress_.Note("an upload of this name was interrupted; the " +
                     Bytes((*stored)->checked_length) +
                     " that were read for it are compared with the input first");
    }
    StandardInputSource source(stop_);
    auto const upload = UploadOptions(tus::Expand(options_.metadata, facts), key);
    auto const receipt = tus::Upload(client_, upload).Send(source, stop_.token());
    if (!receipt) return Failed(options_.name, receipt.error());
    return Done(*receipt);
  }

  // ---- the parts

  /// A short name of metadata or its templates. Other metadata is another upload, because that of
  /// an upload cannot be changed.
  template <typename Pairs>
  static std::string NameOf(Pairs const& pairs) {
    std::string text;
    for (auto const& [key, value] : pairs) text += key + "=" + value + "\n";
    return DigestOfText(text).substr(0, 16);
  }

  /// That the upload can be remembered, and that nobody else sends it.
  std::optional<Claim> Prepare(std::string const& name, std::string const& key) {
    // Looking for it makes the directory, too.
    if (auto const found = store_.Find(key); !found) {
      Complain(name, found.error().message + "; name another directory with --state-dir");
      return std::nullopt;
    }
    auto claim = Claim::Take(options_.state_dir, key);
    if (claim) return *std::move(claim);
    Complain(name, claim.error().message);
    return std::nullopt;
  }

  [[nodiscard]] tus::UploadOptions UploadOptions(tus::Metadata metadata, std::string const& key) {
    tus::UploadOptions upload;
    upload.metadata = std::move(metadata);
    upload.fingerprint = key;
    upload.store = &store_;
    upload.profile = &profile_;
    upload.give_up = options_.give_up;
    upload.checksums = options_.checksums;
    upload.on_sent = [this](std::uint64_t offset) { progress_.Sent(offset); };
    upload.on_confirmed = [this](std::uint64_t offset) { progress_.Confirmed(offset); };
    upload.on_retry = [this](tus::Error const& error, std::chrono::milliseconds delay) {
      progress_.Retry(error, delay);
    };
    upload.on_restart = [this](std::string const& why) {
      progress_.Note("starts over from its first byte: " + why);
    };
    return upload;
  }

  bool Abandon(std::string const& name, std::string const& key) {
    auto const stored = store_.Find(key);
    bool const there = stored && stored->has_value();
    auto const ended = tus::Upload(client_, UploadOptions({}, key)).Abandon(stop_.token());
    static_cast<void>(store_.Remove(FinishedKey(key)));
    if (ended) {
      progress_.Note(there ? "its unfinished upload is deleted" : "no unfinished upload is known");
    } else {
      auto const left = store_.Find(key);
      bool const again = left && left->has_value();
      progress_.Complain("the unfinished upload of " + Quoted(name) +
                         " is not deleted: " + ended.error().message + "; " +
                         (again ? "put that right and run the same command again"
                                : "it is forgotten here, and stays until the server drops it"));
    }
    return ended.has_value();
  }

  bool Done(tus::Receipt const& receipt) {
    progress_.Done(receipt);
    PrintUrl(receipt.url);
    return true;
  }

  void PrintUrl(std::string const& url) const {
    if (options_.print_url) std::printf("%s\n", url.c_str());
  }

  // ---- failures

  void Complain(std::string const& name, std::string const& sentence) {
    progress_.Complain(Quoted(name) + " is not uploaded: " + sentence);
  }

  bool CannotOpen(std::string const& path, tus::Error const& error) {
    std::error_code failed;
    bool const directory = std::filesystem::is_directory(path, failed);
    progress_.Complain(error.message +
                       (directory ? ": name the files in it"
                                  : ": name a file that can be read, or - for standard input"));
    return false;
  }

  bool Failed(std::string const& name, tus::Error const& error) {
    if (error.code == tus::ErrorCode::kCancelled) {
      progress_.Complain("stopped; the server has confirmed " +
                         progress_.HowFar(progress_.confirmed()) + " of " + Quoted(name) + ": " +
                         HowToGoOn(options_));
    } else {
      Complain(name, error.message + "; " + Advice(error, options_));
    }
    return false;
  }

  // ---- a command with several files, of which some are uploaded when it is killed

  [[nodiscard]] std::string FinishedKey(std::string const& key) const {
    std::string command;
    for (auto const& file : options_.files) command += file + '\0';
    return "finished of " + DigestOfText(command).substr(0, 16) + " " + key;
  }

  void RememberFinished(std::string const& key, tus::Receipt const& receipt) {
    if (options_.files.size() < 2) return;
    tus::StoredUpload const record{.url = receipt.url, .length = receipt.size};
    finished_.push_back(FinishedKey(key));
    if (auto const put = store_.Put(finished_.back(), record); !put) {
      progress_.Note(put.error().message + "; run again, the command would send this file again");
    }
  }

  bool WasFinished(std::string const& key) {
    if (options_.files.size() < 2) return false;
    auto const record = store_.Find(FinishedKey(key));
    if (!record || !*record) return false;
    finished_.push_back(FinishedKey(key));
    progress_.Note("was uploaded before this command was interrupted");
    PrintUrl((*record)->url);
    return true;
  }

  void ForgetFinished() {
    for (auto const& key : finished_) static_cast<void>(store_.Remove(key));
  }
};

// Tokens and the URLs of uploads are in its memory.
void KeepMemoryPrivate() {
  ::prctl(PR_SET_DUMPABLE, 0);
  rlimit limit{};
  if (::getrlimit(RLIMIT_CORE, &limit) != 0) return;
  limit.rlim_cur = 0;
  ::setrlimit(RLIMIT_CORE, &limit);
}

int Main(int argc, char const* const* argv) {
  auto const invocation = ParseCommandLine(argc, argv);
  if (!invocation.options) {
    std::fputs(invocation.output.c_str(), invocation.status == 0 ? stdout : stderr);
    return invocation.status;
  }
  auto const& options = *invocation.options;
  if (!options.core_dumps) KeepMemoryPrivate();
  ::signal(SIGPIPE, SIG_IGN);
  StopOnSignal const stop;
  using Words = Progress::Words;
  Progress progress(options.quiet ? Words::kFew : options.verbose ? Words::kMany : Words::kNormal);
  return Session(options, progress, stop).Run();
}

}  // namespace
}  // namespace tus_upload

int main(int argc, char** argv) {
  try {
    return tus_upload::Main(argc, argv);
  } catch (std::exception const& error) {
    std::fprintf(stderr, "tus-upload: stopped: %s; run the same command again\n", error.what());
    return 1;
  }
}
