#include "filesystem/finishing.h"

#include "catalog/tables.h"

namespace tusfs {

Finishing::Finishing(FinishingOptions options, PublishRules const& rules, Store& store,
                     Spool& spool, Clock const& clock, std::function<void(InodeId)> nudge,
                     Logger const& logger)
    : rules_(rules),
      times_(options.settle),
      store_(store),
      settler_(store, spool, rules, clock, options.settle,
               {.nudge = std::move(nudge), .ask = [this](InodeId inode) { command_.Ask(inode); }},
               logger),
      command_(
          store, spool, rules, clock, [this](InodeId inode) { settler_.Settle({inode}); },
          options.command, logger) {}

Result<void> Finishing::Load() {
  return VisitWork(store_, {}, [this](InodeId inode) { Settle(inode); });
}

Result<void> Finishing::Start() {
  if (auto loaded = Load(); !loaded) return loaded;
  settler_.Start();
  command_.Start();
  return {};
}

void Finishing::Stop() {
  settler_.Stop();
  command_.Stop();
}

}  // namespace tusfs
