// What a sequence of system calls gave, line by line, so that two filesystems can be compared.
//
// A scenario runs once on each filesystem, in a process of its own and in an empty directory that
// is its working directory. It goes straight on whatever a call returns: lines are compared by
// their place. Only what every filesystem should give alike is noted: a descriptor is "open",
// directories have no size, and of times only whether they moved.
#pragma once

#include <sys/types.h>

#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace tusfs_testing {

/// Whose identity a scenario runs under.
struct Person {
  std::string_view name;
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups{};  // supplementary
};

inline constexpr uid_t kUserId = 30'001;
inline constexpr uid_t kStrangerId = 30'002;
inline constexpr gid_t kSharedGroup = 30'100;   // the user's and the stranger's
inline constexpr gid_t kUsersGroup = 30'101;    // the user's alone
inline constexpr gid_t kForeignGroup = 30'102;  // of neither

[[nodiscard]] Person const& Root();
[[nodiscard]] Person const& User();
[[nodiscard]] Person const& Stranger();

struct Line {
  std::string what;
  std::string outcome;  // empty: a heading for the lines that follow
};

class Transcript {
 public:
  /// What the next lines are about, where their text alone does not say it.
  void Say(std::string heading);
  void Fact(std::string what, std::string outcome);
  void Fact(std::string what, long outcome) { Fact(std::move(what), std::to_string(outcome)); }

  /// The outcome of a call: what it returned, or the name of errno. Use TRY.
  long Note(char const* call, long returned);
  /// The same for a call that returns a descriptor. Use TRY_OPEN.
  int NoteOpen(char const* call, int descriptor);

  /// What lstat shows: type, permissions, links, owner, group, size, device.
  void Look(std::string const& path);
  /// The same of an open file.
  void LookAt(int descriptor);
  /// How many bytes a file has, and which.
  void Content(std::string const& path);
  void Bytes(std::string what, std::string const& bytes);
  /// Which of mtime and ctime of each path `action` has moved.
  void Effect(std::initializer_list<char const*> paths, std::function<void()> const& action);
  /// Whether `action` has moved atime.
  void EffectOnAccess(char const* path, std::function<void()> const& action);

  /// Goes on in a child process with the identity of `person`, and comes back when it has ended.
  void As(Person const& person, std::function<void()> const& action);
  void InAnotherProcess(std::function<void()> const& action);

  [[nodiscard]] std::vector<Line> const& lines() const { return lines_; }

 private:
  std::vector<Line> lines_;
};

using Scenario = std::function<void(Transcript&)>;

/// Runs `scenario` in a child process that is `person` and works in `directory`.
[[nodiscard]] std::vector<Line> Transcribe(Scenario const& scenario, std::string const& directory,
                                           Person const& person);

/// Returns when whatever changes from now on gets a later timestamp than what changed before: the
/// kernel stamps files with a clock that ticks.
void WaitForTick();

/// All of the file, as far as it can be read.
[[nodiscard]] std::string BytesOf(int descriptor);

/// A mode as chmod(1) takes it.
[[nodiscard]] std::string Octal(mode_t mode);

/// Makes a file of these bytes; the scenario does not depend on how.
void Put(std::string const& path, std::string_view bytes, mode_t mode = 0644);

}  // namespace tusfs_testing

// A call in a scenario over the Transcript `t`, noted as it is written here.
#define TRY(...) t.Note(#__VA_ARGS__, static_cast<long>(__VA_ARGS__))
#define TRY_OPEN(...) t.NoteOpen(#__VA_ARGS__, (__VA_ARGS__))
