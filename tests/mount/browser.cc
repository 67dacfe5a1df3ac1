#include "mount/browser.h"

#include <gtest/gtest.h>

#include <regex>

#include "testing/http_client.h"
#include "testing/wait_for.h"

namespace tusfs_testing {
namespace {

using nlohmann::json;

constexpr int kHeight = 800;
constexpr int kNarrow = 500;  // below, no window can be

json Options(int width, std::filesystem::path const& profile) {
  json options{{"args",
                {"--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                 "--user-data-dir=" + profile.string(),
                 "--window-size=" + std::to_string(width) + "," + std::to_string(kHeight)}}};
  if (width < kNarrow) {
    options["mobileEmulation"] = {
        {"deviceMetrics", {{"width", width}, {"height", kHeight}, {"pixelRatio", 2}}}};
  }
  return {{"capabilities", {{"alwaysMatch", {{"goog:chromeOptions", options}}}}}};
}

}  // namespace

std::string Browser::WhyNot() {
  return HaveProgram("chromedriver") && HaveProgram("chromium")
             ? ""
             : "there is no Chromium with its driver (chromium, chromium-driver)";
}

Browser::Browser(int width) {
  auto const out = dir_ / "out";
  driver_.Start({"chromedriver", "--port=0"}, out, dir_ / "err");
  std::regex const said("on port ([0-9]+)\\.");
  EXPECT_TRUE(WaitFor([&] {
    std::smatch found;
    auto const text = ReadFile(out);
    if (!std::regex_search(text, found, said)) return false;
    address_ = "http://127.0.0.1:" + found[1].str();
    return true;
  })) << "chromedriver does not say its port";
  session_ = Ask("POST", "/session", Options(width, dir_ / "profile")).value("sessionId", "");
  EXPECT_FALSE(session_.empty()) << "no browser comes up";
}

Browser::~Browser() {
  if (!session_.empty()) Ask("DELETE", "/session/" + session_);
}

json Browser::Ask(std::string const& method, std::string const& path, json const& body) {
  auto const answer = HttpCall(method, address_ + path, {{"Content-Type", "application/json"}},
                               method == "POST" ? body.dump() : "");
  EXPECT_EQ(answer.status, 200) << path << ": " << answer.body;
  auto const parsed = json::parse(answer.body, nullptr, false);
  return parsed.is_object() ? parsed.value("value", json()) : json();
}

void Browser::Open(std::string const& url) {
  Ask("POST", "/session/" + session_ + "/url", {{"url", url}});
}

json Browser::Run(std::string const& script) {
  return Ask("POST", "/session/" + session_ + "/execute/sync",
             {{"script", script}, {"args", json::array()}});
}

void Browser::Screenshot(std::filesystem::path const& path) {
  auto const image = Ask("GET", "/session/" + session_ + "/screenshot");
  auto const text = path.string() + ".base64";
  WriteFile(text, image.is_string() ? image.get<std::string>() : "");
  auto const decoded = RunProgram({"sh", "-c", "base64 -d \"$1\" >\"$2\"", "sh", text, path});
  EXPECT_EQ(decoded.code, 0) << decoded.err;
  std::filesystem::remove(text);
}

}  // namespace tusfs_testing
