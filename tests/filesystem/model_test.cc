// Filesystem: random operations against a model in memory, while daemons die over their answers
// and the mount is made anew.
//
// $TUSFS_MODEL_OPERATIONS: how many (default 50,000); $TUSFS_MODEL_SEED: which. A failure prints
// its seed.
#include "filesystem/model.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <set>

#include "base/text.h"
#include "filesystem/rig.h"
#include "testing/environment.h"

namespace tusfs {
namespace {

using tusfs_testing::FromEnvironment;

constexpr std::uint64_t kLargest = 3000;  // bytes of a file
constexpr std::size_t kMostOpen = 20;
constexpr std::size_t kMostDirectories = 60;
constexpr std::uint64_t kAnswersPerDeath = 1000;
constexpr std::uint64_t kOperationsPerMount = 5000;
constexpr std::uint64_t kOperationsPerLook = 1000;  // at everything

class Model : public FilesystemRig {
 public:
  Model() {
    random_.seed(seed_);
    root_->type = FileType::kDirectory;
    root_->mode = Stat(kRootInode).mode;
    root_->inode = kRootInode;
  }

  std::uint64_t Random(std::uint64_t below) { return random_() % below; }

  NodePtr RandomDirectory() {
    auto at = root_;
    while (Random(3) != 0) {
      std::vector<NodePtr> below;
      for (auto const& [name, child] : at->children) {
        if (child->IsDirectory()) below.push_back(child);
      }
      if (below.empty()) break;
      at = below[Random(below.size())];
    }
    return at;
  }

  std::string RandomName() { return std::string(1, static_cast<char>('a' + Random(6))); }

  OpenNode* RandomOpen() { return open_.empty() ? nullptr : &open_[Random(open_.size())]; }

  // A request of the kernel. Now and then a daemon dies over its answer, so that the successor is
  // asked again: it gives the same answer, and does nothing twice.
  template <typename Call>
  auto Ask(Call const& call) {
    auto caller = me_;
    caller.request = {.slot = 1, .unique = ++requests_};
    auto answer = call(caller);
    if (Random(kAnswersPerDeath) != 0) return answer;
    DaemonDies();
    caller.request.replayed = true;
    auto again = call(caller);
    EXPECT_EQ(CodeOf(again), CodeOf(answer)) << "of a request that came again";
    return again;
  }

  void Add(NodePtr const& parent, std::string const& name, NodePtr const& node, InodeId inode) {
    ASSERT_GT(inode, newest_inode_) << "inode numbers are not reused";
    newest_inode_ = node->inode = inode;
    parent->children[name] = node;
  }

  // ---- operations: each does the same to both, and says where they differ

  void Create() {
    auto const parent = RandomDirectory();
    auto const name = RandomName();
    if (open_.size() > kMostOpen) return Close();
    int const flags = std::array{O_RDWR, O_RDWR, O_WRONLY, O_RDONLY}[Random(4)];
    auto const created =
        Ask([&](Caller const& me) { return fs_->Create(me, parent->inode, name, 0644, flags); });
    ASSERT_EQ(CodeOf(created), Child(parent, name) ? EEXIST : 0);
    if (!created) return;
    auto const node = std::make_shared<Node>();
    node->mode = 0644;
    ASSERT_NO_FATAL_FAILURE(Add(parent, name, node, created->attributes.inode));
    open_.push_back({created->handle, node, flags});
  }

  void MakeDirectory() {
    if (CountDirectories(root_) >= kMostDirectories) return Remove();
    auto const parent = RandomDirectory();
    auto const name = RandomName();
    auto const made =
        Ask([&](Caller const& me) { return fs_->MakeDirectory(me, parent->inode, name, 0755); });
    ASSERT_EQ(CodeOf(made), Child(parent, name) ? EEXIST : 0);
    if (!made) return;
    auto const node = std::make_shared<Node>();
    node->type = FileType::kDirectory;
    node->mode = 0755;
    ASSERT_NO_FATAL_FAILURE(Add(parent, name, node, made->inode));
  }

  void MakeSymlink() {
    auto const parent = RandomDirectory();
    auto const name = RandomName();
    std::string const target(1 + Random(300), 't');
    auto const made =
        Ask([&](Caller const& me) { return fs_->MakeSymlink(me, parent->inode, name, target); });
    ASSERT_EQ(CodeOf(made), Child(parent, name) ? EEXIST : 0);
    if (!made) return;
    auto const node = std::make_shared<Node>();
    node->type = FileType::kSymlink;
    node->mode = 0777;
    node->bytes = target;
    ASSERT_NO_FATAL_FAILURE(Add(parent, name, node, made->inode));
  }

  void Remove() {
    auto const parent = RandomDirectory();
    auto const name = RandomName();
    auto const node = Child(parent, name);
    auto const unlinked =
        CodeOf(Ask([&](Caller const& me) { return fs_->Unlink(me, parent->inode, name); }));
    if (!node || !node->IsDirectory()) {
      ASSERT_EQ(unlinked, node ? 0 : ENOENT);
      if (node) --node->links;
      parent->children.erase(name);
      return;
    }
    ASSERT_EQ(unlinked, EISDIR);
    auto const removed = CodeOf(
        Ask([&](Caller const& me) { return fs_->RemoveDirectory(me, parent->inode, name); }));
    ASSERT_EQ(removed, node->children.empty() ? 0 : ENOTEMPTY);
    if (removed == 0) parent->children.erase(name);
  }

  void Link() {
    auto const from = RandomDirectory();
    auto const node = Child(from, RandomName());
    if (!node) return;
    auto const to = RandomDirectory();
    auto const name = RandomName();
    auto const linked =
        CodeOf(Ask([&](Caller const& me) { return fs_->Link(me, node->inode, to->inode, name); }));
    ASSERT_EQ(linked, node->IsDirectory() ? EPERM : Child(to, name) ? EEXIST : 0);
    if (linked != 0) return;
    ++node->links;
    to->children[name] = node;
  }

  void Rename() {
    auto const from = RandomDirectory();
    auto const to = RandomDirectory();
    auto const from_name = RandomName();
    auto const to_name = RandomName();
    auto const source = Child(from, from_name);
    auto const target = Child(to, to_name);
    unsigned const flags =
        std::array{0U, 0U, 0U + RENAME_NOREPLACE, 0U + RENAME_EXCHANGE}[Random(4)];
    // The kernel keeps a directory from moving into itself.
    if (source && source->IsDirectory() && IsAtOrBeneath(to, source)) return;
    if (target && target->IsDirectory() && IsAtOrBeneath(from, target)) return;
    auto const renamed = CodeOf(Ask([&](Caller const& me) {
      return fs_->Rename(me, from->inode, from_name, to->inode, to_name, flags);
    }));
    ASSERT_EQ(renamed, ExpectedOfRename(source, target, flags));
    if (renamed != 0 || source == target) return;
    if (flags == RENAME_EXCHANGE) {
      std::swap(from->children[from_name], to->children[to_name]);
      return;
    }
    if (target) --target->links;
    from->children.erase(from_name);
    to->children[to_name] = source;
  }

  void Open() {
    auto const node = Child(RandomDirectory(), RandomName());
    if (!node || !node->IsRegular()) return;
    if (open_.size() > kMostOpen) return Close();
    int const flags =
        std::array{O_RDWR,           O_WRONLY,           O_RDONLY,
                   O_RDWR | O_TRUNC, O_WRONLY | O_TRUNC, O_RDONLY | O_TRUNC}[Random(6)];
    auto const handle = Ask([&](Caller const& me) { return fs_->Open(me, node->inode, flags); });
    ASSERT_TRUE(Ok(handle));
    if ((flags & O_TRUNC) != 0) node->bytes.clear();
    open_.push_back({*handle, node, flags});
  }

  void Close() {
    auto* const open = RandomOpen();
    if (open == nullptr) return;
    auto const handle = open->handle;
    if (Random(3) != 0) Flush(handle);
    ASSERT_TRUE(Ok(Ask([&](Caller const&) { return fs_->Release(handle); })));
    auto const node = open->node;
    std::erase_if(open_, [&](OpenNode const& other) { return other.handle == handle; });
    bool const is_open = std::ranges::any_of(open_, [&](auto const& o) { return o.node == node; });
    ASSERT_TRUE(node->links > 0 || is_open || !HasRow(node->inode));
  }

  void Write() {
    auto const* const open = RandomOpen();
    if (open == nullptr) return;
    auto const offset = Random(kLargest);
    auto const bytes = tusfs_testing::RandomBytes(1 + Random(500), random_());
    auto const written = Ask([&](Caller const& me) {
      return fs_->Write(me, open->handle, offset, std::as_bytes(std::span(bytes)));
    });
    ASSERT_EQ(CodeOf(written), open->MayWrite() ? 0 : EBADF);
    if (!written) return;
    auto& all = open->node->bytes;
    if (all.size() < offset + bytes.size()) all.resize(offset + bytes.size());
    all.replace(offset, bytes.size(), bytes);
  }

  void Truncate() {
    auto node = Child(RandomDirectory(), RandomName());
    HandleId handle = 0;
    auto const* const open = RandomOpen();
    // The kernel refuses it for a handle that may not write.
    if (open != nullptr && open->MayWrite() && Random(2) == 0) {
      handle = open->handle;
      node = open->node;
    }
    if (!node || !node->IsRegular()) return;
    AttributeChange change;
    change.size = Random(4) == 0 ? 0 : Random(kLargest);
    auto const set =
        Ask([&](Caller const& me) { return fs_->SetAttributes(me, node->inode, change, handle); });
    ASSERT_TRUE(Ok(set));
    ASSERT_EQ(set->size, *change.size);
    node->bytes.resize(*change.size);
  }

  void ChangeMode() {
    auto const node = Child(RandomDirectory(), RandomName());
    if (!node) return;
    AttributeChange change;
    change.mode = node->mode = static_cast<std::uint32_t>(Random(01000));
    change.uid = node->uid = static_cast<std::uint32_t>(Random(5000));
    ASSERT_TRUE(
        Ok(Ask([&](Caller const& me) { return fs_->SetAttributes(me, node->inode, change, 0); })));
  }

  void Sync() {
    auto const* const open = RandomOpen();
    if (open == nullptr) return;
    ASSERT_TRUE(Ok(fs_->Sync(open->handle)));
  }

  void ReadBack() {
    auto const* const open = RandomOpen();
    if (open == nullptr) return;
    auto const& bytes = open->node->bytes;
    auto const offset = Random(kLargest);
    auto const size = Random(kLargest);
    auto const expected = offset < bytes.size() ? bytes.substr(offset, size) : "";
    ASSERT_TRUE(Read(open->handle, offset, size) == expected);
  }

  // As a program does with a small buffer, while names come and go between its calls.
  void ListInPieces() {
    auto const directory = RandomDirectory();
    auto const before = directory->children;
    std::set<std::string> names;
    std::uint64_t cookie = 0;
    for (bool more = true; more;) {
      more = false;
      auto room = 1 + Random(3);
      auto const visit = [&](std::string const& name, Attributes const&, std::uint64_t next) {
        if (room-- == 0) return more = true, false;
        names.insert(name);
        cookie = next;
        return true;
      };
      ASSERT_TRUE(Ok(fs_->ReadDirectory(directory->inode, cookie, visit)));
      ASSERT_NO_FATAL_FAILURE(Random(2) == 0 ? Create() : Rename());
    }
    for (auto const& [name, node] : before) {
      bool const stayed = Child(directory, name) == node;
      ASSERT_TRUE(!stayed || names.contains(name)) << name;
    }
  }

  // All handles end with the connection, and with them what had no name any more.
  void MountAnew() {
    Remount();
    open_.clear();
    std::set<InodeId> files;
    CollectFiles(root_, files);
    ASSERT_EQ(SpoolFiles(), files.size()) << "a body for each file and no other";
    ASSERT_NO_FATAL_FAILURE(Compare(root_));
  }

  // ---- the whole tree

  void Compare(NodePtr const& node) {
    auto const attributes = Stat(node->inode);
    ASSERT_EQ(attributes.type, node->type);
    ASSERT_EQ(attributes.mode, node->mode);
    ASSERT_TRUE(node == root_ || attributes.uid == node->uid);
    if (!node->IsDirectory()) return CompareLeaf(*node, attributes);
    std::vector<std::string> expected{".", ".."};
    std::uint32_t links = 2;
    for (auto const& [name, child] : node->children) {
      expected.push_back(name);
      if (child->IsDirectory()) ++links;
      ASSERT_EQ(InodeOf(name, node->inode), child->inode);
    }
    ASSERT_THAT(Names(node->inode), testing::UnorderedElementsAreArray(expected));
    ASSERT_EQ(attributes.links, links);
    for (auto const& [name, child] : node->children) {
      ASSERT_NO_FATAL_FAILURE(Compare(child)) << name;
    }
  }

  void CompareLeaf(Node const& node, Attributes const& attributes) {
    ASSERT_EQ(attributes.size, node.bytes.size());
    ASSERT_EQ(attributes.links, node.links);
    if (node.type == FileType::kSymlink) {
      ASSERT_EQ(fs_->ReadSymlink(node.inode).value_or(""), node.bytes);
    } else {
      ASSERT_TRUE(BytesOf(node.inode) == node.bytes);
    }
  }

  void CompareOpen() {
    for (auto const& open : open_) {
      ASSERT_EQ(Stat(open.node->inode).links, open.node->links);
      ASSERT_TRUE(Read(open.handle) == open.node->bytes);
    }
  }

  std::uint64_t const seed_ = FromEnvironment("TUSFS_MODEL_SEED", std::random_device{}());
  std::mt19937_64 random_;
  NodePtr const root_ = std::make_shared<Node>();
  InodeId newest_inode_ = kRootInode;
  std::uint64_t requests_ = 0;
  std::vector<OpenNode> open_;
};

TEST_F(Model, RandomOperationsDoWhatTheModelDoes) {
  auto const operations = FromEnvironment("TUSFS_MODEL_OPERATIONS", 50'000);
  SCOPED_TRACE("TUSFS_MODEL_SEED=" + std::to_string(seed_));
  std::printf("TUSFS_MODEL_SEED=%llu\n", static_cast<unsigned long long>(seed_));
  using Operation = void (Model::*)();
  static constexpr Operation kMenu[] = {
      &Model::Create,    &Model::Create, &Model::MakeDirectory, &Model::MakeSymlink,
      &Model::Remove,    &Model::Remove, &Model::Remove,        &Model::Link,
      &Model::Rename,    &Model::Rename, &Model::Open,          &Model::Open,
      &Model::Close,     &Model::Close,  &Model::Close,         &Model::Write,
      &Model::Write,     &Model::Write,  &Model::ReadBack,      &Model::ReadBack,
      &Model::ChangeMode};
  // These wait for the disk, or take long.
  static constexpr Operation kRare[] = {&Model::Truncate, &Model::Truncate, &Model::Sync,
                                        &Model::ListInPieces};
  for (std::uint64_t i = 1; i <= operations; ++i) {
    SCOPED_TRACE("operation " + std::to_string(i));
    auto const operation =
        Random(40) == 0 ? kRare[Random(std::size(kRare))] : kMenu[Random(std::size(kMenu))];
    ASSERT_NO_FATAL_FAILURE((this->*operation)());
    if (i % kOperationsPerLook == 0) {
      ASSERT_NO_FATAL_FAILURE(Compare(root_));
      ASSERT_NO_FATAL_FAILURE(CompareOpen());
    }
    if (i % kOperationsPerMount == 0) {
      ASSERT_NO_FATAL_FAILURE(MountAnew());
    }
    if (HasFailure()) return;
  }
  ASSERT_NO_FATAL_FAILURE(MountAnew());
}

}  // namespace
}  // namespace tusfs
