#include "program/open_state.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <optional>

#include "base/private_directory.h"
#include "base/text.h"
#include "catalog/check.h"
#include "catalog/tables.h"
#include "filesystem/rebuild.h"
#include "filesystem/recovery.h"
#include "keeper/daemon_side.h"
#include "keeper/program.h"
#include "options/space_settings.h"
#include "program/process.h"
#include "proof/rest_note.h"
#include "spool/disk.h"
#include "spool/state_disk.h"

namespace tusfs {
namespace {

namespace fs = std::filesystem;

constexpr char const* kMarker = "suspect";
constexpr std::uintmax_t kSmallCatalog = std::uintmax_t{16} << 20;  ///< bytes: 50 ms to look at

class Opening {
 public:
  Opening(Options const& options, std::string const& url, std::uint64_t left, Clock const& clock,
          Logger const& logger, std::function<void(Transaction&)> attend)
      : options_(options),
        url_(url),
        left_(left),
        clock_(clock),
        logger_(logger),
        attend_(std::move(attend)),
        directory_(options.state_dir) {}

  Result<State> Run() {
    if (auto locked = Lock(); !locked) return Failure(locked.error());
    if (auto opened = OpenSpool(); !opened) return Failure(opened.error());
    auto boot = ReadBootId();
    if (!boot) return Failure(boot.error());
    recovery_ = {.endpoint = url_, .boot_id = *boot, .uid = ::geteuid(), .gid = ::getegid()};
    auto ready = OpenCatalog();
    bool const damaged = !ready && ready.error().code == EUCLEAN;
    if (damaged && left_ != 0) {
      return Fail(EUCLEAN,
                  DamagedCatalog(Catalog(), ready.error().context) +
                      ": the mount ends; with the next one it is made anew from the spool");
    }
    if (damaged) ready = Rebuild(ready.error().context);
    if (!ready && ready.error().code == ENOSPC) {
      return Fail(ENOSPC, Describe(ready.error()) +
                              "; make room there, or name another place with --state-dir");
    }
    if (!ready) return Failure(ready.error());
    return std::move(state_);
  }

 private:
  [[nodiscard]] fs::path Catalog() const { return directory_ / "catalog"; }

  Result<void> Lock() {
    // Of a mount that is alive it was looked at when that came up.
    if (left_ == 0) {
      if (auto mounted = CheckDiskIsMounted(directory_); !mounted) return mounted;
    }
    auto opened = PrivateDirectory::Open(directory_);
    if (!opened) {
      return Fail(opened.error().code,
                  "the state directory cannot be used: " + opened.error().context +
                      "; or name another one with --state-dir");
    }
    private_ = std::move(*opened);
    if (auto local = CheckLocalDisk(directory_); !local) return local;
    if (left_ == 0) {
      if (auto lasting = CheckLasting(directory_, options_.volatile_state); !lasting) {
        return lasting;
      }
      MarkDisk();
    }
    auto lock = LockStateDirectory(*private_);
    if (!lock && lock.error().code != EBUSY) {
      return Fail(lock.error().code,
                  "the state directory cannot be written: " + lock.error().context +
                      "; name another one with --state-dir");
    }
    if (!lock) return Failure(lock.error());
    state_.lock = std::move(*lock);
    return EndRest(directory_);
  }

  void MarkDisk() {
    auto const marked = MarkBeneathDisk(directory_);
    if (marked && *marked) {
      logger_->Debug("a marker beneath the mount tells a later start whether it is there path={}",
                     (*marked)->string());
    } else if (!marked) {
      logger_->Debug("no marker can be put beneath the disk of the state directory error=\"{}\"",
                     Describe(marked.error()));
    }
  }

  Result<void> OpenSpool() {
    auto const disk = DiskSize(directory_);
    if (!disk) return Failure(disk.error());
    auto spool = Spool::Open(directory_ / "spool", SpoolLimitsOf(options_, *disk));
    if (!spool) return Failure(spool.error());
    state_.spool = std::move(*spool);
    return {};
  }

  Result<void> OpenCatalog() {
    if (IsSuspect()) {
      if (auto checked = CheckInAChild(); !checked) return checked;
    }
    // A full disk may have no room for it; then a damage that kills is not noticed this time.
    [[maybe_unused]] auto const marked = private_->OpenFile(kMarker, O_RDWR | O_CREAT);
    auto opened = OpenStore();
    if (opened) opened = Connect();
    private_->Remove(kMarker);
    return opened;
  }

  /// What does not take long is always looked at, but not while a mount waits for a successor.
  [[nodiscard]] bool IsSuspect() const {
    if (private_->Has(kMarker)) return true;
    std::error_code missing;
    auto const size = fs::file_size(Catalog() / "data.mdb", missing);
    return left_ == 0 && !missing && size <= kSmallCatalog;
  }

  /// A catalog that fails under a mount is for a successor to open anew: its replay is the
  /// recovery.
  [[nodiscard]] StoreOptions OptionsOfStore() const {
    StoreOptions options;
    options.boot = recovery_.boot_id;
    options.attend = attend_;
    options.on_failure = [logger = logger_](Error const& error) {
      auto const why = Describe(error);
      Complain("the catalog has failed: " + why);  // where there is a terminal yet
      logger->Error(
          "the catalog has failed, this daemon ends and the next one goes on error=\"{}\"", why);
      ::_exit(error.code == EUCLEAN ? kCatalogIsDamaged : kCatalogFailed);
    };
    return options;
  }

  Result<void> OpenStore() {
    auto store = Store::Open(Catalog(), OptionsOfStore(), logger_);
    if (!store) return Failure(store.error());
    state_.store = std::move(*store);
    if (left_ != 0) return {};
    auto const root =
        state_.store->Read([](View const& view) { return GetInode(view, kRootInode); });
    if (root || root.error().code != ENOENT) return {};
    // It has never had a mount, so it knows of no bytes; those that are there had another one.
    auto const found = state_.spool->ListDescribed();
    if (!found) return Failure(found.error());
    if (found->empty()) return {};
    return FillFromSpool("the catalog is new, but the spool is not");
  }

  Result<void> Connect() {
    if (left_ != 0) {
      state_.connection = left_;
      return Resume(*state_.store, recovery_, left_);
    }
    auto const connection = Recover(*state_.store, *state_.spool, clock_, recovery_);
    if (!connection) return Failure(connection.error());
    state_.connection = *connection;
    return {};
  }

  // LMDB trusts what it reads, and a damaged page can kill whoever looks at it.
  Result<void> CheckInAChild() {
    auto const child = ::fork();
    if (child < 0) return FailErrno("fork");
    if (child == 0) {
      StoreOptions options;
      options.background = false;
      auto const store = Store::Open(Catalog(), options, logger_);
      auto const checked = store ? CheckCatalog(**store) : Result<void>(Failure(store.error()));
      if (checked) ::_exit(0);
      logger_->Error("the catalog is looked at error=\"{}\"", Describe(checked.error()));
      // Anything else than damage is for the one who opens it next.
      ::_exit(checked.error().code == EUCLEAN ? 1 : 0);
    }
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (HasCrashed(status)) return Fail(EUCLEAN, "whoever reads it dies");
    bool const contradicts = WIFEXITED(status) && WEXITSTATUS(status) != 0;
    if (contradicts) return Fail(EUCLEAN, "its rows contradict each other");
    return {};  // or it was killed, which says nothing of the catalog
  }

  Result<void> Rebuild(std::string const& why) {
    state_.store.reset();
    auto const aside = SetCatalogAside(Catalog(), clock_);
    if (!aside) return Failure(aside.error());
    private_->Remove(kMarker);
    auto store = Store::Open(Catalog(), OptionsOfStore(), logger_);
    if (!store) return Failure(store.error());
    state_.store = std::move(*store);
    auto const filled =
        FillFromSpool("the catalog was damaged (" + why + ") and is kept in " + aside->string());
    return filled ? Connect() : filled;
  }

  Result<void> FillFromSpool(std::string const& what) {
    auto const rebuilt = RebuildCatalog(*state_.store, *state_.spool, clock_, recovery_, logger_);
    if (!rebuilt) return Failure(rebuilt.error());
    auto const sentence = what + ": " + Counted(rebuilt->files, "file was", "files were") +
                          " found again in the spool, " + std::to_string(rebuilt->nameless) +
                          " of them without their names, in " + kLostAndFound +
                          "; names of uploaded files whose bytes were not here any " +
                          "more are lost";
    Complain(sentence);
    logger_->Error("{}", sentence);
    return {};
  }

  Options const& options_;
  std::string const& url_;
  std::uint64_t const left_;
  Clock const& clock_;
  Logger const& logger_;
  std::function<void(Transaction&)> const attend_;
  fs::path const directory_;
  std::optional<PrivateDirectory> private_;
  RecoveryOptions recovery_;
  State state_;
};

}  // namespace

fs::path SuspicionOf(fs::path const& state_dir) { return state_dir / kMarker; }

Result<State> OpenState(Options const& options, std::string const& url, std::uint64_t left,
                        Clock const& clock, Logger const& logger,
                        std::function<void(Transaction&)> attend) {
  return Opening(options, url, left, clock, logger, std::move(attend)).Run();
}

}  // namespace tusfs
