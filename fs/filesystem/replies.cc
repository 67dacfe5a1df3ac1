#include "filesystem/replies.h"

#include "catalog/tables.h"

namespace tusfs {

Result<std::optional<Reply>> Replies::FindEarlier(Caller const& caller) const {
  auto const& request = caller.request;
  if (!request.replayed) return std::optional<Reply>();
  return store_.Read(
      [&](View const& view) { return FindReply(view, connection_, request.slot, request.unique); });
}

void Replies::Remember(Transaction& transaction, Caller const& caller, InodeId inode,
                       HandleId handle) const {
  auto const& request = caller.request;
  if (request.unique == 0) return;
  PutReply(transaction, {.slot = request.slot,
                         .connection = connection_,
                         .unique = request.unique,
                         .inode = inode,
                         .handle = handle});
}

}  // namespace tusfs
