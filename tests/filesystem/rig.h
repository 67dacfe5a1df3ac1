// A filesystem over a real catalog and spool, with processes that live and die as a test says and a
// server that never answers.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "base/fakes.h"
#include "catalog/namespace.h"
#include "catalog/tables.h"
#include "filesystem/filesystem.h"
#include "filesystem/recovery.h"
#include "testing/files.h"
#include "testing/wait_for.h"

namespace tusfs {

/// Everybody lives and closes cleanly, but for those of whom a test says otherwise.
class FakeProcesses : public ProcessTable {
 public:
  [[nodiscard]] Judgement JudgeClose(pid_t thread) const override {
    if (thread <= 0) return {Verdict::kUnknown, "its writer cannot be seen"};
    auto const found = judgements_.find(thread);
    auto judgement = found == judgements_.end() ? Judgement{Verdict::kClean, {}} : found->second;
    judgement.name = NameOf(thread);
    return judgement;
  }
  [[nodiscard]] Judgement JudgeCopy(pid_t process, std::string const&,
                                    Copy const& copy) const override {
    auto const found = unread_.find(process);
    if (found == unread_.end() || found->second != copy.name) return {Verdict::kClean, {}};
    return {Verdict::kDied, "source was not read to its end: " + copy.name};
  }
  [[nodiscard]] std::string NameOf(pid_t thread) const override {
    auto const found = called_.find(thread);
    return found == called_.end() ? std::string() : found->second;
  }
  [[nodiscard]] pid_t ProcessOf(pid_t thread) const override {
    auto const found = processes_.find(thread);
    return found == processes_.end() ? thread : found->second;
  }
  void Kill(pid_t thread) { judgements_[thread] = {Verdict::kDied, "killed by SIGKILL", true}; }
  void EndWithStatus(pid_t thread, int status) {
    judgements_[thread] = {Verdict::kDied, "ended with status " + std::to_string(status)};
  }
  void Hide(pid_t thread) { judgements_[thread] = {Verdict::kUnknown, "hidden"}; }
  /// It copies a file of this name, and gives up before its end.
  void LeaveUnread(pid_t thread, std::string const& name) { unread_[thread] = name; }
  void CallIt(pid_t process, std::string const& name) { called_[process] = name; }
  void Thread(pid_t thread, pid_t process) { processes_[thread] = process; }

 private:
  std::map<pid_t, Judgement> judgements_;
  std::map<pid_t, pid_t> processes_;
  std::map<pid_t, std::string> unread_;
  std::map<pid_t, std::string> called_;
};

/// Every request waits until it is cancelled.
class DeafServer : public tus::HttpTransport {
 public:
  tus::Result<tus::HttpResponse> Perform(tus::HttpRequest const& request) override {
    std::mutex mutex;
    std::condition_variable_any cancelled;
    std::unique_lock lock(mutex);
    cancelled.wait(lock, request.stop, [] { return false; });
    return tl::unexpected(tus::Error{.code = tus::ErrorCode::kCancelled,
                                     .http_status = 0,
                                     .retry_after = {},
                                     .message = "cancelled"});
  }
};

/// Has what a test gave it, but not at once: the first time that bytes are wanted they are on their
/// way.
class FakeRemote : public RemoteBytes {
 public:
  Result<std::size_t> Read(InodeId inode, std::uint64_t offset, std::span<std::byte> out) override {
    auto const found = bytes_.find(inode);
    if (found == bytes_.end()) return Fail(EIO, "the server does not have it");
    if (!arrived_) return Fail(EAGAIN);
    auto const part = std::string_view(found->second).substr(offset, out.size());
    std::copy_n(reinterpret_cast<std::byte const*>(part.data()), part.size(), out.begin());
    return part.size();
  }
  Result<void> Restore(InodeId inode) override {
    if (!bytes_.contains(inode)) return Fail(EIO, "the server does not have it");
    if (!arrived_) return Fail(EAGAIN);
    return restore_(inode, bytes_[inode]);
  }
  void Close(InodeId inode) override { closed_.push_back(inode); }

  std::map<InodeId, std::string> bytes_;
  bool arrived_ = true;
  std::function<Result<void>(InodeId, std::string const&)> restore_;
  std::vector<InodeId> closed_;
};

constexpr auto kNextBoot = "second boot";
constexpr auto kTestEndpoint = "http://tus:1080/files/";

class FilesystemRig : public testing::Test {
 protected:
  FilesystemRig() { Mount(); }

  // ---- the mount's life

  void Mount(std::string const& boot = "first boot") {
    boot_ = boot;
    ASSERT_NO_FATAL_FAILURE(OpenState());
    auto const connection = Recover(*store_, *spool_, clock_, OptionsOfRecovery());
    ASSERT_TRUE(Ok(connection));
    connection_ = *connection;
    Serve();
  }

  /// A successor goes on with the kernel's connection.
  void Succeed() {
    ASSERT_NO_FATAL_FAILURE(OpenState());
    ASSERT_TRUE(Ok(Resume(*store_, OptionsOfRecovery(), connection_)));
    Serve();
    ASSERT_TRUE(Ok(fs_->TakeOver()));
  }

  [[nodiscard]] RecoveryOptions OptionsOfRecovery() const {
    return {.endpoint = kTestEndpoint, .boot_id = boot_, .uid = 1000, .gid = 1000};
  }

  void OpenState() {
    auto store = Store::Open(dir_ / "catalog", store_options_, logger_);
    ASSERT_TRUE(Ok(store));
    store_ = std::move(*store);
    spool_ = Spool::Open(dir_ / "spool", limits_).value();
  }

  void Serve() {
    UploaderOptions options;
    options.client.endpoint = kTestEndpoint;
    options.make_transport = [] { return std::make_unique<DeafServer>(); };
    uploader_ = std::make_unique<Uploader>(options, rules_, *store_, *spool_, clock_, logger_);
    finishing_ = std::make_unique<Finishing>(
        FinishingOptions{.settle = {.quiet = settle_}}, rules_, *store_, *spool_, clock_,
        [this](InodeId inode) { uploader_->Nudge(inode); }, logger_);
    fs_ = std::make_unique<Filesystem>(*store_, *spool_, *uploader_, *finishing_, processes_,
                                       clock_, connection_, logger_, turns_, &remote_);
  }

  /// What goes on by itself: files are finished and sent.
  void StartThreads() {
    ASSERT_TRUE(Ok(finishing_->Start()));
    ASSERT_TRUE(Ok(uploader_->Start()));
  }
  void StopThreads() {
    finishing_->Stop();
    uploader_->Stop();
  }

  /// The connection ends: nobody releases anything.
  void Unmount() {
    fs_.reset();
    finishing_.reset();
    uploader_.reset();
    store_.reset();
    spool_.reset();
  }

  void Remount(std::string const& boot = "first boot") {
    Unmount();
    Mount(boot);
  }

  /// The daemon ends and nothing else does: a successor takes over.
  void DaemonDies() {
    Unmount();
    Succeed();
  }

  // ---- short forms of calls

  InodeId MakeFile(std::string const& name, std::string const& bytes = "",
                   InodeId parent = kRootInode) {
    auto const created = fs_->Create(me_, parent, name, 0644, O_RDWR);
    EXPECT_TRUE(Ok(created));
    if (!created) return 0;
    if (!bytes.empty()) Write(created->handle, 0, bytes);
    Close(created->handle);
    return created->attributes.inode;
  }

  InodeId MakeDir(std::string const& name, InodeId parent = kRootInode) {
    auto const made = fs_->MakeDirectory(me_, parent, name, 0755);
    EXPECT_TRUE(Ok(made));
    return made ? made->inode : 0;
  }

  Filesystem::Created Create(std::string const& name, int flags = O_WRONLY, Caller const* who = {},
                             InodeId parent = kRootInode) {
    auto const created = fs_->Create(who != nullptr ? *who : me_, parent, name, 0644, flags);
    EXPECT_TRUE(Ok(created));
    return created.value_or(Filesystem::Created{});
  }

  HandleId Open(InodeId inode, int flags, Caller const* who = nullptr) {
    auto const handle = fs_->Open(who != nullptr ? *who : me_, inode, flags);
    EXPECT_TRUE(Ok(handle));
    return handle.value_or(0);
  }

  void Write(HandleId handle, std::uint64_t offset, std::string const& bytes,
             Caller const* who = nullptr) {
    EXPECT_TRUE(Ok(
        fs_->Write(who != nullptr ? *who : me_, handle, offset, std::as_bytes(std::span(bytes)))));
  }

  std::string Read(HandleId handle, std::uint64_t offset = 0, std::size_t size = 100'000) {
    std::string bytes(size, '?');
    auto const got = fs_->Read(handle, offset, std::as_writable_bytes(std::span(bytes)));
    EXPECT_TRUE(Ok(got));
    bytes.resize(got.value_or(0));
    return bytes;
  }

  std::string BytesOf(InodeId inode) {
    auto const handle = Open(inode, O_RDONLY);
    auto const bytes = Read(handle, 0, 1 << 20);
    EXPECT_TRUE(Ok(fs_->Release(handle)));
    return bytes;
  }

  void Flush(HandleId handle, Caller const* who = nullptr) {
    EXPECT_TRUE(Ok(fs_->Flush(who != nullptr ? *who : me_, handle)));
  }

  void Close(HandleId handle, Caller const* who = nullptr) {
    Flush(handle, who);
    EXPECT_TRUE(Ok(fs_->Release(handle)));
  }

  void SetSize(InodeId inode, std::uint64_t size, HandleId handle = 0) {
    AttributeChange change;
    change.size = size;
    EXPECT_TRUE(Ok(fs_->SetAttributes(me_, inode, change, handle)));
  }

  Attributes Stat(InodeId inode) {
    auto const attributes = fs_->GetAttributes(inode);
    EXPECT_TRUE(Ok(attributes));
    return attributes.value_or(Attributes{});
  }

  int LookupCode(std::string const& name, InodeId parent = kRootInode) {
    return CodeOf(fs_->Lookup(parent, name));
  }

  InodeId InodeOf(std::string const& name, InodeId parent = kRootInode) {
    auto const found = fs_->Lookup(parent, name);
    return found ? found->inode : 0;
  }

  std::vector<std::string> Names(InodeId directory = kRootInode) {
    std::vector<std::string> names;
    auto const listed =
        fs_->ReadDirectory(directory, 0, [&](std::string const& name, Attributes const&, auto) {
          names.push_back(name);
          return true;
        });
    EXPECT_TRUE(Ok(listed));
    return names;
  }

  int RenameCode(std::string const& from, std::string const& to, unsigned flags = 0) {
    return CodeOf(fs_->Rename(me_, kRootInode, from, kRootInode, to, flags));
  }

  // ---- what the catalog and the disk have

  Inode Row(InodeId inode) {
    auto row = store_->Read([&](View const& view) { return GetInode(view, inode); });
    EXPECT_TRUE(Ok(row));
    return row.value_or(Inode{});
  }

  bool HasRow(InodeId inode) {
    return store_->Read([&](View const& view) { return GetInode(view, inode); }).has_value();
  }

  void ChangeRow(InodeId inode, std::function<void(Inode&)> const& change) {
    auto const done = store_->Update([&](Transaction& transaction) -> Result<void> {
      auto row = GetInode(transaction, inode);
      if (!row) return Failure(row.error());
      change(*row);
      PutInode(transaction, *row);
      return {};
    });
    EXPECT_TRUE(Ok(done));
  }

  /// Gives the file an upload of which the server has `frontier` bytes.
  Uuid GiveUpload(InodeId inode, std::uint64_t frontier,
                  UploadPhase phase = UploadPhase::kCreated) {
    Upload upload;
    upload.id = Uuid::Random();
    upload.owner = inode;
    upload.version = Row(inode).version;
    upload.phase = phase;
    upload.url = "http://tus:1080/files/1";
    upload.offset = upload.frontier = frontier;
    upload.last = phase == UploadPhase::kComplete;
    if (phase == UploadPhase::kRefused) upload.error = "the server says no";
    auto const put = store_->Update([&](Transaction& transaction) -> Result<void> {
      PutUpload(transaction, upload);
      return {};
    });
    EXPECT_TRUE(Ok(put));
    ChangeRow(inode, [&](Inode& row) { row.upload = upload.id; });
    return upload.id;
  }

  /// Where the bytes of a file lie.
  std::filesystem::path PathOf(InodeId inode) { return PathOfVersion(Row(inode).version); }
  [[nodiscard]] std::filesystem::path PathOfVersion(VersionId version) const {
    std::ostringstream path;
    path << std::hex << version / 4096 << '/' << version;
    return dir_ / "spool" / path.str();
  }

  std::size_t SpoolFiles() {
    std::size_t files = 0;
    for (auto const& entry : std::filesystem::recursive_directory_iterator(dir_ / "spool")) {
      if (entry.is_regular_file()) ++files;
    }
    return files;
  }

  tusfs_testing::TempDir const dir_;
  FakeClock clock_;
  Logger const logger_ = QuietLogger();
  FakeProcesses processes_;
  PublishRules rules_;                           ///< not to be changed while threads are started
  std::chrono::milliseconds settle_{3'600'000};  ///< of the next mount, like the two that follow
  SpoolLimits limits_;
  StoreOptions store_options_{.journal_size = 1 << 20};
  Turns::Options turns_;
  FakeRemote remote_;
  std::string boot_;
  std::uint64_t connection_ = 0;
  Caller const me_{.uid = 1000, .gid = 1000, .pid = 100};
  Caller const other_{.uid = 1000, .gid = 1000, .pid = 200};
  std::unique_ptr<Spool> spool_;  // outlives the store, whose last commit removes bytes
  std::unique_ptr<Store> store_;
  std::unique_ptr<Uploader> uploader_;
  std::unique_ptr<Finishing> finishing_;
  std::unique_ptr<Filesystem> fs_;
};

}  // namespace tusfs
