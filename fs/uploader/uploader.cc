#include "uploader/uploader.h"

#include <tusclient/redact.h>

#include <cerrno>
#include <random>
#include <string>

#include "base/text.h"
#include "base/thread_name.h"
#include "catalog/give_up.h"
#include "catalog/life.h"
#include "catalog/namespace.h"
#include "catalog/tables.h"

namespace tusfs {
namespace {

constexpr std::chrono::seconds kLongestWait{60};

double RandomFraction() {
  thread_local std::mt19937_64 generator{std::random_device{}()};
  return std::uniform_real_distribution<double>(0, 1)(generator);
}

UploaderOptions WithRandomness(UploaderOptions options) {
  if (!options.random) options.random = RandomFraction;
  return options;
}

}  // namespace

Uploader::Uploader(UploaderOptions options, PublishRules const& rules, Store& store, Spool& spool,
                   Clock const& clock, Logger const& logger)
    : options_(WithRandomness(std::move(options))),
      store_(store),
      spool_(spool),
      clock_(clock),
      logger_(logger),
      queue_owner_(std::make_shared<Queue>(clock)),
      queue_(*queue_owner_),
      priorities_(store),
      endpoint_({.url = tus::RedactUrl(options_.client.endpoint),
                 .chunks = options_.chunks,
                 .defer_length = options_.defer_length,
                 .retry = options_.transfer.retry,
                 .on_change = options_.on_server_change},
                options_.random, clock, logger),
      shared_{.store = store_,
              .spool = spool_,
              .endpoint = endpoint_,
              .url = options_.client.endpoint,
              .clock = clock_,
              .logger = logger,
              .options = options_.transfer,
              .rules = rules,
              .random = options_.random,
              .terminate =
                  [this](Uuid const& upload) {
                    queue_.Schedule({.inode = 0, .upload = upload}, clock_.Steady(), 0);
                  },
              .nudge = [this](InodeId inode) { Nudge(inode); },
              .send_part = [this](InodeId inode, Uuid const& part) { SchedulePart(inode, part); }} {
}

Uploader::~Uploader() { Stop(); }

Result<void> Uploader::Load() {
  if (auto loaded = priorities_.Load(); !loaded) return loaded;
  auto const ownerless = store_.Read([](View const& view) { return ListOwnerless(view); });
  if (!ownerless) return Failure(ownerless.error());
  for (auto const& upload : *ownerless) shared_.terminate(upload);
  return VisitWork(store_, {}, [this](InodeId inode) { Nudge(inode); });
}

Result<void> Uploader::Start() {
  if (auto loaded = Load(); !loaded) return loaded;
  shared_.hasten = [queue = std::weak_ptr(queue_owner_)](InodeId inode) {
    if (auto const there = queue.lock()) there->Hasten({.inode = inode, .upload = {}});
  };
  for (int i = 0; i < options_.transfers; ++i) {
    threads_.emplace_back([this](std::stop_token stop) {
      NameThread("transfer");
      Work(stop);
    });
  }
  return {};
}

void Uploader::RequestStop() {
  for (auto& thread : threads_) thread.request_stop();
  queue_.CancelAll();
}

void Uploader::Stop() {
  RequestStop();
  threads_.clear();
}

std::unique_ptr<Transfer> Uploader::MakeTransfer(std::stop_token stop) {
  return std::make_unique<Transfer>(shared_, options_.client, options_.make_transport(),
                                    std::move(stop));
}

void Uploader::Work(std::stop_token stop) {
  auto const transfer = MakeTransfer(stop);
  while (!stop.stop_requested()) {
    auto const admission = endpoint_.Enter();
    if (admission.gate == Endpoint::Gate::kWait) {
      queue_.Sleep(stop, admission.until);
    } else {
      Serve(*transfer, admission.gate, stop, clock_.Steady() + kLongestWait);
    }
  }
}

bool Uploader::RunDue() {
  if (!own_) own_ = MakeTransfer({});
  auto const gate = endpoint_.Enter().gate;
  return gate != Endpoint::Gate::kWait && Serve(*own_, gate, {}, clock_.Steady());
}

bool Uploader::Serve(Transfer& transfer, Endpoint::Gate gate, std::stop_token const& stop,
                     SteadyTime deadline) {
  if (gate == Endpoint::Gate::kProbe) {
    transfer.Probe(stop);
    queue_.Wake();
    return true;
  }
  auto job = queue_.Take(stop, deadline);
  if (job) {
    auto outcome = transfer.Step(job->key, job->memory, job->stop);
    while (outcome.goes_on && MayGoOn(*job)) {
      outcome = transfer.Step(job->key, job->memory, job->stop);
    }
    queue_.Finish(*job, outcome);
    if (outcome.over) priorities_.Done(job->key.inode);
  }
  if (gate == Endpoint::Gate::kTry) {
    endpoint_.Tried();
    queue_.Wake();
  }
  return job.has_value();
}

void Uploader::Nudge(InodeId inode) {
  JobKey const key{.inode = inode, .upload = {}};
  queue_.Schedule(key, clock_.Steady(), 0);
  bool const may_differ = priorities_.HasAny() || shared_.rules.by_path.SaysPriorities();
  if (may_differ) queue_.Prefer(key, PriorityOf(inode));
}

Priority Uploader::PriorityOf(View const& view, Inode const& inode) const {
  if (priorities_.Has(view, inode)) return Priority::kHigh;
  if (!shared_.rules.by_path.SaysPriorities()) return Priority::kNormal;
  auto const path = PathOf(view, inode).value_or(inode.name);
  return shared_.rules.by_path.PriorityOf(TargetPath(path)).value_or(Priority::kNormal);
}

Priority Uploader::PriorityOf(InodeId id) const {
  auto const priority = store_.Read([&](View const& view) -> Result<Priority> {
    auto const inode = GetInode(view, id);
    if (!inode) return Failure(inode.error());
    return PriorityOf(view, *inode);
  });
  return priority.value_or(Priority::kNormal);
}

Result<void> Uploader::Prioritize(InodeId inode, bool first) {
  if (auto set = priorities_.Set(inode, first); !set) return set;
  return VisitWork(store_, {}, [this](InodeId file) {
    auto const priority = PriorityOf(file);
    queue_.Prefer({.inode = file, .upload = {}}, priority);
    for (auto const& part : PartsOf(file)) queue_.Prefer({.inode = 0, .upload = part}, priority);
  });
}

void Uploader::Retry(InodeId inode) {
  Forget(inode);
  Nudge(inode);
}

void Uploader::Abandoned(InodeId inode, std::optional<Uuid> const& upload) {
  // Not before the open PATCH has ended: asking for an upload cuts its PATCH, and what that was
  // about to publish must not be deleted. Parts are their own jobs', which find that out.
  CancelParts(upload.value_or(Uuid{}));
  std::optional<JobKey> then;
  if (upload) then = JobKey{.inode = 0, .upload = *upload};
  queue_.Cancel({.inode = inode, .upload = {}}, then);
}

void Uploader::Forget(InodeId inode) { queue_.Forget({.inode = inode, .upload = {}}); }

Result<void> Uploader::LetGo(InodeId inode, Version& version, ByteRange const& range) {
  // A version that was opened anew does not know what an earlier process has sent of it.
  auto const known = store_.Read([&](View const& view) -> Result<void> {
    auto const record = GetInode(view, inode);
    if (!record) return Failure(record.error());
    auto const upload = FindUpload(view, record->upload);
    if (!upload) return Failure(upload.error());
    return KnowSent(view, *upload, version);
  });
  if (!known) return known;
  if (!version.WasSent(range)) return {};
  JobKey const key{.inode = inode, .upload = {}};
  queue_.Block(key);
  auto const in_parts = GoesInParts(inode);
  if (!in_parts || *in_parts) {
    auto const let_go =
        in_parts ? LetGoOfParts(inode, version, range) : Result<void>(Failure(in_parts.error()));
    queue_.Unblock(key, false);
    return let_go;
  }
  auto const parts = BlockParts(inode, {}, {});
  // While the jobs are blocked nobody sends, so the upload and what was sent belong to this call.
  bool rewritten = false;
  std::optional<Uuid> ownerless;
  auto const taken = store_.Update([&](Transaction& transaction) -> Result<void> {
    auto record = GetInode(transaction, inode);
    if (!record) return Failure(record.error());
    if (record->version != version.id()) return {};
    auto upload = FindUpload(transaction, record->upload);
    if (!upload) return Failure(upload.error());
    auto const kept = WhyNotGivenUp(*record, upload->value_or(Upload{}), GiveUpFor::kOtherBytes);
    if (kept) return Fail(EIO, "what was sent of it cannot be changed any more: " + *kept);
    rewritten = *upload && (*upload)->frontier > 0;
    auto detached = DetachUpload(transaction, *record);
    if (!detached) return Failure(detached.error());
    ownerless = *detached;
    PutInode(transaction, *record);
    return {};
  });
  if (taken) version.ReleaseAll();
  for (auto const& part : parts) queue_.Unblock(part, false);
  queue_.Unblock(key, rewritten);
  if (ownerless) {
    auto const path = PathForLog(store_, inode);
    logger_->Tell(LogLevel::kInfo, {.file = path},
                  "sent bytes of a file are being changed, its upload starts over path=\"{}\"",
                  Printable(path));
    shared_.terminate(*ownerless);
  }
  return taken;
}

void Uploader::Pause(bool paused) { queue_.Pause(paused); }

bool Uploader::IsSending(InodeId inode) const {
  return queue_.IsRunning({.inode = inode, .upload = {}}) ||
         !shared_.in_flight.PartsOf(inode).empty();
}

ServerAnswer Uploader::Ask(std::stop_token stop) const {
  return AskServer(options_.client, options_.make_transport, clock_, std::move(stop));
}

Endpoint::State Uploader::AwaitFirstAnswer(SteadyTime deadline) const {
  return endpoint_.AwaitAnswer(deadline);
}

}  // namespace tusfs
