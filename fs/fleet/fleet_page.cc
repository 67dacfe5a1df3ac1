// The fleet for people and for programs: JSON, a table, a page.
#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>

#include "base/iso_time.h"
#include "base/text.h"
#include "fleet/fleet_table.h"

namespace tusfs {
namespace {

using nlohmann::json;
using Row = std::array<std::string, 10>;

constexpr char const* kStyle =
    "body{font:14px sans-serif;margin:2em}table{border-collapse:collapse}"
    "th,td{padding:.3em .8em;border-bottom:1px solid #ccc;text-align:left}"
    "tr.bad td{background:#fdd}tr.silent td{background:#fbb}";

std::string ShowSpan(std::chrono::seconds span) {
  auto const seconds = span.count();
  if (seconds < 120) return std::to_string(seconds) + "s";
  if (seconds < 7200) return std::to_string(seconds / 60) + "m";
  if (seconds < 172'800) return std::to_string(seconds / 3600) + "h";
  return std::to_string(seconds / 86'400) + "d";
}

std::string Joined(std::vector<std::string> const& texts) {
  std::string all;
  for (auto const& text : texts) all += (all.empty() ? "" : ", ") + text;
  return all;
}

Row const kColumns = {"RIG",    "MOUNT", "VERSION", "SEEN", "BACKLOG",
                      "OLDEST", "STUCK", "RATE",    "FREE", "TROUBLE"};

Row RowOf(Rig const& rig) {
  return {Printable(rig.host.empty() ? rig.machine_id : rig.host),
          Printable(rig.mount),
          Printable(rig.version),
          ShowSpan(rig.silent) + " ago",
          rig.files == 0 ? "-" : std::to_string(rig.files) + ", " + ShowBytes(rig.bytes),
          rig.oldest.count() == 0 ? "-" : ShowSpan(rig.oldest),
          rig.stuck == 0 ? "-" : std::to_string(rig.stuck),
          rig.rate ? ShowBytes(*rig.rate) + "/s" : "-",
          rig.disk_free ? ShowBytes(*rig.disk_free) : "-",
          rig.troubles.empty() ? "-" : Printable(Joined(rig.troubles))};
}

std::string HtmlRow(Row const& row, char const* cell, char const* kind) {
  std::string text = std::string("<tr class=\"") + kind + "\">";
  for (auto const& value : row) {
    text += std::string("<") + cell + ">" + EscapeHtml(value) + "</" + cell + ">";
  }
  return text + "</tr>\n";
}

}  // namespace

json FleetJson(std::vector<Rig> const& fleet) {
  json rigs = json::array();
  for (auto const& rig : fleet) {
    json object{{"host", rig.host},
                {"machine_id", rig.machine_id},
                {"mount", rig.mount},
                {"version", rig.version},
                {"arrived", IsoUtc(rig.arrived)},
                {"silent_for", rig.silent.count()},
                {"silent", rig.is_silent},
                {"clock_ahead", rig.ahead.count()},
                {"files", rig.files},
                {"bytes", rig.bytes},
                {"oldest_unsent", rig.oldest.count()},
                {"stuck", rig.stuck},
                {"rate", nullptr},
                {"disk_free", nullptr},
                {"links", rig.links},
                {"troubles", rig.troubles}};
    if (rig.rate) object["rate"] = *rig.rate;
    if (rig.disk_free) object["disk_free"] = *rig.disk_free;
    rigs.push_back(std::move(object));
  }
  return {{"rigs", std::move(rigs)}};
}

std::string FleetTable(std::vector<Rig> const& fleet) {
  std::vector<Row> rows{kColumns};
  for (auto const& rig : fleet) rows.push_back(RowOf(rig));
  std::array<std::size_t, std::tuple_size_v<Row>> widths{};
  for (auto const& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (auto const& row : rows) {
    for (std::size_t i = 0; i + 1 < row.size(); ++i) {
      text += row[i] + std::string(widths[i] - row[i].size() + 2, ' ');
    }
    text += row.back() + "\n";
  }
  return text;
}

std::string FleetPage(std::vector<Rig> const& fleet, FileTime now) {
  std::string page =
      std::string("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">") +
      "<title>Rigs</title><style>" + kStyle + "</style></head><body>\n<h1>" +
      std::to_string(fleet.size()) + " rigs</h1>\n<p>" + IsoUtc(now) + "</p>\n<table>\n" +
      HtmlRow(kColumns, "th", "head");
  for (auto const& rig : fleet) {
    auto const* const kind = rig.is_silent ? "silent" : rig.troubles.empty() ? "good" : "bad";
    page += HtmlRow(RowOf(rig), "td", kind);
  }
  return page + "</table>\n</body></html>\n";
}

}  // namespace tusfs
