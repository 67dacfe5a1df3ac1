#include "tusclient/parallel_upload.h"

#include <algorithm>
#include <utility>

#include "fail.h"
#include "joining.h"
#include "pacer.h"
#include "upload_defaults.h"

namespace tus {
namespace {

constexpr std::size_t kMostClients = 64;

/// What an earlier call has left in the store.
enum class Left {
  kNothing,
  kWhole,   ///< the file was begun over one connection
  kJoined,  ///< its parts may be joined already
};

Result<Left> WhatIsLeft(UploadOptions const& options) {
  if (options.store == nullptr || options.fingerprint.empty()) return Left::kNothing;
  auto const join = options.store->Find(JoinKey(options.fingerprint));
  if (!join) return tl::unexpected(join.error());
  if (*join && (*join)->end != UploadFacts::End::kNotSent) return Left::kJoined;
  auto const whole = options.store->Find(options.fingerprint);
  if (!whole) return tl::unexpected(whole.error());
  return *whole ? Left::kWhole : Left::kNothing;
}

/// Whether the server joins parts, as far as it says so; asks for as long as it cannot be reached.
Result<bool> Joins(Client& client, UploadOptions const& options, std::stop_token const& stop) {
  auto& profile = *options.profile;
  Pacer pacer(options);
  while (!profile.Info()) {
    auto const info = client.Options(stop);
    if (info) {
      profile.Announced(*info);
    } else if (info.error().code == ErrorCode::kUnreachable ||
               info.error().code == ErrorCode::kInterrupted ||
               info.error().code == ErrorCode::kTransient) {
      if (auto last = pacer.Failed(info.error(), stop)) return tl::unexpected(*std::move(last));
    } else {
      return false;  // Upload knows what to make of it
    }
  }
  return profile.Info()->concatenation;
}

std::vector<Part> Plan(std::uint64_t length, std::uint64_t part_size, std::size_t clients) {
  auto const even = length / clients + (length % clients == 0 ? 0 : 1);
  auto const size = std::max(part_size == 0 ? even : part_size, ParallelUpload::kLeastPart);
  return PartsOf(length, size, ParallelUpload::kMostParts);
}

}  // namespace

ParallelUpload::ParallelUpload(std::vector<Client*> clients, ParallelOptions options)
    : clients_(std::move(clients)), options_(std::move(options)) {
  options_.upload = WithDefaults(std::move(options_.upload));
  if (options_.upload.profile == nullptr) options_.upload.profile = &own_profile_;
}

Result<Receipt> ParallelUpload::Send(DataSource& source, std::uint64_t length,
                                     std::stop_token stop) {
  if (clients_.empty() || clients_.size() > kMostClients) {
    return Fail(ErrorCode::kInvalidArgument, "a file is sent by 1 to 64 clients at once");
  }
  if (!options_.upload.upload_url.empty()) {
    return Fail(ErrorCode::kInvalidArgument, "an upload that was made elsewhere has no parts");
  }
  if (auto const checked = options_.upload.profile->rules().Check(); !checked) {
    return tl::unexpected(checked.error());
  }
  auto const left = WhatIsLeft(options_.upload);
  if (!left) return tl::unexpected(left.error());
  if (*left == Left::kJoined) {
    return Fail(
        ErrorCode::kUnconfirmed,
        "an earlier try to join its parts was not answered, and it may have been published");
  }
  auto parts = Plan(length, options_.part_size, clients_.size());
  bool is_whole = *left == Left::kWhole || parts.size() < 2;
  if (!is_whole) {
    auto const joins = Joins(*clients_.front(), options_.upload, stop);
    if (!joins) return tl::unexpected(joins.error());
    is_whole = !*joins;
  }
  if (is_whole) return Upload(*clients_.front(), options_.upload).Send(source, length, stop);
  return Joining(clients_, options_, source, std::move(parts), std::move(stop)).Run();
}

Result<bool> ParallelUpload::Abandon(std::uint64_t length, std::stop_token stop) {
  auto const& options = options_.upload;
  if (clients_.empty() || options.store == nullptr || options.fingerprint.empty()) return false;
  bool any = false;
  for (auto const& part : Plan(length, options_.part_size, clients_.size())) {
    auto const key = part.Key(options.fingerprint);
    auto const found = options.store->Find(key);
    if (!found) return tl::unexpected(found.error());
    if (!*found) continue;
    any = true;
    // Of parts also a complete one goes.
    auto gone = clients_.front()->Terminate((*found)->url, stop);
    if (gone) gone = options.store->Remove(key);
    if (!gone) return tl::unexpected(gone.error());
  }
  auto const forgotten = options.store->Remove(JoinKey(options.fingerprint));
  if (!forgotten) return tl::unexpected(forgotten.error());
  return any;
}

}  // namespace tus
