#include "machine.h"

#include <chrono>

#include "catalog/check.h"
#include "filesystem/orderly_end.h"
#include "filesystem/recovery.h"

namespace tusfs_life {
namespace {

using tusfs::Result;

constexpr std::chrono::milliseconds kTick{50};
constexpr std::chrono::milliseconds kIdle{1000};
constexpr std::chrono::milliseconds kRoom{500};

}  // namespace

Machine::Machine(Disk& disk, Server& server, VirtualClock& clock, std::uint64_t seed,
                 tusfs::Logger logger)
    : disk_(disk), server_(server), clock_(clock), random_(seed), logger_(std::move(logger)) {}

Machine::~Machine() {
  disk_.Die();
  Bury();
}

Result<void> Machine::OpenState() {
  auto const directory = disk_.root() / "state";
  if (auto made = tusfs::MakePrivateDirectory(directory); !made) return made;
  auto spool = tusfs::Spool::Open(directory / "spool", {.size = settings.spool_size, .reserve = 0});
  if (!spool) return tusfs::Failure(spool.error());
  spool_ = std::move(*spool);
  tusfs::StoreOptions options;
  options.map_size = std::uint64_t{settings.map_pages} * 4096;
  options.on_failure = [this](tusfs::Error const&) { disk_.Die(); };  // the program ends
  options.journal_size = 32 * 1024;
  options.background = false;
  options.boot = BootId();
  auto store = tusfs::Store::Open(directory / "catalog", options, logger_);
  if (!store) return tusfs::Failure(store.error());
  store_ = std::move(*store);
  // The program would set it aside, and read the spool instead.
  return tusfs::CheckCatalog(*store_);
}

Result<void> Machine::Mount() {
  if (auto opened = OpenState(); !opened) return opened;
  auto const connection =
      tusfs::Recover(*store_, *spool_, clock_,
                     {.endpoint = Server::Url(), .boot_id = BootId(), .uid = 1000, .gid = 1000});
  if (!connection) return tusfs::Failure(connection.error());
  connection_ = *connection;
  return Serve(false);
}

Result<void> Machine::TakeOver() {
  if (auto opened = OpenState(); !opened) return opened;
  auto const resumed = tusfs::Resume(
      *store_, {.endpoint = Server::Url(), .boot_id = BootId(), .uid = 1000, .gid = 1000},
      connection_);
  if (!resumed) return resumed;
  return Serve(true);
}

Result<void> Machine::Serve(bool takes_over) {
  tusfs::UploaderOptions options;
  options.client.endpoint = Server::Url();
  options.chunks.size = tusfs::Version::kGranule;
  options.transfer.adopt_timeout =
      settings.adopts ? std::chrono::hours(24) : std::chrono::milliseconds(0);
  options.transfer.verify =
      settings.verifies ? tusfs::Verification::kHead : tusfs::Verification::kOff;
  options.transfer.part_size = settings.parts ? tusfs::kDigestBlock : 0;
  options.transfer.delete_parts = settings.deletes_parts;
  rules_ = {};
  if (settings.holds) {
    rules_.finish.push_back({tusfs::Glob::Parse(kHeldName).value(), tusfs::FinishBy::kManual});
  }
  options.random = [this] { return static_cast<double>(random_() >> 11) / 9007199254740992.0; };
  options.make_transport = [this] { return server_.MakeTransport(); };
  uploader_ = std::make_unique<tusfs::Uploader>(options, rules_, *store_, *spool_, clock_, logger_);
  finishing_ = std::make_unique<tusfs::Finishing>(
      tusfs::FinishingOptions{.settle = {.quiet = std::chrono::seconds(2)}}, rules_, *store_,
      *spool_, clock_, [this](tusfs::InodeId inode) { uploader_->Nudge(inode); }, logger_);
  fs_ = std::make_unique<tusfs::Filesystem>(
      *store_, *spool_, *uploader_, *finishing_, processes_, clock_, connection_, logger_,
      tusfs::Turns::Options{.full_timeout = std::chrono::minutes(10), .trims = settings.trims});
  if (takes_over) {
    if (auto taken = fs_->TakeOver(); !taken) return taken;
  }
  decisions_ = std::make_unique<tusfs::Decisions>(*store_, fs_->open_files(), fs_->shrinker(),
                                                  *uploader_, *finishing_, clock_);
  reclaimer_ = std::make_unique<tusfs::Reclaimer>(
      *store_, *spool_, fs_->shrinker(), clock_,
      tusfs::ReclaimOptions{.keep = settings.keep, .trim = settings.trims}, logger_);
  if (auto loaded = finishing_->Load(); !loaded) return loaded;
  if (auto loaded = uploader_->Load(); !loaded) return loaded;
  if (auto swept = tusfs::SweepLeftovers(*store_, *spool_, {}); !swept) {
    return tusfs::Failure(swept.error());
  }
  ticked_ = committed_ = reclaimed_ = clock_.Steady();
  return spool_->Count();
}

Result<void> Machine::End(bool busy) {
  auto const ended = tusfs::EndConnection(
      *store_, *spool_,
      {.handles = busy ? tusfs::HandlesLeft::kOpen : tusfs::HandlesLeft::kClosed});
  Bury();
  return ended;
}

void Machine::Bury() {
  reclaimer_.reset();
  decisions_.reset();
  fs_.reset();
  finishing_.reset();
  uploader_.reset();
  store_.reset();
  spool_.reset();
}

bool Machine::Turn() { return finishing_->SettleDue() || uploader_->RunDue(); }

void Machine::Tick() {
  auto const now = clock_.Steady();
  if (now >= ticked_ + kTick) {
    ticked_ = now;
    static_cast<void>(store_->Sync());  // the next one tries again
  }
  if (now >= committed_ + kIdle) {
    committed_ = now;
    static_cast<void>(store_->Tick());
  }
  if (now >= reclaimed_ + kRoom) {
    reclaimed_ = now;
    reclaimer_->Reclaim();
  }
}

}  // namespace tusfs_life
