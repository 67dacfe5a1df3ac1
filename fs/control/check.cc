#include "control/check.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <string_view>
#include <utility>
#include <vector>

#include "base/text.h"
#include "control/answers.h"
#include "control/progress.h"

namespace tusfs {
namespace {

using nlohmann::json;
using std::chrono::seconds;

// A bar begins the numbers.
std::string Plain(std::string const& text) {
  auto plain = Printable(text);
  std::replace(plain.begin(), plain.end(), '|', '/');
  return plain;
}

// A word for a shell. What Printable would change is written as the shells of people read it.
std::string Quoted(std::string const& text) {
  auto const shown = Printable(text);
  bool const is_plain = shown == text;
  std::string quoted = is_plain ? "'" : "$'";
  for (char const c : text) {
    if (c == '\'') {
      quoted += is_plain ? "'\\''" : "\\'";
    } else {
      quoted += c == '\\' && !is_plain ? std::string("\\\\") : std::string(1, c);
    }
  }
  return (is_plain ? quoted : Printable(quoted)) + "'";
}

json const& ObjectOf(json const& status, char const* field) {
  static json const nothing = json::object();
  auto const found = status.find(field);
  return found != status.end() && found->is_object() ? *found : nothing;
}

// What is found, the worst of it first.
class Findings {
 public:
  void Add(Health health, std::string const& sentence) {
    auto& sentences = sentences_[static_cast<std::size_t>(health)];
    sentences += (sentences.empty() ? "" : "; ") + sentence;
    worst_ = std::max(worst_, health);
  }
  [[nodiscard]] Health worst() const { return worst_; }
  [[nodiscard]] std::string Text() const {
    std::string text;
    for (auto at = sentences_.rbegin(); at != sentences_.rend(); ++at) {
      if (!at->empty()) text += (text.empty() ? "" : "; ") + *at;
    }
    return text;
  }

 private:
  Health worst_ = Health::kOk;
  std::array<std::string, 3> sentences_;
};

void LookAtAge(json const& status, std::optional<seconds> max_age, Findings& findings) {
  auto const& oldest = ObjectOf(status, "oldest_unsent");
  if (max_age && !status.contains("oldest_unsent")) {
    findings.Add(Health::kWarning,
                 "its daemon is too old to say how long files wait, see tusfsctl restart");
  }
  if (!max_age || oldest.empty()) return;
  auto const age = seconds(NumberOf(oldest, "age"));
  if (age <= *max_age) return;
  findings.Add(Health::kCritical, "'" + Plain(TextOf(oldest, "path")) + "' is not uploaded since " +
                                      ShowDuration(age));
}

void LookAtServer(json const& status, Findings& findings) {
  auto const& server = ObjectOf(status, "server");
  if (server.value("reachable", false)) return;
  auto const error = Plain(TextOf(server, "error"));
  findings.Add(Health::kWarning, "the server cannot be used since " +
                                     Plain(TextOf(server, "since")) +
                                     (error.empty() ? "" : " (" + error + ")"));
}

void LookAtFiles(json const& status, Findings& findings) {
  if (auto const stuck = CountStuck(ObjectOf(status, "files")); stuck > 0) {
    findings.Add(Health::kWarning, Counted(stuck, "file needs", "files need") +
                                       " somebody, see tusfsctl list --stuck");
  }
  if (auto const beneath = BeneathIn(status); beneath.failed + beneath.left > 0) {
    auto const import = Plain(TextOf(status, "import"));
    findings.Add(Health::kWarning, Describe(beneath) + (import.empty() ? "" : " (" + import + ")"));
  }
  if (auto const waiting = NumberOf(ObjectOf(status, "spool"), "waiting"); waiting > 0) {
    findings.Add(Health::kWarning, "the spool is full, the writers of " +
                                       Counted(waiting, "file wait", "files wait") + " for room");
  }
}

std::string NumbersOf(json const& status, std::optional<seconds> max_age) {
  auto const& spool = ObjectOf(status, "spool");
  auto const limit = max_age ? std::to_string(max_age->count()) : std::string();
  return "left=" + std::to_string(NumberOf(ObjectOf(status, "bytes"), "remaining")) + "B stuck=" +
         std::to_string(CountStuck(ObjectOf(status, "files")) + BeneathIn(status).left) +
         " oldest=" + std::to_string(NumberOf(ObjectOf(status, "oldest_unsent"), "age")) + "s;;" +
         limit + " spool=" + std::to_string(NumberOf(spool, "used")) + "B;;" +
         std::to_string(NumberOf(spool, "limit"));
}

}  // namespace

CheckResult CheckMount(json const& status, std::optional<seconds> max_age) {
  auto const mount = "'" + Plain(TextOf(status, "mount")) + "': ";
  Findings findings;
  if (auto const problem = Plain(TextOf(status, "problem")); !problem.empty()) {
    findings.Add(Health::kWarning, problem);
  }
  if (!status.contains("server")) {
    findings.Add(Health::kCritical, "no daemon answers");
    return {.health = findings.worst(), .sentence = mount + findings.Text(), .numbers = ""};
  }
  LookAtAge(status, max_age, findings);
  LookAtServer(status, findings);
  LookAtFiles(status, findings);
  if (status.value("paused", false)) {
    findings.Add(Health::kWarning, "sending is paused, see tusfsctl resume");
  }
  auto const left = NumberOf(ObjectOf(status, "bytes"), "remaining");
  auto const beneath = Describe(BeneathIn(status));
  auto const fine = !beneath.empty() ? beneath
                    : left == 0      ? "everything is uploaded"
                                     : ShowBytes(left) + " to go";
  auto const text = findings.Text();
  return {.health = findings.worst(),
          .sentence = mount + (text.empty() ? fine : text),
          .numbers = NumbersOf(status, max_age)};
}

std::string ShowCheck(std::vector<CheckResult> results) {
  constexpr char const* kWords[] = {"OK", "WARNING", "CRITICAL"};
  std::stable_sort(results.begin(), results.end(),
                   [](CheckResult const& a, CheckResult const& b) { return a.health > b.health; });
  auto const worst = results.empty() ? Health::kOk : results.front().health;
  std::string sentences;
  std::string numbers;
  std::size_t at = 0;
  for (auto const& result : results) {
    sentences += (sentences.empty() ? "" : "; ") + result.sentence;
    ++at;
    if (result.numbers.empty()) continue;
    // Of several mounts, each number has a name of its own.
    auto names = result.numbers;
    if (results.size() > 1) {
      auto const prefix = std::to_string(at) + "_";
      names.insert(0, prefix);
      for (auto space = names.find(' '); space != std::string::npos;
           space = names.find(' ', space + prefix.size())) {
        names.insert(space + 1, prefix);
      }
    }
    numbers += (numbers.empty() ? "" : " ") + names;
  }
  return std::string("TUSFS ") + kWords[static_cast<std::size_t>(worst)] + " - " + sentences +
         (numbers.empty() ? "" : "|" + numbers) + "\n";
}

Result<seconds> ParseDuration(std::string const& text) {
  constexpr std::int64_t kLongest = std::int64_t{100} * 365 * 24 * 3600;
  std::int64_t number = 0;
  auto const* const end = text.data() + text.size();
  auto const parsed = std::from_chars(text.data(), end, number);
  std::string_view const unit(parsed.ptr, static_cast<std::size_t>(end - parsed.ptr));
  std::int64_t const factor = unit.empty() || unit == "s" ? 1
                              : unit == "m"               ? 60
                              : unit == "h"               ? 3600
                              : unit == "d"               ? 24 * 3600
                                                          : 0;
  if (parsed.ec != std::errc() || number < 0 || factor == 0 || number > kLongest / factor) {
    return Fail(EINVAL, "it takes a time such as 30s, 15m, 2h or 1d, not " + text);
  }
  return seconds(number * factor);
}

bool NeedsSomebody(json const& file) {
  auto const state = TextOf(file, "state");
  return state != "uploaded" && state != "local-only" && !file.value("finishes", false);
}

std::vector<std::string> WaysOut(json const& file, std::string const& path) {
  auto const state = TextOf(file, "state");
  auto const run = [&](char const* command) {
    return std::string("tusfsctl ") + command + " " + Quoted(path);
  };
  if (state == "interrupted") {
    return {"copy it again", "or send it as it is: " + run("publish"),
            "or give it up: " + run("discard")};
  }
  if (state == "failed") return {"mend what is said above, then: " + run("retry")};
  if (state == "unconfirmed") {
    return {"look on the server", "where it is there: " + run("accept"),
            "where it is not: " + run("retry")};
  }
  return {"give it its final name", "or send it as it is: " + run("publish")};
}

std::string AdviceFor(json const& file, std::string const& path) {
  std::string advice;
  for (auto const& way : WaysOut(file, path)) advice += (advice.empty() ? "" : "; ") + way;
  return advice;
}

}  // namespace tusfs
