// What a person sees: a bar on a terminal, lines elsewhere, all of it on standard error, so that
// standard output is for upload URLs. Where several files go at once, the bar is of all together.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "tus_upload_meter.h"
#include "tus_upload_report.h"

namespace tus_upload {

/// Thread-safe; no line is cut by another.
class Progress : public Report {
 public:
  enum class Words { kFew, kNormal, kMany };

  /// `jobs`: how many files go at once, at most.
  Progress(Words words, unsigned jobs);
  ~Progress() override;  // leaves no half bar behind
  Progress(Progress const&) = delete;
  Progress& operator=(Progress const&) = delete;

  void Planned(std::size_t files, std::uint64_t bytes) override;
  [[nodiscard]] std::unique_ptr<FileReport> Open(std::string name, std::uint64_t planned) override;
  void Skipped(std::string const& name, std::string const& why) override;
  void Failed(std::string const& name, std::string const& sentence) override;
  void Complain(std::string const& sentence) override;
  void End(Summary const&) override {}

 private:
  class File;
  using Clock = Meter::Clock;

  Words const words_;
  unsigned const jobs_;
  bool const terminal_;
  std::mutex mutex_;  // over standard error and what follows
  bool together_ = false;
  bool bar_shown_ = false;
  std::size_t files_ = 0;
  std::size_t ended_ = 0;
  Meter sum_;
  Clock::time_point sum_shown_;

  // With mutex_ held.
  void ShowSum(Clock::time_point now);
  void DrawBar(Meter const& meter, std::string const& title);
  void EraseBar();
  void Print(std::string const& line);
};

}  // namespace tus_upload
