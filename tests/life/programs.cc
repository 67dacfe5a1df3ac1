// World: what programs do.
#include <fcntl.h>
#include <stdio.h>

#include <algorithm>
#include <cerrno>
#include <random>

#include "world.h"

namespace tusfs_life {
namespace {

using tusfs::Caller;
using tusfs::Result;
using tusfs::Turn;

/// More than one block of digests, so that a part of it can be trimmed.
constexpr std::uint64_t kLarge = 4'500'000;
constexpr std::uint64_t kMostInACall = 1024 * 1024;
constexpr std::uint64_t kPiece = 64 * 1024;
constexpr std::chrono::seconds kWaitForRoom{5};
constexpr int kMostWaitsForRoom = 1000;  // more than an hour

std::string MakeBytes(std::uint64_t size, std::uint64_t seed) {
  std::string bytes(size, '\0');
  std::uint64_t state = seed * 0x9e3779b97f4a7c15 + 1;
  for (std::size_t at = 0; at < size; at += 8) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    for (std::size_t i = 0; i < 8 && at + i < size; ++i) {
      bytes[at + i] = static_cast<char>(state >> (8 * i) | 1);  // never zero: what a disk lost
    }
  }
  return bytes;
}

}  // namespace

void World::DoProgram(Step const& step) {
  auto const& name = NameAt(step.a);
  auto& program = programs_[static_cast<int>(step.a % 3)];
  bool const runs = program.file != nullptr;
  switch (step.kind) {
    case Kind::kCopy:
      Copy(name, step.b, step.c % 8 < 3 ? step.c % 8 : 0);
      break;
    case Kind::kCopyLarge:
      Copy(name, kLarge, step.c % 3);
      break;
    case Kind::kCopiesAtOnce:
      CopyAtOnce(step.a, step.b);
      break;
    case Kind::kBegin:
      if (!runs) Begin(program, NameAt(step.b), step.c);
      break;
    case Kind::kMore:
      if (runs) Write(program, program.file->bytes.size(), step.b);
      break;
    case Kind::kWriteAt:
      if (runs) Write(program, step.b, step.c);
      break;
    case Kind::kChildCloses:
      if (runs) ChildCloses(program);
      break;
    case Kind::kClose:
      if (runs) Close(program);
      break;
    case Kind::kKilled:
      if (runs) KillProgram(program);
      break;
    case Kind::kFsync:
      if (runs) Fsync(program);
      break;
    case Kind::kRewrite:
    case Kind::kAppend: {
      auto& editor = NewProgram();
      if (!OpenFor(editor, name, O_WRONLY)) break;
      bool const appends = step.kind == Kind::kAppend;
      Write(editor, appends ? editor.file->bytes.size() : step.b, appends ? step.b : step.c);
      Close(editor);
      break;
    }
    case Kind::kOpenToRead:
    case Kind::kRead:
    case Kind::kCloseReader:
      DoReader(step);
      break;
    case Kind::kTruncate:
      Truncate(name, step.b);
      break;
    case Kind::kRename:
      Rename(name, NameAt(step.b), 0);
      break;
    case Kind::kExchange:
      Rename(name, NameAt(step.b), RENAME_EXCHANGE);
      break;
    case Kind::kLink:
      Link(name, NameAt(step.b));
      break;
    case Kind::kUnlink:
      Unlink(name);
      break;
    case Kind::kMakeDirectory:
      MakeDirectory(DirectoryAt(step.a));
      break;
    case Kind::kRemoveDirectory:
      RemoveDirectory(DirectoryAt(step.a));
      break;
    case Kind::kMoveDirectory:
      Rename(DirectoryAt(step.a), DirectoryAt(step.b), 0);
      break;
    case Kind::kSyncDirectory:
      if (Ask(100, [&](Caller const&) { return machine_.fs().SyncDirectory(); })) model_.Synced();
      break;
    default:
      break;
  }
}

void World::DoReader(Step const& step) {
  auto& reader = readers_[static_cast<int>(step.a % 3)];
  if (step.kind == Kind::kOpenToRead) {
    auto const file = model_.Find(NameAt(step.b));
    if (reader.file || !file || file->is_directory) return;
    auto const handle = Ask(50, [&](Caller const& caller) {
      return machine_.fs().Open(caller, file->inode, O_RDONLY);
    });
    if (handle) reader = {file, *handle};
    return;
  }
  if (!reader.file) return;
  if (step.kind == Kind::kCloseReader) {
    auto const ending = std::exchange(reader, {});
    auto const released =
        Ask(50, [&](Caller const&) { return machine_.fs().Release(ending.handle); });
    if (!released) Break("a release fails: " + tusfs::Describe(released.error()));
    return;
  }
  std::string bytes(reader.file->bytes.size() + 1, '?');
  auto const got = Ask(50, [&](Caller const&) {
    return machine_.fs().Read(reader.handle, 0, std::as_writable_bytes(std::span(bytes)));
  });
  if (!got && got.error().code == EBADF) Break("an open file cannot be read any more");
  if (!got) return;  // the server alone has it, or the disk has failed
  bytes.resize(*got);
  if (bytes != reader.file->bytes && !disk_failed_) Break("an open file shows other bytes");
}

// ---- opening and writing

// One that a step starts, and ends unless somebody dies over it.
World::Program& World::NewProgram() { return programs_[--last_passing_]; }

bool World::OpenFor(Program& program, std::string const& path, int flags) {
  auto const file = model_.Find(path);
  if (!file || file->is_directory) return false;
  program.pid = program.opener = ++next_pid_;
  bool const empties = (flags & O_TRUNC) != 0;
  auto const fate = file->fate;
  if (empties) {
    file->before = std::exchange(file->bytes, {});
    file->unanswered = true;
    file->fate = Fate::kMay;
  }
  auto const handle = Ask(program.pid, [&](Caller const& caller) {
    return machine_.fs().Open(caller, file->inode, flags);
  });
  if (!handle) {
    if (empties) file->bytes = file->before;
    file->fate = fate;
    file->unanswered = false;
    return false;
  }
  file->unanswered = false;
  if (empties) {
    file->synced = file->bad = file->is_guess = false;
    file->fate = Fate::kHold;
  }
  program.file = file;
  program.handle = *handle;
  program.wrote = empties;
  file->writers.insert(*handle);
  return true;
}

void World::Begin(Program& program, std::string const& path, std::uint64_t size,
                  std::uint64_t content) {
  if (!model_.HasParent(path)) return;
  if (model_.Find(path)) {
    if (!OpenFor(program, path, O_WRONLY | O_TRUNC)) return;
  } else {
    auto const file = model_.NewFile(false);
    file->fate = Fate::kHold;
    file->unanswered = true;
    auto after = model_.names();
    after[path] = file;
    unanswered_names_ = after;
    program.pid = program.opener = ++next_pid_;
    auto const created = Ask(program.pid, [&](Caller const& caller) {
      return machine_.fs().Create(caller, model_.ParentOf(path), NameOf(path), 0644, O_WRONLY);
    });
    unanswered_names_.reset();
    file->unanswered = false;
    if (!created) return;
    file->inode = created->attributes.inode;
    NoteInode(file);
    Become(after);
    program.file = file;
    program.handle = created->handle;
    program.wrote = true;
    file->writers.insert(created->handle);
  }
  Write(program, 0, size, content);
}

void World::Copy(std::string const& path, std::uint64_t size, std::uint64_t content) {
  auto& program = NewProgram();
  Begin(program, path, size, content);
  if (program.file) Close(program);
}

void World::Write(Program& program, std::uint64_t offset, std::uint64_t size,
                  std::uint64_t content) {
  auto const bytes = MakeBytes(size, content != 0 ? content : 1'000 + ++bytes_made_);
  for (std::uint64_t done = 0; done < size && !program.failed;) {
    auto const piece = std::min(kMostInACall, size - done);
    auto turn = WritePiece(program, offset + done, bytes.substr(done, piece));
    for (int waits = 0; turn && *turn == Turn::kWait; ++waits) {
      // The program sleeps; others go on.
      Pass(kWaitForRoom);
      if (waits > kMostWaitsForRoom) Break("a write waits for room for ever");
      turn = machine_.fs().AskTurn(program.handle, offset + done);
      if (disk_.dead()) {  // before it could answer: a successor does the write again
        LookForDeath();
        turn = WritePiece(program, offset + done, bytes.substr(done, piece));
      } else if (!turn) {
        NoteFailedWrite(program);
      }
    }
    done += piece;
  }
}

Result<Turn> World::WritePiece(Program& program, std::uint64_t offset, std::string const& bytes) {
  auto& file = *program.file;
  file.before = file.bytes;
  file.unanswered = true;
  auto const end = offset + bytes.size();
  if (file.bytes.size() < end) file.bytes.resize(end, '\0');
  std::copy(bytes.begin(), bytes.end(), file.bytes.begin() + static_cast<std::ptrdiff_t>(offset));
  auto const synced = std::exchange(file.synced, false);
  auto const fate = std::exchange(file.fate, Fate::kHold);
  auto const written = Ask(program.pid, [&](Caller const& caller) {
    return machine_.fs().Write(caller, program.handle, offset, std::as_bytes(std::span(bytes)));
  });
  file.unanswered = false;
  if (written) {
    program.wrote = true;
    program.has_handed_on = false;
  } else if (written.error().code == ENOSPC) {
    // One that waited in vain for room was done, one that met a full disk was not.
    auto const seen = machine_.fs().GetAttributes(file.inode);
    if (seen && !disk_.dead() && seen->size == file.before.size()) {
      auto const now = ReadAll({file.inode, false, seen->size});
      if (now && *now == file.before) file.bytes = file.before;
    }
    NoteFailedWrite(program);
  } else {
    // Bytes that only the server has stay as they are; a disk may do anything.
    file.bytes = file.before;
    file.synced = synced;
    file.fate = program.wrote ? Fate::kHold : fate;
    NoteFailedWrite(program);
  }
  return written;
}

// It gets an error, and gives up; what it has written is there.
void World::NoteFailedWrite(Program& program) {
  program.failed = true;
  program.file->bad = true;
  if (model_.NamesOf(program.file).empty()) return;
  auto const seen = machine_.fs().GetAttributes(program.file->inode);
  if (!seen || seen->size == program.file->bytes.size()) return;
  auto const bytes = ReadAll({program.file->inode, false, seen->size});
  // Of bytes that cannot be read their number is known.
  program.file->bytes = bytes ? *bytes : program.file->bytes.substr(0, seen->size);
}

// Each fits, all do not: one of them finishes, at least.
void World::CopyAtOnce(std::uint32_t first, std::uint64_t size) {
  struct Copier {
    Program& program;
    std::uint64_t written = 0;
    bool waits = false;
  };
  std::vector<Copier> copiers;
  for (std::uint32_t i = 0; i < 3; ++i) {
    auto& program = NewProgram();
    Begin(program, NameAt(first + i), 0);
    if (program.file) copiers.push_back({program});
  }
  auto const bytes = MakeBytes(size, 1'000 + ++bytes_made_);
  // Of the spool, the others never take more than a third, and the pieces that are on their way.
  auto const space = machine_.fs().MeasureSpace();
  bool const fits = space && machine_.settings.spool_size != 0 && !machine_.settings.trims &&
                    copiers.size() > 1 &&
                    space->free >= size + machine_.settings.spool_size / 3 + 4 * kPiece;
  auto const failed_before = disk_.failed();
  std::size_t finished = 0;
  std::size_t over = 0;
  for (int round = 0; over < copiers.size(); ++round) {
    bool goes = false;
    for (auto& [program, written, waits] : copiers) {
      if (!program.file) continue;
      if (waits) {
        auto const turn = machine_.fs().AskTurn(program.handle, written);
        LookForDeath();
        if (turn && *turn == Turn::kWait) continue;
        waits = false;
        if (!turn) NoteFailedWrite(program);
      } else if (written < size) {
        auto const piece = bytes.substr(written, kPiece);
        auto const turn = WritePiece(program, written, piece);
        waits = turn && *turn == Turn::kWait;
        written += piece.size();
      }
      goes = true;
      if (program.failed || (!waits && written == size)) {
        finished += program.failed ? 0 : 1;
        Close(program);
        ++over;
      }
    }
    if (!goes) Pass(std::chrono::seconds(5));
    if (round > 5'000) Break("copies wait for room for ever");
  }
  if (fits && finished == 0 && disk_.failed() == failed_before) {
    Break("of several copies none finished, and each fits");
  }
}

void World::Close(Program& program) {
  auto const file = program.file;
  auto const handle = program.handle;
  auto const ending = std::exchange(program, {});
  file->writers.erase(handle);
  bool const ends = file->writers.empty();
  auto const bad = file->bad;
  bool const mends = !file->beside_bad.contains(handle);
  // Of what another one has written that one's close has told; of a write that failed all do.
  bool const speaks = ending.failed || (ending.wrote && !ending.has_handed_on);
  if (speaks) file->bad = ending.failed || (bad && !mends);
  if (ending.failed) file->beside_bad = file->writers;
  auto const fate = file->fate;
  if (ends && !file->bad) {
    file->fate = Fate::kMay;  // it may be closed, until that was answered
    Complete(file, ending.wrote);
  }
  file->before = file->bytes;
  file->unanswered = true;
  auto const flushed =
      Ask(ending.pid, [&](Caller const& caller) { return machine_.fs().Flush(caller, handle); });
  if (!flushed) {
    file->bad = bad;
    file->fate = Fate::kHold;
  }
  // Whoever gets a file from its opener has the last word only when nobody has it open any more.
  file->unanswered = ending.pid != ending.opener;
  auto const released =
      Ask(ending.pid, [&](Caller const&) { return machine_.fs().Release(handle); });
  if (!released) Break("a release fails: " + tusfs::Describe(released.error()));
  file->unanswered = false;
  if (ends && flushed) file->fate = file->bad ? Fate::kHold : ending.wrote ? Fate::kPublish : fate;
}

/// The shell has it open on.
void World::ChildCloses(Program& program) {
  auto const file = program.file;
  bool const mends = !file->beside_bad.contains(program.handle);
  if (program.wrote) file->bad = program.failed || (file->bad && !mends);
  program.has_handed_on = true;
  static_cast<void>(Ask(program.pid, [&](Caller const& caller) {
    return machine_.fs().Flush(caller, program.handle);
  }));
  program.pid = ++next_pid_;  // of the next child
}

void World::KillProgram(Program& program) {
  auto const file = program.file;
  if (program.has_handed_on && program.wrote)
    return Close(program);  // who did not write has no say
  auto const ending = std::exchange(program, {});
  machine_.processes().Kill(ending.pid);
  file->writers.erase(ending.handle);
  if (ending.wrote) {
    file->bad = true;
    file->fate = Fate::kHold;
    file->beside_bad = file->writers;
  }
  static_cast<void>(Ask(ending.pid, [&](Caller const& caller) {
    return machine_.fs().Flush(caller, ending.handle);
  }));
  static_cast<void>(
      Ask(ending.pid, [&](Caller const&) { return machine_.fs().Release(ending.handle); }));
}

void World::Fsync(Program& program) {
  auto const file = program.file;
  auto const synced =
      Ask(program.pid, [&](Caller const&) { return machine_.fs().Sync(program.handle); });
  if (!synced) return;
  file->synced = true;
  model_.Synced();
}

void World::Truncate(std::string const& path, std::uint64_t size) {
  auto const file = model_.Find(path);
  if (!file || file->is_directory) return;
  file->before = file->bytes;
  file->unanswered = true;
  bool const changes = file->bytes.size() != size;
  auto const fate = file->fate;
  auto const synced = file->synced;
  if (changes) file->synced = false;
  file->bytes.resize(size, '\0');
  bool const settles = changes && file->writers.empty();
  auto const closed_at = file->closed_at;
  auto const closed_as = file->closed_as;
  if (settles) {
    if (size == 0) file->bad = false;
    if (!file->bad) {
      file->fate = Fate::kMay;
      Complete(file);
    }
  }
  tusfs::AttributeChange change;
  change.size = size;
  auto const done = Ask(100, [&](Caller const& caller) {
    return machine_.fs().SetAttributes(caller, file->inode, change, 0);
  });
  file->unanswered = false;
  if (!done) {
    file->bytes = file->before;
    file->fate = fate;
    file->synced = synced;
    file->closed_at = closed_at;
    file->closed_as = closed_as;
    return;
  }
  if (size == 0) file->is_guess = false;
  if (settles) file->fate = file->bad ? Fate::kHold : Fate::kPublish;
}

// ---- names

void World::Rename(std::string const& from, std::string const& to, unsigned flags) {
  auto const source = model_.Find(from);
  auto const target = model_.Find(to);
  if (!source || !model_.HasParent(to) || to.starts_with(from + "/") ||
      from.starts_with(to + "/")) {
    return;
  }
  bool const exchanges = flags == RENAME_EXCHANGE;
  if (exchanges ? !target || target->is_directory || source->is_directory : source == target)
    return;
  if (target && !exchanges) {
    if (target->is_directory != source->is_directory) return;
    if (target->is_directory && !model_.IsEmpty(to)) return;
  }
  auto after = model_.names();
  if (exchanges) {
    std::swap(after[from], after[to]);
  } else {
    after.erase(from);
    after[to] = source;
    for (auto const& [path, file] : model_.names()) {
      if (!path.starts_with(from + "/")) continue;
      after.erase(path);
      after[to + path.substr(from.size())] = file;
    }
  }
  bool const done = Change(after, [&](Caller const& caller) {
    return machine_.fs().Rename(caller, model_.ParentOf(from), NameOf(from), model_.ParentOf(to),
                                NameOf(to), flags);
  });
  if (!done) Break("a rename fails: " + from + " to " + to);
}

void World::Link(std::string const& of, std::string const& name) {
  auto const file = model_.Find(of);
  if (!file || file->is_directory || model_.Find(name) || !model_.HasParent(name)) return;
  auto after = model_.names();
  after[name] = file;
  Change(after, [&](Caller const& caller) {
    return machine_.fs().Link(caller, file->inode, model_.ParentOf(name), NameOf(name));
  });
}

void World::Unlink(std::string const& path) {
  auto const file = model_.Find(path);
  if (!file || file->is_directory) return;
  auto after = model_.names();
  after.erase(path);
  bool const done = Change(after, [&](Caller const& caller) {
    return machine_.fs().Unlink(caller, model_.ParentOf(path), NameOf(path));
  });
  if (!done) Break("an unlink fails: " + path);
}

void World::MakeDirectory(std::string const& path) {
  if (model_.Find(path) || !model_.HasParent(path)) return;
  auto const directory = model_.NewFile(true);
  auto after = model_.names();
  after[path] = directory;
  unanswered_names_ = after;
  auto const made = Ask(100, [&](Caller const& caller) {
    return machine_.fs().MakeDirectory(caller, model_.ParentOf(path), NameOf(path), 0755);
  });
  unanswered_names_.reset();
  if (!made) return;
  directory->inode = made->inode;
  NoteInode(directory);
  Become(after);
}

void World::RemoveDirectory(std::string const& path) {
  auto const directory = model_.Find(path);
  if (!directory || !directory->is_directory || !model_.IsEmpty(path)) return;
  auto after = model_.names();
  after.erase(path);
  Change(after, [&](Caller const& caller) {
    return machine_.fs().RemoveDirectory(caller, model_.ParentOf(path), NameOf(path));
  });
}

}  // namespace tusfs_life
