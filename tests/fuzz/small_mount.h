// A filesystem over a catalog and a spool of its own, small and quick to make, that no kernel knows
// of. Its server is never asked, and nothing goes on by itself.
#pragma once

#include <cstdint>
#include <memory>

#include "base/fakes.h"
#include "filesystem/filesystem.h"
#include "testing/files.h"

namespace tusfs {

/// Everybody lives, and closes what was written cleanly.
class LivingProcesses : public ProcessTable {
 public:
  [[nodiscard]] Judgement JudgeClose(pid_t) const override { return {Verdict::kClean, {}}; }
  [[nodiscard]] Judgement JudgeCopy(pid_t, std::string const&, Copy const&) const override {
    return {Verdict::kClean, {}};
  }
  [[nodiscard]] pid_t ProcessOf(pid_t thread) const override { return thread; }
};

class SmallMount {
 public:
  SmallMount();

  /// Makes a file of these bytes. Returns its number.
  InodeId AddFile(std::string_view name, std::string_view bytes, InodeId directory = kRootInode);

  [[nodiscard]] Clock const& clock() const { return clock_; }
  [[nodiscard]] std::uint64_t connection() const { return connection_; }
  [[nodiscard]] Store& store() { return *store_; }
  [[nodiscard]] Spool& spool() { return *spool_; }
  [[nodiscard]] Uploader& uploader() { return *uploader_; }
  [[nodiscard]] Finishing& finishing() { return *finishing_; }
  [[nodiscard]] Filesystem& filesystem() { return *filesystem_; }

  static constexpr Caller kUser{.uid = 1000, .gid = 1000, .pid = 100};
  static constexpr auto kEndpoint = "http://tus.example/files/";

 private:
  tusfs_testing::TempDir const dir_;
  FakeClock const clock_;
  Logger const logger_ = QuietLogger();
  LivingProcesses const processes_;
  PublishRules const rules_;
  std::unique_ptr<Spool> spool_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Uploader> uploader_;
  std::unique_ptr<Finishing> finishing_;
  std::uint64_t connection_ = 0;
  std::unique_ptr<Filesystem> filesystem_;
};

}  // namespace tusfs
