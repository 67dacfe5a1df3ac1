#include "uploader/uploader.h"

#include <tusclient/redact.h>

#include <algorithm>
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

std::vector<LinkOptions> LinkOptionsOf(std::vector<LinkWay> const& ways) {
  std::vector<LinkOptions> links;
  for (auto const& way : ways) links.push_back(way.options);
  return links;
}

}  // namespace

struct Uploader::Lane {
  Lane(Uploader& uploader, EndpointOptions options)
      : endpoint(std::move(options), uploader.options_.random, uploader.clock_, uploader.logger_),
        shared{.store = uploader.store_,
               .spool = uploader.spool_,
               .endpoint = endpoint,
               .url = uploader.options_.client.endpoint,
               .clock = uploader.clock_,
               .logger = uploader.logger_,
               .options = uploader.options_.transfer,
               .rules = uploader.rules_,
               .random = uploader.options_.random,
               .terminate = [&uploader](Uuid const& upload) { uploader.Terminate(upload); },
               .nudge = [&uploader](InodeId inode) { uploader.Nudge(inode); },
               .send_part = [&uploader](InodeId inode,
                                        Uuid const& part) { uploader.SchedulePart(inode, part); },
               .in_flight = uploader.in_flight_} {}

  Endpoint endpoint;
  Transfer::Shared shared;
  ServerLink* link = nullptr;  ///< null: the one way that has no name
  std::size_t index = 0;
};

Uploader::Uploader(UploaderOptions options, PublishRules const& rules, Store& store, Spool& spool,
                   Clock const& clock, Logger const& logger)
    : options_(WithRandomness(std::move(options))),
      rules_(rules),
      store_(store),
      spool_(spool),
      clock_(clock),
      logger_(logger),
      queue_owner_(std::make_shared<Queue>(clock)),
      queue_(*queue_owner_),
      priorities_(store) {
  if (!options_.links.empty()) {
    links_ =
        std::make_unique<Links>(Links::Options{.links = LinkOptionsOf(options_.links),
                                               .patience = options_.patience,
                                               .transfers = options_.transfers,
                                               .url = tus::RedactUrl(options_.client.endpoint)},
                                clock, logger);
  }
  auto const lanes = std::max<std::size_t>(options_.links.size(), 1);
  for (std::size_t i = 0; i < lanes; ++i) lanes_.push_back(MakeLane(i));
}

std::unique_ptr<Uploader::Lane> Uploader::MakeLane(std::size_t index) {
  EndpointOptions endpoint{.url = tus::RedactUrl(options_.client.endpoint),
                           .chunks = options_.chunks,
                           .defer_length = options_.defer_length,
                           .retry = options_.transfer.retry};
  if (links_) {
    endpoint.link = links_->options(index).name;
    // A server that tells what it is through another link is not what hides behind this one.
    endpoint.may_try = [this, index] { return !links_->at(index).HasOthers(); };
  }
  endpoint.on_change = [this, index](Endpoint::State const& state) {
    if (links_) links_->SetServer(index, state);
    if (options_.on_server_change) options_.on_server_change();
  };
  auto lane = std::make_unique<Lane>(*this, std::move(endpoint));
  lane->index = index;
  if (links_) lane->link = lane->shared.link = &links_->at(index);
  if (index > 0) lane->shared.announced = lanes_.front()->shared.announced;
  return lane;
}

Uploader::~Uploader() { Stop(); }

void Uploader::Terminate(Uuid const& upload) {
  queue_.Schedule({.inode = 0, .upload = upload}, clock_.Steady(), 0);
}

Result<void> Uploader::Load() {
  if (auto loaded = priorities_.Load(); !loaded) return loaded;
  if (links_) {
    auto loaded = store_.Read([this](View const& view) { return links_->Load(view); });
    if (!loaded) return loaded;
  }
  auto const ownerless = store_.Read([](View const& view) { return ListOwnerless(view); });
  if (!ownerless) return Failure(ownerless.error());
  for (auto const& upload : *ownerless) Terminate(upload);
  return VisitWork(store_, {}, [this](InodeId inode) {
    Nudge(inode);
    if (links_) CountWait(inode);
  });
}

void Uploader::CountWait(InodeId id) {
  auto const inode = store_.Read([&](View const& view) { return GetInode(view, id); });
  if (!inode) return;  // it has gone, or is found damaged when it is to be sent
  auto const waited = std::max<FileTime>(clock_.Wall() - inode->changed, 0);
  queue_.HasWaited({.inode = id, .upload = {}}, clock_.Steady() - std::chrono::nanoseconds(waited));
}

Result<void> Uploader::Start() {
  if (auto loaded = Load(); !loaded) return loaded;
  for (auto const& lane : lanes_) {
    lane->shared.hasten = [queue = std::weak_ptr(queue_owner_)](InodeId inode) {
      if (auto const there = queue.lock()) there->Hasten({.inode = inode, .upload = {}});
    };
  }
  if (links_) {
    auto heard = interfaces_.Start([this] { LookAtInterfaces(); });
    if (!heard) return Fail(heard.error().code, "--link: " + Describe(heard.error()));
  }
  for (auto const& lane : lanes_) StartThreads(*lane);
  return {};
}

void Uploader::StartThreads(Lane& lane) {
  for (int i = 0; i < options_.transfers; ++i) {
    threads_.emplace_back([this, &lane](std::stop_token const& stop) {
      NameThread("transfer");
      lane.link != nullptr ? WorkThroughLink(lane, stop) : Work(lane, stop);
    });
  }
}

void Uploader::LookAtInterfaces() {
  bool has_changed = false;
  for (std::size_t i = 0; i < links_->size(); ++i) {
    auto const change = links_->SetInterface(i, WhyInterfaceDown(links_->options(i).interface));
    has_changed = has_changed || change != Links::Change::kNone;
    if (change == Links::Change::kOther) lanes_[i]->endpoint.AskAnew();
    if (change != Links::Change::kWentDown) continue;
    // What it was carrying is due at once, for the others. But of what joins parts the answer may
    // come yet, and nothing else tells whether the file is published.
    queue_.CancelOf(links_->at(i), in_flight_.Joining());
  }
  if (!has_changed) return;
  queue_.Wake();
  if (options_.on_server_change) options_.on_server_change();
}

void Uploader::RequestStop() {
  for (auto& thread : threads_) thread.request_stop();
  if (links_) links_->End();
  queue_.CancelAll();
}

void Uploader::Stop() {
  RequestStop();
  interfaces_.Stop();
  threads_.clear();
}

std::unique_ptr<Transfer> Uploader::MakeTransfer(Lane& lane, std::stop_token stop) const {
  auto const& make = links_ ? options_.links[lane.index].make_transport : options_.make_transport;
  return std::make_unique<Transfer>(lane.shared, options_.client, make(), std::move(stop));
}

void Uploader::Work(Lane& lane, std::stop_token const& stop) {
  auto const transfer = MakeTransfer(lane, stop);
  while (!stop.stop_requested()) Turn(lane, *transfer, stop);
}

// With other connections each time that the link was down.
void Uploader::WorkThroughLink(Lane& lane, std::stop_token const& stop) {
  while (!stop.stop_requested()) {
    auto const up = links_->AwaitUsable(lane.index);
    auto const transfer = MakeTransfer(lane, up);
    while (!up.stop_requested() && links_->IsUsable(lane.index)) {
      Turn(lane, *transfer, up);
      if (links_->TakeNews()) SpreadNews();
    }
  }
}

void Uploader::SpreadNews() {
  // What a server does not join through one link it does not through another.
  auto const no_parts = links_->Server().no_parts;
  for (auto const& lane : lanes_) {
    if (!no_parts.empty()) lane->endpoint.LearnNoJoin(no_parts);
  }
  queue_.Wake();
}

void Uploader::Turn(Lane& lane, Transfer& transfer, std::stop_token const& stop) {
  auto const admission = lane.endpoint.Enter();
  if (admission.gate == Endpoint::Gate::kWait) {
    queue_.Sleep(stop, admission.until);
  } else {
    Serve(lane, transfer, admission.gate, stop, clock_.Steady() + kLongestWait);
  }
}

bool Uploader::RunDue() {
  auto& lane = *lanes_.front();
  if (!own_) own_ = MakeTransfer(lane, {});
  auto const gate = lane.endpoint.Enter().gate;
  return gate != Endpoint::Gate::kWait && Serve(lane, *own_, gate, {}, clock_.Steady());
}

bool Uploader::Serve(Lane& lane, Transfer& transfer, Endpoint::Gate gate,
                     std::stop_token const& stop, SteadyTime deadline) {
  if (gate == Endpoint::Gate::kProbe) {
    transfer.Probe(stop);
    queue_.Wake();
    return true;
  }
  bool const tries = gate == Endpoint::Gate::kTry;
  if (tries && lane.link != nullptr) lane.link->SetTrying(true);
  auto job = queue_.Take(stop, deadline, lane.link);
  if (job) {
    auto outcome = transfer.Step(job->key, job->memory, job->stop);
    while (outcome.goes_on && MayGoOn(*job)) {
      outcome = transfer.Step(job->key, job->memory, job->stop);
    }
    queue_.Finish(*job, outcome);
    if (outcome.over) priorities_.Done(job->key.inode);
  }
  if (tries) {
    if (lane.link != nullptr) lane.link->SetTrying(false);
    lane.endpoint.Tried();
    queue_.Wake();
  }
  return job.has_value();
}

void Uploader::Nudge(InodeId inode) {
  JobKey const key{.inode = inode, .upload = {}};
  queue_.Schedule(key, clock_.Steady(), 0);
  bool const may_differ = priorities_.HasAny() || rules_.by_path.SaysPriorities();
  if (may_differ) queue_.Prefer(key, PriorityOf(inode));
}

Priority Uploader::PriorityOf(View const& view, Inode const& inode) const {
  if (priorities_.Has(view, inode)) return Priority::kHigh;
  if (!rules_.by_path.SaysPriorities()) return Priority::kNormal;
  auto const path = PathOf(view, inode).value_or(inode.name);
  return rules_.by_path.PriorityOf(TargetPath(path)).value_or(Priority::kNormal);
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
    Terminate(*ownerless);
  }
  return taken;
}

void Uploader::Pause(bool paused) { queue_.Pause(paused); }

bool Uploader::IsSending(InodeId inode) const {
  return queue_.IsRunning({.inode = inode, .upload = {}}) || !in_flight_.PartsOf(inode).empty();
}

ServerAnswer Uploader::Ask(std::stop_token stop) const {
  return AskServer(options_.client, options_.make_transport, clock_, std::move(stop));
}

Endpoint::State Uploader::Server() const {
  return links_ ? links_->Server() : lanes_.front()->endpoint.state();
}

std::vector<LinkReport> Uploader::LinkReports() const {
  return links_ ? links_->Report() : std::vector<LinkReport>();
}

Endpoint::State Uploader::AwaitFirstAnswer(SteadyTime deadline) const {
  return links_ ? links_->AwaitAnswer(deadline) : lanes_.front()->endpoint.AwaitAnswer(deadline);
}

}  // namespace tusfs
