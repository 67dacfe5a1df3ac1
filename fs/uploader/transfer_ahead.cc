// Small files: the one that is announced waits for the disk in the queue, so that one sync is for
// many of them, and connections are for others meanwhile.
#include <memory>
#include <utility>

#include "uploader/small.h"
#include "uploader/transfer.h"

namespace tusfs {
namespace {

/// So many are created and not sent yet, at most, however slow the disk is.
constexpr int kMostAnnounced = 64;

}  // namespace

bool IsAnnouncedAhead(Work const& work, JobMemory const& memory) {
  auto const& announced = memory.announced;
  return announced.is_durable && work.upload && work.upload->id == announced.upload &&
         work.upload->phase == UploadPhase::kFinalSent;
}

bool MayBeSentNow(Work const& work, JobMemory const& memory) {
  return IsAnnouncedAhead(work, memory) && work.changes == memory.announced.changes &&
         *memory.announced.is_durable;
}

std::function<void()> Transfer::AnnounceAhead(Work const& work, Range const& range,
                                              JobMemory& memory) const {
  bool const is_all = range.last && range.begin == 0 && IsSmall(work);
  bool const is_first = work.upload->end == UploadEnd::kNotSent && !memory.announced.is_durable;
  if (!shared_.hasten || !is_all || !is_first) return {};
  auto const count = shared_.announced;
  if (++*count > kMostAnnounced) {
    --*count;
    return {};
  }
  // Counted until the action has been run, or is dropped.
  std::shared_ptr<void> const counted(nullptr, [count](void*) { --*count; });
  auto const is_durable = std::make_shared<std::atomic<bool>>(false);
  memory.announced = {work.upload->id, work.changes, is_durable};
  return [counted, is_durable, hasten = shared_.hasten, inode = work.inode.id] {
    *is_durable = true;
    hasten(inode);
  };
}

Transfer::Outcome Transfer::TakeBack(Work const& work, JobMemory& memory) {
  memory.announced = {};
  auto const taken = ledger_.TakeBack(work);
  return taken ? Now(work.inode.size) : Postpone(taken.error());
}

}  // namespace tusfs
