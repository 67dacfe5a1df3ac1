// The life of a file: how far its current version is (Inode::content), how far its upload is
// (Upload::phase), and what each of that means. Nobody else assigns either of them.
//
// Events of a version, and what they make of each state; "=" leaves everything as it is:
//
//                     writing    settling   finished   interrupted  failed   uploaded
//   BeginVersion      -------- writing while somebody has it open for that, else settling --------
//   OpenForWriting    =          writing    writing    =            =        =
//   Change            =          writing    writing    writing      =        writing
//   BeginResize       =          writing    writing    =            =        writing
//   EndResize         settling   =          =          =            =        =
//   Close             settling, or interrupted: by the reason       (else =)
//   EndConnection     settling, or interrupted: by the reason       (else =)
//   TurnOutPart       reason     interrupted =         reason       =        =
//   LosePower         interr.    interr.    =          interr.      =        =
//   Approve           =          settling   =          settling     =        =
//   Finish            =          finished   =          finished     =        =
//   Publish           =          =          uploaded   =            =        =
//   Fail              failed     failed     failed     failed       failed   =
//
// So: what the disk has failed stays so until there is a new version; what is uploaded cannot fail
// any more; only what is finished gets uploaded, and only what its writers have left gets finished.
//
// Events of an upload; each leads there from wherever it was:
//
//   Intend       intent        it is about to be created
//   GoInParts    parts         what it is made of is sent; joined, they publish it
//   Create       created       the server has made it
//   SendEnd      final sent    the request that completes it goes out
//   MissEnd      created       (parts, where it has some) that request did not arrive, and is not
//   on its way any more Verify       verifying     the server has all of it, which is being
//   compared Complete     complete      the server has all of it Refuse       refused       the
//   server does not want it, or somebody wants it tried again Unconfirm    unconfirmed   nobody can
//   tell whether it was completed
//
// Functions of the records alone: no clock, no disk, no lock. Whoever calls them does so inside the
// transaction that puts the record, and does itself what goes with it (indices, digests, bytes).
#pragma once

#include <optional>
#include <string>

#include "catalog/records.h"

namespace tusfs::life {

// ---- the version

/// The file gets another body, which is empty. Without a writer it is as good as closed.
void BeginVersion(Inode& inode, bool has_writer);

/// True: it was closed, and is not any more. What is uploaded or interrupted stays so until it is
/// changed.
bool OpenForWriting(Inode& inode);

/// The first change through a handle.
void Change(Inode& inode);

/// truncate(2) with or without a writer: nobody may finish it while its size is changing. What was
/// interrupted does not become whole by that.
void BeginResize(Inode& inode);
/// Without a writer it is as good as closed; with one, its close decides.
void EndResize(Inode& inode, bool has_writer);

/// A writer has ended badly: whatever the others do, unless one of them says CloseCleanly. Not of a
/// version that the disk has failed, which has its reason.
void EndBadly(Inode& inode, std::string why);
/// A writer has closed it, and all that it wrote is there.
void CloseCleanly(Inode& inode);

/// The last writer has gone. True: it was being written.
bool Close(Inode& inode);

/// The mount has ended, and with it all writers. `why`: how one of them has ended badly, where that
/// is known of any.
void EndConnection(Inode& inode, std::optional<std::string> why);

/// What was closed like a whole file is a part: a copy that was stopped has put it under the final
/// name, or its writer has failed right after the close.
void TurnOutPart(Inode& inode, std::string why);

/// Another boot, and not all of it was on disk. `torn`: what was, was being written over.
void LosePower(Inode& inode, std::string why, bool torn);

/// Somebody who was asked says that it is complete.
void Approve(Inode& inode);

/// Its bytes are on disk, and its quiet time is over.
void Finish(Inode& inode);

/// The server has confirmed the whole of it.
void Publish(Inode& inode);

/// The local disk has failed it. True: it is failed; false: the server has it.
bool Fail(Inode& inode, std::string why);

/// What the bytes of a lost catalog say of themselves. `why`: of what was not finished.
void FindUnfinished(Inode& inode, std::string why);
void FindFinished(Inode& inode);
void FindUploaded(Inode& inode);

/// Somebody may be writing it, or its size is being changed.
[[nodiscard]] bool IsBeingWritten(Inode const& inode);
/// Its writers have left it, and it is neither on its way to the server nor lost.
[[nodiscard]] bool IsClosed(Inode const& inode);
/// Closed or not, its end is not known to be its end: bytes may still be added to its upload.
[[nodiscard]] bool MayGrow(Inode const& inode);
/// It will be published if nothing happens to it.
[[nodiscard]] bool GoesOn(Inode const& inode);
[[nodiscard]] bool IsSettling(Inode const& inode);
[[nodiscard]] bool IsFinished(Inode const& inode);
[[nodiscard]] bool IsInterrupted(Inode const& inode);
[[nodiscard]] bool HasFailed(Inode const& inode);
[[nodiscard]] bool IsUploaded(Inode const& inode);

// ---- both

/// Whether somebody is needed, or nobody any more.
enum class Standing {
  kOpen,  ///< it is being written, or on its way
  kUploaded,
  kInterrupted,
  kFailed,  ///< here, or refused by the server
  kUnconfirmed,
};
[[nodiscard]] Standing StandingOf(Inode const& inode, std::optional<Upload> const& upload);

// ---- the upload

void Intend(Upload& upload);
void GoInParts(Upload& upload);
void Create(Upload& upload);
void SendEnd(Upload& upload);
void MissEnd(Upload& upload);
void Verify(Upload& upload);
void Complete(Upload& upload);
void Refuse(Upload& upload);
void Unconfirm(Upload& upload);

/// The file may be published by it: the request that completes it may have been sent, and the
/// server has not said since that it is incomplete.
[[nodiscard]] bool MayBePublished(UploadPhase phase);
/// Not one byte may be added to it or changed in it any more. As MayBePublished, but for one that
/// was refused: with its end, perhaps, and then its bytes are sealed until it is given up.
[[nodiscard]] bool HasEnded(UploadPhase phase);
/// The server may delete it for its age.
[[nodiscard]] bool MayExpire(UploadPhase phase);

}  // namespace tusfs::life
