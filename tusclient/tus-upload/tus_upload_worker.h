// Uploads one file after the other, and shows what it takes: an example of the library as much as a
// part of the program. One of the threads of a session.
#pragma once

#include <tusclient/bandwidth.h>
#include <tusclient/client.h>
#include <tusclient/parallel_upload.h>
#include <tusclient/server_profile.h>
#include <tusclient/upload.h>
#include <tusclient/url_store.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tus_upload_finished.h"
#include "tus_upload_options.h"
#include "tus_upload_order.h"
#include "tus_upload_plan.h"
#include "tus_upload_report.h"
#include "tus_upload_state.h"
#include "tus_upload_stop.h"

namespace tus_upload {

/// What the workers of a session share; all of it outlives them and is thread-safe.
struct Shared {
  Options const& options;
  Report& report;
  StopOnSignal const& stop;
  tus::BandwidthLimit& bandwidth;
  tus::ServerProfile& profile;
  tus::FileUrlStore& store;
  FinishedUploads& finished;
  TakenUp& taken_up;
};

/// What has become of one file.
struct Outcome {
  enum class Kind { kUploaded, kSame, kAbandoned, kFailed, kStopped };
  Kind kind = Kind::kFailed;
  std::string url{};        ///< of kUploaded; a bearer secret
  std::uint64_t bytes = 0;  ///< likewise
  std::uint64_t sent = 0;   ///< likewise, bytes over the network
  std::size_t same_as = 0;  ///< kSame: the number of the file whose upload it is
};

/// For one thread.
class Worker {
 public:
  explicit Worker(Shared& shared);

  /// Uploads or abandons the file of that number, and tells the report of it.
  [[nodiscard]] Outcome File(std::size_t number, PlannedFile const& file);
  [[nodiscard]] Outcome StandardInput();

 private:
  Shared& shared_;
  Options const& options_;
  /// One for each part of a file that goes at once, each with a transport of its own.
  std::vector<std::unique_ptr<tus::HttpTransport>> transports_;
  std::vector<std::unique_ptr<tus::Client>> clients_;

  [[nodiscard]] Outcome Send(tus::FileSource& source, std::string const& name,
                             tus::UploadOptions upload, FileReport& report);
  [[nodiscard]] std::optional<Claim> Prepare(std::string const& name, std::string const& key,
                                             FileReport& report);
  [[nodiscard]] tus::UploadOptions UploadOptions(tus::Metadata metadata, std::string const& key,
                                                 FileReport& report);
  [[nodiscard]] Outcome Abandon(std::string const& name, std::string const& key, std::uint64_t size,
                                FileReport& report);
  [[nodiscard]] tus::ParallelUpload InParts(tus::UploadOptions upload) const;
  [[nodiscard]] tus::Client& client() { return *clients_.front(); }
  [[nodiscard]] bool Remembers() const;
  [[nodiscard]] std::optional<Outcome> WasFinished(std::string const& key, FileReport& report);
  [[nodiscard]] Outcome CannotOpen(PlannedFile const& file, tus::Error const& error,
                                   FileReport& report) const;
  [[nodiscard]] Outcome Ended(std::string const& name, std::optional<std::uint64_t> size,
                              tus::Result<tus::Receipt> const& receipt, FileReport& report) const;
};

}  // namespace tus_upload
