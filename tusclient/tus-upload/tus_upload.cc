// tus-upload: uploads files and standard input to a tus server, and goes on where it was killed.
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <cstdio>
#include <exception>
#include <memory>

#include "tus_upload_json.h"
#include "tus_upload_options.h"
#include "tus_upload_progress.h"
#include "tus_upload_report.h"
#include "tus_upload_session.h"
#include "tus_upload_stop.h"

namespace tus_upload {
namespace {

// Tokens and the URLs of uploads are in its memory.
void KeepMemoryPrivate() {
  ::prctl(PR_SET_DUMPABLE, 0);
  rlimit limit{};
  if (::getrlimit(RLIMIT_CORE, &limit) != 0) return;
  limit.rlim_cur = 0;
  ::setrlimit(RLIMIT_CORE, &limit);
}

std::unique_ptr<Report> MakeReport(Options const& options) {
  using Words = Progress::Words;
  if (options.json) return MakeJsonReport(options.print_url);
  return std::make_unique<Progress>(options.quiet     ? Words::kFew
                                    : options.verbose ? Words::kMany
                                                      : Words::kNormal,
                                    options.jobs);
}

int Main(int argc, char const* const* argv) {
  auto const invocation = ParseCommandLine(argc, argv);
  if (!invocation.options) {
    std::fputs(invocation.output.c_str(), invocation.status == 0 ? stdout : stderr);
    return invocation.status;
  }
  auto const& options = *invocation.options;
  if (!options.core_dumps) KeepMemoryPrivate();
  ::signal(SIGPIPE, SIG_IGN);
  StopOnSignal const stop;
  return Session(options, *MakeReport(options), stop).Run();
}

}  // namespace
}  // namespace tus_upload

int main(int argc, char** argv) {
  try {
    return tus_upload::Main(argc, argv);
  } catch (std::exception const& error) {
    std::fprintf(stderr, "tus-upload: stopped: %s; run the same command again\n", error.what());
    return 1;
  }
}
