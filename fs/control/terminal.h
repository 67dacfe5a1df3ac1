// A terminal that a program has to itself for a while: another screen, no cursor, no echo; and what
// it is told of meanwhile. What it was before it is again in the end, also when it is stopped.
//
// One at a time, owned by the thread that made it, which is the only one: the signals of the
// process are its own while it lives.
#pragma once

#include <termios.h>

#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "control/watch_frame.h"

namespace tusfs {

class Terminal {
 public:
  /// Whether standard output is one that can move its cursor.
  [[nodiscard]] static bool IsThere();
  /// Whether it is to have colours: NO_COLOR says that it is not.
  [[nodiscard]] static bool HasColours();

  /// Errors: of signalfd(2).
  [[nodiscard]] static Result<Terminal> Take();
  ~Terminal();
  Terminal(Terminal&& other) noexcept;
  Terminal& operator=(Terminal&&) = delete;

  [[nodiscard]] static FrameSize Size();

  /// Shows these lines, where they are others than before.
  void Draw(std::vector<std::string> const& lines);

  /// To be polled for reading, with standard input: then Hear is called.
  [[nodiscard]] int signals() const { return signals_.get(); }
  /// Takes signals and keys. False: it is to end. What is drawn next is drawn anew where the
  /// window has another size or the program was stopped.
  [[nodiscard]] bool Hear();

 private:
  explicit Terminal(UniqueFd signals);
  void Enter();
  void Leave();
  [[nodiscard]] bool HearKey();

  UniqueFd signals_;
  std::optional<termios> keyboard_;  ///< as it was
  std::string drawn_;
  bool is_ours_ = false;
};

}  // namespace tusfs
