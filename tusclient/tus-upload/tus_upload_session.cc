#include "tus_upload_session.h"

#include <algorithm>
#include <cstdio>
#include <thread>
#include <utility>
#include <vector>

#include "tus_upload_advice.h"

namespace tus_upload {
namespace {

// Exit statuses; scripts depend on them. A signal gives 128 and its number.
constexpr int kDone = 0;
constexpr int kFailed = 1;

}  // namespace

Session::Session(Options const& options, Report& report, StopOnSignal const& stop)
    : options_(options),
      report_(report),
      stop_(stop),
      bandwidth_(options.limit_rate),
      profile_(options.chunks),
      store_(options.state_dir),
      finished_(options.state_dir, options.files),
      plan_(MakePlan(options, report, stop.token())),
      urls_(plan_.files.size(), options.print_url && !options.json),
      shared_{options, report, stop, bandwidth_, profile_, store_, finished_, taken_up_} {}

int Session::Run() {
  report_.Planned(plan_.files.size(), plan_.Bytes());
  summary_.files = plan_.files.size() + plan_.failed;
  summary_.failed = plan_.failed;
  {
    std::vector<std::jthread> others;
    auto const jobs = std::min<std::size_t>(options_.jobs, plan_.files.size());
    while (others.size() + 1 < jobs) others.emplace_back([this] { Work(); });
    Work();
  }
  if (broken_) std::rethrow_exception(broken_);
  summary_.status = Status();
  report_.End(summary_);
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return summary_.status;
  report_.Complain((options_.json ? "the events" : "the URLs") +
                   std::string(" cannot be printed: standard output cannot be written to"));
  return std::max(summary_.status, kFailed);
}

void Session::Work() {
  try {
    Worker worker(shared_);
    while (auto const number = Next()) {
      Take(*number, options_.FromStandardInput() ? worker.StandardInput()
                                                 : worker.File(*number, plan_.files[*number]));
    }
  } catch (...) {
    next_ = plan_.files.size();
    std::lock_guard const lock(mutex_);
    if (!broken_) broken_ = std::current_exception();
  }
}

std::optional<std::size_t> Session::Next() {
  if (stop_.signal() != 0) return std::nullopt;
  auto const number = next_.fetch_add(1);
  return number < plan_.files.size() ? std::optional(number) : std::nullopt;
}

void Session::Take(std::size_t number, Outcome outcome) {
  using Kind = Outcome::Kind;
  outcome.kind == Kind::kSame ? urls_.SameAs(number, outcome.same_as)
                              : urls_.Known(number, std::move(outcome.url));
  std::lock_guard const lock(mutex_);
  bool const failed = outcome.kind == Kind::kFailed || outcome.kind == Kind::kStopped;
  if (failed) ++summary_.failed;
  if (!failed) ++good_;
  if (outcome.kind == Kind::kSame) --summary_.files;
  if (outcome.kind == Kind::kUploaded) ++summary_.uploaded;
  if (outcome.kind == Kind::kStopped) told_ = true;
  summary_.bytes += outcome.bytes;
  summary_.sent += outcome.sent;
}

int Session::Status() {
  bool const all = summary_.failed == 0 && good_ == plan_.files.size() && !plan_.cut_short;
  // What is abandoned is to be uploaded by the next run, and so is what was uploaded before.
  if (all || options_.abandon) finished_.Forget();
  // A signal that came after the last byte has stopped nothing.
  if (all) return kDone;
  if (stop_.signal() == 0) return kFailed;
  if (!told_) report_.Complain("stopped: " + HowToGoOn(options_));
  return 128 + stop_.signal();
}

}  // namespace tus_upload
