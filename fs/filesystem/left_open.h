// What a kernel connection leaves in the catalog when it ends: its handles, the files that were
// open through them, and inodes that only they have kept.
//
// For EndConnection (orderly_end.h) and Recover (recovery.h), which run while nobody else uses
// store and spool. Nothing here is durable before their Sync.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/error.h"
#include "catalog/store.h"
#include "catalog/tables.h"
#include "spool/spool.h"

namespace tusfs {

/// The number of the last connection that began, and of the last one that ended orderly.
constexpr char const* kConnectionNote = "connection";
constexpr char const* kEndedNote = "ended";

/// What is known of the handles that are in the catalog when their connection has ended.
enum class HandlesLeft {
  kClosed,   ///< nobody had anything open any more: the kernel has only not told of every close
  kOpen,     ///< every close was told of: these were open
  kUnknown,  ///< nobody can tell: everything was killed, or power was lost
};

/// Why files are not finished, by what their handles say; nothing of a file that all of them have
/// closed cleanly.
using Unfinished = std::map<InodeId, std::string>;
[[nodiscard]] Result<Unfinished> JudgeHandles(View const& view, HandlesLeft left,
                                              bool publish_unknown);

/// Ends a file that was being written: with the size that its bytes have it settles, or is
/// interrupted, or has failed. Changes the record in memory; nothing for any other file.
void EndWriting(Spool& spool, Unfinished const& unfinished, Inode& inode);

/// Calls `change` with every regular file that is not uploaded, some in one transaction, and puts
/// those that it has changed. Says in the log what has become interrupted.
[[nodiscard]] Result<void> ChangeWork(
    Store& store, std::function<Result<void>(Transaction&, Inode&)> const& change);

/// Removes the inodes without a name; only open handles have kept them. Returns the versions that
/// they had, to be removed when that is durable.
[[nodiscard]] Result<std::vector<VersionId>> RemoveNameless(Store& store);

}  // namespace tusfs
