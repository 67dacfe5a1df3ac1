// Uploads that have lost their file: kept for another copy of it for a while, then terminated.
#include "uploader/transfer.h"

namespace tusfs {

Transfer::Outcome Transfer::Terminate(Uuid const& id, JobMemory& memory, std::stop_token stop) {
  auto const upload = ledger_.FindOwnerless(id);
  if (!upload) return Postpone(upload.error());
  if (!*upload) return Over();
  auto const until =
      ledger_.Rest(**upload, std::chrono::nanoseconds(shared_.options.adopt_timeout).count());
  if (!until) return Postpone(until.error());
  if (auto const left = until->value_or(0) - shared_.clock.Wall(); *until && left > 0) {
    return {.next = shared_.clock.Steady() + std::chrono::nanoseconds(left)};
  }
  if (auto retired = ledger_.Retire(**upload); !retired) return Postpone(retired.error());
  if ((*upload)->HasParts()) {
    auto const parts = ledger_.Dissolve(**upload);
    if (!parts) return Postpone(parts.error());
    for (auto const& part : *parts) shared_.terminate(part);
    return Over();
  }
  return End(**upload, memory, std::move(stop));
}

Transfer::Outcome Transfer::End(Upload const& upload, JobMemory& memory, std::stop_token stop) {
  // What is published belongs to the ingest and is never deleted from here.
  if (upload.phase == UploadPhase::kComplete) {
    auto const dropped = ledger_.Terminated(upload);
    return dropped ? Over() : Postpone(dropped.error());
  }
  // What a program made, and nothing was sent to, is the program's.
  if (shared_.options.create.IsSet() && upload.frontier == 0) {
    auto const dropped = ledger_.Terminated(upload);
    return dropped ? Over() : Postpone(dropped.error());
  }
  auto const status = client_.Head(upload.url, stop, HeadersOf(upload));
  // Headers of its own that are not taken any more nobody renews for this.
  bool const is_barred =
      !status && !upload.headers.empty() && status.error().code == tus::ErrorCode::kUnauthorized;
  bool const is_gone = !status && (status.error().code == tus::ErrorCode::kGone ||
                                   status.error().code == tus::ErrorCode::kRefused);
  bool const is_final = is_barred || is_gone;
  if (!status && !is_final) return BackOff(status.error(), memory, IsElsewhere(upload));
  // A part publishes nothing by being complete.
  if (status && (!status->Complete() || upload.IsPart())) {
    auto const ended = client_.Terminate(upload.url, stop, HeadersOf(upload));
    if (!ended && ended.error().code != tus::ErrorCode::kRefused) {
      return BackOff(ended.error(), memory, IsElsewhere(upload));
    }
    if (!ended) {
      shared_.logger->Tell(LogLevel::kInfo, {.file = upload.path, .upload = upload.id.ToString()},
                           "the server keeps an abandoned upload tusfsId={} error=\"{}\"",
                           upload.id.ToString(), ended.error().message);
    }
  }
  auto const dropped = ledger_.Terminated(upload);
  return dropped ? Over() : Postpone(dropped.error());
}

}  // namespace tusfs
