#include "proof/rest_note.h"

#include <unistd.h>

#include <cerrno>

#include "base/file.h"

namespace tusfs {
namespace {

std::filesystem::path NoteIn(std::filesystem::path const& state_dir) {
  return state_dir / "at-rest";
}

}  // namespace

Result<void> NoteRest(std::filesystem::path const& state_dir, std::string const& server) {
  return ReplaceFile(NoteIn(state_dir), server + "\n");
}

Result<void> EndRest(std::filesystem::path const& state_dir) {
  auto const note = NoteIn(state_dir);
  if (::unlink(note.c_str()) == 0) return SyncDirectory(state_dir);
  if (errno == ENOENT) return {};
  return FailErrno("'" + note.string() + "' cannot be removed");
}

std::optional<std::string> ServerAtRest(std::filesystem::path const& state_dir) {
  auto text = ReadSmallFile(NoteIn(state_dir));
  if (!text || !text->ends_with('\n')) return std::nullopt;
  text->pop_back();
  return *std::move(text);
}

}  // namespace tusfs
