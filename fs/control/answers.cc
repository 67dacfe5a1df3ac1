#include "control/answers.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <iterator>

#include "base/text.h"

namespace tusfs {
namespace {

using nlohmann::json;

constexpr std::size_t kBarWidth = 30;

// More may be done than there is: a file that was cut after it was sent.
std::size_t Percent(std::uint64_t done, std::uint64_t all) {
  if (done >= all) return 100;
  return static_cast<std::size_t>(static_cast<double>(done) * 100 / static_cast<double>(all));
}

std::string Padded(std::string const& text, std::size_t width, bool to_the_right = false) {
  auto const missing = width - std::min(width, text.size());
  return to_the_right ? std::string(missing, ' ') + text : text + std::string(missing, ' ');
}

std::string ShowPercent(std::uint64_t done, std::uint64_t all) {
  return std::to_string(Percent(done, all)) + "%";
}

std::string Bar(std::uint64_t done, std::uint64_t all, bool with_bars) {
  if (!with_bars) return {};
  auto const filled = Percent(done, all) * kBarWidth / 100;
  return "[" + std::string(filled, '#') + std::string(kBarWidth - filled, '.') + "] ";
}

std::uint64_t AsNumber(json const& value) {
  bool const is_one = value.is_number_unsigned() ||
                      (value.is_number_integer() && value.get<json::number_integer_t>() >= 0);
  if (!is_one) static_cast<void>(value.get_ref<json::number_unsigned_t const&>());  // throws
  return value.get<std::uint64_t>();
}

std::string ShownText(json const& object, char const* field) {
  return Printable(TextOf(object, field));
}

/// `text` behind `before`, or nothing.
std::string Behind(char const* before, std::string const& text) {
  return text.empty() ? std::string() : before + text;
}

std::string ShowProcesses(json const& status) {
  auto const pid = [&](char const* field) {
    auto const& number = status.at(field);
    return number.is_null() ? std::string("none") : "process " + std::to_string(AsNumber(number));
  };
  auto const restarts = NumberOf(status, "restarts");
  auto text = "  daemon  " + pid("daemon_pid") + ", keeper " + pid("keeper_pid");
  if (restarts > 0) text += ", restarted " + Counted(restarts, "time", "times");
  text += Behind(", the last crash: ", ShownText(status, "last_end")) + "\n";
  if (TextOf(status, "writer_ends") == "nobody") {
    text += "  writers how they end after they have closed a file is not seen\n";
  }
  for (auto const& [before, field] :
       {std::pair("  import  ", "import"), {"  problem ", "problem"}}) {
    auto const line = Behind(before, ShownText(status, field));
    if (!line.empty()) text += line + "\n";
  }
  return text;
}

// Never all of it while a file is stuck, or not in the mount: what it lacks may be no bytes at all.
bool LacksSomething(json const& status) {
  auto const& bytes = status.at("bytes");
  return CountStuck(status.at("files")) + BeneathIn(status).All() > 0 &&
         NumberOf(bytes, "confirmed") >= NumberOf(bytes, "accepted");
}

// `more`: what is said behind the bytes to go.
std::string SafeShare(json const& status, std::string const& more = {}) {
  auto const& bytes = status.at("bytes");
  auto const confirmed = NumberOf(bytes, "confirmed");
  auto const accepted = NumberOf(bytes, "accepted");
  return (LacksSomething(status) ? "99%" : ShowPercent(confirmed, accepted)) + " (" +
         ShowBytes(confirmed) + " of " + ShowBytes(accepted) + " on the server, " +
         ShowBytes(NumberOf(bytes, "remaining")) + " to go" + more + ")";
}

std::string ShowSafe(json const& status, bool with_bars) {
  auto const& bytes = status.at("bytes");
  auto const held = NumberOf(bytes, "held");
  auto const stuck = CountStuck(status.at("files"));
  auto const sending = NumberOf(bytes, "sending");
  auto const bar = LacksSomething(status)
                       ? Bar(99, 100, with_bars)
                       : Bar(NumberOf(bytes, "confirmed"), NumberOf(bytes, "accepted"), with_bars);
  auto const on_the_way = sending > 0 ? ", " + ShowBytes(sending) + " of it on the way" : "";
  auto text = "  safe    " + bar + SafeShare(status, on_the_way) + "\n";
  if (stuck > 0) {
    text += "  stuck   " + Counted(stuck, "file waits for somebody", "files wait for somebody") +
            (held > 0 ? ", of which a power cut has left " + ShowBytes(held) + " in doubt" : "") +
            ": see tusfsctl list --stuck\n";
  }
  auto const beneath = Describe(BeneathIn(status));
  return beneath.empty() ? text : text + "  beneath " + beneath + "\n";
}

// What went through it, beside its budget where there is one.
std::string ShowLinkBytes(json const& link) {
  auto const budget = link.find("budget");
  bool const has_budget = budget != link.end() && budget->is_object();
  auto const of = [&](char const* per) {
    bool const is_its = has_budget && TextOf(*budget, "per") == per;
    return is_its ? " of " + ShowBytes(NumberOf(*budget, "bytes")) : std::string();
  };
  return ShowBytes(NumberOf(link, "today")) + of("day") + " today, " +
         ShowBytes(NumberOf(link, "month")) + of("month") + " this month";
}

std::string ShowLinks(json const& status) {
  std::string text;
  auto const links = status.find("links");
  if (links == status.end() || !links->is_array()) return text;  // of a release before
  for (auto const& link : *links) {
    text += "  link    " + ShownText(link, "name") + " (" + ShownText(link, "interface") + ") " +
            ShownText(link, "state");
    if (NumberOf(link, "sending") > 0) {
      text += " " + Counted(NumberOf(link, "sending"), "file", "files") + " at " +
              ShowBytes(NumberOf(link, "rate")) + "/s";
    }
    text += ", " + ShowLinkBytes(link) + Behind(": ", ShownText(link, "why")) + "\n";
  }
  return text;
}

std::string ShowSpool(json const& spool) {
  auto const waiting = NumberOf(spool, "waiting");
  auto text = "  spool   " + ShowBytes(NumberOf(spool, "used")) + " used of " +
              ShowBytes(NumberOf(spool, "limit"));
  if (waiting > 0) {
    text += ", full: the writers of " + Counted(waiting, "file wait", "files wait") + " for room";
  }
  auto const interrupted = NumberOf(spool, "interrupted");
  bool const is_much = interrupted >= NumberOf(spool, "limit") / 4;
  if (interrupted > 0 && (waiting > 0 || is_much)) {
    text += "\n          " + ShowBytes(interrupted) +
            " of it are of interrupted files, which 'tusfsctl discard' or 'publish' lets go" +
            Behind("; the oldest is ", ShownText(spool, "oldest_interrupted"));
  }
  if (auto const dropped = NumberOf(spool, "dropped_files"); dropped > 0) {
    text += "\n          " + std::to_string(dropped) +
            " interrupted files were given up to make room (" +
            ShowBytes(NumberOf(spool, "dropped_bytes")) + ")";
  }
  return text + "\n";
}

std::string ShowHooks(json const& status) {
  auto const found = status.find("hooks");
  if (found == status.end() || !found->is_object()) return {};
  auto const waiting = NumberOf(*found, "waiting");
  auto text = "  hooks   " + (waiting == 0 ? std::string("all were told")
                                           : std::to_string(waiting) + " events are to be told");
  if (auto const lost = NumberOf(*found, "lost"); lost > 0) {
    text += ", " + std::to_string(lost) + " are not told any more";
  }
  auto const failure = found->find("failure");
  if (failure != found->end() && failure->is_object()) {
    text += "; the last failure was at " + ShownText(*failure, "time") + " (" +
            ShownText(*failure, "event") + "): " + ShownText(*failure, "error");
  }
  return text + "\n";
}

}  // namespace

std::uint64_t CountStuck(json const& files) {
  std::uint64_t stuck = 0;
  for (auto const* state : {"interrupted", "failed", "unconfirmed"})
    stuck += NumberOf(files, state);
  return stuck;
}

FilesBeneath BeneathIn(json const& object) {
  auto const found = object.find("beneath");
  if (found == object.end() || !found->is_object()) return {};
  return {.waiting = NumberOf(*found, "waiting"),
          .failed = NumberOf(*found, "failed"),
          .left = NumberOf(*found, "left")};
}

json JsonOf(FilesBeneath const& beneath) {
  return {{"waiting", beneath.waiting}, {"failed", beneath.failed}, {"left", beneath.left}};
}

std::uint64_t NumberOf(json const& object, char const* field) {
  auto const found = object.find(field);
  return found == object.end() ? 0 : AsNumber(*found);
}

Result<void> JudgeAnswer(json const& answer) {
  if (!answer.is_object()) return Fail(EPROTO, "the daemon's answer cannot be read");
  if (auto const error = answer.find("error"); error != answer.end() && error->is_string()) {
    return Fail(ENOENT, error->get<std::string>());
  }
  return {};
}

Result<json> ReadAnswer(std::string const& text) {
  auto object = json::parse(text, nullptr, false);
  if (auto judged = JudgeAnswer(object); !judged) return Failure(judged.error());
  return object;
}

json const& FilesIn(json const& answer) {
  auto const& files = answer.at("files");
  static_cast<void>(
      files.get_ref<json::array_t const&>());  // else nothing would look like no files
  return files;
}

std::string TextOf(json const& object, char const* field) {
  auto const found = object.find(field);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::string ShowMount(json const& status, bool with_bars) {
  auto text = ShownText(status, "mount") + " -> " + ShownText(status, "url") + "\n";
  if (!status.contains("server")) return text + ShowProcesses(status);
  auto const& server = status.at("server");
  auto const& bytes = status.at("bytes");
  text += std::string("  server  ") +
          (server.value("reachable", false) ? "reachable" : "not usable") + " since " +
          ShownText(server, "since") + Behind(": ", ShownText(server, "error")) + "\n";
  text += ShowLinks(status);
  if (auto const why = ShownText(server, "no_parts"); !why.empty()) {
    text += "  parts   none until a restart: " + why + "\n";
  }
  if (status.value("paused", false)) text += "  paused  nothing is sent: see tusfsctl resume\n";
  text += ShowSafe(status, with_bars);
  if (auto const limit = NumberOf(status, "limit"); limit > 0) {
    text += "  limit   " + ShowBytes(limit) + "/s\n";
  }
  text += "  sent    " + ShowBytes(NumberOf(bytes, "sent")) + ", of these " +
          ShowBytes(NumberOf(bytes, "resent")) + " again\n";
  if (auto const page = ShownText(status, "page"); !page.empty()) {
    text += "  page    " + page + ", see tusfsctl page\n";
  }
  std::string files;
  for (auto const& [state, count] : status.at("files").items()) {
    files += (files.empty() ? "" : ", ") + std::to_string(AsNumber(count)) + " " + Printable(state);
  }
  text += "  files   " + (files.empty() ? "none" : files) + "\n";
  return text + ShowSpool(status.at("spool")) + ShowHooks(status) + ShowProcesses(status);
}

std::string SummaryOf(json const& status) {
  auto text = "safe: " + SafeShare(status);
  if (auto const stuck = CountStuck(status.at("files")); stuck > 0) {
    text += "; " + Counted(stuck, "file waits for somebody", "files wait for somebody");
  }
  text += Behind("; ", Describe(BeneathIn(status)));
  auto const& server = status.at("server");
  if (!server.value("reachable", false)) {
    text += "; server not usable since " + ShownText(server, "since") +
            Behind(": ", ShownText(server, "error"));
  }
  return text;
}

std::string ShowFile(json const& file, bool with_bars) {
  auto const offset = NumberOf(file, "offset") + NumberOf(file, "sending");
  auto const size = NumberOf(file, "size");
  auto const state = ShownText(file, "state");
  bool const nothing_yet = size == 0 && state != "uploaded";
  auto const advice = ShownText(file, "advice");
  auto const first = file.value("first", false) ? "  -- goes first" : "";
  return Padded(state, 11) + " " + Bar(offset, size, with_bars) +
         Padded(nothing_yet ? "0%" : ShowPercent(offset, size), 4, true) + " " +
         Padded(ShowBytes(size), 10, true) + "  " + ShownText(file, "path") + first +
         Behind("  -- ", ShownText(file, "error")) +
         Behind("  -- the server keeps it until ", ShownText(file, "expires")) + "\n" +
         (advice.empty() ? "" : "            " + advice + "\n");
}

std::string ShowMountList(json const& answer, bool) {
  std::string text;
  for (auto const& mount : answer.at("mounts")) {
    text += ShownText(mount, "mount") + " -> " + ShownText(mount, "url") + "\n";
    auto const& pid = mount.at("daemon_pid");
    if (!pid.is_null()) text += "  process " + std::to_string(AsNumber(pid));
    text += std::string(pid.is_null() ? "  " : ", ") + ShownText(mount, "state");
    auto const& backlog = mount.at("backlog");
    if (!backlog.is_null()) {
      auto const going = NumberOf(backlog, "going");
      text += going == 0 ? ", nothing to send"
                         : ", " + Counted(going, "file, ", "files, ") +
                               ShowBytes(NumberOf(backlog, "left")) + " to go";
      auto const stuck = NumberOf(backlog, "stuck");
      if (stuck > 0) text += ", " + Counted(stuck, "needs somebody", "need somebody");
    }
    text += "\n";
  }
  return text;
}

std::string ShowFiles(json const& answer, bool with_bars) {
  std::string text;
  for (auto const& file : FilesIn(answer)) text += ShowFile(file, with_bars);
  return text;
}

}  // namespace tusfs
