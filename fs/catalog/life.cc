#include "catalog/life.h"

#include <utility>

namespace tusfs::life {
namespace {

// Settling, or interrupted where a writer has ended badly.
void Leave(Inode& inode) {
  inode.content = inode.reason.empty() ? Content::kSettling : Content::kInterrupted;
}

}  // namespace

void BeginVersion(Inode& inode, bool has_writer) {
  inode.content = has_writer ? Content::kWriting : Content::kSettling;
  inode.reason.clear();
}

bool OpenForWriting(Inode& inode) {
  switch (inode.content) {
    case Content::kSettling:
    case Content::kFinished:
      inode.content = Content::kWriting;
      inode.synced = false;
      return true;
    case Content::kWriting:
    case Content::kInterrupted:
    case Content::kFailed:
    case Content::kUploaded:
      return false;
  }
  return false;
}

void Change(Inode& inode) {
  switch (inode.content) {
    case Content::kSettling:
    case Content::kFinished:
    case Content::kInterrupted:
    case Content::kUploaded:
      inode.content = Content::kWriting;
      return;
    case Content::kWriting:
    case Content::kFailed:
      return;
  }
}

void BeginResize(Inode& inode) {
  switch (inode.content) {
    case Content::kSettling:
    case Content::kFinished:
    case Content::kUploaded:
      inode.content = Content::kWriting;
      return;
    case Content::kWriting:
    case Content::kInterrupted:
    case Content::kFailed:
      return;
  }
}

void EndResize(Inode& inode, bool has_writer) {
  if (IsBeingWritten(inode) && !has_writer) inode.content = Content::kSettling;
}

void EndBadly(Inode& inode, std::string why) {
  if (!HasFailed(inode)) inode.reason = std::move(why);
}

void CloseCleanly(Inode& inode) {
  if (!HasFailed(inode)) inode.reason.clear();
}

bool Close(Inode& inode) {
  if (!IsBeingWritten(inode)) return false;
  Leave(inode);
  return true;
}

void EndConnection(Inode& inode, std::optional<std::string> why) {
  if (!IsBeingWritten(inode)) return;
  if (why) {
    inode.content = Content::kInterrupted;
    inode.reason = *std::move(why);
  } else {
    Leave(inode);
  }
}

void TurnOutPart(Inode& inode, std::string why) {
  switch (inode.content) {
    case Content::kSettling:
      inode.content = Content::kInterrupted;
      inode.reason = std::move(why);
      return;
    case Content::kInterrupted:
    case Content::kWriting:  // the kernel may tell of the last close later than of the rename
      inode.reason = std::move(why);
      return;
    case Content::kFinished:
    case Content::kFailed:
    case Content::kUploaded:
      return;
  }
}

void LosePower(Inode& inode, std::string why, bool torn) {
  switch (inode.content) {
    case Content::kInterrupted:
      if (torn) inode.reason = std::move(why);
      return;
    case Content::kWriting:
    case Content::kSettling:
      inode.content = Content::kInterrupted;
      inode.reason = std::move(why);
      return;
    case Content::kFinished:  // on disk before it was called so
    case Content::kFailed:
    case Content::kUploaded:
      return;
  }
}

void Approve(Inode& inode) {
  if (!IsClosed(inode)) return;
  inode.content = Content::kSettling;
  inode.reason.clear();
  inode.approved = true;
}

void Finish(Inode& inode) {
  if (!IsClosed(inode)) return;
  inode.content = Content::kFinished;
  inode.reason.clear();
}

void Publish(Inode& inode) {
  if (IsFinished(inode)) inode.content = Content::kUploaded;
}

bool Fail(Inode& inode, std::string why) {
  if (IsUploaded(inode)) return false;
  inode.content = Content::kFailed;
  inode.reason = std::move(why);
  return true;
}

void FindUnfinished(Inode& inode, std::string why) {
  inode.content = Content::kInterrupted;
  inode.reason = std::move(why);
}

void FindFinished(Inode& inode) {
  inode.content = Content::kFinished;
  inode.reason.clear();
}

void FindUploaded(Inode& inode) {
  inode.content = Content::kUploaded;
  inode.reason.clear();
}

bool IsBeingWritten(Inode const& inode) { return inode.content == Content::kWriting; }

bool IsClosed(Inode const& inode) {
  return inode.content == Content::kSettling || inode.content == Content::kInterrupted;
}

bool MayGrow(Inode const& inode) {
  return inode.content == Content::kWriting || inode.content == Content::kSettling;
}

bool GoesOn(Inode const& inode) { return MayGrow(inode) || IsFinished(inode); }

bool IsSettling(Inode const& inode) { return inode.content == Content::kSettling; }

bool IsFinished(Inode const& inode) { return inode.content == Content::kFinished; }

bool IsInterrupted(Inode const& inode) { return inode.content == Content::kInterrupted; }

bool HasFailed(Inode const& inode) { return inode.content == Content::kFailed; }

bool IsUploaded(Inode const& inode) { return inode.content == Content::kUploaded; }

Standing StandingOf(Inode const& inode, std::optional<Upload> const& upload) {
  switch (inode.content) {
    case Content::kInterrupted:
      return Standing::kInterrupted;
    case Content::kFailed:
      return Standing::kFailed;
    case Content::kUploaded:
      return Standing::kUploaded;
    case Content::kWriting:
    case Content::kSettling:
      return Standing::kOpen;
    case Content::kFinished:
      break;
  }
  if (!upload) return Standing::kOpen;
  if (upload->phase == UploadPhase::kUnconfirmed) return Standing::kUnconfirmed;
  // Without a reason somebody wants it tried again.
  bool const is_refused = upload->phase == UploadPhase::kRefused && !upload->error.empty();
  return is_refused ? Standing::kFailed : Standing::kOpen;
}

void Intend(Upload& upload) { upload.phase = UploadPhase::kIntent; }
void GoInParts(Upload& upload) { upload.phase = UploadPhase::kParts; }
void Create(Upload& upload) { upload.phase = UploadPhase::kCreated; }
void SendEnd(Upload& upload) { upload.phase = UploadPhase::kFinalSent; }
void MissEnd(Upload& upload) {
  upload.phase = upload.HasParts() ? UploadPhase::kParts : UploadPhase::kCreated;
}
void Verify(Upload& upload) { upload.phase = UploadPhase::kVerifying; }
void Complete(Upload& upload) { upload.phase = UploadPhase::kComplete; }
void Refuse(Upload& upload) { upload.phase = UploadPhase::kRefused; }
void Unconfirm(Upload& upload) { upload.phase = UploadPhase::kUnconfirmed; }

bool MayBePublished(UploadPhase phase) {
  switch (phase) {
    case UploadPhase::kFinalSent:
    case UploadPhase::kVerifying:
    case UploadPhase::kComplete:
    case UploadPhase::kUnconfirmed:
      return true;
    case UploadPhase::kIntent:
    case UploadPhase::kCreated:
    case UploadPhase::kRefused:
    case UploadPhase::kParts:
      return false;
  }
  return true;
}

bool HasEnded(UploadPhase phase) { return MayBePublished(phase) || phase == UploadPhase::kRefused; }

bool MayExpire(UploadPhase phase) {
  switch (phase) {
    case UploadPhase::kIntent:
    case UploadPhase::kCreated:
    case UploadPhase::kFinalSent:
    case UploadPhase::kParts:
      return true;
    case UploadPhase::kVerifying:
    case UploadPhase::kComplete:
    case UploadPhase::kRefused:
    case UploadPhase::kUnconfirmed:
      return false;
  }
  return false;
}

}  // namespace tusfs::life
