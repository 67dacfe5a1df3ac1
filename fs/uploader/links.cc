#include "uploader/links.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/byte_ranges.h"
#include "base/message_ids.h"

namespace tusfs {
namespace {

/// Of the bytes of bodies: what HTTP, TLS and TCP add to them.
constexpr std::uint64_t kShareOfHeaders = 20;
/// A spent budget is looked at again after this: the day or month may have turned, or the clock.
constexpr std::chrono::seconds kLookAgain{60};

std::uint64_t WithHeaders(std::uint64_t bytes) { return bytes + bytes / kShareOfHeaders; }
std::uint64_t WithoutHeaders(std::uint64_t bytes) {
  return bytes / (kShareOfHeaders + 1) * kShareOfHeaders;
}

char const* NameOf(LinkOptions::Budget::Per per) {
  return per == LinkOptions::Budget::Per::kDay ? "day" : "month";
}

std::string Seconds(std::chrono::milliseconds time) {
  return std::to_string(std::chrono::ceil<std::chrono::seconds>(time).count()) + " s";
}

}  // namespace

Links::Links(Options options, Clock const& clock, Logger logger)
    : options_(std::move(options)),
      clock_(clock),
      logger_(std::move(logger)),
      entries_(options_.links.size()) {
  server_.since = clock.Wall();
  for (auto& entry : entries_) {
    entry.away_since = clock.Steady();
    entry.session.request_stop();  // there is none before it is up
    links_.push_back(std::make_unique<ServerLink>(*this, links_.size()));
  }
}

Links::~Links() = default;

// ---- what is known of them

Result<void> Links::Load(View const& view) {
  MutexLock lock(mutex_);
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    auto const usage = GetLinkUsage(view, options_.links[i].name);
    if (!usage) return Failure(usage.error());
    entries_[i].usage = *usage;
    SayWhereSpent(i);
  }
  return {};
}

Links::Change Links::SetInterface(std::size_t index, std::string const& why_down) {
  std::stop_source over{std::nostopstate};
  {
    MutexLock lock(mutex_);
    auto& entry = entries_[index];
    if (entry.why_down == why_down || ended_) return Change::kNone;
    bool const served = Serves(index);
    bool const was_up = entry.why_down.empty();
    auto const& link = options_.links[index];
    entry.why_down = why_down;
    entry.looked = true;
    if (why_down.empty()) {
      entry.session = std::stop_source();
      logger_->Info("a link is up link={} interface={}", link.name, link.interface);
    } else {
      if (was_up) over = entry.session;
      logger_->Warn("a link is down, it is used again when it is up link={} error=\"{}\"",
                    link.name, why_down);
    }
    NoteAway(index, served);
    Combine();
  }
  // Whoever listens is called here, with no lock held.
  return over.request_stop() ? Change::kWentDown : Change::kOther;
}

void Links::SetServer(std::size_t index, Endpoint::State const& state) {
  MutexLock lock(mutex_);
  bool const served = Serves(index);
  entries_[index].server = state;
  NoteAway(index, served);
  Combine();
}

void Links::NoteAway(std::size_t index, bool served) {
  if (served && !Serves(index)) entries_[index].away_since = clock_.Steady();
  news_ = true;
  changed_.NotifyAll();
}

LinkUsage Links::UsageNow(std::size_t index) const {
  auto usage = entries_[index].usage;
  usage.TurnTo(LocalDay(clock_.Wall()));
  return usage;
}

std::optional<std::uint64_t> Links::Left(std::size_t index) const {
  auto const& budget = options_.links[index].budget;
  if (!budget) return std::nullopt;
  auto const usage = UsageNow(index);
  auto const used = budget->per == LinkOptions::Budget::Per::kDay ? usage.today : usage.month;
  return budget->bytes - std::min(used, budget->bytes);
}

bool Links::IsTaken(std::size_t index) const {
  auto const held = entries_[index].held;
  return held > 0 && held >= WithoutHeaders(Left(index).value_or(kNoEnd));
}

bool Links::Usable(std::size_t index) const {
  return entries_[index].why_down.empty() && Left(index).value_or(1) > 0;
}

bool Links::Serves(std::size_t index) const {
  return Usable(index) && entries_[index].server.reachable;
}

void Links::SayWhereSpent(std::size_t index) {
  auto& entry = entries_[index];
  bool const is_spent = Left(index).value_or(1) == 0;
  if (is_spent && !entry.said_spent) {
    auto const& link = options_.links[index];
    logger_->Warn(
        "the budget of a link is spent, it carries nothing more this {} link={} budget={}",
        NameOf(link.budget->per), link.name, link.budget->bytes);
  }
  entry.said_spent = is_spent;
}

// ---- whose turn it is

bool Links::IsCheapest(std::size_t index) const {
  return std::ranges::none_of(options_.links, [&](LinkOptions const& other) {
    return other.cost < options_.links[index].cost;
  });
}

std::optional<SteadyTime> Links::CheaperAwaySince(std::size_t index) const {
  auto since = SteadyTime::min();
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    if (options_.links[i].cost >= options_.links[index].cost) continue;
    if (Serves(i)) return std::nullopt;
    since = std::max(since, entries_[i].away_since);
  }
  return since;
}

SteadyTime Links::OpenFrom(std::size_t index, Priority priority, SteadyTime since) const {
  if (IsCheapest(index) || priority == Priority::kHigh) return SteadyTime::min();
  if (auto const away = CheaperAwaySince(index)) since = std::min(since, *away);
  return since + options_.patience;
}

Links::Rank Links::RankOf(std::size_t index) const {
  auto const& entry = entries_[index];
  constexpr auto kMost = std::numeric_limits<std::uint64_t>::max();
  // Nobody knows how fast a link is that has carried nothing yet: it is tried.
  auto const slowness = entry.speed == 0 ? 0 : kMost - entry.speed;
  return {entry.running, options_.links[index].cost, slowness, index};
}

std::optional<SteadyTime> Links::MayTake(std::size_t index, Priority priority,
                                         SteadyTime since) const {
  MutexLock lock(mutex_);
  bool const may_serve = Serves(index) || entries_[index].trying;
  if (!Usable(index) || IsTaken(index) || !may_serve) return std::nullopt;
  auto const now = clock_.Steady();
  auto const from = OpenFrom(index, priority, since);
  if (from > now) return from;
  for (std::size_t other = 0; other < entries_.size(); ++other) {
    bool const is_free =
        other != index && Serves(other) && entries_[other].running < options_.transfers;
    if (!is_free || IsTaken(other) || OpenFrom(other, priority, since) > now) continue;
    if (RankOf(other) < RankOf(index)) return std::nullopt;
  }
  return from;
}

std::optional<SteadyTime> ServerLink::MayTake(Priority priority, SteadyTime since) const {
  return links_.MayTake(index_, priority, since);
}

bool Links::HasOthers(std::size_t index) const {
  MutexLock lock(mutex_);
  for (std::size_t other = 0; other < entries_.size(); ++other) {
    if (other != index && Serves(other)) return true;
  }
  return false;
}

bool ServerLink::HasOthers() const { return links_.HasOthers(index_); }

bool ServerLink::TakesAll() const {
  MutexLock lock(links_.mutex_);
  return links_.IsCheapest(index_);
}

void ServerLink::Took() {
  MutexLock lock(links_.mutex_);
  ++links_.entries_[index_].running;
}

void ServerLink::Gave() {
  MutexLock lock(links_.mutex_);
  auto& entry = links_.entries_[index_];
  --entry.running;
  if (auto const rate = entry.meter.Rate(links_.clock_.Steady()); rate > 0) entry.speed = rate;
}

void ServerLink::SetTrying(bool trying) {
  MutexLock lock(links_.mutex_);
  links_.entries_[index_].trying = trying;
}

std::stop_token Links::AwaitUsable(std::size_t index) {
  MutexLock lock(mutex_);
  while (!ended_ && !Usable(index)) {
    if (entries_[index].why_down.empty()) {
      changed_.WaitUntil(mutex_, clock_.Steady() + kLookAgain);
    } else {
      changed_.Wait(mutex_);
    }
  }
  return entries_[index].session.get_token();
}

bool Links::IsUsable(std::size_t index) const {
  MutexLock lock(mutex_);
  return Usable(index);
}

bool Links::TakeNews() {
  MutexLock lock(mutex_);
  return std::exchange(news_, false);
}

void Links::End() {
  std::vector<std::stop_source> sessions;
  {
    MutexLock lock(mutex_);
    ended_ = true;
    for (auto const& entry : entries_) sessions.push_back(entry.session);
    changed_.NotifyAll();
  }
  for (auto& session : sessions) session.request_stop();
}

// ---- what they carry

std::uint64_t ServerLink::Hold(std::uint64_t wanted) {
  MutexLock lock(links_.mutex_);
  auto& held = links_.entries_[index_].held;
  if (auto const left = links_.Left(index_)) {
    auto const free = WithoutHeaders(*left);
    wanted = std::min(wanted, free - std::min(held, free));
  }
  held += wanted;
  return wanted;
}

void ServerLink::LetGo(std::uint64_t bytes) {
  MutexLock lock(links_.mutex_);
  links_.entries_[index_].held -= bytes;
}

void ServerLink::Sent(std::uint64_t bytes) {
  MutexLock lock(links_.mutex_);
  links_.entries_[index_].meter.Add(bytes, links_.clock_.Steady());
}

Result<void> ServerLink::Count(Transaction& transaction, std::uint64_t bytes) {
  auto usage = GetLinkUsage(transaction, name());
  if (!usage) return Failure(usage.error());
  usage->TurnTo(LocalDay(links_.clock_.Wall()));
  auto const all = WithHeaders(bytes);
  usage->today += all;
  usage->month += all;
  usage->total += all;
  PutLinkUsage(transaction, name(), *usage);
  MutexLock lock(links_.mutex_);
  bool const served = links_.Serves(index_);
  links_.entries_[index_].usage = *usage;
  links_.SayWhereSpent(index_);
  if (served && !links_.Serves(index_)) links_.NoteAway(index_, served);
  return {};
}

// ---- the server

void Links::Combine() {
  bool reachable = false;
  bool answered = true;
  for (auto const& entry : entries_) {
    if (server_.no_parts.empty()) server_.no_parts = entry.server.no_parts;
    bool const is_up = entry.why_down.empty();
    reachable = reachable || (is_up && entry.server.reachable);
    answered = answered && entry.looked && (!is_up || entry.server.answered);
  }
  answered = answered || reachable || server_.answered;
  bool const news = reachable != server_.reachable || answered != server_.answered;
  server_.reachable = reachable;
  server_.answered = answered;
  server_.error = reachable ? "" : WhyNone();
  if (!news) return;
  server_.since = clock_.Wall();
  server_.changed = clock_.Steady();
  if (reachable) {
    logger_->Tell(LogLevel::kInfo, {.message_id = message_id::kServerBack},
                  "server answers as a tus server url={}", options_.url);
  } else {
    logger_->Tell(LogLevel::kWarn, {.message_id = message_id::kServerAway},
                  "server cannot be used through any link, uploads wait url={} error=\"{}\"",
                  options_.url, server_.error);
  }
}

std::string Links::WhySpent(std::size_t index) const {
  auto const& budget = options_.links[index].budget;
  if (!budget || Left(index).value_or(1) > 0) return "";
  return std::string("its budget for this ") + NameOf(budget->per) + " is spent";
}

std::string Links::WhyNone() const {
  std::string why;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    auto const& entry = entries_[i];
    auto own = entry.why_down.empty() ? WhySpent(i) : entry.why_down;
    if (own.empty()) own = entry.server.error;
    if (own.empty()) continue;
    why += (why.empty() ? "" : "; ") + ("through " + options_.links[i].name) + ": " + own;
  }
  return why;
}

Endpoint::State Links::Server() const {
  MutexLock lock(mutex_);
  return server_;
}

Endpoint::State Links::AwaitAnswer(SteadyTime deadline) const {
  MutexLock lock(mutex_);
  while (!server_.answered && changed_.WaitUntil(mutex_, deadline)) {
  }
  return server_;
}

// ---- reports

std::string Links::WhyNot(std::size_t index) const {
  auto const& entry = entries_[index];
  if (!entry.why_down.empty()) return entry.why_down;
  if (auto spent = WhySpent(index); !spent.empty()) return spent;
  if (!entry.server.answered) return "the server has not answered through it yet";
  if (!entry.server.reachable) return entry.server.error;
  bool const waits = OpenFrom(index, Priority::kNormal, clock_.Steady()) > clock_.Steady();
  if (!waits || entry.running > 0) return "";
  return "it carries what is urgent, and what has waited " + Seconds(options_.patience) +
         " for a cheaper one";
}

LinkReport Links::ReportOf(std::size_t index) const {
  auto const& entry = entries_[index];
  LinkReport report{.options = options_.links[index],
                    .why = WhyNot(index),
                    .is_up = entry.why_down.empty(),
                    .sending = entry.running,
                    .rate = entry.meter.Rate(clock_.Steady()),
                    .usage = UsageNow(index)};
  report.state = !report.is_up                  ? "down"
                 : Left(index).value_or(1) == 0 ? "spent"
                 : !entry.server.reachable      ? "unreachable"
                 : report.sending > 0           ? "sending"
                 : !report.why.empty()          ? "waiting"
                                                : "idle";
  return report;
}

std::vector<LinkReport> Links::Report() const {
  MutexLock lock(mutex_);
  std::vector<LinkReport> reports;
  for (std::size_t i = 0; i < entries_.size(); ++i) reports.push_back(ReportOf(i));
  return reports;
}

}  // namespace tusfs
