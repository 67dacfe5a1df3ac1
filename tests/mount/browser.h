// A browser that a test looks through: headless Chromium, by its driver (WebDriver, W3C).
//
// Owned by one test and used from its thread. What is asked for and fails is a failure of the test.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "testing/files.h"
#include "testing/process.h"

namespace tusfs_testing {

class Browser {
 public:
  /// Why this machine has none; empty where it has.
  [[nodiscard]] static std::string WhyNot();

  /// With a window of `width` by 800, as a phone's where it is narrow.
  explicit Browser(int width);
  ~Browser();
  Browser(Browser const&) = delete;
  Browser& operator=(Browser const&) = delete;

  /// Returns when the page has been loaded.
  void Open(std::string const& url);
  /// What the body of a function returns that is run in the page.
  [[nodiscard]] nlohmann::json Run(std::string const& script);
  /// As PNG.
  void Screenshot(std::filesystem::path const& path);

 private:
  nlohmann::json Ask(std::string const& method, std::string const& path,
                     nlohmann::json const& body = nlohmann::json::object());

  TempDir const dir_;
  ChildProcess driver_;
  std::string address_;
  std::string session_;
};

}  // namespace tusfs_testing
