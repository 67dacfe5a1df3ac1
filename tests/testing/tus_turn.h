// Who may append to an upload. Private to tests/testing.
#pragma once

#include <string>

#include "testing/tus_service.h"

namespace tusfs_testing {

/// For as long as it lives, no other request touches the upload. Taking it cuts a PATCH that is
/// still running, which is what tusd and @tus/server do, and counts it when that PATCH was alive.
class TusService::Turn {
 public:
  Turn(TusService& service, Request const& request, std::string const& id);
  ~Turn();
  Turn(Turn const&) = delete;
  Turn& operator=(Turn const&) = delete;

 private:
  TusService& service_;
  std::string const id_;
};

}  // namespace tusfs_testing
