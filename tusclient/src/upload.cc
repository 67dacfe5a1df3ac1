#include "tusclient/upload.h"

#include <utility>

#include "fail.h"
#include "pacer.h"
#include "sending.h"
#include "upload_defaults.h"

namespace tus {
namespace {

/// Whether another call can still do what this one could not, when somebody has seen to it.
bool IsForLater(ErrorCode code) {
  return code == ErrorCode::kCancelled || code == ErrorCode::kUnauthorized;
}

}  // namespace

Upload::Upload(Client& client, UploadOptions options)
    : client_(client),
      options_(WithDefaults(std::move(options))),
      profile_(options_.profile != nullptr ? *options_.profile : own_profile_) {}

Result<Receipt> Upload::Send(DataSource& source, std::uint64_t length, std::stop_token stop) {
  if (auto const checked = profile_.rules().Check(); !checked) {
    return tl::unexpected(checked.error());
  }
  return Sending(client_, profile_, options_, source, nullptr, length, std::move(stop)).Run();
}

Result<Receipt> Upload::Send(GrowingSource& source, std::stop_token stop) {
  if (!options_.upload_url.empty()) {
    return Fail(ErrorCode::kInvalidArgument,
                "an upload that was made elsewhere is filled from a file whose length is known");
  }
  if (auto const checked = profile_.rules().Check(); !checked) {
    return tl::unexpected(checked.error());
  }
  return Sending(client_, profile_, options_, source, &source, std::nullopt, std::move(stop)).Run();
}

Result<void> Upload::Abandon(std::stop_token stop) {
  if (options_.store == nullptr || options_.fingerprint.empty()) return {};
  auto const stored = options_.store->Find(options_.fingerprint);
  if (!stored) return tl::unexpected(stored.error());
  if (!*stored) return {};
  Pacer pacer(options_);
  while (true) {
    auto const status = client_.Head((*stored)->url, stop);
    Result<void> ended;
    if (status && !status->Complete()) ended = client_.Terminate((*stored)->url, stop);
    if (!status && status.error().code != ErrorCode::kGone) ended = tl::unexpected(status.error());
    if (ended || !IsTransient(ended.error().code)) {
      if (!ended && IsForLater(ended.error().code)) return ended;
      auto const removed = options_.store->Remove(options_.fingerprint);
      return removed ? ended : removed;
    }
    if (auto final_error = pacer.Failed(ended.error(), stop)) {
      return tl::unexpected(*std::move(final_error));
    }
  }
}

}  // namespace tus
