// A mount whose daemon can be given local trouble: trouble.h, switched from the test.
#pragma once

#include <string>

#include "testing/files.h"
#include "testing/mounted_tusfs.h"
#include "testing/trouble.h"

namespace tusfs_testing {

/// Why no daemon can be given trouble here; empty when it can.
[[nodiscard]] std::string WhyNoTrouble();

class TroubledTusfs : public MountedTusfs {
 public:
  explicit TroubledTusfs(std::string url, Command options = {});
  ~TroubledTusfs();

  /// Shared with every daemon of this mount.
  [[nodiscard]] LocalTrouble& trouble() { return *trouble_; }

 private:
  TempDir const dir_;
  LocalTrouble* trouble_;
};

}  // namespace tusfs_testing
