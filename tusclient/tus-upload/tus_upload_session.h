// One command: its files, shared out to threads, and what it comes to.
#pragma once

#include <tusclient/bandwidth.h>
#include <tusclient/server_profile.h>
#include <tusclient/url_store.h>

#include <atomic>
#include <cstddef>
#include <exception>
#include <mutex>
#include <optional>

#include "tus_upload_finished.h"
#include "tus_upload_options.h"
#include "tus_upload_order.h"
#include "tus_upload_plan.h"
#include "tus_upload_report.h"
#include "tus_upload_stop.h"
#include "tus_upload_worker.h"

namespace tus_upload {

/// For the thread that made it.
class Session {
 public:
  /// All of it outlives the session.
  Session(Options const& options, Report& report, StopOnSignal const& stop);

  /// Blocks until all files have ended, or a signal has ended all. The exit status.
  [[nodiscard]] int Run();

 private:
  Options const& options_;
  Report& report_;
  StopOnSignal const& stop_;
  tus::BandwidthLimit bandwidth_;
  tus::ServerProfile profile_;
  tus::FileUrlStore store_;
  FinishedUploads finished_;
  TakenUp taken_up_;
  Plan const plan_;
  UrlsInOrder urls_;
  Shared shared_;

  std::atomic<std::size_t> next_ = 0;  ///< the first file that no worker has taken
  std::mutex mutex_;                   // over what follows
  Summary summary_;
  std::size_t good_ = 0;  ///< files with which all is well
  bool told_ = false;     ///< that the command was stopped
  std::exception_ptr broken_;

  void Work();
  [[nodiscard]] std::optional<std::size_t> Next();
  void Take(std::size_t number, Outcome outcome);
  [[nodiscard]] int Status();
};

}  // namespace tus_upload
